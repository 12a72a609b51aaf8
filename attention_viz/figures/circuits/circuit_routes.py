"""How a circuit's edges run between its nodes, and where their numbers stand.

An edge is two quadratic Bézier pieces through control points given relative to the line between
its ends (cytoscape's "unbundled-bezier"), so it keeps its bow when a node is dragged. Few edges are
led around the nodes and around each other and have their numbers on them; many are led around the
nodes only.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Float

from attention_viz.records.circuits.circuit import CircuitEdge
from attention_viz.records.circuits.edge import Via

Point = tuple[float, float]

_PORTS = {Via.Q: -20, Via.K: 0, Via.V: 20}  # px from the reader's middle
_BOWS = (0, 46, -46, 92, -92, 138, -138, 184, -184)  # px sideways that a curve may bow
_LIFTS = (0, 16, -16)  # px upward
_WAYS = sorted((abs(bow) + 0.6 * abs(lift), bow, lift) for bow in _BOWS for lift in _LIFTS)
_FEW_WAYS = [(abs(bow), bow, 0) for bow in (0, 46, -46, 92, -92)]
_FIRST = 0.34  # share of the rise at which an edge's first control point is
_LABEL_SPOTS = (0.5, 0.4, 0.6, 0.32, 0.68, 0.25, 0.75, 0.18, 0.82)  # shares of the length
_LABEL_HEIGHT = 15
_HEAD = 15  # px of an arrow head, at most
_SAMPLES = 25
_OUTSIDE = 8  # px beyond the outermost nodes that an edge may bow at no cost
_PORT_ROOM = 12  # px at either end of a node where no edge is attached


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
        wide, tall = min(wide, self.width, other.width), min(tall, self.height, other.height)
        return max(wide, 0.0) * max(tall, 0.0)


@dataclass(frozen=True)
class Route:
    """How an edge runs, relative to its nodes."""

    edge: CircuitEdge
    leave: Point  # from the source's middle
    enter: Point  # from the target's middle
    weights: tuple[float, float]  # of the control points, along the line between the ends
    distances: tuple[float, float]  # of the control points, across that line, px
    label: str = ""  # the number on it; "": none
    label_at: float = 0.0  # px along the curve from its start

    def curve(self, source: Point, target: Point) -> list[Point]:
        """Start, control, joint, control, end for nodes at these middles."""
        start = (source[0] + self.leave[0], source[1] + self.leave[1])
        end = (target[0] + self.enter[0], target[1] + self.enter[1])
        return curve_between(start, end, self.weights, self.distances)


def curve_between(
    start: Point, end: Point, weights: tuple[float, float], distances: tuple[float, float]
) -> list[Point]:
    """Start, control, joint, control, end; the controls are relative to the line between ends."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy) or 1.0
    one, two = (
        (start[0] + w * dx - d * dy / length, start[1] + w * dy + d * dx / length)
        for w, d in zip(weights, distances, strict=True)
    )
    joint = ((one[0] + two[0]) / 2, (one[1] + two[1]) / 2)
    return [start, one, joint, two, end]


def points_along(curve: Sequence[Point], samples: int = _SAMPLES) -> list[Point]:
    """Points on the two quadratic pieces, in order."""
    return [(float(x), float(y)) for x, y in _basis(samples) @ np.array(curve)]


def point_at(curve: Sequence[Point], distance: float) -> Point:
    """The point `distance` px along the curve."""
    points = _basis(60) @ np.array(curve)
    passed = _lengths(points)
    return (
        float(np.interp(distance, passed, points[:, 0])),
        float(np.interp(distance, passed, points[:, 1])),
    )


def route_carefully(
    edges: Sequence[CircuitEdge], labels: Sequence[str], boxes: dict[str, Box]
) -> tuple[Route, ...]:
    """Strong edges choose first, their way and then the spot of their label."""
    order = sorted(
        range(len(edges)), key=lambda n: (not edges[n].via.is_causal, -abs(edges[n].value))
    )
    _, enter = _fan_out(edges, boxes)
    obstacles = _Obstacles(boxes)
    drawn = np.empty((0, 2))  # points of the curves so far
    routes: dict[int, Route] = {}
    for number in order:
        ends = (edges[number], boxes, None, enter.get(number))
        route = _best_way(_ways(_WAYS, *ends), boxes, obstacles, drawn)
        routes[number] = replace(route, label=labels[number])
        drawn = np.concatenate([drawn, _points(route, boxes)])
    taken = _Taken([*boxes.values(), *(_arrow_head(routes[number], boxes) for number in order)])
    named = {number: _with_label(routes[number], boxes, taken, drawn) for number in order}
    return tuple(named[number] for number in range(len(edges)))


