"""Circuits cut from edge scores and imported ones: what is asked, drawn, proved and compared."""

import base64
import json

import pytest

from attention_viz.panels.kit.acts import perform
from attention_viz.panels.views import circuit as view
from attention_viz.panels.views.circuit.compare import compare, keep_state
from attention_viz.panels.views.circuit.detail import show_part, show_positions
from attention_viz.panels.views.circuit.export import FILES, save_file
from attention_viz.panels.views.circuit.imports import import_circuit, read_file
from attention_viz.panels.views.circuit.known import find_circuit, need_circuit
from attention_viz.panels.views.circuit.requests import (
    attribution_request,
    circuit_request,
    curve_request,
    mib_request,
    proof_request,
)
from attention_viz.panels.views.circuit.source import SIZES
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import EdgePositionsRequest, Method, Points
from attention_viz.records.circuits.circuit import Cut
from attention_viz.records.circuits.replacing import InputPart, MeanOver, Replacing
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from tests.panels.fakes import FakeWorkbench
from tests.panels.views import MARY, answer, by_id, draw, find_all, text_of

SCORES = MARY.change(view="circuit").put("circuit", source="scores", edges=12)
FAMILY = SCORES.put("circuit", pairs="indirect object ABBA", pair_count=7)


@pytest.fixture
def ready(workbench):
    workbench.wait("embedded")
    return workbench


def test_the_page_asks_for_what_its_controls_say():
    state = FAMILY.put("circuit", method="eap", cut="top", mlps=False, edge_kind="mean")
    request = attribution_request(state)
    assert (request.method, request.ablation) == (Method.EAP, AblationKind.MEAN)
    assert (request.pairs.family, request.pairs.count) == ("indirect object ABBA", 7)
    assert request.pairs.question.prompt == ""  # a family's scores don't depend on the prompt
    assert attribution_request(state.change(prompt="Other")) == request
    eap_ig = attribution_request(state.put("circuit", method="eap-ig"))
    assert eap_ig.method is Method.EAP  # integrated gradients need the counterfactual
    assert curve_request(state) == curve_request(state.put("circuit", edges=3))


def test_the_page_asks_for_the_points_and_what_is_replaced():
    usual = attribution_request(FAMILY)
    mid = attribution_request(FAMILY.put("circuit", points="mid"))
    assert (usual.points, mid.points) == (Points.RIGHT, Points.MID)
    eap = FAMILY.put("circuit", method="eap")
    assert attribution_request(eap.put("circuit", points="mid")) == attribution_request(eap)
    chosen = {"input_part": "token", "mean_over": "position"}
    assert attribution_request(FAMILY.put("circuit", **chosen)) == usual  # nothing to choose
    mean = eap.put("circuit", edge_kind="mean", **chosen)
    both = Replacing(InputPart.TOKEN, MeanOver.POSITION)
    assert attribution_request(mean).replacing == both
    given = mean.put("circuit", source="given", given_edges=("L0H1->L2H3.K",))
    assert circuit_request(given).replacing == both
    assert mean.circuit.when_model_changes().input_part == "both"


def test_what_of_the_input_is_asked_only_where_there_is_a_choice(ready):
    chosen = draw(view, "circuit-input-part", ready, FAMILY)
    values = {radio.props["value"] for radio in find_all(chosen, "Input")}
    assert values == {"both", "token"}
    fields = {radio.props["data-field"] for radio in find_all(chosen, "Input")}
    assert fields == {"circuit.input_part"}
    assert draw(view, "circuit-input-part", FakeWorkbench(), FAMILY) is None  # a rotary model


def test_zero_says_whether_positions_went_too(ready):
    zero = FAMILY.put("circuit", edge_kind="zero", method="eap")
    kept = zero.put("circuit", input_part="token")
    told = [text_of(draw(view, "proof-now", ready, state)) for state in (zero, kept)]
    assert "zero, position embeddings too" in told[0]
    assert "zero, position embeddings kept" in told[1]
    assert told[0].split(":")[0] != told[1].split(":")[0]


