"""The circuit as cytoscape elements, and the direct contributions as bars.

Causal edges carry the signed change of the logit difference (logits) when the writer's result is
replaced in that one input of the reader: measured by direct path patching (Goldowsky-Dill et al.
2023), solid, or estimated from gradients, dotted. Dashed edges are attention weights (0 to 1), no
intervention. The number in a node is what it writes directly to the logit difference, in logits.
"""

from dataclasses import replace
from typing import Any

import plotly.graph_objects as go

from attention_viz.figures import palette
from attention_viz.figures.circuits.circuit_layout import (
    CAREFUL,
    SHAPES,
    Group,
    Layout,
    Point,
    Route,
    Shape,
    edge_arrow,
    edge_names,
    edge_number,
    edge_opacity,
    edge_width,
    lay_out,
    strongest_edge,
)
from attention_viz.figures.circuits.circuit_legend import edge_sense, legend
from attention_viz.figures.circuits.circuit_style import role_class, stylesheet
from attention_viz.figures.circuits.element_style import extent_of
from attention_viz.figures.circuits.folding import can_fold, fold_circuit, opened_of
from attention_viz.figures.circuits.stack import StackNode, SummedEdge
from attention_viz.figures.escape import safe, signed, visible
from attention_viz.records.circuits.circuit import Circuit, CircuitEdge, CircuitNode
from attention_viz.records.circuits.circuit_view import PLAIN_VIEW, CircuitView
from attention_viz.records.circuits.roles import Role
from attention_viz.records.metrics import Sense

__all__ = [
    "contribution_rows",
    "draw_circuit",
    "draw_contributions",
    "draw_graph",
    "draw_shapes",
    "legend",
    "stylesheet",
]


# Data that are not the same in each shape
_GEOMETRY = ("width", "height", "leave", "enter", "weights", "distances", "offset")
KEYS = (
    "Circuit graph. Arrow keys move between nodes, Shift extends, Enter shows the detail, H hides, "
    "P pins, O opens or folds a stack of MLPs, Escape clears, plus and minus zoom, 0 fits."
)


def draw_circuit(
    circuit: Circuit,
    theme: str = "light",
    smallest: float = 0.0,
    view: CircuitView = PLAIN_VIEW,
    shape: Shape | None = None,
) -> list[dict]:
    """Nodes with preset positions, edges with their routes, and guides for the rows.

    Use with layout {"name": "preset"} and `stylesheet`. The theme is in the stylesheet; the
    argument is kept so that all drawings are called alike. Causal edges below `smallest` logits are
    left out, and what `view` hides. A group is a compound parent of its members. `shape` is another
    than the view's. Raises BadInput for a layout that is not known.
    """
    palette.theme_of(theme)
    chains = {member.id: stack for stack in opened_of(circuit, view) for member in stack.members}
    circuit = fold_circuit(circuit, view)
    layout = lay_out(circuit, smallest, view, shape)
    groups = [_group_element(group) for group in layout.groups]
    parents = {member: group.id for group in layout.groups for member in group.members}
    nodes = [
        _node_element(node, circuit, layout, parents.get(node.id), chains.get(node.id))
        for node in circuit.nodes
        if node.id in layout.boxes
    ]
    strongest = strongest_edge(circuit)
    is_crowded = len(layout.routes) > CAREFUL
    names = edge_names(route.edge for route in layout.routes)
    lines = [
        _edge_element(name, route, rank, strongest, is_crowded, edge_sense(circuit))
        for rank, (name, route) in enumerate(zip(names, layout.routes, strict=True), 1)
    ]
    return _guides(layout) + groups + nodes + lines


def draw_graph(
    circuit: Circuit,
    theme: str = "light",
    smallest: float = 0.0,
    view: CircuitView = PLAIN_VIEW,
) -> dict[str, Any]:
    """The circuit as the page's graph: its elements, their style, and its other shapes."""
    elements = draw_circuit(circuit, theme, smallest, view)
    more = {"drawing": True, "label": KEYS, "folds": can_fold(circuit)}
    return {
        "name": "circuit-graph",
        "elements": elements,
        "stylesheet": stylesheet(theme),
        "view": draw_shapes(elements, circuit, smallest, view) | more,
    }


def draw_shapes(
    elements: list[dict],
    circuit: Circuit,
    smallest: float = 0.0,
    view: CircuitView = PLAIN_VIEW,
) -> dict[str, Any]:
    """The drawing in its other shapes, so that the browser takes the one that fits its room.

    `shape` is that of the elements given, `extents` are left, top, right, bottom (px) by shape;
    `shapes` say what differs, by shape and element id: [x, y, data that differ], x and y None for
    edges. Only one shape where the view has its own: nodes were pinned in it.
    """
    own = view.shape or "page"
    drawn = {own: elements}
    if not view.shape:
        others = {name: replace(view, shape=name) for name in SHAPES if name != own}
        drawn |= {name: draw_circuit(circuit, "light", smallest, v) for name, v in others.items()}
    plain = {element["data"]["id"]: element for element in elements}
    return {
        "shape": own,
        "extents": {name: [round(at) for at in extent_of(each)] for name, each in drawn.items()},
        "shapes": {name: _differences(plain, each) for name, each in drawn.items() if name != own},
    }


