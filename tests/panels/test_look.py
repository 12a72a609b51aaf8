"""The closer looks as the page shows them."""

from dataclasses import replace

import pytest

from attention_viz.exports.tables import to_csv
from attention_viz.panels.kit.html import to_html
from attention_viz.panels.views.ablation import look
from attention_viz.panels.views.ablation.look import _LOOKS
from attention_viz.panels.views.ablation.requests import look_request
from attention_viz.records.errors import BadInput
from attention_viz.records.job import JobStatus
from attention_viz.records.page import PageState
from attention_viz.records.page.ablation import LOOKS
from tests.builders import (
    agreement_of,
    control_of,
    cost_of,
    dose_of,
    family_of,
    positions_of,
    redundancy_of,
)
from tests.panels.views import MARY, StubWorkbench, answer, by_id, draw, find_all, text_of

RECORDS = {
    "cost": cost_of,
    "dose": dose_of,
    "redundancy": redundancy_of,
    "positions": positions_of,
    "control": control_of,
    "agreement": agreement_of,
    "family": family_of,
}
MATRICES = ("redundancy", "positions", "agreement", "family")


def showing(name: str, **changes) -> PageState:
    return MARY.change(**changes).put("ablation", look=name)


def bench_with(name: str, record=None) -> StubWorkbench:
    """Knows the look of this name."""
    return StubWorkbench(known={look_request(showing(name)): record or RECORDS[name]()})


@pytest.mark.parametrize("name", LOOKS)
def test_every_look_is_measured_and_shown(workbench, name):
    """From the page's state to what is on it, with real numbers."""
    workbench.wait("embedded")
    state = showing(name, heads=("L0H1", "L2H2"), max_heads=2, strategy="greedy")
    record = workbench.measure(look_request(state))
    drawn = draw(look, "look-result", workbench, state)
    assert "runs in" in text_of(by_id(drawn, "look-told"))
    assert "John" in text_of(drawn) if name == "cost" else by_id(drawn, f"look-{name}")
    headers, rows = _LOOKS[name].tabulate(record)
    assert len(find_all(draw(look, "look-table", workbench, state), "Tr")) == len(rows) + 1
    (file_name, data) = look.ACTS["look-csv"](workbench, state, {}).file
    assert file_name == "attention-viz-look.csv"
    assert data == to_csv(headers, rows)


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_says_what_it_means_and_how_to_get_it(name):
    drawn = draw(look, "look-result", StubWorkbench(), showing(name))
    assert text_of(by_id(drawn, "look-about")) == text_of(_LOOKS[name].about)
    assert "Not measured yet. Press Measure." in text_of(drawn)
    assert draw(look, "look-table", StubWorkbench(), showing(name)) is None
    with pytest.raises(BadInput, match="not measured yet"):
        look.ACTS["look-csv"](StubWorkbench(), showing(name), {})


@pytest.mark.parametrize("name", LOOKS)
def test_heat_maps_are_matrices_and_the_rest_are_plots(name):
    drawn = draw(look, "look-result", bench_with(name), showing(name))
    figure = by_id(drawn, f"look-{name}")
    if name == "cost":
        assert figure is None
    else:
        assert figure.props["className"] == ("matrix" if name in MATRICES else "plot")


def test_measure_puts_the_look_into_the_queue():
    class Taking(StubWorkbench):
        def submit(self, request):
            return JobStatus(id="job-1", request=request, state="queued")

    outcome = look.ACTS["look-measure"](Taking(), showing("dose"), {})
    assert [job.request for job in outcome.submitted] == [look_request(showing("dose"))]


def test_a_look_being_measured_can_be_stopped():
    request = look_request(showing("control"))
    job = JobStatus(id="job-1", request=request, state="running", done=40, total=200)
    drawn = draw(look, "look-result", StubWorkbench(job), showing("control"))
    assert "40 of 200 runs" in text_of(drawn)
    assert [text_of(button) for button in find_all(drawn, "Button")] == ["Cancel"]


def test_a_partial_look_tells_no_cost_yet():
    request = look_request(showing("control"))
    job = JobStatus(
        id="job-1", request=request, state="running", done=40, total=200, partial=control_of()
    )
    drawn = draw(look, "look-result", StubWorkbench(job), showing("control"))
    assert by_id(drawn, "look-control") is not None
    assert "runs in" not in text_of(by_id(drawn, "look-told"))


