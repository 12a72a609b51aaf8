"""The circuit as cytoscape elements, its style and legend, and the direct contributions as bars.

Solid edges were measured by direct path patching: the number is the signed change of the logit
difference (logits) when the writer's result is replaced in that one input of the reader
(Goldowsky-Dill et al. 2023). Dashed edges are attention weights (0 to 1), no intervention. The
number in a head is what it writes directly to the logit difference, in logits.
"""

from typing import Any

import plotly.graph_objects as go

from attention_viz.figures import palette
from attention_viz.figures.circuit_layout import (
    Layout,
    drawn_edges,
    edge_label,
    edge_names,
    edge_opacity,
    edge_width,
    lay_out,
    node_label,
)
from attention_viz.figures.escape import safe, signed, visible
from attention_viz.records.circuit import Circuit, CircuitEdge, CircuitNode, Via
from attention_viz.records.roles import Role

_INTO = {
    Via.Q: "Q: changes where the reader looks from",
    Via.K: "K: changes what the reader finds",
    Via.V: "V: changes what the reader copies",
    Via.LOGITS: "direct to the logits",
}


def draw_circuit(circuit: Circuit, theme: str = "light", smallest: float = 0.0) -> list[dict]:
    """Nodes with preset positions, edges with their routes, and guides for the rows.

    Use with layout {"name": "preset"} and `stylesheet`. The theme is in the stylesheet; the
    argument is kept so that all drawings are called alike. Measured edges below `smallest`
    logits are left out.
    """
    palette.theme_of(theme)
    layout = lay_out(circuit, smallest)
    nodes = [_node_element(node, circuit, layout) for node in circuit.nodes]
    edges = [route.edge for route in layout.routes]
    lines = [
        _edge_element(name, number, circuit, layout)
        for number, name in enumerate(edge_names(edges))
    ]
    return _guides(layout) + nodes + lines


def stylesheet(theme: str = "light") -> list[dict[str, Any]]:
    """Cytoscape's style for `draw_circuit`."""
    colours = palette.theme_of(theme)
    return [
        *_node_styles(colours),
        *_edge_styles(colours),
        *_guide_styles(colours),
        {"selector": ".head:selected", "style": {"border-width": 3, "border-color": colours.ink}},
        {
            "selector": ".token:selected",
            "style": {"border-width": 2, "border-color": colours.accent},
        },
        {"selector": "edge:selected", "style": {"line-opacity": 1, "z-index": 10}},
    ]


def legend(circuit: Circuit, theme: str = "light", smallest: float = 0.0) -> list[dict[str, str]]:
    """What the signs mean, as {mark, colour, text}; only signs that occur in this drawing.

    mark: "solid" or "dashed" line, "dot" (a node's colour), or "note".
    """
    colours = palette.theme_of(theme)
    drawn = drawn_edges(circuit, smallest)
    vias = {edge.via for edge in drawn}
    items = [_item("solid", colours.via[via], text) for via, text in _INTO.items() if via in vias]
    if Via.ATTENTION in vias:
        text = "attention weight (0 to 1) from the read-out or the reader's position"
        items.append(_item("dashed", colours.via[Via.ATTENTION], text))
    items += [_item("dot", colours.roles[role], text) for role, text in _roles(circuit).items()]
    return items + [_item("note", colours.muted, text) for text in _notes(circuit, drawn)]


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
    always = {str(head) for head in circuit.request.heads} | {"unembedding bias"}
    ranked = sorted(circuit.contributions, key=lambda part: -abs(part.value))
    named = [p for i, p in enumerate(ranked) if i < most or p.component in always]
    rows = [(part.component, part.value) for part in named]
    if len(named) < len(ranked):
        rest = sum(p.value for p in ranked) - sum(p.value for p in named)
        rows.append((f"{len(ranked) - len(named)} others", rest))
    return [*rows, ("sum", sum(part.value for part in ranked))]


def _bar_colours(rows: list[tuple[str, float]], theme: str) -> list[str]:
    clean = palette.theme_of(theme).clean
    return [palette.sign_colour(value, theme) for _, value in rows[:-1]] + [clean]


