"""What a person does to the drawing of a circuit: arrange, pin, hide, rename, group.

The browser says what was done to which nodes (assets/46_drawing.js: buttons, keys and drags); here
it becomes a part of the page, and so of its link and of exported pictures.
"""

import math
from collections.abc import Callable
from typing import Any

from attention_viz.panels.frame.mirror import mirror

from attention_viz.panels import ids
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import state_of, toast
from attention_viz.panels.kit.controls import segments
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import MOST_GIVEN, PageState

GRAPH = "circuit-graph"
LONGEST_NAME = 40  # characters
_DONE = "circuit-drawn"  # {do: "pin", nodes: [{id, x, y}], name, at: ms}
_ARRANGED = "circuit-arranged"
_FARTHEST = 20_000.0  # px that a node may be from the middle
_WHAT = {"pinned": "pinned nodes", "hidden": "hidden nodes", "names": "names", "groups": "groups"}

Nodes = dict[str, tuple[float, float] | None]  # by id, where they are
Changes = dict[str, Any]  # fields of the page


def layout() -> html.Div:
    """The toolbar above the graph; most of it acts on the nodes selected there."""
    arranged = segments(
        _ARRANGED, {"layers": "layers", "tokens": "tokens × layers"}, value="layers"
    )
    name = dcc.Input(
        id="circuit-name",
        type="text",
        maxLength=LONGEST_NAME,
        className="drawing-name",
        autoComplete="off",
    )
    selected = html.Span(
        [
            html.Span(id="circuit-selected", className="visually-hidden", role="status"),
            html.Label([html.Span("Name", className="visually-hidden"), name]),
            _button("Pin", "pin", "Keep it where it is (P); dragging a node pins it too"),
            _button("Hide", "hide", "Leave it out of the drawing, not of the circuit (H)"),
            _button("Rename", "rename", "Call the selected node so; an empty name is its own"),
            _button("Group", "group", "Put the selected nodes into one box of that name"),
            _button("Ungroup", "ungroup", "Take the box away", hidden=True),
        ],
        className="drawing-part chosen",
    )
    whole = html.Span(
        [
            _button("Show hidden", "show", "Draw all nodes again", hidden=True),
            _button("Reset drawing", "reset", "Forget pins, names, groups", hidden=True),
        ],
        className="drawing-part",
    )
    return html.Div(
        [html.Span([arranged, whole], className="drawing-part"), selected, dcc.Store(id=_DONE)],
        className="drawing-tools",
        role="toolbar",
        **{"aria-label": "Drawing"},
    )


def _button(text: str, do: str, about: str, **props: Any) -> html.Button:
    return html.Button(
        text,
        id=f"circuit-do-{do}",
        type="button",
        className="btn btn-sm",
        title=about,
        **{"data-draw": do},
        **props,
    )


