"""What the signs of a drawn circuit mean; the page and the exported picture share it."""

from collections.abc import Iterable

from attention_viz.figures import palette
from attention_viz.figures.circuits.circuit_layout import drawn_edges, node_labels, strongest_edge
from attention_viz.figures.circuits.folding import fold_circuit
from attention_viz.figures.circuits.stack import StackNode, SummedEdge
from attention_viz.figures.escape import visible
from attention_viz.records.circuits.attribution import Direction
from attention_viz.records.circuits.circuit import Circuit, CircuitEdge, CutRequest
from attention_viz.records.circuits.circuit_view import PLAIN_VIEW, CircuitView
from attention_viz.records.circuits.edge import Via
from attention_viz.records.circuits.roles import Role
from attention_viz.records.metrics import Sense

LEAST_LISTED = 0.01  # logits
LEAST_SHARE = 0.02  # of the strongest edge of a list
LEAST_WEIGHT = 0.01  # of attention
_INTO = {
    Via.Q: "into Q: changes where the reader looks from",
    Via.K: "into K: changes what the reader finds",
    Via.V: "into V: changes what the reader copies",
    Via.MLP: "into an MLP",
    Via.LOGITS: "direct to the logits",
}


def legend(
    circuit: Circuit,
    theme: str = "light",
    smallest: float = 0.0,
    view: CircuitView = PLAIN_VIEW,
) -> list[dict[str, str]]:
    """What the signs mean, as {mark, colour, text, short}; only signs that occur in this drawing.

    mark: a line "solid", "dotted" or "dashed", "width" (a wedge), "arrow" (an arrow head), "dot" or
    "hexagon" (a node's colour), or "note". short: a few words for a line of signs, "" for none.
    """
    colours = palette.theme_of(theme)
    whole, circuit = circuit, fold_circuit(circuit, view)
    drawn = drawn_edges(circuit, smallest, view)
    vias = {edge.via for edge in drawn}
    items = _signs(circuit, drawn, theme) + _styles(circuit, drawn, colours)
    items += [
        _item("arrow", colours.via[via], text, text.partition(":")[0])
        for via, text in _INTO.items()
        if via in vias
    ]
    items += [
        _item("dot", palette.role_colour(role, theme), text, role.value)
        for role, text in _roles(circuit, view).items()
    ]
    shown = [node for node in circuit.nodes if node.kind == "mlp" and node.id not in view.hidden]
    if shown:
        has_stack = any(isinstance(node, StackNode) for node in shown)
        text = "MLP, and a stack of several" if has_stack else "MLP"
        items.append(_item("hexagon", colours.mlp, text, text))
    notes = [*_fold_notes(circuit, whole), *_notes(circuit, drawn, view)]
    return items + [_item("note", colours.muted, text) for text in notes]