def _differences(plain: dict[str, dict], elements: list[dict]) -> dict[str, list[Any]]:
    found = {}
    for element in elements:
        data, before = element["data"], plain[element["data"]["id"]]
        place = element.get("position", {})
        geometry = ((name, data[name]) for name in _GEOMETRY if name in data)
        changed = {name: value for name, value in geometry if before["data"][name] != value}
        if changed or place != before.get("position", {}):
            found[data["id"]] = [place.get("x"), place.get("y"), changed]
    return found


def draw_contributions(circuit: Circuit, theme: str = "light", most: int = 24) -> go.Figure:
    """What each component writes directly to the logit difference, and their sum.

    The `most` greatest, the unembedding bias and the circuit's heads are named, the others are
    added up in one bar; the bars add up to the last one, the clean logit difference. A click's
    customdata[0] is the component.
    """
    if not circuit.contributions:
        return go.Figure(layout=palette.empty_figure("No contribution measured.", theme))
    rows = contribution_rows(circuit, most)
    colours = palette.theme_of(theme)
    total = len(rows) - 1
    bars = go.Bar(
        orientation="h",
        x=[value for _, value in rows],
        y=list(range(len(rows))),
        marker={"color": _bar_colours(rows, theme), "line": {"width": 0}},
        text=[signed(value) for _, value in rows],
        textposition="outside",
        textfont={"size": 11, "color": colours.ink2},
        cliponaxis=False,
        customdata=[[name, signed(value, 3)] for name, value in rows],
        hovertemplate="<b>%{customdata[0]}</b> %{customdata[1]} logits<extra></extra>",
    )
    return go.Figure(bars, _contribution_layout(circuit, rows, total, theme))


def contribution_rows(circuit: Circuit, most: int = 24) -> list[tuple[str, float]]:
    """(component, logits) by size, then the others together, then the sum."""
    always = {str(head) for head in circuit.heads} | {"unembedding bias"}
    ranked = sorted(circuit.contributions, key=lambda part: -abs(part.value))
    named = [p for i, p in enumerate(ranked) if i < most or p.component in always]
    rows = [(part.component, part.value) for part in named]
    if len(named) < len(ranked):
        rest = sum(p.value for p in ranked) - sum(p.value for p in named)
        rows.append((f"{len(ranked) - len(named)} others", rest))
    return [*rows, ("sum", sum(part.value for part in ranked))]


def _bar_colours(rows: list[tuple[str, float]], theme: str) -> list[str]:
    """What helps and what works against the answer; the sum is the clean run's."""
    clean = palette.theme_of(theme).clean
    parts = [palette.sign_colour(value, theme, Sense.HELPS_ABOVE) for _, value in rows[:-1]]
    return [*parts, clean]


def _contribution_layout(
    circuit: Circuit, rows: list[tuple[str, float]], total: int, theme: str
) -> dict[str, Any]:
    colours = palette.theme_of(theme)
    heads = {str(head) for head in circuit.heads}
    names = [
        f"<b>{safe(n)}</b>" if n in heads or i == total else safe(n)
        for i, (n, _) in enumerate(rows)
    ]
    low, high = min(0.0, *(v for _, v in rows)), max(0.0, *(v for _, v in rows))
    room = 0.26 * (high - low) or 1.0  # for the numbers at the bars' ends
    rule = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": total - 0.5, "y1": total - 0.5}
    difference = f"{safe(circuit.answer.shown)} − {safe(circuit.distractor.shown)}"
    cap = " before the soft cap" if circuit.is_capped else ""
    return palette.layout(
        theme,
        height=64 + 21 * len(rows),
        bargap=0.28,
        margin={
            "l": 16 + round(6.6 * max(len(name) for name, _ in rows)),
            "r": 12,
            "t": 6,
            "b": 44,
        },
        shapes=[rule | {"line": {"color": colours.line, "width": 1}}],
        xaxis=palette.axis(
            theme,
            range=[low - (room if low < 0 else 0.02 * room), high + (room if high > 0 else 0)],
            title={"text": f"logit {difference} (logits{cap})", "font": {"size": 11}},
            showgrid=True,
            gridcolor=colours.line,
            zeroline=True,
            zerolinecolor=colours.muted,
            nticks=6,
        ),
        yaxis=palette.axis(
            theme,
            range=[len(rows) - 0.4, -0.6],
            tickvals=list(range(len(rows))),
            ticktext=names,
            tickfont={"size": 11.5, "color": colours.ink2},
        ),
    )


