"""Where a circuit's nodes and edges go; the page's graph and the exported picture share it.

Layers go upward: tokens or the input at the bottom, one row per layer, its MLP half a row above
its heads at the right, the output on top. In the layout "tokens" a head stands in the column of the
position where it matters most. x grows to the right and y downward, in px, as in cytoscape.

The same rows come in several shapes (see `Shape`): narrow ones for a column of the page, wide ones
for a whole screen, so that the drawing fills its room with letters that can be read.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from attention_viz.figures.circuits.circuit_labels import (
    LONGEST_NAME,
    MOST_CHOSEN,
    MOST_EDGES,
    arrow_length,
    drawn_edges,
    edge_arrow,
    edge_label,
    edge_names,
    edge_number,
    edge_opacity,
    edge_width,
    node_label,
    node_labels,
    smallest_of,
    strongest_edge,
)
from attention_viz.figures.circuits.circuit_places import (
    GROUP_ROOM,
    Column,
    place_by_layers,
    place_by_tokens,
)
from attention_viz.figures.circuits.circuit_routes import (
    Box,
    Point,
    Route,
    point_at,
    points_along,
    route_carefully,
    route_plainly,
)
from attention_viz.figures.circuits.circuit_rows import (
    SHAPES,
    Shape,
    rows_of,
    size_of,
    skipped_layers,
)
from attention_viz.figures.circuits.folding import fold_circuit
from attention_viz.figures.escape import shorten, visible
from attention_viz.records.circuits.circuit import Circuit, CircuitEdge
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
    "edge_number",
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
CAREFUL = 60  # edges that are led around each other and have their numbers on them
_FARTHEST = 20_000.0  # px from the middle that a node may have been dragged


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
    skipped: tuple[tuple[str, float], ...]  # layers without a row, between the rows
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    left: float
    right: float


def lay_out(
    circuit: Circuit,
    smallest: float = 0.0,
    view: CircuitView = PLAIN_VIEW,
    shape: Shape | None = None,
) -> Layout:
    """Places the nodes, and routes the edges that are drawn (see `drawn_edges`).

    A deep circuit is folded first (see `fold_circuit`). Hidden nodes leave a gap, so that nothing
    else jumps. `shape` is another than the view's. Raises BadInput for a layout that is not known.
    """
    if view.layout not in LAYOUTS:
        raise BadInput(
            f"There is no layout {view.layout!r}.", f"Choose one of {', '.join(LAYOUTS)}."
        )
    circuit = fold_circuit(circuit, view)
    shape = shape or SHAPES[view.shape or "page"]
    labels = node_labels(circuit, view)
    sizes = {node.id: size_of(node, labels[node.id], shape) for node in circuit.nodes}
    rows = rows_of(circuit, sizes, shape, view)
    columns: tuple[Column, ...] = ()
    if view.layout == "tokens":
        boxes, columns = place_by_tokens(circuit, rows, sizes, shape)
    else:
        boxes = place_by_layers(circuit, rows, sizes, shape, view)
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
        skipped=skipped_layers(rows),
        columns=columns,
        groups=groups,
        left=min(sides, default=0),
        right=max(sides, default=0),
    )


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


def around(boxes: Sequence[Box], room: float = GROUP_ROOM) -> Box:
    """The box that holds them all, with some room."""
    left = min(box.x - box.width / 2 for box in boxes) - room
    right = max(box.x + box.width / 2 for box in boxes) + room
    top = min(box.y - box.height / 2 for box in boxes) - room
    bottom = max(box.y + box.height / 2 for box in boxes) + room
    return Box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
