"""Where the nodes of a circuit's rows stand sideways: by layers, or in columns of tokens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from attention_viz.figures.circuits.circuit_labels import (
    LONGEST_TOKEN,
    edge_share,
    strongest_edge,
)
from attention_viz.figures.circuits.circuit_routes import Box, Point
from attention_viz.figures.circuits.circuit_rows import Row, Shape, row_width
from attention_viz.figures.escape import shorten, visible
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.circuit_view import CircuitView

COLUMN_GAP = 34  # px between token columns
_MOST_WIDER = 2.5  # times that columns stand further apart in a wide shape
_SWEEPS = 4  # upward and downward by turns, to cross fewer edges
GROUP_ROOM = 14  # px around a group's nodes
_LANE_LEAN = 34  # px that the rows of a group lean left and right


@dataclass(frozen=True)
class Column:
    """Of the layout by tokens; `position` is None for heads that have none."""

    position: int | None
    label: str  # "" where a token's node says it
    x: float


def place_by_layers(
    circuit: Circuit,
    rows: Sequence[Row],
    sizes: dict[str, Point],
    shape: Shape,
    view: CircuitView,
) -> dict[str, Box]:
    """Rows of nodes, ordered so that few edges cross; MLPs in a column at the right.

    Heads and MLPs of a group have a lane of their own: its box then holds nothing else.
    """
    orders = {row.name: [node.id for node in row.nodes if node.kind != "mlp"] for row in rows}
    leaps = {row.name: 0.5 if row.rise else 1.0 for row in rows}
    widest = max(
        (leaps[name] * row_width(o, sizes, shape.node_gap) for name, o in orders.items()),
        default=0.0,
    )
    span = max(widest, shape.width)
    leans = _leans(rows, span)
    links = _links(circuit)

    def spread(name: str) -> dict[str, float]:
        gap = shape.node_gap
        return _spread(orders[name], sizes, span, gap, lean=leans[name], leap=leaps[name])

    x: dict[str, float] = {}
    for name in orders:
        x |= spread(name)
    for sweep in range(_SWEEPS):
        for row in rows[:: -1 if sweep % 2 == 0 else 1]:
            if row.name not in ("tokens", "input", "logits"):
                orders[row.name].sort(key=lambda name: _pull(name, links, x))
                x |= spread(row.name)
    if view.groups:
        x |= _by_lanes(rows, orders, sizes, x, shape.node_gap, _lane_of(view))
    risen = {name for row in rows if row.rise for name in orders[row.name][1::2]}
    return _boxes(rows, x, sizes, shape, risen)


def _lane_of(view: CircuitView) -> dict[str, int]:
    """A node's first group, by number."""
    lanes: dict[str, int] = {}
    for number, (_, ids) in enumerate(view.groups):
        for id in ids:
            lanes.setdefault(id, number)
    return lanes


def _by_lanes(
    rows: Sequence[Row],
    orders: dict[str, list[str]],
    sizes: dict[str, Point],
    x: dict[str, float],
    node_gap: float,
    lane_of: dict[str, int],
) -> dict[str, float]:
    """x of heads, and of MLPs in a group; lanes keep the order that their nodes have now."""
    cells: dict[int, list[list[str]]] = {}
    leans: dict[str, float] = {}
    for number, row in enumerate(rows):
        leans |= {node.id: (-_LANE_LEAN, _LANE_LEAN)[number % 2] for node in row.nodes}
        if row.name in ("tokens", "input", "logits"):
            continue
        lifted = [node.id for node in row.nodes if node.kind == "mlp" and node.id in lane_of]
        for names in (orders[row.name], lifted):
            for lane in {lane_of.get(name, -1) for name in names}:
                inside = [name for name in names if lane_of.get(name, -1) == lane]
                cells.setdefault(lane, []).append(inside)
    widths = {
        lane: max(row_width(names, sizes, node_gap) for names in inside)
        + 2 * _LANE_LEAN * (len(inside) > 1)
        for lane, inside in cells.items()
    }
    gap = COLUMN_GAP + 2 * GROUP_ROOM
    at = -(sum(widths.values()) + gap * (len(widths) - 1)) / 2
    places: dict[str, float] = {}
    for lane in sorted(
        cells, key=lambda lane: _mean([x.get(n, 0) for c in cells[lane] for n in c])
    ):
        for names in cells[lane]:
            spread = _spread(names, sizes, widths[lane], node_gap, lean=leans[names[0]])
            places |= {name: at + widths[lane] / 2 + place for name, place in spread.items()}
        at += widths[lane] + gap
    return places


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _boxes(
    rows: Sequence[Row],
    x: dict[str, float],
    sizes: dict[str, Point],
    shape: Shape,
    risen: Iterable[str] = (),
) -> dict[str, Box]:
    """The boxes; MLPs without an x stand in a column at the right."""
    right = max((x[name] + sizes[name][0] / 2 for name in x), default=0.0)
    boxes = {}
    for row in rows:
        for node in row.nodes:
            width, height = sizes[node.id]
            up = row.rise + row.lift if node.kind == "mlp" else row.rise * (node.id in risen)
            beside = -width / 2 if shape.is_narrow else COLUMN_GAP + width / 2
            boxes[node.id] = Box(x.get(node.id, right + beside), row.y - up, width, height)
    return boxes