def test_mib_is_measured_and_drawn_beside_ours(ready):
    state = FAMILY.put("circuit", cut="mib", edges=30)
    circuit = need_circuit(ready, state)
    assert circuit.request.way is Cut.MIB and 0 < len(circuit.edge_ids) <= 30
    request = mib_request(state)
    assert mib_request(FAMILY) is None and mib_request(state.put("circuit", mlps=False)) is None
    assert request == mib_request(state.put("circuit", cut="mib-absolute", edges=5))
    assert curve_request(state) == curve_request(FAMILY)
    told = perform(ready, view.ACTS, state, "proof-measure", {})
    jobs = [
        ready.jobs.find(each)
        for each in (proof_request(state, circuit, True), curve_request(state), request)
    ]
    assert len(told["marks"]) == 3 and all(jobs)
    for job in jobs:
        ready.jobs.cancel(job.id)
    mib, curve = ready.measure(request), ready.measure(curve_request(state))
    shown = draw(view, "proof", ready, state)
    text = text_of(shown)
    assert f"signed scores CPR {mib.signed.cpr:.2f}" in text
    assert f"absolute scores CPR {mib.absolute.cpr:.2f}" in text
    assert f"CPR {curve.cpr:.2f}" in text
    data = json.loads(by_id(shown, "proof-curve").props["data-plot"])["data"]
    assert {"MIB, signed", "MIB, absolute"} <= {trace.get("name") for trace in data}
    rows = find_all(draw(view, "proof-table", ready, state), "Tr")
    assert len(rows) == len(curve.points) + 1 + 20 + 1


def test_an_empty_circuit_of_mib_counts_as_0(ready):
    state = FAMILY.put("circuit", cut="mib", edges=1)
    assert not need_circuit(ready, state).edge_ids
    assert "Faithfulness 0" in text_of(draw(view, "proof-now", ready, state))


def test_every_control_stands_for_a_field_of_the_page():
    page = PageState().to_json()
    for kind in ("Input", "Select"):
        for control in find_all(view.layout(), kind):
            address = control.props.get("data-field")
            if address:
                section, _, field = address.partition(".")
                assert field in page[section], address
    size = by_id(view.layout(), "circuit-size")
    assert json.loads(size.props["data-values"]) == list(SIZES) and size.props["data-late"]
    assert PageState().circuit.edges in SIZES


def test_without_a_counterfactual_the_view_says_what_to_do(ready):
    told = answer(view, "circuit-status", ready, SCORES.change(counterfactual=""))["html"]
    assert "counterfactual" in told and "family" in told
    imported = SCORES.put("circuit", source="given")
    assert "imported" in answer(view, "circuit-status", ready, imported)["html"]


def test_scores_are_cut_drawn_and_told(ready):
    circuit = find_circuit(ready, FAMILY).record
    assert draw(view, "circuit-status", ready, FAMILY) is None
    assert len(circuit.edge_ids) <= 12
    note = text_of(draw(view, "circuit-note", ready, FAMILY))
    assert "EAP-IG" in note and "7 pairs" in note
    assert "estimated from gradients" in text_of(draw(view, "circuit-legend", ready, FAMILY))
    edges = draw(view, "circuit-edges", ready, FAMILY)
    assert len(find_all(edges, "Tr")) == len(circuit.edges) + 1


def test_what_was_estimated_is_not_called_measured(ready):
    told = text_of(draw_detail(ready, FAMILY))
    assert "edges estimated" in told and "backward passes 35" in told
    assert "edges measured" not in told and "runs" not in told
    assert "backward passes 7" in text_of(draw_detail(ready, FAMILY.put("circuit", method="eap")))
    edge = find_circuit(ready, SCORES).record.edge_ids[0]
    told = text_of(draw_detail(ready, SCORES.put("circuit", exact=(str(edge),))))
    assert "edges measured 1" in told and "runs 1" in told and "backward passes 5" in told


def draw_detail(bench, state: PageState):
    """What is told of the whole circuit."""
    return show_part(bench, state, need_circuit(bench, state), None)