def _contribution_layout(
    circuit: Circuit, rows: list[tuple[str, float]], total: int, theme: str
) -> dict[str, Any]:
    colours = palette.theme_of(theme)
    heads = {str(head) for head in circuit.request.heads}
    names = [
        f"<b>{safe(n)}</b>" if n in heads or i == total else safe(n)
        for i, (n, _) in enumerate(rows)
    ]
    low, high = min(0.0, *(v for _, v in rows)), max(0.0, *(v for _, v in rows))
    room = 0.26 * (high - low) or 1.0  # for the numbers at the bars' ends
    rule = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": total - 0.5, "y1": total - 0.5}
    difference = f"{safe(circuit.answer.shown)} − {safe(circuit.distractor.shown)}"
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
            title={"text": f"logit {difference} (logits)", "font": {"size": 11}},
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


def _node_element(node: CircuitNode, circuit: Circuit, layout: Layout) -> dict[str, Any]:
    box = layout.boxes[node.id]
    classes = [node.kind]
    if node.kind == "token" and node.position == circuit.position:
        classes.append("readout")
    if node.kind == "head":
        classes.append(_role_class(node.role.role if node.role else Role.UNCLEAR))
    data = {
        "id": node.id,
        "kind": node.kind,
        "label": node_label(node),
        "name": visible(node.label),
        "head": None if node.head is None else str(node.head),
        "position": node.position,
        "contribution": node.contribution,
        "role": None if node.role is None else node.role.role.value,
        "score": None if node.role is None else node.role.score,
        "width": box.width,
        "height": box.height,
    }
    place = {"x": box.x, "y": box.y}
    return {"data": data, "position": place, "classes": " ".join(classes), "group": "nodes"}


def _edge_element(name: str, number: int, circuit: Circuit, layout: Layout) -> dict[str, Any]:
    route = layout.routes[number]
    edge = route.edge
    data = {
        "id": name,
        "source": edge.source,
        "target": edge.target,
        "kind": "edge",
        "via": edge.via.value,
        "value": edge.value,
        "unit": edge.via.unit,
        "position": edge.position,
        "label": edge_label(edge),
        "width": round(edge_width(edge, circuit), 2),
        "opacity": round(edge_opacity(edge, circuit), 2),
        "leave": _pixels(route.leave),
        "enter": _pixels(route.enter),
        "weights": " ".join(f"{weight:.4f}" for weight in route.weights),
        "distances": " ".join(f"{distance:.2f}" for distance in route.distances),
        "offset": route.label_at,
    }
    return {"data": data, "classes": _edge_classes(edge), "group": "edges"}


def _edge_classes(edge: CircuitEdge) -> str:
    measured = "measured" if edge.via.is_measured else "seen"
    return f"via-{edge.via.value} {measured}"


def _guides(layout: Layout) -> list[dict[str, Any]]:
    """Row names at the left and a faint line through each row; nothing to click."""
    fixed = {"selectable": False, "grabbable": False}
    left, right = layout.left - 46, layout.right + 18
    elements = []
    for name, y in layout.rows:
        ends = ((f"guide:{name}", left, name), (f"guide-end:{name}", right, ""))
        for id, x, label in ends:
            data = {"id": id, "label": label, "kind": "guide"}
            elements.append(
                {"data": data, "position": {"x": x, "y": y}, "classes": "guide", "group": "nodes"}
                | fixed
            )
        line = {"id": f"guide-line:{name}", "source": ends[0][0], "target": ends[1][0]}
        elements.append(
            {"data": line | {"kind": "guide"}, "classes": "guide-line", "group": "edges"} | fixed
        )
    return elements


def _node_styles(colours: palette.Theme) -> list[dict[str, Any]]:
    common = {
        "label": "data(label)",
        "width": "data(width)",
        "height": "data(height)",
        "shape": "round-rectangle",
        "text-valign": "center",
        "text-halign": "center",
        "font-family": palette.SANS,
        "font-size": 12,
        "overlay-opacity": 0,
        "z-index": 5,
    }
    head = {"text-wrap": "wrap", "color": "#ffffff", "font-weight": 600, "line-height": 1.15}
    token = {
        "font-family": palette.MONO,
        "background-color": colours.card,
        "border-width": 1,
        "border-color": colours.muted,
        "color": colours.ink,
    }
    output = {"background-color": colours.ink, "color": colours.card}
    return [
        {"selector": ".token, .head, .output", "style": common},
        {"selector": ".head", "style": head},
        {"selector": ".token", "style": token},
        {"selector": ".readout", "style": {"border-width": 2, "border-color": colours.accent}},
        {"selector": ".output", "style": output},
        *(
            {"selector": f".{_role_class(role)}", "style": {"background-color": colour}}
            for role, colour in colours.roles.items()
        ),
    ]