@pytest.mark.parametrize("name", ["dose", "control", "family"])
def test_looks_at_a_set_need_one(name):
    none = showing(name, heads=())
    drawn = draw(look, "look-result", StubWorkbench(), none)
    assert "No heads are selected" in text_of(drawn) and by_id(drawn, "look-about")
    with pytest.raises(BadInput, match="No heads"):
        look.ACTS["look-measure"](StubWorkbench(), none, {})


@pytest.mark.parametrize("name", ["redundancy", "positions"])
def test_without_heads_the_strongest_are_taken(name):
    assert look_request(showing(name, heads=())).heads == ()


def test_the_cost_of_flipping_finds_targets_of_its_own():
    """The page's answer and distractor must not make it another question."""
    plain = look_request(showing("cost"))
    assert (plain.question.answer, plain.question.distractor) == (None, None)
    for changes in ({"answer": 5}, {"distractor": 7}, {"flip_to": 7}):
        assert look_request(showing("cost", **changes)) == plain


def test_a_look_at_heads_is_not_asked_again_for_what_it_does_not_take():
    reads = answer(look, "look-result", bench_with("cost"), showing("cost"))["reads"]
    assert "shared.heads" not in reads and "shared.theme" not in reads
    assert {"ablation.look", "shared.strategy", "shared.max_heads"} <= set(reads)
    dose = answer(look, "look-result", bench_with("dose"), showing("dose"))["reads"]
    assert "shared.heads" in dose and "shared.kind" not in dose


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cost", ["1 of 2 tokens", "␣John with 2 heads", "Sets are minimal"]),
        ("dose", ["changes at 0.25 from ␣John to ␣Mary"]),
        ("agreement", ["zero, mean"]),
        ("control", ["Effect −0.500 logits", "201 random sets", "same layers; zero ablation"]),
        ("positions", ["3 heads at 15 positions", "(logits)"]),
        ("family", ["becomes the top-1: 1 of 2 (50 %,", "−2.50 logits", "1 pairs stand apart"]),
    ],
)
def test_what_is_told_is_what_was_measured(name, words):
    told = _LOOKS[name].tell(RECORDS[name]())
    assert all(word in told for word in words), told


def test_a_control_of_all_sets_says_all():
    found = replace(control_of(), possible=201)
    assert "all 201 other sets there are" in _LOOKS["control"].tell(found)


def test_the_pair_furthest_from_additive_is_named():
    told = _LOOKS["redundancy"].tell(redundancy_of())
    assert "L0H1 + L3H0" in told and "+0.50 logits beyond" in told


def test_heads_in_the_table_can_be_clicked():
    table = draw(look, "look-table", bench_with("redundancy"), showing("redundancy"))
    heads = {button.props["data-head"] for button in find_all(table, "Button")}
    assert heads == {"L0H1", "L2H2", "L3H0"}


def test_tokens_in_the_page_keep_their_blanks_and_in_the_file_their_text():
    bench = bench_with("cost")
    shown = find_all(draw(look, "look-result", bench, showing("cost")), "Tr")[1]
    assert text_of(shown).startswith("␣ John ")
    data = look.ACTS["look-csv"](bench, showing("cost"), {}).file[1].decode()
    assert data.splitlines()[1].startswith(" John,")
    dose = find_all(draw(look, "look-table", bench_with("dose"), showing("dose")), "Th")
    assert [text_of(cell) for cell in dose[2:4]] == [
        "probability of ␣Mary",
        "probability of ␣John",
    ]


def test_every_look_of_the_state_can_be_chosen():
    page = to_html(look.layout())
    assert all(f'value="{name}"' in page for name in LOOKS)
    assert set(_LOOKS) == set(LOOKS)


def test_a_link_keeps_the_look():
    state = showing("dose", strategy="beam")
    assert PageState.from_fragment(state.to_fragment()) == state
    for section, field in (("ablation", "look"), ("shared", "strategy")):
        data = MARY.to_json()
        data[section][field] = "x"
        with pytest.raises(BadInput):
            PageState.from_json(data)