def register(app: Dash, workbench: Any) -> None:
    mirror(app, _ARRANGED, "arranged")
    app.clientside_callback(
        "(nodes, drawing) => dash_clientside.drawing.offer(nodes, drawing)",
        Output("circuit-selected", "children"),
        Output("circuit-name", "placeholder"),
        *[Output(f"circuit-do-{do}", "disabled") for do in ("pin", "hide", "rename", "group")],
        *[Output(f"circuit-do-{do}", "children") for do in ("pin", "show")],
        *[Output(f"circuit-do-{do}", "hidden") for do in ("group", "ungroup", "show", "reset")],
        Output("circuit-name", "disabled"),
        Input(GRAPH, "selectedNodeData"),
        Input(ids.DRAWING, "data"),
    )

    @app.callback(
        Output(ids.PAGE, "data", allow_duplicate=True),
        Output(ids.TOAST, "data", allow_duplicate=True),
        Input(_DONE, "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def change_drawing(done, page):
        try:
            changes = redraw(state_of(page), done)
        except AttentionVizError as error:
            return no_update, toast(error)
        patch = Patch()
        for field, value in changes.items():
            patch[field] = value
        return (patch if changes else no_update), no_update


def redraw(state: PageState, done: Any) -> Changes:
    """The fields of the page that change by what was done. Raises BadInput for what can't be."""
    done = done if isinstance(done, dict) else {}
    act = _ACTS.get(str(done.get("do")))
    if act is None:
        raise BadInput("Nothing of that kind can be done to a drawing.", "Use the toolbar.")
    changes = act(state, _nodes_of(done.get("nodes")), _name_of(done.get("name")))
    for field, value in changes.items():
        if len(value) > MOST_GIVEN:
            raise BadInput(
                f"A page keeps at most {MOST_GIVEN} {_WHAT[field]}, not {len(value)}.",
                "Press Reset drawing, or take fewer.",
            )
    return {field: value for field, value in changes.items() if value != getattr(state, field)}


def _nodes_of(sent: Any) -> Nodes:
    """Nodes that a browser names, with their places where those are numbers and near."""
    found: Nodes = {}
    for node in sent if isinstance(sent, list) else []:
        if isinstance(node, dict) and isinstance(node.get("id"), str) and len(node["id"]) <= 100:
            found[node["id"]] = _place_of(node)
    return found


def _place_of(node: dict[str, Any]) -> tuple[float, float] | None:
    place = node.get("x"), node.get("y")
    for at in place:
        is_number = isinstance(at, int | float) and not isinstance(at, bool)
        if not is_number or not math.fabs(at) <= _FARTHEST:
            return None
    return round(float(place[0]), 1), round(float(place[1]), 1)


def _name_of(sent: Any) -> str:
    return sent.strip()[:LONGEST_NAME] if isinstance(sent, str) else ""


def _group_number(state: PageState, node: str) -> int | None:
    """Which group of the page a box is, by its id; None for anything else."""
    kind, _, number = node.partition(":")
    is_group = kind == "group" and number.isdecimal() and int(number) < len(state.groups)
    return int(number) if is_group else None


def _plain(state: PageState, nodes: Nodes) -> Nodes:
    """Without boxes: the browser names their members beside them."""
    return {id: place for id, place in nodes.items() if _group_number(state, id) is None}


def _need(nodes: Nodes, least: int = 1) -> None:
    if len(nodes) < least:
        raise BadInput(
            "No node is selected." if not nodes else "Only one node is selected.",
            "Click a node of the graph; Shift-click selects several.",
        )


def _pin(state: PageState, nodes: Nodes, name: str) -> Changes:
    """Pins them where they are; where all of them are pinned, lets go of them."""
    chosen = _plain(state, nodes)
    _need(chosen)
    if set(chosen) <= {id for id, *_ in state.pinned}:
        return {"pinned": tuple(pin for pin in state.pinned if pin[0] not in chosen)}
    return _drag(state, chosen, name)


def _drag(state: PageState, nodes: Nodes, name: str) -> Changes:
    placed = {id: place for id, place in _plain(state, nodes).items() if place is not None}
    kept = tuple(pin for pin in state.pinned if pin[0] not in placed)
    return {"pinned": (*kept, *((id, *place) for id, place in placed.items()))}


def _hide(state: PageState, nodes: Nodes, name: str) -> Changes:
    chosen = _plain(state, nodes)
    _need(chosen)
    return {"hidden": tuple(dict.fromkeys((*state.hidden, *chosen)))}


def _show(state: PageState, nodes: Nodes, name: str) -> Changes:
    return {"hidden": ()}


def _rename(state: PageState, nodes: Nodes, name: str) -> Changes:
    """A box, or else the one node selected."""
    numbers = [number for id in nodes if (number := _group_number(state, id)) is not None]
    if len(numbers) == 1:
        [number] = numbers
        groups = list(state.groups)
        groups[number] = (name or _new_name(state), groups[number][1])
        return {"groups": tuple(groups)}
    _need(nodes)
    if len(nodes) > 1:
        raise BadInput(f"{len(nodes)} nodes are selected.", "Select the one to rename.")
    [node] = nodes
    others = tuple(pair for pair in state.names if pair[0] != node)
    return {"names": (*others, (node, name)) if name else others}


def _group(state: PageState, nodes: Nodes, name: str) -> Changes:
    """Into a box of their own, and out of the boxes they were in."""
    chosen = _plain(state, nodes)
    _need(chosen, least=2)
    left = ((title, tuple(id for id in ids if id not in chosen)) for title, ids in state.groups)
    kept = tuple(group for group in left if group[1])
    return {"groups": (*kept, (name or _new_name(state), tuple(chosen)))}


def _new_name(state: PageState) -> str:
    taken = {title for title, _ in state.groups}
    numbers = range(1, len(taken) + 2)
    return next(title for n in numbers if (title := f"group {n}") not in taken)


def _ungroup(state: PageState, nodes: Nodes, name: str) -> Changes:
    """The boxes selected, and those of selected nodes."""
    kept = tuple(
        group
        for number, group in enumerate(state.groups)
        if f"group:{number}" not in nodes and not nodes.keys() & set(group[1])
    )
    return {"groups": kept}


def _reset(state: PageState, nodes: Nodes, name: str) -> Changes:
    return {"pinned": (), "hidden": (), "names": (), "groups": ()}


_ACTS: dict[str, Callable[[PageState, Nodes, str], Changes]] = {
    "pin": _pin,
    "drag": _drag,
    "hide": _hide,
    "show": _show,
    "rename": _rename,
    "group": _group,
    "ungroup": _ungroup,
    "reset": _reset,
}