def folded_legend(
    circuit: Circuit,
    theme: str = "light",
    smallest: float = 0.0,
    view: CircuitView = PLAIN_VIEW,
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """(signs, notes): the signs in a few words each, for one line, and the legend in full.

    Both are items as of `legend`; the notes stand behind the line, where it is opened.
    """
    items = legend(circuit, theme, smallest, view)
    signs = [item | {"text": item["short"]} for item in items if item["short"]]
    return signs, items


def worth_listing(
    edges: Iterable[CircuitEdge],
) -> tuple[tuple[CircuitEdge, ...], tuple[CircuitEdge, ...]]:
    """(listed, folded): edges so weak that a list of them would say "0.000" are folded.

    Those are causal edges below LEAST_LISTED, or, where all are weak, below LEAST_SHARE of the
    strongest of them; attention weights below LEAST_WEIGHT. Each part keeps the order given.
    """
    edges = tuple(edges)
    sizes = [abs(edge.value) for edge in edges if edge.via.is_causal]
    least = min(LEAST_LISTED, LEAST_SHARE * max(sizes, default=0.0))

    def is_weak(edge: CircuitEdge) -> bool:
        return abs(edge.value) < (least if edge.via.is_causal else LEAST_WEIGHT)

    return (
        tuple(edge for edge in edges if not is_weak(edge)),
        tuple(edge for edge in edges if is_weak(edge)),
    )


def is_denoised(circuit: Circuit) -> bool:
    """Whether estimates are of edges restored in the counterfactual run, not patched."""
    request = circuit.request
    is_cut = isinstance(request, CutRequest)
    return is_cut and request.attribution.direction is Direction.DENOISE


def difference_of(circuit: Circuit) -> str:
    """The logit difference's two tokens; of several pairs they are not the same in each."""
    if circuit.pairs > 1:
        return "answer − distractor"
    return f"{visible(circuit.answer.shown)} − {visible(circuit.distractor.shown)}"


def edge_sense(circuit: Circuit) -> Sense:
    """What the sign of a causal edge's value says: patched it takes away, restored it gives."""
    return Sense.HELPS_ABOVE if is_denoised(circuit) else Sense.HELPS_BELOW


def _signs(circuit: Circuit, drawn: tuple[CircuitEdge, ...], theme: str) -> list[dict[str, str]]:
    """Line colours and widths of causal edges."""
    colours = palette.theme_of(theme)
    values = [edge.value for edge in drawn if edge.via.is_causal]
    sides = {palette.sign_meaning(value, edge_sense(circuit)) for value in values}
    items = []
    for side, name in (("helps", "helps the answer"), ("against", "works against the answer")):
        if side in sides:
            text = f"{name}: {_says(circuit, side == 'helps')}"
            items.append(_item("solid", getattr(colours, side), text, name))
    if any(value == 0 for value in values):
        items.append(_item("solid", colours.muted, "no effect", "no effect"))
    if values:
        strongest = strongest_edge(circuit)
        text = f"size of the effect; the circuit's strongest edge: {strongest:.2f} logits"
        items.append(_item("width", colours.ink2, text))
    return items


def _says(circuit: Circuit, helps: bool) -> str:
    """What such an edge does, and its sign."""
    is_restored = is_denoised(circuit)
    does, sign = ("rises", "+") if helps == is_restored else ("falls", "−")
    done = "restored" if is_restored else "patched"
    return f"logit {difference_of(circuit)} {does} when the edge is {done} ({sign})"


def _styles(
    circuit: Circuit, drawn: tuple[CircuitEdge, ...], colours: palette.Theme
) -> list[dict[str, str]]:
    causal = [edge for edge in drawn if edge.via.is_causal]
    items = []
    if any(edge.is_exact for edge in causal):
        items.append(
            _item("solid", colours.muted, "exact: measured by direct path patching", "exact")
        )
    if any(not edge.is_exact for edge in causal):
        text = f"estimated from gradients{_method(circuit)}"
        items.append(_item("dotted", colours.muted, text, "estimated"))
    if len(causal) < len(drawn):
        text = "attention weight (0 to 1) from the read-out or the reader's position"
        items.append(_item("dashed", colours.via[Via.ATTENTION], text, "attention weight"))
    return items


def _method(circuit: Circuit) -> str:
    request = circuit.request
    return f" ({request.attribution.label})" if isinstance(request, CutRequest) else ""


def _roles(circuit: Circuit, view: CircuitView) -> dict[Role, str]:
    """Each role that occurs, with its heads and their scores."""
    found: dict[Role, list[str]] = {}
    labels = node_labels(circuit, view)
    for node in circuit.nodes:
        if node.kind != "head" or node.id in view.hidden:
            continue
        name = labels[node.id].split("\n")[0]
        if node.role is None:
            found.setdefault(Role.UNCLEAR, []).append(f"{name} (not measured)")
        else:
            score = "" if node.role.role is Role.UNCLEAR else f" {node.role.score:.2f}"
            found.setdefault(node.role.role, []).append(f"{name}{score}")
    return {role: f"{role.value}: {', '.join(found[role])}" for role in Role if role in found}


def _notes(circuit: Circuit, drawn: tuple[CircuitEdge, ...], view: CircuitView) -> list[str]:
    notes = []
    causal = [edge for edge in drawn if edge.via.is_causal]
    if any(edge.is_exact for edge in causal):
        notes.append(
            f"Exact: the change of the logit difference {difference_of(circuit)} (logits) when the "
            f"writer's result is replaced by {visible(circuit.patched_with)} in that one input, by "
            "direct path patching."
        )
    if any(node.contribution is not None for node in circuit.nodes):
        notes.append(
            f"Number in a node: its direct contribution to {circuit.contributed_to} (logits), "
            "clean run."
        )
    weaker = _count_weaker(circuit, drawn, view)
    if weaker:
        notes.append(f"{weaker} weaker edges are not drawn; the table has them all.")
    hidden = [node.id for node in circuit.nodes if node.id in view.hidden]
    if hidden:
        nodes = "1 node" if len(hidden) == 1 else f"{len(hidden)} nodes"
        notes.append(f"Hidden by hand: {nodes}, with all edges there.")
    return notes


def _fold_notes(circuit: Circuit, whole: Circuit) -> list[str]:
    """How many MLPs and edges stand for how many, and what is not seen of them."""
    stacks = [node for node in circuit.nodes if isinstance(node, StackNode)]
    if not stacks:
        return []
    mlps, inside = (sum(len(getattr(s, name)) for s in stacks) for name in ("members", "inside"))
    sums = [edge for edge in circuit.edges if isinstance(edge, SummedEdge)]
    parts = sum(len(edge.parts) for edge in sums)
    mixed = sum(edge.is_mixed for edge in sums)
    text = (
        f"Folded: {mlps} MLPs in {_counted(len(stacks), 'stack')}. {_counted(parts, 'edge')} of "
        f"theirs are drawn as {_counted(len(sums), 'sum')}"
    )
    if mixed:
        text += f", {mixed} of them of edges of either sign"
    if inside:
        text += f"; {_counted(inside, 'edge')} inside a stack are not drawn"
    return [f"{text}. Tables and data have all {len(whole.causal_edges)} edges."]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _count_weaker(circuit: Circuit, drawn: tuple[CircuitEdge, ...], view: CircuitView) -> int:
    """Edges between shown nodes that are too weak to be drawn."""
    hidden = set(view.hidden)
    shown = [e for e in circuit.edges if e.source not in hidden and e.target not in hidden]
    return len(shown) - len(drawn)


def _item(mark: str, colour: str, text: str, short: str = "") -> dict[str, str]:
    return {"mark": mark, "colour": colour, "text": text, "short": short}