def _leans(rows: Sequence[Row], span: float) -> dict[str, float]:
    """Rows of heads lean left and right by turns, so that none hides behind the next."""
    return {
        row.name: 0.0
        if row.name in ("tokens", "input", "logits")
        else (0.11 if number % 2 else -0.11) * span
        for number, row in enumerate(rows)
    }


def _links(circuit: Circuit) -> dict[str, list[tuple[str, float]]]:
    """Neighbours of each node, and how much they pull."""
    links: dict[str, list[tuple[str, float]]] = {node.id: [] for node in circuit.nodes}
    strongest = strongest_edge(circuit)
    for edge in circuit.edges:
        pull = 0.1 + (edge_share(edge, strongest) if edge.via.is_causal else abs(edge.value))
        if edge.source in links and edge.target in links:
            links[edge.source].append((edge.target, pull))
            links[edge.target].append((edge.source, pull))
    return links


def _pull(name: str, links: dict[str, list[tuple[str, float]]], x: dict[str, float]) -> float:
    """Mean x of the neighbours: ordering by it crosses fewer edges (barycentre heuristic)."""
    pulls = [(x[other], pull) for other, pull in links[name] if other in x]
    total = sum(pull for _, pull in pulls)
    return sum(place * pull for place, pull in pulls) / total if pulls else x[name]


def _spread(
    order: Sequence[str],
    sizes: dict[str, Point],
    span: float,
    least_gap: float,
    *,
    lean: float = 0.0,
    leap: float = 1.0,
) -> dict[str, float]:
    """x of each node around 0; few nodes stand apart.

    `leap` is the share of its width and gap that a node takes: half where neighbours stand one
    above the other.
    """
    widths = [leap * sizes[name][0] for name in order]
    free = max(span - sum(widths) / leap, 0.0) / (len(order) + 1)
    gap = max(leap * least_gap, free)
    if leap < 1:
        gap = max(gap, (span - sum(widths) / len(order) / leap) / (len(order) - 1) - max(widths))
    total = sum(widths) + gap * (len(order) - 1)
    room = max(span - total, 0.0) / 2
    at = -total / 2 + max(-room, min(room, lean))
    places = {}
    for name, width in zip(order, widths, strict=True):
        places[name] = at + width / 2
        at += width + gap
    return places


def place_by_tokens(
    circuit: Circuit, rows: Sequence[Row], sizes: dict[str, Point], shape: Shape
) -> tuple[dict[str, Box], tuple[Column, ...]]:
    """Heads and tokens in the columns of their positions; other heads in one at the right.

    The output stands where it is read out. A column is as wide as its widest row needs.
    """
    cells: dict[tuple[int | None, str], list[str]] = {}
    for row in rows:
        for node in row.nodes:
            if node.kind in ("token", "head"):
                cells.setdefault((node.position, row.name), []).append(node.id)
    found = {position for position, _ in cells} | {circuit.position}
    positions = sorted(found - {None}) + ([None] if None in found else [])
    x: dict[str, float] = {}
    columns, at = [], 0.0
    for position in positions:
        label = "" if (position, "tokens") in cells else _column_label(circuit, position)
        inside = [names for (place, _), names in cells.items() if place == position]
        widest = [row_width(names, sizes, shape.node_gap) for names in inside]
        width = max([*widest, 7.6 * len(label) + 10])
        columns.append(Column(position, label, at + width / 2))
        for names in inside:
            places = _spread(names, sizes, width, shape.node_gap)
            x |= {name: place + at + width / 2 for name, place in places.items()}
        at += width + COLUMN_GAP
    read_out = next(column.x for column in columns if column.position == circuit.position)
    places = {"input": (at - COLUMN_GAP) / 2, "output": read_out}
    x |= {node.id: places[node.kind] for node in circuit.nodes if node.kind in places}
    wider = min(max(shape.width / (at - COLUMN_GAP), 1.0), _MOST_WIDER)
    x = {name: wider * place for name, place in x.items()}
    columns = [replace(column, x=wider * column.x) for column in columns]
    return _boxes(rows, x, sizes, replace(shape, is_narrow=False)), tuple(columns)


def _column_label(circuit: Circuit, position: int | None) -> str:
    if position is None:
        return "no one position"
    return shorten(visible(circuit.tokens.labels[position]), LONGEST_TOKEN)
