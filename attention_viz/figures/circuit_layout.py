"""Where a circuit's nodes and edges go; the page's graph and the exported picture share it.

Layers go upward: tokens at the bottom in order of position, one row per layer that has heads,
the output on top. x grows to the right and y downward, in px, as in cytoscape. An edge is two
quadratic Bézier pieces through control points given relative to the line between its ends
(cytoscape's "unbundled-bezier"), so it keeps its bow when a node is dragged.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from attention_viz.figures.escape import shorten, signed, visible
from attention_viz.records.circuit import Circuit, CircuitEdge, CircuitNode, Via

Point = tuple[float, float]

ROW_GAP = 118  # px between rows; less where there are many
NODE_GAP = 22  # px between neighbours in a row
HEIGHTS = {"token": 28, "head": 40, "output": 34}
LONGEST_TOKEN = 14  # characters in a token's node; the hover has them all
MOST_EDGES = 80  # measured edges drawn; more can't be told apart
_PORTS = {Via.Q: -20, Via.K: 0, Via.V: 20}  # px from the reader's middle
_BOWS = (0, 46, -46, 92, -92, 138, -138, 184, -184)  # px sideways that a curve may bow
_LIFTS = (0, 16, -16)  # px upward
_WAYS = sorted((abs(bow) + 0.6 * abs(lift), bow, lift) for bow in _BOWS for lift in _LIFTS)
_FIRST = 0.34  # share of the rise at which an edge's first control point is
_LABEL_SPOTS = (0.5, 0.4, 0.6, 0.32, 0.68, 0.25, 0.75, 0.18, 0.82)  # shares of the length
_LABEL_HEIGHT = 15
_SAMPLES = 25


@dataclass(frozen=True)
class Box:
    """A rectangle around its middle."""

    x: float
    y: float
    width: float
    height: float

    def grown(self, by: float) -> "Box":
        return Box(self.x, self.y, self.width + 2 * by, self.height + 2 * by)

    def overlap(self, other: "Box") -> float:
        """Shared area in px²."""
        wide = (self.width + other.width) / 2 - abs(self.x - other.x)
        tall = (self.height + other.height) / 2 - abs(self.y - other.y)
        return max(wide, 0.0) * max(tall, 0.0)


@dataclass(frozen=True)
class Route:
    """How an edge runs, relative to its nodes."""

    edge: CircuitEdge
    leave: Point  # from the source's middle
    enter: Point  # from the target's middle
    weights: tuple[float, float]  # of the control points, along the line between the ends
    distances: tuple[float, float]  # of the control points, across that line, px
    label_at: float  # px along the curve from its start

    def curve(self, source: Point, target: Point) -> list[Point]:
        """Start, control, joint, control, end for nodes at these middles."""
        start = (source[0] + self.leave[0], source[1] + self.leave[1])
        end = (target[0] + self.enter[0], target[1] + self.enter[1])
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = math.hypot(dx, dy) or 1.0
        one, two = (
            (start[0] + w * dx - d * dy / length, start[1] + w * dy + d * dx / length)
            for w, d in zip(self.weights, self.distances, strict=True)
        )
        joint = ((one[0] + two[0]) / 2, (one[1] + two[1]) / 2)
        return [start, one, joint, two, end]


@dataclass(frozen=True)
class Layout:
    """Everything that a drawing needs of where things are."""

    boxes: dict[str, Box]  # by node id
    routes: tuple[Route, ...]
    rows: tuple[tuple[str, float], ...]  # name and y of each row, bottom first
    left: float
    right: float


def lay_out(circuit: Circuit, smallest: float = 0.0) -> Layout:
    """Places all nodes, and routes the edges that are drawn (see `drawn_edges`)."""
    boxes = _place_nodes(circuit)
    routes = _route_edges(drawn_edges(circuit, smallest), boxes)
    rows = tuple((name, y) for name, _, y in _rows(circuit))
    edges_of_boxes = [box.x + side * box.width / 2 for box in boxes.values() for side in (-1, 1)]
    return Layout(
        boxes, routes, rows, min(edges_of_boxes, default=0), max(edges_of_boxes, default=0)
    )


def drawn_edges(circuit: Circuit, smallest: float = 0.0) -> tuple[CircuitEdge, ...]:
    """Token edges, and the strongest measured ones of at least `smallest` logits."""
    measured = sorted(
        (e for e in circuit.edges if e.via.is_measured and abs(e.value) >= smallest),
        key=lambda edge: -abs(edge.value),
    )
    kept = {id(edge) for edge in measured[:MOST_EDGES]}
    return tuple(e for e in circuit.edges if not e.via.is_measured or id(e) in kept)


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
    """Signed logits of a measured edge; a weight from 0 to 1, without sign, of a token edge."""
    if not edge.via.is_measured:
        return f"{edge.value:.2f}"
    digits = 2 if abs(edge.value) >= 0.095 else 3
    return signed(edge.value, digits)


def edge_width(edge: CircuitEdge, circuit: Circuit) -> float:
    """px; measured edges relative to the strongest one, attention weights relative to 1."""
    if not edge.via.is_measured:
        return 1.0 + 2.5 * min(max(edge.value, 0.0), 1.0)
    return 1.2 + 5.3 * edge_share(edge, circuit)


def edge_opacity(edge: CircuitEdge, circuit: Circuit) -> float:
    """Weak measured edges step back, so that the strong ones can be followed."""
    if not edge.via.is_measured:
        return 0.75
    return 0.4 + 0.5 * min(1.0, 2 * edge_share(edge, circuit))


def edge_share(edge: CircuitEdge, circuit: Circuit) -> float:
    """Size of a measured edge relative to the strongest one, 0 to 1."""
    sizes = [abs(e.value) for e in circuit.edges if e.via.is_measured]
    return abs(edge.value) / (max(sizes) or 1.0)


def node_label(node: CircuitNode) -> str:
    """What the node says; a head has its direct contribution on the second line."""
    if node.kind == "token":
        return shorten(visible(node.label), LONGEST_TOKEN)
    if node.kind == "output":
        return f"logit {visible(node.label)}"
    written = "not measured" if node.contribution is None else signed(node.contribution)
    return f"{node.label}\n{written}"


def points_along(curve: Sequence[Point], samples: int = _SAMPLES) -> list[Point]:
    """Points on the two quadratic pieces, in order."""
    start, one, joint, two, end = curve
    half = (samples + 1) // 2
    first = [_quadratic(start, one, joint, i / half) for i in range(half)]
    return first + [_quadratic(joint, two, end, i / half) for i in range(half + 1)]


def point_at(curve: Sequence[Point], distance: float) -> Point:
    """The point `distance` px along the curve."""
    points = points_along(curve, 60)
    for one, two in pairwise(points):
        step = math.dist(one, two)
        if distance <= step and step > 0:
            share = distance / step
            return (one[0] + share * (two[0] - one[0]), one[1] + share * (two[1] - one[1]))
        distance -= step
    return points[-1]


def _rows(circuit: Circuit) -> list[tuple[str, list[CircuitNode], float]]:
    """(name, nodes, y), bottom first; rows without nodes are left out."""
    tokens = [node for node in circuit.nodes if node.kind == "token"]
    heads = [node for node in circuit.nodes if node.kind == "head"]
    rows = [("tokens", sorted(tokens, key=lambda node: node.position or 0))]
    for layer in sorted({node.head.layer for node in heads}):
        in_layer = [node for node in heads if node.head.layer == layer]
        rows.append((f"L{layer}", sorted(in_layer, key=lambda node: node.head)))
    rows.append(("logits", [node for node in circuit.nodes if node.kind == "output"]))
    rows = [row for row in rows if row[1]]
    gap = ROW_GAP if len(rows) <= 6 else 0.85 * ROW_GAP
    return [(name, nodes, -gap * i + 0.0) for i, (name, nodes) in enumerate(rows)]


def _place_nodes(circuit: Circuit) -> dict[str, Box]:
    rows = _rows(circuit)
    widest = max((_row_width(nodes) for _, nodes, _ in rows), default=0.0)
    span = max(widest, 430.0)
    boxes: dict[str, Box] = {}
    for number, (name, nodes, y) in enumerate(rows):
        if name not in ("tokens", "logits"):
            nodes = sorted(nodes, key=lambda node: _pull(node, circuit, boxes))
        lean = 0 if name in ("tokens", "logits") else (0.11 if number % 2 else -0.11) * span
        for node, x in zip(nodes, _spread(nodes, span, lean), strict=True):
            boxes[node.id] = Box(x, y, _node_width(node), HEIGHTS[node.kind])
    return boxes


def _pull(node: CircuitNode, circuit: Circuit, boxes: dict[str, Box]) -> float:
    """Mean x of the nodes below that feed this one: ordering by it crosses fewer edges."""
    fed_by = [edge.source for edge in circuit.edges if edge.target == node.id]
    places = [boxes[source].x for source in fed_by if source in boxes]
    return sum(places) / len(places) if places else 0.0


def _spread(nodes: list[CircuitNode], span: float, lean: float) -> list[float]:
    """x of each node around 0; few nodes stand apart, and rows lean so that none hides behind."""
    widths = [_node_width(node) for node in nodes]
    free = max(span - sum(widths), 0.0) / (len(nodes) + 1)
    gap = max(NODE_GAP, free)
    total = sum(widths) + gap * (len(nodes) - 1)
    room = max(span - total, 0.0) / 2
    at = -total / 2 + max(-room, min(room, lean))
    places = []
    for width in widths:
        places.append(at + width / 2)
        at += width + gap
    return places


def _row_width(nodes: list[CircuitNode]) -> float:
    return sum(_node_width(node) for node in nodes) + NODE_GAP * (len(nodes) - 1)


def _node_width(node: CircuitNode) -> float:
    longest = max(len(line) for line in node_label(node).split("\n"))
    if node.kind == "head":
        return max(76.0, 8.2 * longest + 22)
    return max(44.0, 7.6 * longest + 22)


def _route_edges(edges: Sequence[CircuitEdge], boxes: dict[str, Box]) -> tuple[Route, ...]:
    """Strong edges choose first, their way and then the spot of their label."""
    placed = [edge for edge in edges if edge.source in boxes and edge.target in boxes]
    order = sorted(placed, key=lambda edge: (not edge.via.is_measured, -abs(edge.value)))
    drawn = np.empty((0, 2))  # points of the curves so far
    routes: list[Route] = []
    for edge in order:
        routes.append(_choose_way(edge, boxes, drawn))
        drawn = np.concatenate([drawn, _points(routes[-1], boxes)])
    labels: list[Box] = []
    named = {id(route.edge): _with_label(route, boxes, labels, drawn) for route in routes}
    return tuple(named[id(edge)] for edge in placed)


def _choose_way(edge: CircuitEdge, boxes: dict[str, Box], drawn: np.ndarray) -> Route:
    """The gentlest bow that runs behind no other node and not along an earlier edge."""
    others = [box.grown(6) for name, box in boxes.items() if name not in (edge.source, edge.target)]
    best, least = None, math.inf
    for effort, bow, lift in _WAYS:
        if effort >= least:
            break
        route = _bend(edge, boxes, bow, lift)
        points = _points(route, boxes)
        cost = effort + 400 * sum(_inside(points, box).any() for box in others)
        if cost < least:
            cost += 9 * _shared(points, drawn)
        if cost < least:
            best, least = route, cost
    return best


def _shared(points: np.ndarray, drawn: np.ndarray) -> int:
    """How many points lie on earlier curves; the ends, where edges meet anyway, don't count."""
    middle = points[4:-4]
    if not len(drawn):
        return 0
    apart = abs(middle[:, :1] - drawn[:, 0]) + abs(middle[:, 1:] - drawn[:, 1])
    return int((apart < 13).any(axis=1).sum())


