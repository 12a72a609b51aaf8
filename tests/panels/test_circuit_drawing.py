"""What is done to the drawing becomes a part of the page; what a browser sends is checked."""

import math
from pathlib import Path

import pytest
from dash import Dash, no_update

from attention_viz.figures.circuits.circuit import draw_circuit
from attention_viz.panels import circuit_drawing
from attention_viz.panels.circuit_drawing import LONGEST_NAME, layout, redraw
from attention_viz.records.circuits.circuit_view import LAYOUTS
from attention_viz.records.errors import BadInput
from attention_viz.records.page import MOST_GIVEN, PageState
from tests.builders import circuit_of
from tests.panels.views import MARY, callback_named, find_all

GROUPED = MARY.change(
    groups=(("early", ("L0H6", "L2H3")), ("late", ("L3H1", "L3H6"))),
    pinned=(("L0H6", 1.0, 2.0),),
)


def done(what: str, *nodes: str, name: str = "", x: float = 10.0, y: float = -20.0) -> dict:
    return {"do": what, "name": name, "nodes": [{"id": id, "x": x, "y": y} for id in nodes]}


def after(state: PageState, *steps: dict) -> PageState:
    """The page after these; it is one that a link can hold."""
    for step in steps:
        state = state.change(**redraw(state, step))
    assert PageState.from_fragment(state.to_fragment()) == state
    return state


def test_a_dragged_node_is_pinned_where_it_was_put():
    state = after(GROUPED, done("drag", "L2H3", x=123.456), done("drag", "L0H6", x=5))
    assert state.pinned == (("L2H3", 123.5, -20.0), ("L0H6", 5.0, -20.0))
    assert drawn(state)["L2H3"]["position"] == {"x": 123.5, "y": -20.0}


def drawn(state: PageState) -> dict[str, dict]:
    """The elements of the page's drawing by id."""
    return {e["data"]["id"]: e for e in draw_circuit(circuit_of(), view=state.circuit_view)}


def test_pinning_what_is_pinned_lets_go():
    once = after(MARY, done("pin", "L2H3", "L3H1"))
    assert [id for id, *_ in once.pinned] == ["L2H3", "L3H1"]
    more = after(once, done("pin", "L3H1", "L3H6", x=7))
    assert more.pinned == (("L2H3", 10.0, -20.0), ("L3H1", 7.0, -20.0), ("L3H6", 7.0, -20.0))
    assert after(more, done("pin", "L3H1", "L3H6")).pinned == (("L2H3", 10.0, -20.0),)


def test_hidden_nodes_are_not_drawn_until_all_are_shown():
    state = after(MARY, done("hide", "L2H3"), done("hide", "L3H1", "L2H3"))
    assert state.hidden == ("L2H3", "L3H1")
    assert not drawn(state).keys() & {"L2H3", "L3H1"}
    assert "L3H6" in drawn(state)
    assert after(state, done("show")).hidden == ()


def test_a_name_replaces_the_one_before_and_an_empty_one_goes():
    state = after(MARY, done("rename", "L2H3", name="  mover "), done("rename", "L3H1", name="x"))
    assert state.names == (("L2H3", "mover"), ("L3H1", "x"))
    assert after(state, done("rename", "L2H3", name="y")).names == (("L3H1", "x"), ("L2H3", "y"))
    assert after(state, done("rename", "L2H3", name=" ")).names == (("L3H1", "x"),)


def test_names_are_cut_and_kept_as_they_were_typed():
    state = after(MARY, done("rename", "L2H3", name="<b>" + 100 * "x"))
    assert state.names == (("L2H3", "<b>" + (LONGEST_NAME - 3) * "x"),)
    [name] = find_all(layout(), "Input")
    assert name.maxLength == LONGEST_NAME


def test_nodes_leave_their_boxes_for_a_new_one():
    state = after(GROUPED, done("group", "L2H3", "L3H1", "L3H6", name="both"))
    assert state.groups == (("early", ("L0H6",)), ("both", ("L2H3", "L3H1", "L3H6")))
    assert drawn(state)["group:1"]["data"]["label"] == "both"
    assert drawn(state)["L3H1"]["data"]["parent"] == "group:1"