def _node_element(
    node: CircuitNode,
    circuit: Circuit,
    layout: Layout,
    parent: str | None,
    chain: StackNode | None,
) -> dict[str, Any]:
    box = layout.boxes[node.id]
    classes = [node.kind]
    if node.kind == "token" and node.position == circuit.position:
        classes.append("readout")
    if node.kind == "head":
        classes.append(role_class(node.role.role if node.role else Role.UNCLEAR))
    data = {
        "id": node.id,
        "kind": node.kind,
        "label": layout.labels[node.id],
        "name": visible(node.label),
        "head": None if node.head is None else str(node.head),
        "position": node.position,
        "contribution": node.contribution,
        "role": None if node.role is None else node.role.role.value,
        "score": None if node.role is None else node.role.score,
        "width": box.width,
        "height": box.height,
    }
    if isinstance(node, StackNode):
        classes.append("stack")
        data["members"] = [member.id for member in node.members]
    if chain is not None:
        data["chain"] = [member.id for member in chain.members]
    if parent is not None:
        data["parent"] = parent
    place = {"x": box.x, "y": box.y}
    return {"data": data, "position": place, "classes": " ".join(classes), "group": "nodes"}


def _group_element(group: Group) -> dict[str, Any]:
    data = {"id": group.id, "kind": "group", "label": group.name}
    return {"data": data, "classes": "group", "group": "nodes"}


def _edge_element(
    name: str, route: Route, rank: int, strongest: float, is_crowded: bool, sense: Sense
) -> dict[str, Any]:
    edge = route.edge
    width = edge_width(edge, strongest)
    data = {
        "id": name,
        "source": edge.source,
        "target": edge.target,
        "kind": "edge",
        "via": edge.via.value,
        "value": edge.value,
        "unit": edge.via.unit,
        "position": edge.position,
        "exact": edge.is_exact,
        "estimate": edge.estimate,
        "label": route.label,
        "number": edge_number(edge),
        "width": round(width, 2),
        "arrow": round(edge_arrow(width), 2),
        "opacity": round(edge_opacity(edge, strongest, is_crowded), 2),
        "leave": _pixels(route.leave),
        "enter": _pixels(route.enter),
        "weights": " ".join(f"{weight:.4f}" for weight in route.weights),
        "distances": " ".join(f"{distance:.2f}" for distance in route.distances),
        "offset": route.label_at,
        "rank": rank,  # edges of a higher one are drawn over it
    }
    if isinstance(edge, SummedEdge):
        data["parts"] = len(edge.parts)
    return {"data": data, "classes": _edge_classes(edge, is_crowded, sense), "group": "edges"}


def _edge_classes(edge: CircuitEdge, is_crowded: bool, sense: Sense) -> str:
    classes = [f"via-{edge.via.value}"]
    if edge.via.is_causal:
        side = palette.sign_meaning(edge.value, sense)
        classes += [side, "exact" if edge.is_exact else "estimated"]
    else:
        classes.append("seen")
    return " ".join([*classes, "crowded"] if is_crowded else classes)


def _guides(layout: Layout) -> list[dict[str, Any]]:
    """Row names at the left, columns' at the bottom, and a faint line through each."""
    left, right = layout.left - 12, layout.right + 12
    elements = []
    for name, y in layout.rows:
        elements += _guide(name, name, (left, y), (right, y))
    for name, y in layout.skipped:
        elements += _guide(f"skipped {name}", name, (left, y), (right, y), "guide-skipped")
    ys = [y for _, y in layout.rows]
    for column in layout.columns:
        ends = (column.x, max(ys) + 30), (column.x, min(ys))
        elements += _guide(f"column {column.position}", column.label, *ends, "guide-column")
    return elements


def _guide(id: str, label: str, start: Point, end: Point, extra: str = "") -> list[dict[str, Any]]:
    """A named point, its other end and the line between them; nothing to click."""
    fixed = {"selectable": False, "grabbable": False}
    ids = f"guide:{id}", f"guide-end:{id}"
    points = [
        {
            "data": {"id": name, "label": text, "kind": "guide"},
            "position": {"x": x, "y": y},
            "classes": f"guide {extra}".strip(),
            "group": "nodes",
        }
        | fixed
        for name, text, (x, y) in zip(ids, (label, ""), (start, end), strict=True)
    ]
    line = {"id": f"guide-line:{id}", "source": ids[0], "target": ids[1], "kind": "guide"}
    classes = f"guide-line {extra}".strip()
    return [*points, {"data": line, "classes": classes, "group": "edges"} | fixed]


def _pixels(offset: Point) -> str:
    return f"{offset[0]:g}px {offset[1]:g}px"
