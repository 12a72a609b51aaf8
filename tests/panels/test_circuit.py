"""The circuit view: what is drawn, what depends on what, and what is taken away as files."""

import json
from dataclasses import replace

import pytest

from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import perform
from attention_viz.panels.kit.parts import mark_now
from attention_viz.panels.views import circuit as view
from attention_viz.panels.views.circuit.export import save_file
from attention_viz.panels.views.circuit.known import is_quick
from attention_viz.panels.views.circuit.requests import (
    attribution_request,
    circuit_request,
    curve_request,
    proof_request,
)
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.circuits.roles import HeadRoles, RolesRequest
from attention_viz.records.duration import BY_ITSELF, Duration, DurationRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.job import JobStatus
from attention_viz.records.page import PageState
from tests.builders import circuit_of, cut_of
from tests.panels.fakes import FakeWorkbench, info_of
from tests.panels.views import MARY, answer, draw, find_all, text_of

CIRCUIT = circuit_of()
STATE = MARY.change(view="circuit")
BEHIND = ("proof-now", "proof", "proof-status", "circuit-lens", "circuit-top", "circuit-bars")
DRAWING = {f"circuit.{name}" for name in ("pinned", "hidden", "names", "groups", "arranged")}


class LargeModel(FakeWorkbench):
    """Nothing is measured in it without being asked."""

    def __init__(self, *jobs, known=None, seconds=60.0):
        super().__init__(*jobs, known=known)
        self.submitted = []
        self.seconds = seconds

    def status(self, name):
        return replace(super().status(name), info=replace(info_of(), parameters=10**9))

    def measure(self, request):
        if isinstance(request, DurationRequest):
            return Duration(9, self.seconds)
        if request not in self.known:
            raise BadInput("That is not measured here.")
        return super().measure(request)

    def submit(self, request):
        self.submitted.append(request)
        return JobStatus(f"job-{len(self.submitted)}", request, "queued")


@pytest.fixture
def ready(workbench):
    workbench.wait("embedded")
    return workbench


def known(circuit: Circuit = CIRCUIT, state: PageState = STATE) -> FakeWorkbench:
    """A workbench that has this circuit for the page."""
    return FakeWorkbench(known={circuit_request(state): circuit})


def elements_of(part) -> list[dict]:
    return json.loads(find_all(part, "Div")[0].props["data-graph"])["elements"]


# What is drawn


def test_a_circuit_is_drawn_with_legend_and_tables():
    bench = known()
    assert draw(view, "circuit-status", bench, STATE) is None
    drawn = draw(view, "circuit-figure", bench, STATE)
    assert drawn.id == "circuit-graph"
    assert {n.id for n in CIRCUIT.nodes} <= {e["data"]["id"] for e in elements_of(drawn)}
    legend = text_of(draw(view, "circuit-legend", bench, STATE))
    for sign in ("direct path patching", "the heads' mean over the prompt", "attention weight"):
        assert sign in legend
    assert text_of(draw(view, "circuit-note", bench, STATE)) == "mean ablation"
    edges = draw(view, "circuit-edges", bench, STATE)
    assert len(find_all(edges, "Tr")) == len(CIRCUIT.edges) + 1
    nodes = draw(view, "circuit-nodes", bench, STATE)
    assert len(find_all(nodes, "Tr")) == len(CIRCUIT.nodes) + 1


def test_the_legend_is_a_line_of_signs_until_it_is_unfolded():
    [legend] = find_all(draw(view, "circuit-legend", known(), STATE), "Details")
    [line] = find_all(legend, "Summary")
    assert len(text_of(line)) < 0.3 * len(text_of(legend))
    assert len(find_all(line, "I")) >= 8 and "helps the answer" in text_of(line)


def test_weak_edges_are_left_out_of_the_drawing_and_kept_in_the_table():
    few, all_of_them = (STATE.put("circuit", smallest=share) for share in (0.2, 0))
    shown = [len(elements_of(draw(view, "circuit-figure", known(), s))) for s in (few, all_of_them)]
    assert shown[0] < shown[1]
    table = draw(view, "circuit-edges", known(), few)
    assert len(find_all(table, "Tr")) == len(CIRCUIT.edges) + 1
    assert "not drawn" in text_of(draw(view, "circuit-legend", known(), few))


def test_every_part_is_drawn_in_any_state():
    nothing = STATE.change(prompt="", counterfactual="", heads=())
    for state in (nothing, STATE.change(heads=()), STATE, STATE.put("circuit", source="given")):
        for part in view.PARTS:
            told = answer(view, part.name, LargeModel(), state)
            assert "could not be drawn" not in told["html"], part.name


def test_without_heads_the_view_teaches(ready):
    state = STATE.change(heads=())
    status = draw(view, "circuit-status", ready, state)
    assert "Pick heads" in text_of(status)
    assert [b.props["data-act"] for b in find_all(status, "Button")] == ["find"]
    for part in ("circuit-measure", "circuit-figure", "circuit-legend", "circuit-detail"):
        assert draw(view, part, ready, state) is None


