"""The circuit view: what is drawn, what a click tells, and what the browser may send."""

import json
import math

import pytest
from dash import Dash

from attention_viz.figures.circuits.circuit import draw_circuit
from attention_viz.panels import circuit as circuit_view
from attention_viz.panels.circuit import (
    find_circuit,
    missing,
    newest,
    show_circuit,
)
from attention_viz.panels.circuit_export import positions_of, save_file
from attention_viz.panels.circuit_numbers import smallest_of, strongest_edge
from attention_viz.panels.circuit_side import draw_narrow, show_contributions, show_top
from attention_viz.panels.circuit_source import known_circuit
from attention_viz.panels.results import Found
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.errors import BadInput
from tests.builders import circuit_of, lens_of
from tests.panels.views import MARY, callback_named, find_all, text_of

CIRCUIT = circuit_of()


def elements_of(circuit: Circuit) -> list[dict]:
    return draw_circuit(circuit)


def drawn_names(elements: list[dict]) -> set[str]:
    return {element["data"]["id"] for element in elements}


def test_a_circuit_is_drawn_with_legend_and_tables():
    status, elements, _, is_hidden, legend, note, edges, nodes, *_ = show_circuit(
        Found(CIRCUIT), False, MARY
    )
    assert status is None and not is_hidden
    assert {node.id for node in CIRCUIT.nodes} <= drawn_names(elements)
    assert "direct path patching" in text_of(legend)
    assert "the heads' mean over the prompt" in text_of(legend)
    assert "attention weight" in text_of(legend)
    assert note == "mean ablation"
    assert len(find_all(edges, "Tr")) == len(CIRCUIT.edges) + 1
    assert len(find_all(nodes, "Tr")) == len(CIRCUIT.nodes) + 1


def test_weak_edges_are_left_out_of_the_drawing_and_kept_in_the_table():
    weak, all_of_them = (show_circuit(Found(CIRCUIT), False, MARY, share) for share in (0.2, 0))
    assert len(weak[1]) < len(all_of_them[1])
    assert len(find_all(weak[6], "Tr")) == len(CIRCUIT.edges) + 1
    assert "not drawn" in text_of(weak[4])
    assert smallest_of(CIRCUIT, 0.2) == pytest.approx(0.2 * strongest_edge(CIRCUIT))
    assert strongest_edge(CIRCUIT) == 2.29


def test_every_state_fills_every_output():
    app = Dash()
    circuit_view.register(app, None)
    draw = callback_named(app, "draw_graph")
    outputs = len(draw("lens", {}, [], {}, {}, {}, "light", None, 0, None, MARY.to_json()))
    for found in (Found(), Found(CIRCUIT), Found(BadInput("No such head."))):
        assert len(show_circuit(found, False, MARY)) == outputs


@pytest.mark.parametrize("share", [None, "0.2", -1, math.nan, [1]])
def test_a_share_that_is_none_hides_nothing(share):
    assert smallest_of(CIRCUIT, share) == 0


def test_without_heads_the_view_teaches(workbench):
    state = MARY.change(heads=())
    found, is_stale = find_circuit(workbench, state, None)
    teach = missing(workbench, state)
    status, *_, is_button_hidden, _ = show_circuit(found, is_stale, state, instead=teach)
    assert "Pick heads" in text_of(status)
    assert is_button_hidden


def test_a_small_models_circuit_is_measured_at_once(workbench):
    workbench.wait("embedded")
    found, is_stale = find_circuit(workbench, MARY, None)
    assert isinstance(found.record, Circuit) and not is_stale
    heads = {str(node.head) for node in found.record.nodes if node.kind == "head"}
    assert heads == set(MARY.heads)
    assert workbench.cached(found.record.request) is found.record


def test_what_cannot_be_measured_is_said_in_place(workbench):
    workbench.wait("embedded")
    state = MARY.change(heads=("L9H9",))
    found, is_stale = find_circuit(workbench, state, None)
    status, _, _, is_hidden, *_ = show_circuit(found, is_stale, state)
    assert "L9H9" in text_of(status)
    assert is_hidden


def test_the_click_made_last_counts():
    node, edge = {"id": "L3H1", "timeStamp": 5}, {"source": "L2H3", "timeStamp": 9}
    assert newest(node, edge) is edge
    assert newest(node, None) is node
    assert newest(None, None) is None


def test_the_export_has_the_nodes_where_they_were_dragged(workbench):
    workbench.wait("embedded")
    elements = elements_of(known_circuit(workbench, MARY))
    dragged = MARY.heads[0]
    for element in elements:
        if element["data"]["id"] == dragged:
            element["position"] = {"x": 123.5, "y": -77.25}
    sent = save_file(workbench, MARY, "json", elements, 0)
    assert sent["filename"] == "circuit-embedded.json"
    nodes = {node["id"]: node for node in json.loads(_content(sent))["nodes"]}
    assert (nodes[dragged]["x"], nodes[dragged]["y"]) == (123.5, -77.25)


@pytest.mark.parametrize(
    "place",
    [{"x": "1e999", "y": 0}, {"x": math.nan, "y": 0}, {"x": 1e9, "y": 0}, {"x": 1}, None, "here"],
)
def test_places_that_are_none_are_not_used(place):
    elements = elements_of(CIRCUIT)
    for element in elements:
        if element["data"]["id"] == "L2H3":
            element["position"] = place
    assert positions_of(elements, CIRCUIT) is None


@pytest.mark.parametrize("sent", [None, "graph", [], [7], [{"data": None}], [{"data": {"id": []}}]])
def test_elements_that_are_none_are_not_used(sent):
    assert positions_of(sent, CIRCUIT) is None


def test_unknown_nodes_are_not_exported():
    elements = elements_of(CIRCUIT)
    elements.append({"data": {"id": "L9H9"}, "position": {"x": 0, "y": 0}})
    assert set(positions_of(elements, CIRCUIT)) == {node.id for node in CIRCUIT.nodes}


def test_only_known_formats_are_written(workbench):
    with pytest.raises(BadInput, match="exe"):
        save_file(workbench, MARY, "exe", [], 0)
    with pytest.raises(BadInput, match="No heads"):
        save_file(workbench, MARY.change(heads=()), "png", [], 0)


def test_contributions_name_their_sum():
    figure, is_hidden, _ = show_contributions(CIRCUIT, "light")
    assert not is_hidden
    assert "unembedding bias" in str(figure.data[0].customdata)
    assert show_contributions(None, "light")[1]


def test_top_tokens_stand_clean_beside_ablated(workbench):
    workbench.wait("embedded")
    shown, note = show_top(workbench, MARY)
    assert [title.children for title in find_all(shown, "H4")] == ["clean", "ablated"]
    assert note.startswith("KL ") and "nats" in note


def test_the_lens_gives_its_colour_bars_room_to_the_tokens():
    figure = draw_narrow(lens_of(), "light", 400)
    assert figure.data[0].showscale is False
    assert figure.layout.width <= 402


def _content(sent: dict) -> str:
    import base64

    return base64.b64decode(sent["content"]).decode()