def test_an_edge_chosen_is_measured_exactly(ready):
    circuit = need_circuit(ready, SCORES)
    estimated = circuit.edges[0]
    assert not estimated.is_exact
    state = SCORES.put("circuit", exact=(str(circuit.edge_id(estimated)),))
    exact = next(e for e in need_circuit(ready, state).edges if e.id == estimated.id)
    assert exact.is_exact and exact.estimate == pytest.approx(estimated.value)
    assert exact.value != pytest.approx(estimated.value)


def test_an_estimate_is_told_by_position(ready):
    circuit = need_circuit(ready, SCORES)
    edge = circuit.edges[0]
    shown = show_positions(ready, circuit, edge)
    parts = ready.measure(EdgePositionsRequest(attribution_request(SCORES))).scores
    own = parts[(slice(None), *circuit.graph.index(circuit.edge_id(edge)))]
    assert own.sum() == pytest.approx(edge.value, rel=1e-4)
    rows = [text_of(row) for row in find_all(shown, "Tr")][1:]
    greatest = abs(own).argmax()
    assert show_positions(ready, circuit, circuit.nodes[0]) is None
    assert circuit.tokens.labels[greatest] in rows[0] and str(greatest) in rows[0]


# Its proof


def test_the_proof_says_how_faithful_and_grows_when_measured(ready):
    circuit = need_circuit(ready, FAMILY)
    now = text_of(draw(view, "proof-now", ready, FAMILY))
    known = ready.measure(proof_request(FAMILY, circuit, False))
    assert f"{known.measured.faithfulness:.2f}" in now and "resample" in now
    ready.measure(proof_request(FAMILY, circuit, True))
    curve = ready.measure(curve_request(FAMILY))
    shown = draw(view, "proof", ready, FAMILY)
    plot = by_id(shown, "proof-curve")
    assert "CPR" in text_of(shown) and plot.props["data-sets"] == "circuit.edges"
    data = json.loads(plot.props["data-plot"])["data"]
    sizes = [int(size) for trace in data for size, *_ in (trace.get("customdata") or ())]
    assert {point.size for point in curve.points} <= set(sizes)
    rows = find_all(draw(view, "proof-minimality", ready, FAMILY), "Tr")
    assert len(rows) == len(circuit.edge_ids) + 1
    told = perform(ready, view.ACTS, FAMILY, "curve-csv", {})
    assert told["file"]["name"] == "attention-viz-curve.csv"


def test_a_circuit_of_heads_tells_its_faithfulness_without_a_proof(ready):
    now = text_of(draw(view, "proof-now", ready, MARY))
    assert now.startswith("Faithfulness") and "all other heads ablated" in now
    assert draw(view, "proof", ready, MARY) is None
    assert perform(ready, view.ACTS, MARY, "proof-measure", {})["says"]


def test_measuring_asks_for_the_curve_and_for_each_edge(ready):
    circuit = need_circuit(ready, SCORES)
    told = perform(ready, view.ACTS, SCORES, "proof-measure", {})
    requests = proof_request(SCORES, circuit, True), curve_request(SCORES)
    jobs = [ready.jobs.find(request) for request in requests]
    assert len(told["marks"]) == 2 and all(jobs)
    for job in jobs:
        ready.jobs.cancel(job.id)


# Beside it


def test_beside_a_cut_circuit_stand_clean_ablated_and_circuit_only(ready):
    told = text_of(draw(view, "circuit-top", ready, FAMILY))
    assert "clean" in told and "its heads ablated" in told and "circuit only" in told
    assert "first pair" in draw(view, "circuit-top-note", ready, FAMILY)
    first = ready.measure(FAMILY.pairs_request).pairs[0]
    assert first.answer.text.strip() in told
    assert first.answer.text.strip() in text_of(draw(view, "circuit-lens-told", ready, FAMILY))
    for run in ("clean", "ablated", "circuit"):
        lens = draw(view, "circuit-lens", ready, FAMILY.put("circuit", side_lens=run))
        assert json.loads(lens.props["data-matrix"])["click"] == {}  # it is another prompt


# Files