def _edge_styles(colours: palette.Theme) -> list[dict[str, Any]]:
    common = {
        "curve-style": "unbundled-bezier",
        "edge-distances": "endpoints",
        "source-endpoint": "data(leave)",
        "target-endpoint": "data(enter)",
        "control-point-weights": "data(weights)",
        "control-point-distances": "data(distances)",
        "width": "data(width)",
        "target-arrow-shape": "triangle",
        "arrow-scale": 0.8,
        "line-opacity": "data(opacity)",
        "source-label": "data(label)",
        "source-text-offset": "data(offset)",
        "font-family": palette.SANS,
        "font-size": 11,
        "color": colours.ink,
        "text-background-color": colours.card,
        "text-background-opacity": 0.92,
        "text-background-padding": 2,
        "text-background-shape": "round-rectangle",
        "overlay-opacity": 0,
    }
    dashed = {"line-style": "dashed", "line-dash-pattern": [5, 4], "color": colours.muted}
    return [
        {"selector": ".measured, .seen", "style": common},
        *(
            {
                "selector": f".via-{via.value}",
                "style": {"line-color": colour, "target-arrow-color": colour},
            }
            for via, colour in colours.via.items()
        ),
        {"selector": ".seen", "style": dashed},
    ]


def _guide_styles(colours: palette.Theme) -> list[dict[str, Any]]:
    guide = {
        "label": "data(label)",
        "width": 1,
        "height": 1,
        "background-opacity": 0,
        "border-width": 0,
        "font-family": palette.SANS,
        "font-size": 11,
        "color": colours.muted,
        "text-valign": "center",
        "text-halign": "left",
        "events": "no",
        "z-index": 0,
    }
    line = {
        "width": 1,
        "line-color": colours.line,
        "curve-style": "straight",
        "events": "no",
        "z-index": 0,
        "z-index-compare": "manual",
    }
    return [
        {"selector": ".guide", "style": guide},
        {"selector": ".guide-line", "style": line},
    ]


def _roles(circuit: Circuit) -> dict[Role, str]:
    """Each role that occurs, with its heads and their scores."""
    found: dict[Role, list[str]] = {}
    for node in circuit.nodes:
        if node.kind == "head" and node.role is None:
            found.setdefault(Role.UNCLEAR, []).append(f"{node.label} (not measured)")
        elif node.role is not None:
            score = "" if node.role.role is Role.UNCLEAR else f" {node.role.score:.2f}"
            found.setdefault(node.role.role, []).append(f"{node.label}{score}")
    return {role: f"{role.value}: {', '.join(found[role])}" for role in Role if role in found}


def _notes(circuit: Circuit, drawn: tuple[CircuitEdge, ...]) -> list[str]:
    difference = f"{visible(circuit.answer.shown)} − {visible(circuit.distractor.shown)}"
    notes = [
        f"Solid: change of the logit difference {difference} (logits) when the writer's result is "
        f"replaced by {visible(circuit.patched_with)} in that one input, by direct path patching.",
        "Number in a head: its direct contribution to the logit difference (logits), clean run.",
    ]
    hidden = len(circuit.edges) - len(drawn)
    if hidden:
        notes.append(f"{hidden} weaker measured edges are not drawn; the table has them all.")
    return notes


def _item(mark: str, colour: str, text: str) -> dict[str, str]:
    return {"mark": mark, "colour": colour, "text": text}


def _role_class(role: Role) -> str:
    return "role-" + role.name.lower().replace("_", "-")


def _pixels(offset: tuple[float, float]) -> str:
    return f"{offset[0]:g}px {offset[1]:g}px"
