"""Circuits cut from edge scores and imported ones: what is asked, drawn, proved and compared."""

import base64
import json

import pytest
from dash import Dash

from attention_viz.panels import circuit_compare, circuit_proof, circuit_source
from attention_viz.panels.circuit import find_circuit, missing, show_circuit
from attention_viz.panels.circuit_detail import show_positions
from attention_viz.panels.circuit_export import FILES, save_file
from attention_viz.panels.circuit_side import show_lens, show_top
from attention_viz.panels.circuit_source import import_circuit, known_circuit, read_file
from attention_viz.panels.requests import attribution_request, curve_request, proof_request
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import EdgePositionsRequest, Method
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from tests.panels.views import MARY, find_all, text_of

SCORES = MARY.change(source="scores", edges=12, view="circuit")
FAMILY = SCORES.change(pairs="indirect object ABBA", pair_count=7)


@pytest.fixture
def ready(workbench):
    workbench.wait("embedded")
    return workbench


def test_the_page_asks_for_what_its_controls_say():
    state = FAMILY.change(method="eap", cut="top", mlps=False, edge_kind="mean")
    request = attribution_request(state)
    assert (request.method, request.ablation) == (Method.EAP, AblationKind.MEAN)
    assert (request.pairs.family, request.pairs.count) == ("indirect object ABBA", 7)
    assert request.pairs.question.prompt == ""  # a family's scores don't depend on the prompt
    assert attribution_request(state.change(prompt="Other")) == request
    eap_ig = attribution_request(state.change(method="eap-ig"))
    assert eap_ig.method is Method.EAP  # integrated gradients need the counterfactual
    assert curve_request(state) == curve_request(state.change(edges=3))


def test_without_a_counterfactual_the_view_says_what_to_do(ready):
    said = text_of(missing(ready, SCORES.change(counterfactual="")))
    assert "counterfactual" in said and "family" in said
    assert missing(ready, SCORES) is None
    assert "imported" in text_of(missing(ready, SCORES.change(source="given")))


def test_scores_are_cut_drawn_and_told(ready):
    found, is_stale = find_circuit(ready, FAMILY, None)
    status, elements, _, is_hidden, legend, note, edges, *_ = show_circuit(found, is_stale, FAMILY)
    assert status is None and not is_hidden
    assert len(found.record.edge_ids) <= 12
    assert "EAP-IG" in note and "7 pairs" in note
    assert "estimated from gradients" in text_of(legend)
    assert len(find_all(edges, "Tr")) == len(found.record.edges) + 1
    assert {edge["data"]["source"] for edge in elements if "source" in edge["data"]}


def test_an_edge_chosen_is_measured_exactly(ready):
    circuit = known_circuit(ready, SCORES)
    estimated = circuit.edges[0]
    assert not estimated.is_exact
    state = SCORES.change(exact=(str(circuit.edge_id(estimated)),))
    exact = next(e for e in known_circuit(ready, state).edges if e.id == estimated.id)
    assert exact.is_exact and exact.estimate == pytest.approx(estimated.value)
    assert exact.value != pytest.approx(estimated.value)


def test_an_estimate_is_told_by_position(ready):
    circuit = known_circuit(ready, SCORES)
    edge = circuit.edges[0]
    shown = show_positions(ready, circuit, edge)
    parts = ready.measure(EdgePositionsRequest(attribution_request(SCORES))).scores
    own = parts[(slice(None), *circuit.graph.index(circuit.edge_id(edge)))]
    assert own.sum() == pytest.approx(edge.value, rel=1e-4)
    rows = [text_of(row) for row in find_all(shown, "Tr")][1:]
    greatest = abs(own).argmax()
    assert show_positions(ready, circuit, circuit.nodes[0]) is None
    assert circuit.tokens.labels[greatest] in rows[0] and str(greatest) in rows[0]


