"""The toolbar of the circuit's drawing: arrange, pin, hide, rename, group, zoom, enlarge.

Nothing here asks the server: assets/46_drawing.js changes fields of the page (`circuit.pinned`,
`hidden`, `names`, `groups`, `folds`, `opened`), assets/45_graph.js zooms and enlarges. The toolbar
and the graph belong into one `graph_box` of the page's skeleton: it is what fills the window in
full screen.
"""

from typing import Any

from attention_viz.panels.kit import html

LONGEST_NAME = 40  # characters; also in assets/46_drawing.js


def graph_box(*children: Any) -> html.Node:
    """Holds a graph and the buttons that are for it."""
    return html.Div(list(children), className="graph-box")


def layout(*arranged: Any) -> html.Node:
    """The toolbar above the graph, for the drawing as a whole; `arranged` stands first in it."""
    whole = [
        *arranged,
        _button("Unfold MLPs", "fold", "Each chain of MLPs as one node, or not", hidden=True),
        _button("Show hidden", "show", "Draw all nodes again", hidden=True),
        _button("Reset drawing", "reset", "Forget pins, names, groups", hidden=True),
    ]
    return html.Div(
        [html.Span(whole, className="drawing-part"), zoom_buttons()],
        className="drawing-tools",
        role="toolbar",
        **{"aria-label": "Drawing"},
    )


def zoom_buttons(can_widen: bool = True) -> html.Node:
    """How large the graph is drawn; for every graph that stands in a `graph_box`."""
    buttons = [
        _zoom("−", "out", "Smaller (−)"),
        _zoom("+", "in", "Larger (+)"),
        _zoom("Fit", "fit", "The whole graph (0)"),
        _zoom("Full screen", "full", "Over the whole window; Escape leaves", is_switch=True),
    ]
    if can_widen:
        about = "As wide as the view; what stands beside it goes below"
        buttons.insert(3, _zoom("Wide", "wide", about, is_switch=True))
    return html.Span(buttons, className="drawing-part graph-zoom")


def for_selected() -> html.Node:
    """The toolbar below the graph: what can be done to the nodes selected there."""
    name = html.Label([html.Span("Name", className="visually-hidden"), _name_box()])
    return html.Div(
        [
            html.Span(id="circuit-selected", className="visually-hidden", role="status"),
            name,
            _button("Pin", "pin", "Keep it where it is (P); dragging a node pins it too"),
            _button("Hide", "hide", "Leave it out of the drawing, not of the circuit (H)"),
            _button("Rename", "rename", "Call the selected node so; an empty name is its own"),
            _button("Group", "group", "Put the selected nodes into one box of that name"),
            _button("Fold", "close", "Back into its stack of MLPs (O)", hidden=True),
            _button("Ungroup", "ungroup", "Take the box away", hidden=True),
        ],
        className="drawing-tools chosen",
        role="toolbar",
        **{"aria-label": "Selected nodes"},
    )


def _name_box() -> html.Node:
    return html.Input(
        id="circuit-name",
        type="text",
        maxLength=LONGEST_NAME,
        className="drawing-name",
        autoComplete="off",
        placeholder="no node selected",
        disabled=True,
    )


def _button(text: str, do: str, about: str, **props: Any) -> html.Node:
    return html.Button(
        text,
        id=f"circuit-do-{do}",
        type="button",
        className="btn btn-sm",
        title=about,
        disabled=do not in ("show", "reset", "ungroup", "fold", "close"),
        **{"data-draw": do},
        **props,
    )


def _zoom(text: str, do: str, about: str, is_switch: bool = False) -> html.Node:
    more = {"aria-pressed": "false"} if is_switch else {}
    names = {"−": "Smaller", "+": "Larger"}
    label = {"aria-label": names[text]} if text in names else {}
    return html.Button(
        text,
        type="button",
        className="btn btn-sm",
        title=about,
        **{"data-graph-do": do},
        **more,
        **label,
    )
