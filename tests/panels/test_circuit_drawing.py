"""The toolbar of the circuit's drawing, and what the page's fields make of the drawing.

What the buttons do is done in the browser; see tests/browser.
"""

import json
from pathlib import Path

from attention_viz.panels.views import circuit as view
from attention_viz.panels.views.circuit.drawing import LONGEST_NAME, for_selected, layout
from attention_viz.panels.views.circuit.graph import layout as graph_layout
from attention_viz.panels.views.circuit.requests import circuit_request
from attention_viz.records.circuits.circuit_view import LAYOUTS
from attention_viz.records.page import PageState
from tests.builders import circuit_of
from tests.panels.fakes import FakeWorkbench
from tests.panels.views import MARY, by_id, draw, find_all

SCRIPT = Path(__file__).parents[2] / "assets" / "46_drawing.js"
GROUPS = (("early", ("L0H6", "L2H3")), ("late", ("L3H1", "L3H6")))


def drawn(state: PageState) -> dict[str, dict]:
    """The elements of the page's drawing by id."""
    bench = FakeWorkbench(known={circuit_request(state): circuit_of()})
    figure = draw(view, "circuit-figure", bench, state)
    elements = json.loads(figure.props["data-graph"])["elements"]
    return {element["data"]["id"]: element for element in elements}


def changed(**fields) -> PageState:
    state = MARY.put("circuit", **fields)
    assert PageState.from_fragment(state.to_fragment()) == state
    return state


def test_a_pinned_node_stands_where_it_was_put():
    state = changed(pinned=(("L2H3", 123.5, -20.0),), shape="page")
    assert drawn(state)["L2H3"]["position"] == {"x": 123.5, "y": -20.0}


def test_hidden_nodes_are_not_drawn():
    found = drawn(changed(hidden=("L2H3", "L3H1")))
    assert not found.keys() & {"L2H3", "L3H1"} and "L3H6" in found


def test_a_node_is_called_as_it_was_named():
    found = drawn(changed(names=(("L2H3", "mover"),)))
    assert "mover" in found["L2H3"]["data"]["label"]


def test_grouped_nodes_stand_in_a_box():
    found = drawn(changed(groups=GROUPS))
    assert found["group:1"]["data"]["label"] == "late"
    assert found["L3H1"]["data"]["parent"] == "group:1"


def test_the_toolbar_offers_every_layout():
    found = [
        radio.props["value"]
        for radio in find_all(graph_layout(), "Input")
        if radio.props.get("data-field") == "circuit.arranged"
    ]
    assert found == list(LAYOUTS)


def test_the_graph_and_its_toolbar_are_in_one_box():
    [box] = [d for d in find_all(graph_layout(), "Div") if d.props.get("className") == "graph-box"]
    assert by_id(box, "circuit-figure") and by_id(box, "circuit-do-pin")
    assert by_id(box, "circuit-detail") and by_id(box, "circuit-smallest")


def test_the_browser_does_what_the_buttons_say():
    script = SCRIPT.read_text(encoding="utf-8")
    offered = {
        b.props["data-draw"]
        for b in find_all([layout(), for_selected()], "Button")
        if "data-draw" in b.props
    }
    assert offered == {
        "pin",
        "hide",
        "rename",
        "group",
        "ungroup",
        "show",
        "reset",
        "fold",
        "close",
    }
    for name in (*offered, "circuit-graph", "circuit-name", "circuit-selected"):
        assert name in script
    assert by_id(for_selected(), "circuit-name").props["maxLength"] == LONGEST_NAME
