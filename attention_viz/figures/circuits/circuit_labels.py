"""What a circuit's nodes and edges say, and how an edge looks: names, numbers, widths.

The page's graph and the exported picture share it.
"""

from collections import Counter
from collections.abc import Iterable

from attention_viz.figures.circuits.stack import StackNode, SummedEdge, size_of_edge
from attention_viz.figures.escape import shorten, signed, visible
from attention_viz.records.circuits.circuit import Circuit, CircuitEdge, CircuitNode, CircuitRequest
from attention_viz.records.circuits.circuit_view import PLAIN_VIEW, CircuitView

LONGEST_TOKEN = 14  # characters in a token's node; the hover has them all
LONGEST_NAME = 24
MOST_CHOSEN = 80  # causal edges drawn of chosen heads: all of theirs are measured, most are weak
MOST_EDGES = 500  # of other circuits


def drawn_edges(
    circuit: Circuit, smallest: float = 0.0, view: CircuitView = PLAIN_VIEW
) -> tuple[CircuitEdge, ...]:
    """Edges between nodes that are drawn: from tokens, and the strongest causal ones.

    `smallest` is the least size of a causal edge, in logits; of a sum, of the greater of its sides.
    """
    shown = {node.id for node in circuit.nodes}.difference(view.hidden)
    edges = [edge for edge in circuit.edges if edge.source in shown and edge.target in shown]
    causal = sorted(
        (edge for edge in edges if edge.via.is_causal and size_of_edge(edge) >= smallest),
        key=lambda edge: -abs(edge.value),
    )
    most = MOST_CHOSEN if isinstance(circuit.request, CircuitRequest) else MOST_EDGES
    kept = {id(edge) for edge in causal[:most]}
    return tuple(edge for edge in edges if not edge.via.is_causal or id(edge) in kept)


def edge_names(edges: Iterable[CircuitEdge]) -> list[str]:
    """Unique ids such as "L2H3→L3H1:Q"."""
    seen: Counter[str] = Counter()
    names = []
    for edge in edges:
        name = f"{edge.source}→{edge.target}:{edge.via.value}"
        if edge.position is not None:
            name += f"@{edge.position}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


def edge_label(edge: CircuitEdge) -> str:
    """Signed logits of a causal edge; a weight from 0 to 1, without sign, of a token edge."""
    if not edge.via.is_causal:
        return f"{edge.value:.2f}"
    digits = 2 if abs(edge.value) >= 0.095 else 3
    return signed(edge.value, digits)


def edge_number(edge: CircuitEdge) -> str:
    """What an edge says under the mouse: of a sum how many it holds, and both sides."""
    if not isinstance(edge, SummedEdge):
        return edge_label(edge)
    label = f"{edge_label(edge)}, sum of {count_edges(len(edge.parts))}"
    if edge.is_mixed:
        label += " ({} {})".format(*(signed(value) for value in edge.both_sums))
    return label


def count_edges(count: int) -> str:
    return "1 edge" if count == 1 else f"{count} edges"


def strongest_edge(circuit: Circuit) -> float:
    """The greatest size of a causal edge, logits; 0 where there is none."""
    return max((abs(edge.value) for edge in circuit.edges if edge.via.is_causal), default=0.0)


def smallest_of(circuit: Circuit, share: float | None) -> float:
    """The least size (logits) of an edge that is drawn: a share (0 to 1) of the strongest."""
    is_share = isinstance(share, int | float) and 0 <= share <= 1
    return (share if is_share else 0.0) * strongest_edge(circuit)


def edge_width(edge: CircuitEdge, strongest: float) -> float:
    """px; causal edges relative to the strongest one, attention weights relative to 1."""
    if not edge.via.is_causal:
        return 1.0 + 2.5 * min(max(edge.value, 0.0), 1.0)
    return 1.2 + 5.3 * edge_share(edge, strongest)


def edge_arrow(width: float) -> float:
    """Size of the arrow head of a line so wide, relative to cytoscape's own.

    Cytoscape's is 8.7 px on lines up to 3 px, and then grows faster than we want it.
    """
    return (9.0 + 1.1 * width) / arrow_length(width)


def arrow_length(width: float, scale: float = 1.0) -> float:
    """px of the arrow head that cytoscape draws on a line so wide, at this "arrow-scale"."""
    return scale * max((width * 13.37) ** 0.9, 29.0) * 0.3


def edge_opacity(edge: CircuitEdge, strongest: float, is_crowded: bool = False) -> float:
    """Weak causal edges step back, so that the strong ones can be followed."""
    if not edge.via.is_causal:
        return 0.75
    if is_crowded:
        return 0.22 + 0.73 * min(1.0, 2.5 * edge_share(edge, strongest))
    return 0.65 + 0.3 * min(1.0, 2 * edge_share(edge, strongest))


def edge_share(edge: CircuitEdge, strongest: float) -> float:
    return abs(edge.value) / (strongest or 1.0)


def node_labels(circuit: Circuit, view: CircuitView = PLAIN_VIEW) -> dict[str, str]:
    """What each node says, by its id."""
    names = dict(view.names)
    is_measured = any(node.contribution is not None for node in circuit.nodes)
    return {
        node.id: node_label(node, names.get(node.id, ""), is_measured) for node in circuit.nodes
    }


def node_label(node: CircuitNode, name: str = "", has_number: bool = True) -> str:
    """What the node says; a head has its direct contribution on the second line.

    A head or MLP that was given a name keeps its own before the number. `has_number` is false
    where no head's contribution was measured, so that none needs to say so.
    """
    given = shorten(visible(name.strip()), LONGEST_NAME)
    if node.kind == "token":
        return given or shorten(visible(node.label), LONGEST_TOKEN)
    if node.kind == "output":
        return given or f"logit {visible(node.label)}"
    below = [visible(node.label)] if given and node.kind in ("head", "mlp") else []
    if isinstance(node, StackNode):
        below.append(f"{len(node.members)} MLPs")
    if node.contribution is not None:
        below.append(signed(node.contribution))
    elif node.kind == "head" and has_number:
        below.append("not measured")
    first = given or visible(node.label)
    return f"{first}\n{'  '.join(below)}" if below else first