def test_boxes_without_a_name_are_numbered():
    state = after(MARY, done("group", "L2H3", "L3H1"), done("group", "L0H6", "L3H6"))
    assert [name for name, _ in state.groups] == ["group 1", "group 2"]
    renamed = after(state, done("rename", "group:0", name="mine"))
    assert [name for name, _ in renamed.groups] == ["mine", "group 2"]
    again = after(renamed, done("rename", "group:1"))
    assert [name for name, _ in again.groups] == ["mine", "group 1"]


def test_a_box_is_taken_away_by_itself_or_by_a_member():
    assert after(GROUPED, done("ungroup", "group:0")).groups == GROUPED.groups[1:]
    assert after(GROUPED, done("ungroup", "L3H6")).groups == GROUPED.groups[:1]
    assert redraw(GROUPED, done("ungroup", "token:2")) == {}


def test_a_box_stands_for_the_members_named_beside_it():
    state = after(GROUPED, done("hide", "group:1", "L3H1", "L3H6"))
    assert state.hidden == ("L3H1", "L3H6")
    moved = after(GROUPED, done("drag", "group:0", "L0H6", "L2H3"))
    assert [id for id, *_ in moved.pinned] == ["L0H6", "L2H3"]


def test_reset_forgets_all_but_the_arrangement():
    state = GROUPED.change(arranged="tokens", hidden=("L2H3",), names=(("L3H1", "x"),))
    assert after(state, done("reset")) == MARY.change(arranged="tokens")
    assert redraw(MARY, done("reset")) == {}


@pytest.mark.parametrize(
    "step",
    [
        done("pin"),
        done("hide"),
        done("hide", "group:0"),
        done("group", "L2H3"),
        done("group"),
        done("rename", name="x"),
        done("rename", "L2H3", "L3H1", name="x"),
        done("explode", "L2H3"),
        {"do": ["pin"]},
        {},
        None,
        "pin",
    ],
)
def test_what_cannot_be_done_is_refused(step):
    with pytest.raises(BadInput):
        redraw(GROUPED, step)


@pytest.mark.parametrize("x", [None, "7", True, math.nan, math.inf, 1e6, [1]])
def test_places_that_are_none_are_not_pinned(x):
    assert redraw(MARY, done("drag", "L2H3", x=x)) == {}


@pytest.mark.parametrize("nodes", [None, "L2H3", [7], [{"id": 7}], [{"id": 200 * "x"}], [{}]])
def test_nodes_that_are_none_are_passed_over(nodes):
    with pytest.raises(BadInput, match="No node is selected"):
        redraw(MARY, {"do": "hide", "nodes": nodes})


def test_a_page_keeps_only_so_many():
    names = [f"token:{i}" for i in range(MOST_GIVEN)]
    full = after(MARY, done("hide", *names))
    with pytest.raises(BadInput, match="201"):
        redraw(full, done("hide", "L2H3"))


def test_the_page_changes_only_where_something_was_done():
    app = Dash()
    circuit_drawing.register(app, None)
    change = callback_named(app, "change_drawing")
    patch, toast = change(done("hide", "L2H3"), GROUPED.to_json())
    assert toast is no_update
    [operation] = patch.to_plotly_json()["operations"]
    assert operation["location"] == ["hidden"]
    assert operation["params"] == {"value": ("L2H3",)}
    assert change(done("show"), MARY.to_json()) == (no_update, no_update)
    nothing, [toast] = change(done("hide"), MARY.to_json())
    assert nothing is no_update and toast["message"] == "No node is selected."


def test_the_toolbar_offers_every_layout_and_act():
    [choice] = find_all(layout(), "RadioItems")
    assert [option["value"] for option in choice.options] == list(LAYOUTS)
    offered = {getattr(button, "data-draw") for button in find_all(layout(), "Button")}
    assert offered | {"drag"} == set(circuit_drawing._ACTS)  # dragging needs no button


def test_the_browser_tells_by_the_names_that_are_heard():
    script = Path(__file__).parents[2] / "assets" / "46_drawing.js"
    said = script.read_text(encoding="utf-8")
    for name in (circuit_drawing._DONE, circuit_drawing.GRAPH, "circuit-name", '"drag"', "offer"):
        assert name in said