def test_the_proof_says_how_faithful_and_grows_when_measured(ready):
    circuit = known_circuit(ready, FAMILY)
    is_hidden, now, _, _, has_no_curve, *_ = circuit_proof.show_proof(ready, FAMILY)
    assert not is_hidden and has_no_curve
    known = ready.measure(proof_request(FAMILY, circuit, False))
    assert f"{known.measured.faithfulness:.2f}" in text_of(now) and "resample" in text_of(now)
    ready.measure(proof_request(FAMILY, circuit, True))
    curve = ready.measure(curve_request(FAMILY))
    shown = circuit_proof.show_proof(ready, FAMILY)
    assert not shown[4] and "CPR" in shown[5]
    sizes = [int(size) for trace in shown[3].data for size, *_ in (trace.customdata or ())]
    assert {point.size for point in curve.points} <= set(sizes)
    assert len(find_all(shown[9], "Tr")) == len(circuit.edge_ids) + 1
    assert circuit_proof.show_proof(ready, MARY)[0]  # chosen heads have no edges outside


def test_a_click_on_the_curve_is_a_size():
    clicked = {"points": [{"customdata": ["30", "0.8"]}]}
    assert circuit_proof.clicked_size(clicked) == 30
    for nonsense in (None, {}, {"points": []}, {"points": [{"customdata": ["0"]}]}, "30"):
        assert circuit_proof.clicked_size(nonsense) is None


def test_beside_a_cut_circuit_stand_clean_ablated_and_circuit_only(ready):
    known_circuit(ready, FAMILY)
    shown, note = show_top(ready, FAMILY)
    told = text_of(shown)
    assert "clean" in told and "its heads ablated" in told and "circuit only" in told
    assert "first pair" in note
    first = ready.measure(FAMILY.pairs_request).pairs[0]
    assert first.answer.text.strip() in told
    _, is_hidden, sentences = show_lens(ready, FAMILY)
    assert not is_hidden and first.answer.text.strip() in text_of(sentences)


@pytest.mark.parametrize("suffix", list(FILES))
def test_every_format_is_written(ready, suffix):
    sent = save_file(ready, SCORES, suffix, [], 0)
    data = base64.b64decode(sent["content"])
    assert sent["filename"] == f"circuit-embedded.{suffix}" and len(data) > 100
    if suffix.endswith("json"):
        json.loads(data)


def test_a_saved_circuit_is_imported_again(ready):
    sent = save_file(ready, SCORES, "json", [], 0)
    text = read_file(f"data:application/json;base64,{sent['content']}")
    patch, told = import_circuit(ready, SCORES, text, sent["filename"])
    values = {step["location"][0]: step["params"]["value"] for step in patch._operations}
    state = SCORES.change(source=values["source"], given_edges=tuple(values["given_edges"]))
    circuit = known_circuit(ready, state)
    assert set(circuit.edge_ids) == set(known_circuit(ready, SCORES).edge_ids)
    assert all(edge.is_exact for edge in circuit.edges) and "edges" in told


def test_heads_are_imported_as_the_selection(ready):
    patch, _ = import_circuit(ready, SCORES, "2.3, 3.1", "")
    values = {step["location"][0]: step["params"]["value"] for step in patch._operations}
    assert values == {"heads": ["L2H3", "L3H1"], "source": "heads"}
    for bad in ("", "no heads", '{"nodes": 3}'):
        with pytest.raises(BadInput):
            import_circuit(ready, SCORES, bad, "")
    with pytest.raises(BadInput, match="UTF-8"):
        read_file("data:;base64,!!")


def test_two_circuits_are_compared(ready):
    told, *_, is_forget_hidden = circuit_compare.show_comparison(ready, SCORES)
    assert "Nothing kept" in text_of(told) and is_forget_hidden
    both = SCORES.change(edges=25, kept=circuit_compare.keep_state(SCORES))
    assert PageState.from_json(both.to_json()) == both
    known_circuit(ready, both)
    told, elements, _, is_hidden, legend, rows, _ = circuit_compare.show_comparison(ready, both)
    found = circuit_compare.compare(ready, both)
    small, large = known_circuit(ready, SCORES), known_circuit(ready, both)
    assert len(found.edges.shared) == len(set(small.edge_ids) & set(large.edge_ids))
    assert not is_hidden and f"{len(found.edges.shared)} edges in both" in text_of(told)
    assert text_of(legend) and find_all(rows, "Tr") and elements


def test_a_broken_link_is_no_circuit(ready):
    state = SCORES.change(kept="#v1.nonsense")
    told = circuit_compare.show_comparison(ready, state)[0]
    assert "link" in text_of(told)


def test_the_callbacks_register_side_by_side(ready):
    app = Dash()
    for part in (circuit_source, circuit_proof, circuit_compare):
        part.register(app, ready)
