"""The rows of a circuit's drawing: which nodes stand in each, and how far apart they are.

Layers go upward: tokens or the input at the bottom, one row per layer, its MLP half a row above its
heads, the output on top. Where there are many rows each takes no more room than its nodes need.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from attention_viz.figures.circuits.circuit_levels import layers_of, node_order
from attention_viz.figures.circuits.circuit_routes import Point
from attention_viz.records.circuits.circuit import Circuit, CircuitNode
from attention_viz.records.circuits.circuit_view import CircuitView

HEIGHTS = {"token": 28, "input": 30, "head": 40, "mlp": 34, "output": 34}
ONE_LINE = 30  # px high, where heads have no number
_MLP_LIFT = 0.475  # of the gap between rows, above the heads of its layer
_RISE = 46  # px that every second node of a row too wide for its shape stands higher
# px from a row to the next at least: of heads, of MLPs alone, and with an MLP between them
_ROW, _CHAIN, _BETWEEN = 48.0, 50.0, 92.0
MOST_PLAIN = 8  # rows; where there are more, layers without a row are named too


@dataclass(frozen=True)
class Shape:
    """How wide and how dense a drawing is; px at its own size."""

    width: float  # that rows are spread over at least
    height: float  # that rows are pulled together for, as far as their nodes let them
    gap: float  # between rows, at most
    node_gap: float  # between neighbours in a row, at least
    head: float  # width of a head, at least
    margin: float  # around the text of a head
    is_narrow: bool = False  # rows wider than `width` stand in two lines, MLPs within the width


# "page" is what exported pictures have, and pages whose room nobody knows.
SHAPES = {
    "column": Shape(324, 780, 134, 12, 54, 16, is_narrow=True),
    "page": Shape(430, 708, 118, 22, 76, 22),
    "screen": Shape(1240, 720, 118, 22, 76, 22),
}


@dataclass(frozen=True)
class Row:
    name: str
    nodes: tuple[CircuitNode, ...]  # in their own order; the MLP last
    y: float
    rise: float  # px that every second node stands higher
    lift: float  # px that the MLP stands above the heads


def rows_of(
    circuit: Circuit, sizes: dict[str, Point], shape: Shape, view: CircuitView
) -> tuple[Row, ...]:
    """Bottom first; rows without nodes are left out.

    Few rows are spread over the shape's height, many take what their nodes need.
    """
    named = [(name, tuple(nodes)) for name, nodes in _by_row(circuit).items()]
    most = min(shape.gap, shape.height / max(len(named) - 1, 1))
    is_narrow = shape.is_narrow and view.layout == "layers"
    rows, y = [], 0.0
    for (name, nodes), (_, above) in zip(named, [*named[1:], ("", ())], strict=True):
        heads = [node.id for node in nodes if node.kind != "mlp"]
        can_rise = is_narrow and not view.groups
        is_wide = can_rise and row_width(heads, sizes, shape.node_gap) > shape.width
        rise = _RISE if is_wide else 0.0
        gap = max(most, _need(nodes, above, is_narrow))
        lift = _MLP_LIFT * gap if heads else 0.0
        rows.append(Row(name, nodes, y, rise, lift))
        y -= rise + gap
    return tuple(rows)


def _by_row(circuit: Circuit) -> dict[str, list[CircuitNode]]:
    """A chain of MLPs over several layers stands in the row of its first one."""
    found: dict[str, list[CircuitNode]] = {}
    with_heads = {node.head.layer for node in circuit.nodes if node.head is not None}
    for node in sorted(circuit.nodes, key=node_order):
        found.setdefault(_row_name(node, with_heads), []).append(node)
    return found


def _row_name(node: CircuitNode, with_heads: Set[int]) -> str:
    if node.kind in _ENDS:
        return _ENDS[node.kind]
    first, last = layers_of(node)
    return f"L{first}" if first == last or first in with_heads else f"L{first}–{last}"


_ENDS = {"token": "tokens", "input": "input", "output": "logits"}


def _need(nodes: Sequence[CircuitNode], above: Sequence[CircuitNode], is_narrow: bool) -> float:
    """px to the next row at least, so that no node lies on another or hides its arrows."""
    kinds, above_kinds = ({node.kind for node in row} for row in (nodes, above))
    if kinds == above_kinds == {"mlp"}:
        return _CHAIN
    # An MLP half a row up: below the next row's heads where it is narrow, or below its MLP
    is_between = kinds > {"mlp"} and (is_narrow or above_kinds == {"mlp"})
    return _BETWEEN if is_between else _ROW


def skipped_layers(rows: Sequence[Row]) -> tuple[tuple[str, float], ...]:
    """Name and y of lines for layers without a row of their own, where there are many rows.

    Those are layers of which nothing is drawn, and those that a chain of MLPs holds.
    """
    if len(rows) <= MOST_PLAIN:
        return ()
    found = []
    for row, above in pairwise(rows):
        layers = [layers_of(node) for node in row.nodes if node.kind in ("head", "mlp")]
        upper = [layers_of(node) for node in above.nodes if node.kind in ("head", "mlp")]
        if not layers or not upper or "–" in row.name:
            continue
        first, last = min(low for low, _ in layers) + 1, min(low for low, _ in upper) - 1
        if first <= last:
            name = f"L{first}" if first == last else f"L{first}–{last}"
            found.append((name, row.y - row.rise - (row.y - row.rise - above.y) / 2))
    return tuple(found)


def row_width(order: Sequence[str], sizes: dict[str, Point], node_gap: float) -> float:
    return sum(sizes[name][0] for name in order) + node_gap * (len(order) - 1)


def size_of(node: CircuitNode, label: str, shape: Shape) -> Point:
    """Width and height in px."""
    lines = label.split("\n")
    longest = max(len(line) for line in lines)
    height = HEIGHTS["head"] if len(lines) > 1 else min(HEIGHTS[node.kind], ONE_LINE + 4)
    if node.kind == "head":
        width = max(shape.head, 8.2 * longest + shape.margin)
        return width, height if len(lines) > 1 else ONE_LINE
    if node.kind == "mlp":
        return max(shape.head + 20, 7.6 * longest + shape.margin + 14), height
    return max(44.0, 7.6 * longest + 22), height