def route_plainly(edges: Sequence[CircuitEdge], boxes: dict[str, Box]) -> tuple[Route, ...]:
    """Around the nodes where a small bow does it; ends of many edges fan out along their node."""
    obstacles = _Obstacles(boxes)
    leave, enter = _fan_out(edges, boxes)
    nothing = np.empty((0, 2))
    routes = []
    for number, edge in enumerate(edges):
        ways = _ways(_FEW_WAYS, edge, boxes, leave.get(number), enter.get(number))
        routes.append(_best_way(ways, boxes, obstacles, nothing))
    return tuple(routes)


def _ways(
    ways: Iterable[tuple[float, float, float]],
    edge: CircuitEdge,
    boxes: dict[str, Box],
    leave_at: float | None,
    enter_at: float | None,
) -> Iterator[tuple[float, Route]]:
    """Each (effort, bow, lift) as a route, made when it is asked for."""
    for effort, bow, lift in ways:
        yield effort, _bend(edge, boxes, bow, lift, leave_at, enter_at)


class _Obstacles:
    """All nodes, a little grown, as arrays."""

    def __init__(self, boxes: dict[str, Box]):
        self.index = {name: number for number, name in enumerate(boxes)}
        self.middle = np.array([(box.x, box.y) for box in boxes.values()])
        self.half = np.array([(box.width / 2 + 6, box.height / 2 + 6) for box in boxes.values()])
        self.left = min((box.x - box.width / 2 for box in boxes.values()), default=0.0) - _OUTSIDE
        self.right = max((box.x + box.width / 2 for box in boxes.values()), default=0.0) + _OUTSIDE

    def hit(self, points: Float[np.ndarray, "point 2"], edge: CircuitEdge) -> int:
        """How many nodes but the edge's own the points lie on."""
        is_on = (abs(points[:, None] - self.middle) <= self.half).all(axis=2).any(axis=0)
        is_on[[self.index[edge.source], self.index[edge.target]]] = False
        return int(is_on.sum())

    def outside(self, points: Float[np.ndarray, "point 2"]) -> float:
        """How many px they reach beyond all nodes, left or right, and so make the drawing wider."""
        return max(0.0, self.left - points[:, 0].min(), points[:, 0].max() - self.right)


def _best_way(
    ways: Iterable[tuple[float, Route]],
    boxes: dict[str, Box],
    obstacles: _Obstacles,
    drawn: Float[np.ndarray, "point 2"],
) -> Route:
    """The gentlest bow that runs behind no other node and not along an earlier edge.

    `ways` are (effort, route) by growing effort.
    """
    best, least = None, math.inf
    for effort, route in ways:
        if effort >= least:
            break
        points = _points(route, boxes)
        cost = effort + 400 * obstacles.hit(points, route.edge) + 40 * obstacles.outside(points)
        if cost < least:
            cost += 9 * _shared(points, drawn)
        if cost < least:
            best, least = route, cost
    return best


def _fan_out(
    edges: Sequence[CircuitEdge], boxes: dict[str, Box]
) -> tuple[dict[int, float], dict[int, float]]:
    """Where along its node an edge leaves or enters, px from the middle, by the edge's number.

    Edges fan out in the order of their other ends, so that they don't cross at the node. Those
    into a head keep their ports, which say whether it is Q, K or V.
    """
    leaving: dict[str, list[tuple[float, int]]] = {}
    entering: dict[str, list[tuple[float, int]]] = {}
    for number, edge in enumerate(edges):
        leaving.setdefault(edge.source, []).append((boxes[edge.target].x, number))
        if edge.via in (Via.MLP, Via.LOGITS):
            entering.setdefault(edge.target, []).append((boxes[edge.source].x, number))
    return _ports(leaving, boxes, 0.5), _ports(entering, boxes, 1.0)


def _ports(
    ends: dict[str, list[tuple[float, int]]], boxes: dict[str, Box], share: float
) -> dict[int, float]:
    places = {}
    for name, others in ends.items():
        room = share * (boxes[name].width / 2 - _PORT_ROOM)
        ordered = [number for _, number in sorted(others)]
        for place, number in enumerate(ordered, 1):
            places[number] = room * (2 * place / (len(ordered) + 1) - 1)
    return places