def test_a_small_models_circuit_is_measured_at_once(ready):
    assert draw(view, "circuit-status", ready, STATE) is None
    circuit = ready.cached(circuit_request(STATE))
    heads = {str(node.head) for node in circuit.nodes if node.kind == "head"}
    assert heads == set(STATE.heads)
    assert draw(view, "circuit-measure", ready, STATE) is None


def test_what_cannot_be_measured_is_said_once_in_place(ready):
    state = STATE.change(heads=("L9H9",))
    assert "L9H9" in answer(view, "circuit-status", ready, state)["html"]
    for part in ("circuit-figure", "circuit-legend", "circuit-measure", "circuit-detail"):
        assert answer(view, part, ready, state)["html"] == ""


def test_while_the_model_is_loaded_everything_waits_for_it():
    bench = FakeWorkbench(embedded=("loading", "reading weights"))
    for part in ("circuit-status", "circuit-figure", "proof-now", "circuit-top"):
        assert answer(view, part, bench, STATE)["waits"], part
    assert "reading weights" in answer(view, "circuit-status", bench, STATE)["html"]


# In the background


def test_a_large_models_circuit_is_measured_when_asked_for():
    bench = LargeModel()
    assert not is_quick(bench, STATE)
    assert "not measured yet" in text_of(draw(view, "circuit-status", bench, STATE))
    button = draw(view, "circuit-measure", bench, STATE)
    told = perform(bench, view.ACTS, STATE, button.props["data-act"], {})
    assert bench.submitted == [circuit_request(STATE)] and list(told["marks"].values())

    job = JobStatus("j", circuit_request(STATE), "running", done=3, total=9)
    bench = LargeModel(job)
    assert "3 of 9 runs" in text_of(draw(view, "circuit-status", bench, STATE))
    assert draw(view, "circuit-measure", bench, STATE) is None
    marks = answer(view, "circuit-status", bench, STATE)["marks"]
    assert any("running 3" in mark for mark in marks.values())


def test_the_circuit_of_heads_starts_by_itself_where_it_is_short():
    bench = LargeModel(seconds=BY_ITSELF)
    assert "about to start" in text_of(draw(view, "circuit-status", bench, STATE))
    assert bench.submitted == [circuit_request(STATE)]
    many = STATE.change(heads=tuple(f"L0H{head}" for head in range(13)))
    assert "not measured yet" in text_of(draw(view, "circuit-status", bench, many))
    stopped = JobStatus("j", circuit_request(STATE), "cancelled")
    bench = LargeModel(stopped, seconds=BY_ITSELF)
    draw(view, "circuit-status", bench, STATE)
    assert bench.submitted == []


def test_roles_come_behind_the_graph_and_draw_it_anew_once():
    """What shows roles is there without them, starts them, and waits for their end alone."""
    shown = ("circuit-figure", "circuit-legend", "circuit-detail", "circuit-nodes")
    plain = replace(CIRCUIT, about=STATE.question)
    plain = replace(plain, nodes=tuple(replace(node, role=None) for node in plain.nodes))
    asked = RolesRequest(STATE.question)
    bench = LargeModel(known={circuit_request(STATE): plain})
    for part in view.PARTS:
        told = answer(view, part.name, bench, STATE)
        marks = [mark for mark in told["marks"].values() if mark.endswith(" end")]
        assert bool(marks) == (part.name in shown), part.name
    assert set(bench.submitted) == {asked}
    assert "(not measured)" in answer(view, "circuit-legend", bench, STATE)["html"]

    def running(done: int) -> JobStatus:
        return JobStatus("j", asked, "running", done=done, total=9)

    bench = LargeModel(running(3), known={circuit_request(STATE): plain})
    [mark] = answer(view, "circuit-figure", bench, STATE)["marks"].values()
    assert bench.submitted == [] and mark_now(running(5), mark) == mark
    assert mark_now(JobStatus("j", asked, "done"), mark) != mark
    roles = HeadRoles(asked, tuple(node.role for node in CIRCUIT.nodes if node.role))
    bench = LargeModel(known={circuit_request(STATE): plain, asked: roles})
    told = answer(view, "circuit-legend", bench, STATE)
    assert told["marks"] == {} and "previous token: " in told["html"]


def test_a_saved_circuit_has_its_roles(ready):
    state = STATE.change(prompt="A circuit nobody saw yet, nobody saw", counterfactual="")
    _, data = save_file(ready, state, "json")
    heads = [node for node in json.loads(data)["nodes"] if node["kind"] == "head"]
    assert heads and all(node["role"] for node in heads)


def test_scores_that_are_known_are_cut_without_asking():
    state = STATE.put("circuit", source="scores")
    bench = LargeModel(known={attribution_request(state): object()})
    assert is_quick(bench, state)
    assert not is_quick(bench, state.put("circuit", exact=("L0H1->L2H3.K",)))
    assert not is_quick(LargeModel(), state)


def test_nothing_to_measure_is_not_submitted():
    bench = LargeModel()
    told = perform(bench, view.ACTS, STATE.change(heads=()), "circuit-measure", {})
    assert told["says"] and not bench.submitted


# What depends on what


