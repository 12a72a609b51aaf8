"""Two circuits in one drawing: the union of their graphs, coloured by who has what.

The layout is that of one circuit; the number on a shared edge is the left circuit's score and
then the right one's, in logits.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from attention_viz.figures import palette
from attention_viz.figures.circuits.circuit import draw_circuit, draw_shapes, stylesheet
from attention_viz.figures.circuits.circuit_layout import drawn_edges
from attention_viz.figures.escape import signed, visible
from attention_viz.records.circuits.circuit import Circuit, CircuitNode
from attention_viz.records.circuits.circuit_view import CircuitView
from attention_viz.records.circuits.comparison import (
    SIDES,
    CircuitComparison,
    Parts,
    tell_turned,
)
from attention_viz.records.circuits.edge import EdgeId, Via

_COMPARED = ("head", "mlp")
_UNFOLDED = CircuitView(folds=False)  # a chain's MLPs may be of different sides


def draw_comparison(comparison: CircuitComparison, theme: str = "light") -> list[dict]:
    """Cytoscape elements of both circuits; use with {"name": "preset"}.

    Heads, MLPs and edges have one of the classes of SIDES, their data `side` too; shared edges
    have `left` and `right` (logits). The style is `comparison_stylesheet`.
    """
    sides = comparison.nodes.sides | comparison.edges.sides
    scores = {score.edge: (score.left, score.right) for score in comparison.scores}
    elements = draw_circuit(union_of(comparison), theme, view=_UNFOLDED)
    return [_marked(element, sides, scores) for element in elements]


def draw_compared(comparison: CircuitComparison, theme: str = "light") -> dict[str, Any]:
    """Both circuits as the page's graph: elements, their style, and the other shapes."""
    elements = draw_comparison(comparison, theme)
    more = {"fixed": True, "label": "Graph of both circuits; the table below has the same"}
    return {
        "name": "compare-graph",
        "elements": elements,
        "stylesheet": comparison_stylesheet(theme),
        "view": draw_shapes(elements, union_of(comparison), view=_UNFOLDED) | more,
    }


def union_of(comparison: CircuitComparison) -> Circuit:
    """Everything of the left circuit and what the right one adds; no tokens."""
    left, right = comparison.left, comparison.right
    nodes = {node.id: node for node in (*right.nodes, *left.nodes) if node.kind != "token"}
    edges = {edge.id: edge for edge in (*right.causal_edges, *left.causal_edges)}
    return replace(
        left,
        nodes=tuple(sorted((_neutral(n, comparison) for n in nodes.values()), key=_order)),
        edges=tuple(edges.values()),
        contributions=(),
    )


def comparison_stylesheet(theme: str = "light") -> list[dict[str, Any]]:
    """The circuit's style, with nodes and lines in the colours of the sides."""
    rules = []
    for side, colour in side_colours(theme).items():
        node = {"background-color": colour, "color": palette.ink_on(colour)}
        rules.append({"selector": f"node.{side}", "style": node})
        rules.append({"selector": f"edge.{side}", "style": {"line-color": colour}})
    return stylesheet(theme) + rules


def side_colours(theme: str = "light") -> dict[str, str]:
    """The ink for both, and a colour for what only one of the circuits has."""
    colours = palette.theme_of(theme)
    return dict(zip(SIDES, (colours.ink, colours.left, colours.right), strict=True))


def comparison_legend(comparison: CircuitComparison, theme: str = "light") -> list[dict[str, str]]:
    """What the colours mean, with counts, as items of a legend."""
    sides = zip(SIDES, ("both", "only left", "only right"), strict=True)
    colours = side_colours(theme)
    items = [
        {
            "mark": "dot",
            "colour": colours[side],
            "text": f"{name}: {text}",
            "short": f"{name}: {text}",
        }
        for side, name in sides
        for text in (_counts(comparison, side),)
    ]
    notes = [f"{name}: {text}" for name, text in _titles(comparison)]
    notes += [_agreement(comparison), "On a shared edge: left | right, in logits."]
    notes += [told] if (told := tell_turned(comparison)) else []
    union = union_of(comparison)
    left_out = len(union.edges) - len(drawn_edges(union, view=_UNFOLDED))
    if left_out:
        notes.append(f"{_many(left_out, 'weaker edge')} not drawn; the table has them all.")
    muted = palette.theme_of(theme).muted
    return items + [{"mark": "note", "colour": muted, "text": text, "short": ""} for text in notes]


def _marked(element: dict, sides: dict, scores: dict) -> dict:
    data = element["data"]
    kind = data.get("kind")
    if kind == "edge":
        edge = EdgeId(data["source"], data["target"], Via(data["via"]))
        side = sides[edge]
        data = data | _both(scores.get(edge), data)
    elif kind in _COMPARED:
        side = sides[data["id"]]
    else:
        return element
    classes = f"{element.get('classes', '')} {side}".strip()
    return element | {"data": data | {"side": side}, "classes": classes}


def _both(score: tuple[float, float] | None, data: dict) -> dict[str, Any]:
    """Both scores of a shared edge; its label has them where the drawing labels edges."""
    if score is None:
        return {}
    label = " | ".join(signed(value) for value in score) if data.get("label") else ""
    return {"left": score[0], "right": score[1], "label": label}


def _neutral(node: CircuitNode, comparison: CircuitComparison) -> CircuitNode:
    """Without what is one circuit's alone: the output's tokens where they differ."""
    if node.kind != "output":
        return node
    both = (*comparison.left.nodes, *comparison.right.nodes)
    labels = {each.label for each in both if each.kind == "output"}
    return node if len(labels) == 1 else replace(node, label="difference")


def _order(node: CircuitNode) -> tuple:
    """Heads of a layer by number, as every drawing has them."""
    return (node.head is None, node.head or 0, node.id)


def _counts(comparison: CircuitComparison, side: str) -> str:
    heads, edges = _of(comparison.heads, side), _of(comparison.edges, side)
    mlps = len(_of(comparison.nodes, side)) - len(heads)
    middle = f"{_many(mlps, 'MLP')}, " if mlps else ""
    return f"{_many(len(heads), 'head')}, {middle}{_many(len(edges), 'edge')}"


def _of(parts: Parts, side: str) -> tuple:
    return getattr(parts, side.replace("-", "_"))


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _titles(comparison: CircuitComparison) -> Iterator[tuple[str, str]]:
    for name, circuit in (("Left", comparison.left), ("Right", comparison.right)):
        model = circuit.request.question.model
        kind = circuit.request.ablation.label
        yield name, visible(f"{model} · {circuit.request.label} · {kind} ablation")


def _agreement(comparison: CircuitComparison) -> str:
    heads, edges = comparison.heads.jaccard, comparison.edges.jaccard
    parts = [
        f"Jaccard (shared ÷ all) of heads {_number(heads)}, of edges {_number(edges)}",
        f"correlation of {len(comparison.scores)} shared edges' scores "
        f"{_number(comparison.correlation)}",
    ]
    return "; ".join(parts) + "."


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.2f}".replace("-", "−")
