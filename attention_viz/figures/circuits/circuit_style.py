"""Cytoscape's style for the elements of `draw_circuit`.

Line colour is whether an edge helps the answer or works against it, arrow head where it enters its
reader, solid exact, dotted estimated, dashed an attention weight; a node's colour is its role. The
browser adds the classes "hovered" (an edge under the mouse), "near" (edges of a node there) and
"far" (the others, where they are many).
"""

from typing import Any

from attention_viz.figures import palette
from attention_viz.records.circuits.edge import Via
from attention_viz.records.circuits.roles import Role

DOTS = "2 4"  # px drawn and left out; dotted lines of a browser are too fine to be seen
_DASHES = [6, 4]


def stylesheet(theme: str = "light") -> list[dict[str, Any]]:
    """Later entries win over earlier ones."""
    colours = palette.theme_of(theme)
    picked = {"border-width": 3, "border-color": colours.ink}
    return [
        *_node_styles(colours),
        *(_role_style(role, theme) for role in Role),
        _group_style(colours),
        *_edge_styles(colours),
        *_guide_styles(colours),
        {"selector": ".head:selected, .mlp:selected, .input:selected", "style": picked},
        {
            "selector": ".token:selected, .output:selected, .group:selected",
            "style": {"border-width": 2, "border-color": colours.accent},
        },
        {"selector": ".far", "style": {"opacity": 0.07}},
        {"selector": ".near", "style": {"line-opacity": 1, "opacity": 1}},
        {
            "selector": "edge.hovered, edge:selected",
            "style": {
                "line-opacity": 1,
                "opacity": 1,
                "source-label": "data(number)",
                "z-index": 10_000,
            },
        },
    ]


def role_class(role: Role) -> str:
    """ "role-name-mover"."""
    return "role-" + role.value.lower().replace(" ", "-")


def _role_style(role: Role, theme: str) -> dict[str, Any]:
    colour = palette.role_colour(role, theme)
    return {"selector": f".{role_class(role)}", "style": {"background-color": colour}}


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
    mlp = head | {"shape": "hexagon", "background-color": colours.mlp}
    # Copies behind it, as of a pile of cards
    stack = {"ghost": "yes", "ghost-offset-x": 5, "ghost-offset-y": -5, "ghost-opacity": 0.45}
    framed = {
        "background-color": colours.card,
        "border-width": 1,
        "border-color": colours.muted,
        "color": colours.ink,
    }
    return [
        {"selector": ".token, .input, .head, .mlp, .output", "style": common},
        {"selector": ".head", "style": head},
        {"selector": ".mlp", "style": mlp},
        {"selector": ".stack", "style": stack},
        {"selector": ".token", "style": framed | {"font-family": palette.MONO}},
        {"selector": ".input", "style": framed | {"border-color": colours.ink}},
        {"selector": ".readout", "style": {"border-width": 2, "border-color": colours.accent}},
        {
            "selector": ".output",
            "style": {"background-color": colours.ink, "color": colours.card},
        },
    ]


def _group_style(colours: palette.Theme) -> dict[str, Any]:
    style = {
        "label": "data(label)",
        "shape": "round-rectangle",
        "background-color": colours.accent,
        "background-opacity": 0.07,
        "border-width": 1.5,
        "border-style": "dashed",
        "border-color": colours.accent,
        "padding": 14,
        "text-valign": "top",
        "text-halign": "center",
        "text-margin-y": -2,
        "font-family": palette.SANS,
        "font-size": 12,
        "font-weight": 600,
        "color": colours.ink2,
        "overlay-opacity": 0,
    }
    return {"selector": ".group", "style": style}


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
        "z-index": "data(rank)",
        "arrow-scale": "data(arrow)",
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
    signs = {
        "helps": colours.helps,
        "against": colours.against,
        "nil": colours.muted,
        "seen": colours.via[Via.ATTENTION],
    }
    dotted = {"line-style": "dashed", "line-dash-pattern": [int(part) for part in DOTS.split()]}
    dashed = {"line-style": "dashed", "line-dash-pattern": _DASHES, "color": colours.muted}
    return [
        {"selector": ".exact, .estimated, .seen", "style": common},
        *({"selector": f".{name}", "style": {"line-color": hue}} for name, hue in signs.items()),
        *(
            {"selector": f".via-{via.value}", "style": {"target-arrow-color": colour}}
            for via, colour in colours.via.items()
        ),
        {"selector": ".estimated", "style": dotted},
        {"selector": ".seen", "style": dashed},
        # Among many edges the arrow heads of weak ones step back too.
        {"selector": ".crowded", "style": {"opacity": "data(opacity)", "line-opacity": 1}},
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
    skipped = {"line-style": "dashed", "line-dash-pattern": [1, 5]}
    column = {"text-valign": "bottom", "text-halign": "center", "font-family": palette.MONO}
    return [
        {"selector": ".guide", "style": guide},
        {"selector": ".guide-line", "style": line},
        {"selector": ".guide-column", "style": column},
        {"selector": ".guide-skipped", "style": skipped},
    ]