def test_where_a_node_stands_matters_to_the_drawing_alone(ready):
    reads = {part.name: set(answer(view, part.name, ready, STATE)["reads"]) for part in view.PARTS}
    assert reads["circuit-figure"] >= DRAWING
    for name in BEHIND + ("circuit-status", "circuit-edges", "circuit-nodes", "compare-told"):
        assert not reads[name] & (DRAWING | {"circuit.smallest", "local.circuit"}), name
    assert not reads["circuit-detail"] & {"circuit.pinned", "circuit.arranged", "circuit.smallest"}


def test_a_click_on_a_node_concerns_its_detail_alone(ready):
    scores = STATE.put("circuit", source="scores")
    for state in (STATE, scores):
        told = [
            part.name
            for part in view.PARTS
            if "local.circuit" in answer(view, part.name, ready, state)["reads"]
        ]
        assert told == ["circuit-detail"]


def test_colours_come_with_both_themes(ready):
    for part in view.PARTS:
        assert "shared.theme" not in answer(view, part.name, ready, STATE)["reads"], part.name


def test_what_is_measured_anew_stands_behind_the_graph():
    waves = {part.name: part.wave for part in view.PARTS}
    assert {waves[name] for name in BEHIND} == {1}
    assert waves["circuit-figure"] == waves["circuit-detail"] == 0


def test_only_jobs_of_its_own_move_the_proof():
    state = STATE.put("circuit", source="scores")
    cut = need_cut(state)
    other = JobStatus("other", curve_request(state.put("circuit", cut="top")), "running", 5, 9)
    own = JobStatus("own", proof_request(state, cut, True), "running", 2, 9)
    for jobs, expected in (((other,), set()), ((other, own), {"own"})):
        bench = FakeWorkbench(*jobs, known=known_pairs(state) | {circuit_request(state): cut})
        marks = answer(view, "proof-status", bench, state)["marks"].values()
        assert {mark.partition(" ")[0] for mark in marks if mark} == expected


def need_cut(state: PageState) -> Circuit:
    """The circuit a page asks for, as if cut for it."""
    graph = Graph(4, 4, 4, is_parallel=False)
    return replace(cut_of(), request=circuit_request(state), graph=graph)


def known_pairs(state: PageState) -> dict:
    return {state.pairs_request: object()}


# Files


def test_the_export_has_the_nodes_where_the_page_has_them(ready):
    node = STATE.heads[0]
    state = STATE.put("circuit", pinned=((node, 123.5, -77.25),))
    name, data = save_file(ready, state, "json")
    nodes = {node["id"]: node for node in json.loads(data)["nodes"]}
    assert name == "circuit-embedded.json"
    assert (nodes[node]["x"], nodes[node]["y"]) == (123.5, -77.25)
    assert all("x" in each for each in nodes.values())


def test_only_known_formats_are_written(ready):
    with pytest.raises(BadInput, match="exe"):
        save_file(ready, STATE, "exe")
    with pytest.raises(BadInput, match="No heads"):
        save_file(ready, STATE.change(heads=()), "png")
    said = perform(ready, view.ACTS, STATE, "circuit-export", {"suffix": ["png"]})["says"]
    assert "can't be saved" in said[0]["message"]


def test_tables_are_saved():
    for name in ("edges", "nodes", "contributions"):
        told = perform(known(), view.ACTS, STATE, f"{name}-csv", {})
        assert told["file"]["name"] == f"attention-viz-{name}.csv"
    assert perform(known(), view.ACTS, STATE, "curve-csv", {})["says"]


# Beside it


def test_contributions_name_their_sum():
    told = answer(view, "circuit-bars", known(), STATE)["html"]
    assert "unembedding bias" in told and "sum" in told
    assert "Measured with the circuit" in answer(view, "circuit-bars", LargeModel(), STATE)["html"]


def test_top_tokens_stand_clean_beside_ablated(ready):
    shown = draw(view, "circuit-top", ready, STATE)
    assert [title.children for title in find_all(shown, "H3")] == ["clean", "ablated"]
    note = draw(view, "circuit-top-note", ready, STATE)
    assert note.startswith("KL ") and "nats" in note
    assert draw(view, "circuit-top-note", ready, STATE.change(heads=())) == "clean run"


def test_the_lens_beside_has_no_colour_bar_and_needs_its_run(ready):
    spec = json.loads(draw(view, "circuit-lens", ready, STATE).props["data-matrix"])
    assert "bar" not in spec and spec["click"] == {"position": "col"}
    only = STATE.put("circuit", side_lens="circuit")
    assert "Circuit only is for" in answer(view, "circuit-lens", ready, only)["html"]


def test_the_layout_has_a_place_for_every_part_and_a_part_for_every_place():
    drawn = html.to_html(view.layout())
    for part in view.PARTS:
        assert f'data-part="{part.name}"' in drawn
    assert drawn.count("data-part=") == len(view.PARTS)


def test_every_button_asks_for_something_known():
    asked = [b.props.get("data-act") for b in find_all(view.layout(), "Button")]
    files = [i.props.get("data-act-file") for i in find_all(view.layout(), "Input")]
    for act in filter(None, asked + files):
        assert act in view.ACTS