def _bend(edge: CircuitEdge, boxes: dict[str, Box], bow: float, lift: float) -> Route:
    """An S that leaves and enters upright, pushed sideways by `bow` and up by `lift`."""
    source, target = boxes[edge.source], boxes[edge.target]
    leave = (0.0, -source.height / 2)
    enter = (float(_PORTS.get(edge.via, 0)), target.height / 2)
    start = (source.x + leave[0], source.y + leave[1])
    end = (target.x + enter[0], target.y + enter[1])
    rise = end[1] - start[1]
    # Below the reader and above the writer, else the arrow would enter sideways.
    heights = (
        min(max(start[1] + share * rise - lift, end[1] + 14), start[1] - 14)
        for share in (_FIRST, 1 - _FIRST)
    )
    controls = zip((start[0] + bow, end[0] + bow), heights, strict=True)
    weights, distances = zip(*(_relative(point, start, end) for point in controls), strict=True)
    return Route(edge, leave, enter, weights, distances, 0.0)


def _relative(point: Point, start: Point, end: Point) -> Point:
    """(share along, px across) the line from start to end."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy) or 1.0
    px, py = point[0] - start[0], point[1] - start[1]
    return ((px * dx + py * dy) / length**2, (py * dx - px * dy) / length)


def _with_label(route: Route, boxes: dict[str, Box], labels: list[Box], drawn: np.ndarray) -> Route:
    """The route with its label on the spot that covers least."""
    curve = _curve(route, boxes)
    length = sum(math.dist(a, b) for a, b in pairwise(points_along(curve, 60)))
    width = 6.8 * len(edge_label(route.edge)) + 8
    spots = [
        (share * length, Box(*point_at(curve, share * length), width, _LABEL_HEIGHT))
        for share in _LABEL_SPOTS
    ]

    def covered(spot: tuple[float, Box]) -> float:
        nodes_and_labels = sum(spot[1].overlap(other) for other in (*labels, *boxes.values()))
        return nodes_and_labels + 4 * int(_inside(drawn, spot[1]).sum())

    at, box = min(spots, key=covered)
    labels.append(box)
    return replace(route, label_at=round(at, 1))


def _inside(points: np.ndarray, box: Box) -> np.ndarray:
    across = abs(points[:, 0] - box.x) <= box.width / 2
    return across & (abs(points[:, 1] - box.y) <= box.height / 2)


def _points(route: Route, boxes: dict[str, Box]) -> np.ndarray:
    return np.array(points_along(_curve(route, boxes)))


def _curve(route: Route, boxes: dict[str, Box]) -> list[Point]:
    source, target = boxes[route.edge.source], boxes[route.edge.target]
    return route.curve((source.x, source.y), (target.x, target.y))


def _quadratic(start: Point, control: Point, end: Point, t: float) -> Point:
    a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
    return (
        a * start[0] + b * control[0] + c * end[0],
        a * start[1] + b * control[1] + c * end[1],
    )