@pytest.mark.parametrize("suffix", list(FILES))
def test_every_format_is_written(ready, suffix):
    name, data = save_file(ready, SCORES, suffix)
    assert name == f"circuit-embedded.{suffix}" and len(data) > 100
    if suffix.endswith("json"):
        json.loads(data)


def test_a_saved_circuit_is_imported_again(ready):
    name, data = save_file(ready, SCORES, "json")
    sent = f"data:application/json;base64,{base64.b64encode(data).decode()}"
    payload = {"contents": sent, "name": name}
    told = perform(ready, view.ACTS, SCORES, "circuit-import-file", payload)
    state = SCORES.put(
        "circuit", source="given", given_edges=tuple(told["changes"]["circuit.given_edges"])
    )
    assert told["changes"]["circuit.source"] == "given"
    assert told["place"]["id"] == "circuit-import-told" and "edges" in told["place"]["html"]
    circuit = need_circuit(ready, state)
    assert set(circuit.edge_ids) == set(need_circuit(ready, SCORES).edge_ids)
    assert all(edge.is_exact for edge in circuit.edges)


def test_heads_are_imported_as_the_selection():
    payload = {"circuit-import-text": "2.3, 3.1"}
    told = perform(None, view.ACTS, SCORES, "circuit-import", payload)
    assert told["changes"] == {"shared.heads": ["L2H3", "L3H1"], "circuit.source": "heads"}
    assert "2 heads" in told["says"][0]["message"]


@pytest.mark.parametrize("text", ["", "no heads", '{"nodes": 3}', None, 7])
def test_what_is_no_circuit_is_not_imported(text):
    told = perform(None, view.ACTS, SCORES, "circuit-import", {"circuit-import-text": text})
    assert told.keys() == {"says"}
    with pytest.raises(BadInput, match="UTF-8"):
        read_file("data:;base64,!!")


def test_more_edges_than_a_link_holds_are_not_imported(ready):
    large = SCORES.put("circuit", edges=400)
    _, data = save_file(ready, large, "json")
    with pytest.raises(BadInput, match="a page holds 200"):
        import_circuit(large, data.decode(), "large.json")


# Two circuits


def test_two_circuits_are_compared(ready):
    assert "Nothing kept" in text_of(draw(view, "compare-told", ready, SCORES))
    assert draw(view, "compare-figure", ready, SCORES) is None
    need_circuit(ready, SCORES)
    kept = perform(ready, view.ACTS, SCORES, "compare-keep", {})["changes"]["circuit.kept"]
    both = SCORES.put("circuit", edges=25, kept=kept)
    assert PageState.from_json(both.to_json()) == both
    found = compare(ready, both)
    small, large = need_circuit(ready, SCORES), need_circuit(ready, both)
    assert len(found.edges.shared) == len(set(small.edge_ids) & set(large.edge_ids))
    told = draw(view, "compare-told", ready, both)
    assert f"{len(found.edges.shared)} edges in both" in text_of(told)
    [button] = find_all(told, "Button")
    forgotten = perform(ready, view.ACTS, both, button.props["data-act"], {})["changes"]
    assert forgotten == {"circuit.kept": ""}
    assert by_id(draw(view, "compare-figure", ready, both), "compare-graph")
    assert find_all(draw(view, "compare-table", ready, both), "Tr")
    assert perform(ready, view.ACTS, both, "comparison-csv", {})["file"]


def test_what_is_kept_is_the_circuit_without_its_drawing():
    state = SCORES.put("circuit", pinned=(("L2H3", 1.0, 2.0),), names=(("L2H3", "x"),), kept="x")
    kept = PageState.from_fragment(keep_state(state.change(theme="dark")))
    assert circuit_request(kept) == circuit_request(SCORES)
    assert kept.circuit.pinned == kept.circuit.names == () and kept.circuit.kept == ""


def test_a_broken_link_is_no_circuit(ready):
    state = SCORES.put("circuit", kept="#v1.nonsense")
    assert "link" in text_of(draw(view, "compare-told", ready, state))
    assert draw(view, "compare-figure", ready, state) is None
