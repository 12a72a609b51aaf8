"""Where a circuit's nodes and edges go; the page's graph and the exported picture share it.

Layers go upward: tokens or the input at the bottom, one row per layer, its MLP half a row above
its heads at the right, the output on top. In the layout "tokens" a head stands in the column of the
position where it matters most. x grows to the right and y downward, in px, as in cytoscape.

The same rows come in several shapes (see `Shape`): narrow ones for a column of the page, wide ones
for a whole screen, so that the drawing fills its room with letters that can be read.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from attention_viz.figures.circuits.circuit_routes import (
    Box,
    Point,
    Route,
    point_at,
    points_along,
    route_carefully,
    route_plainly,
)
from attention_viz.figures.escape import shorten, signed, visible
from attention_viz.records.circuits.circuit import Circuit, CircuitEdge, CircuitNode, CircuitRequest
from attention_viz.records.circuits.circuit_view import LAYOUTS, PLAIN_VIEW, CircuitView
from attention_viz.records.errors import BadInput

__all__ = [
    "CAREFUL",
    "SHAPES",
    "MOST_CHOSEN",
    "MOST_EDGES",
    "Box",
    "Column",
    "Group",
    "Layout",
    "Point",
    "Route",
    "Shape",
    "around",
    "arrow_length",
    "drawn_edges",
    "edge_arrow",
    "edge_label",
    "edge_names",
    "edge_opacity",
    "edge_width",
    "lay_out",
    "node_label",
    "node_labels",
    "point_at",
    "points_along",
    "smallest_of",
    "strongest_edge",
]

COLUMN_GAP = 34  # px between token columns
HEIGHTS = {"token": 28, "input": 30, "head": 40, "mlp": 34, "output": 34}
ONE_LINE = 30  # px high, where heads have no number
LONGEST_TOKEN = 14  # characters in a token's node; the hover has them all
LONGEST_NAME = 24
MOST_CHOSEN = 80  # causal edges drawn of chosen heads: all of theirs are measured, most are weak
MOST_EDGES = 500  # of other circuits
CAREFUL = 60  # edges that are led around each other and have their numbers on them
_MLP_LIFT = 0.475  # of the gap between rows, above the heads of its layer
_RISE = 46  # px that every second node of a row too wide for its shape stands higher
_FARTHEST = 20_000.0  # px from the middle that a node may have been dragged
_SWEEPS = 4  # upward and downward by turns, to cross fewer edges
_GROUP_ROOM = 14  # px around a group's nodes
_LANE_LEAN = 34  # px that the rows of a group lean left and right


@dataclass(frozen=True)
class Shape:
    """How wide and how dense a drawing is; px at its own size."""

    width: float  # that rows are spread over at least
    height: float  # that rows are pulled together for, as far as `gaps` go
    gaps: tuple[float, float]  # between rows, at least and at most
    node_gap: float  # between neighbours in a row, at least
    head: float  # width of a head, at least
    margin: float  # around the text of a head
    is_narrow: bool = False  # rows wider than `width` stand in two lines, MLPs within the width


# "page" is what exported pictures have, and pages whose room nobody knows.
SHAPES = {
    "column": Shape(324, 780, (112, 134), 12, 54, 16, is_narrow=True),
    "page": Shape(430, 708, (100, 118), 22, 76, 22),
    "screen": Shape(1240, 720, (84, 118), 22, 76, 22),
}


@dataclass(frozen=True)
class Column:
    """Of the layout by tokens; `position` is None for heads that have none."""

    position: int | None
    label: str  # "" where a token's node says it
    x: float


@dataclass(frozen=True)
class Group:
    """Nodes that a person put in one box."""

    id: str
    name: str
    members: tuple[str, ...]
    box: Box


@dataclass(frozen=True)
class Layout:
    """Everything that a drawing needs of where things are."""

    boxes: dict[str, Box]  # by node id
    labels: dict[str, str]  # by node id
    routes: tuple[Route, ...]  # weak edges first, so that the strong ones are drawn over them
    rows: tuple[tuple[str, float], ...]  # name and y of each row, bottom first
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    left: float
    right: float


def lay_out(circuit: Circuit, smallest: float = 0.0, view: CircuitView = PLAIN_VIEW) -> Layout:
    """Places the nodes, and routes the edges that are drawn (see `drawn_edges`).

    Hidden nodes leave a gap, so that nothing else jumps. Raises BadInput for a layout that is not
    known.
    """
    if view.layout not in LAYOUTS:
        raise BadInput(
            f"There is no layout {view.layout!r}.", f"Choose one of {', '.join(LAYOUTS)}."
        )
    shape = SHAPES[view.shape or "page"]
    labels = node_labels(circuit, view)
    sizes = {node.id: _size(node, labels[node.id], shape) for node in circuit.nodes}
    rows = _rows(circuit, sizes, shape, view)
    columns: tuple[Column, ...] = ()
    if view.layout == "tokens":
        boxes, columns = _place_by_tokens(circuit, rows, sizes, shape)
    else:
        boxes = _place_by_layers(circuit, rows, sizes, shape, view)
    boxes = {name: box for name, box in boxes.items() if name not in view.hidden}
    boxes = _moved(boxes, view.positions)
    routes = _route(drawn_edges(circuit, smallest, view), boxes)
    groups = _box_groups(view, boxes)
    outer = [*boxes.values(), *(group.box for group in groups)]
    sides = [box.x + side * box.width / 2 for box in outer for side in (-1, 1)]
    return Layout(
        boxes=boxes,
        labels={name: labels[name] for name in boxes},
        routes=routes,
        rows=tuple(
            (row.name, row.y) for row in rows if any(node.id in boxes for node in row.nodes)
        ),
        columns=columns,
        groups=groups,
        left=min(sides, default=0),
        right=max(sides, default=0),
    )


def drawn_edges(
    circuit: Circuit, smallest: float = 0.0, view: CircuitView = PLAIN_VIEW
) -> tuple[CircuitEdge, ...]:
    """Edges between nodes that are drawn: from tokens, and the strongest causal ones.

    `smallest` is the least size of a causal edge, in logits.
    """
    shown = {node.id for node in circuit.nodes}.difference(view.hidden)
    edges = [edge for edge in circuit.edges if edge.source in shown and edge.target in shown]
    causal = sorted(
        (edge for edge in edges if edge.via.is_causal and abs(edge.value) >= smallest),
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
    return 1.2 + 5.3 * _share(edge, strongest)


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
        return 0.22 + 0.73 * min(1.0, 2.5 * _share(edge, strongest))
    return 0.65 + 0.3 * min(1.0, 2 * _share(edge, strongest))


def _share(edge: CircuitEdge, strongest: float) -> float:
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
    if node.contribution is not None:
        below.append(signed(node.contribution))
    elif node.kind == "head" and has_number:
        below.append("not measured")
    first = given or visible(node.label)
    return f"{first}\n{'  '.join(below)}" if below else first


@dataclass(frozen=True)
class _Row:
    name: str
    nodes: tuple[CircuitNode, ...]  # in their own order; the MLP last
    y: float
    rise: float  # px that every second node stands higher
    lift: float  # px that the MLP stands above the heads


def _rows(
    circuit: Circuit, sizes: dict[str, Point], shape: Shape, view: CircuitView
) -> tuple[_Row, ...]:
    """Bottom first; rows without nodes are left out."""
    by_name: dict[str, list[CircuitNode]] = {}
    for node in sorted(circuit.nodes, key=_order):
        by_name.setdefault(_row_name(node), []).append(node)
    least, most = shape.gaps
    gap = min(most, max(least, shape.height / max(len(by_name) - 1, 1)))
    rows, y = [], 0.0
    for name, nodes in by_name.items():
        heads = [node.id for node in nodes if node.kind != "mlp"]
        can_rise = shape.is_narrow and view.layout == "layers" and not view.groups
        is_wide = can_rise and _row_width(heads, sizes, shape.node_gap) > shape.width
        rise = _RISE if is_wide else 0.0
        rows.append(_Row(name, tuple(nodes), y, rise, _MLP_LIFT * gap))
        y -= rise + gap
    return tuple(rows)


_LEVELS = {"token": -2, "input": -1, "output": 1_000_000}


def _order(node: CircuitNode) -> tuple[int, bool, int]:
    """Row from below, then the place in it."""
    if node.kind in _LEVELS:
        return _LEVELS[node.kind], False, node.position or 0
    return _layer(node), node.kind == "mlp", 0 if node.head is None else node.head.head


def _row_name(node: CircuitNode) -> str:
    return {"token": "tokens", "input": "input", "output": "logits"}.get(
        node.kind, f"L{_layer(node)}" if node.kind in ("head", "mlp") else ""
    )


def _layer(node: CircuitNode) -> int:
    """Of a head or an MLP ("L2MLP")."""
    return node.head.layer if node.head is not None else int(node.id[1:].removesuffix("MLP"))


def _place_by_layers(
    circuit: Circuit,
    rows: Sequence[_Row],
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
        (leaps[name] * _row_width(o, sizes, shape.node_gap) for name, o in orders.items()),
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
    rows: Sequence[_Row],
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
        lane: max(_row_width(names, sizes, node_gap) for names in inside)
        + 2 * _LANE_LEAN * (len(inside) > 1)
        for lane, inside in cells.items()
    }
    gap = COLUMN_GAP + 2 * _GROUP_ROOM
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
    rows: Sequence[_Row],
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


def _leans(rows: Sequence[_Row], span: float) -> dict[str, float]:
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
        pull = 0.1 + (_share(edge, strongest) if edge.via.is_causal else abs(edge.value))
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


def _row_width(order: Sequence[str], sizes: dict[str, Point], node_gap: float) -> float:
    return sum(sizes[name][0] for name in order) + node_gap * (len(order) - 1)


def _size(node: CircuitNode, label: str, shape: Shape) -> Point:
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


def _place_by_tokens(
    circuit: Circuit, rows: Sequence[_Row], sizes: dict[str, Point], shape: Shape
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
        widest = [_row_width(names, sizes, shape.node_gap) for names in inside]
        width = max([*widest, 7.6 * len(label) + 10])
        columns.append(Column(position, label, at + width / 2))
        for names in inside:
            places = _spread(names, sizes, width, shape.node_gap)
            x |= {name: place + at + width / 2 for name, place in places.items()}
        at += width + COLUMN_GAP
    read_out = next(column.x for column in columns if column.position == circuit.position)
    places = {"input": (at - COLUMN_GAP) / 2, "output": read_out}
    x |= {node.id: places[node.kind] for node in circuit.nodes if node.kind in places}
    return _boxes(rows, x, sizes, replace(shape, is_narrow=False)), tuple(columns)


def _column_label(circuit: Circuit, position: int | None) -> str:
    if position is None:
        return "no one position"
    return shorten(visible(circuit.tokens.labels[position]), LONGEST_TOKEN)


def _route(edges: Sequence[CircuitEdge], boxes: dict[str, Box]) -> tuple[Route, ...]:
    """Few edges carefully, many plainly; weak edges first."""
    if len(edges) <= CAREFUL:
        routes = route_carefully(edges, [edge_label(edge) for edge in edges], boxes)
    else:
        routes = route_plainly(edges, boxes)
    return tuple(sorted(routes, key=lambda r: (r.edge.via.is_causal, abs(r.edge.value))))


def _moved(boxes: dict[str, Box], positions: Iterable[tuple[str, float, float]]) -> dict[str, Box]:
    """Pinned nodes in their places; places that can't be are passed over."""
    moved = dict(boxes)
    for name, x, y in positions:
        # A comparison with nan is false.
        if name in moved and math.fabs(x) <= _FARTHEST and math.fabs(y) <= _FARTHEST:
            moved[name] = replace(moved[name], x=float(x), y=float(y))
    return moved


def _box_groups(view: CircuitView, boxes: dict[str, Box]) -> tuple[Group, ...]:
    """A box around the members of each group; groups without a node drawn are left out."""
    taken: set[str] = set()
    groups = []
    for number, (name, ids) in enumerate(view.groups):
        members = tuple(id for id in dict.fromkeys(ids) if id in boxes and id not in taken)
        taken.update(members)
        if members:
            frame = around([boxes[id] for id in members])
            title = shorten(visible(name.strip()), LONGEST_NAME)
            groups.append(Group(f"group:{number}", title, members, frame))
    return tuple(groups)


def around(boxes: Sequence[Box], room: float = _GROUP_ROOM) -> Box:
    """The box that holds them all, with some room."""
    left = min(box.x - box.width / 2 for box in boxes) - room
    right = max(box.x + box.width / 2 for box in boxes) + room
    top = min(box.y - box.height / 2 for box in boxes) - room
    bottom = max(box.y + box.height / 2 for box in boxes) + room
    return Box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