def _shared(points: Float[np.ndarray, "point 2"], drawn: Float[np.ndarray, "other 2"]) -> int:
    """How many points lie on earlier curves; the ends, where edges meet anyway, don't count."""
    middle = points[4:-4]
    if not len(drawn):
        return 0
    apart = abs(middle[:, :1] - drawn[:, 0]) + abs(middle[:, 1:] - drawn[:, 1])
    return int((apart < 13).any(axis=1).sum())


def _bend(
    edge: CircuitEdge,
    boxes: dict[str, Box],
    bow: float,
    lift: float,
    leave_at: float | None = None,
    enter_at: float | None = None,
) -> Route:
    """An S that leaves and enters upright, pushed sideways by `bow` and up by `lift`."""
    source, target = boxes[edge.source], boxes[edge.target]
    leave = (leave_at or 0.0, -source.height / 2)
    port = float(_PORTS.get(edge.via, 0)) if enter_at is None else enter_at
    enter = (port, target.height / 2)
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
    return Route(edge, leave, enter, weights, distances)


def _relative(point: Point, start: Point, end: Point) -> Point:
    """(share along, px across) the line from start to end."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy) or 1.0
    px, py = point[0] - start[0], point[1] - start[1]
    return ((px * dx + py * dy) / length**2, (py * dx - px * dy) / length)


def _with_label(
    route: Route, boxes: dict[str, Box], taken: "_Taken", drawn: Float[np.ndarray, "point 2"]
) -> Route:
    """The route with its label on the spot that covers least; the spot is then taken."""
    points = _basis(60) @ np.array(_curve(route, boxes))
    passed = _lengths(points)
    width = 6.8 * len(route.label) + 8
    spots = []
    for share in _LABEL_SPOTS:
        at = share * passed[-1]
        x, y = (float(np.interp(at, passed, points[:, axis])) for axis in (0, 1))
        spots.append((at, Box(x, y, width, _LABEL_HEIGHT)))

    def covered(spot: tuple[float, Box]) -> float:
        return taken.covered(spot[1]) + 4 * int(_inside(drawn, spot[1]).sum())

    at, box = min(spots, key=covered)
    taken.add(box)
    return replace(route, label_at=round(float(at), 1))


class _Taken:
    """Rectangles that a number should not cover, as arrays."""

    def __init__(self, boxes: Sequence[Box]):
        rows = [(box.x, box.y, box.width, box.height) for box in boxes]
        self.rows = np.array(rows).reshape(-1, 4)

    def add(self, box: Box) -> None:
        self.rows = np.vstack([self.rows, (box.x, box.y, box.width, box.height)])

    def covered(self, box: Box) -> float:
        """Shared area with all of them, px²."""
        size = np.array((box.width, box.height))
        apart = abs(self.rows[:, :2] - (box.x, box.y))
        shared = (self.rows[:, 2:] + size) / 2 - apart
        shared = np.minimum(shared, np.minimum(self.rows[:, 2:], size)).clip(0)
        return float(shared.prod(axis=1).sum())


def _arrow_head(route: Route, boxes: dict[str, Box]) -> Box:
    """The place at a curve's end that no number may cover: the head's colour means something."""
    x, y = _curve(route, boxes)[-1]
    return Box(x, y + _HEAD / 2, _HEAD, _HEAD)


def _inside(points: Float[np.ndarray, "point 2"], box: Box) -> np.ndarray:
    across = abs(points[:, 0] - box.x) <= box.width / 2
    return across & (abs(points[:, 1] - box.y) <= box.height / 2)


def _points(route: Route, boxes: dict[str, Box]) -> Float[np.ndarray, "point 2"]:
    return _basis(_SAMPLES) @ np.array(_curve(route, boxes))


def _curve(route: Route, boxes: dict[str, Box]) -> list[Point]:
    source, target = boxes[route.edge.source], boxes[route.edge.target]
    return route.curve((source.x, source.y), (target.x, target.y))


def _lengths(points: Float[np.ndarray, "point 2"]) -> Float[np.ndarray, " point"]:
    """Length of the way to each point."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    return np.concatenate([[0.0], np.cumsum(steps)])


@cache
def _basis(samples: int) -> Float[np.ndarray, "point 5"]:
    """What times a curve's five points gives points on it."""
    half = (samples + 1) // 2
    rows = [_weights(i / half, 0) for i in range(half)]
    return np.array(rows + [_weights(i / half, 2) for i in range(half + 1)])


def _weights(t: float, first: int) -> list[float]:
    """A quadratic piece's weights of its three points, the first of which is number `first`."""
    row = [0.0] * 5
    row[first : first + 3] = (1 - t) ** 2, 2 * t * (1 - t), t * t
    return row
