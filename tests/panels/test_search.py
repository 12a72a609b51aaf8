"""Find heads: what it says while it runs, and what it leaves in the selection."""

from dataclasses import replace

import pytest

from attention_viz.panels.requests import search_request
from attention_viz.panels.search import (
    adopt,
    draw_search,
    find_search,
    newly_followed,
    start_search,
    targeted,
)
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.job import JobStatus
from attention_viz.records.search import SearchResult
from attention_viz.records.tokens import Token, Tokens
from tests.panels.fakes import FakeWorkbench, said
from tests.panels.views import MARY

JOHN = Token(8, " John")
STATE = MARY.change(heads=(), flip_to=8)
REQUEST = search_request(STATE)
FOUND = SearchResult(
    request=REQUEST,
    tokens=Tokens((JOHN,), False),
    position=0,
    heads=(HeadId(3, 1), HeadId(0, 5)),
    steps=(),
    score=0.84,
    top=JOHN,
    flipped=True,
    minimal=True,
    smallest=None,
    alternatives=(),
    evaluations=62,
    seconds=0.1,
    stopped="flipped",
)
NOTHING = replace(FOUND, heads=(), score=None, top=None, flipped=None, minimal=None)


def job(state: str, **values: object) -> JobStatus:
    return JobStatus("job-1", REQUEST, state, **values)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "Looks for a small set"),
        (job("queued", queued_before=2), "2 jobs before yours"),
        (job("running", done=30, total=90, partial=FOUND), "30 of about 90 sets"),
        (job("running", done=30, total=90, partial=FOUND), "so far L3H1 L0H5"),
        (job("done", result=FOUND), "top-1 is ␣John"),
        (job("done", result=FOUND), "Minimal"),
        (job("done", result=replace(FOUND, flipped=False, minimal=None)), "not flipped"),
        (job("done", result=NOTHING), "Nothing found. 62 sets tried."),
        (job("cancelled", partial=FOUND), "Cancelled. Kept L3H1 L0H5"),
        (job("cancelled"), "Cancelled. Nothing found."),
        (job("failed", error=BadInput("No such token.", "Choose another.")), "Choose another."),
    ],
)
def test_the_line_says_how_the_search_stands(status, words):
    assert words in said(draw_search(status, STATE))


def test_minimal_is_said_only_where_it_was_tried():
    shown = draw_search(job("done", result=replace(FOUND, minimal=None)), STATE)
    assert "Minimal" not in said(shown)


@pytest.mark.parametrize("status", [job("done", result=FOUND), job("cancelled", partial=FOUND)])
def test_heads_found_go_into_the_selection_once(status):
    bench = FakeWorkbench(status)
    heads, still, says = adopt(bench, {"job-1": True}, STATE)
    assert heads == ("L0H5", "L3H1") and still == {} and says
    assert adopt(bench, still, STATE) == (None, {}, None)


def test_a_tab_that_does_not_follow_keeps_its_selection():
    assert adopt(FakeWorkbench(job("done", result=FOUND)), {}, STATE) == (None, {}, None)


def test_a_search_under_way_stays_followed():
    bench = FakeWorkbench(job("running", partial=FOUND))
    assert adopt(bench, {"job-1": True}, STATE) == (None, {"job-1": True}, None)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (job("done", result=FOUND), STATE.change(prompt="Another one")),
        (job("done", result=NOTHING), STATE),
        (job("failed", error=BadInput("No.", "Yes.")), STATE),
    ],
)
def test_what_does_not_belong_here_is_said_and_not_selected(status, state):
    heads, still, says = adopt(FakeWorkbench(status), {"job-1": True}, state)
    assert heads is None and still == {} and says


def test_a_search_that_did_not_flip_says_so():
    bench = FakeWorkbench(job("done", result=replace(FOUND, flipped=False)))
    heads, _, says = adopt(bench, {"job-1": True}, STATE)
    assert heads and says[0]["kind"] == "warning" and "at most 5 heads" in says[0]["message"]


def test_a_search_under_way_is_found_again_one_that_is_over_is_not_taken_over():
    running = FakeWorkbench(job("running"))
    assert newly_followed(running, STATE, {}) == {"job-1": True}
    assert newly_followed(running, STATE, {"job-1": True}) is None
    assert newly_followed(running, STATE.change(max_heads=3), {}) is None
    assert newly_followed(FakeWorkbench(job("done", result=FOUND)), STATE, {}) is None


def test_without_a_target_there_is_no_search_of_this_page():
    assert find_search(FakeWorkbench(job("running")), STATE.change(flip_to=None)) is None


def test_the_runner_up_is_the_target_where_none_was_chosen(workbench):
    workbench.wait("embedded")
    state = targeted(workbench, MARY)
    top = workbench.token("embedded", state.flip_to)
    assert top.text != " Mary"
    assert targeted(workbench, MARY.change(objective="kl")).flip_to is None


def test_what_is_top_already_needs_no_search(workbench):
    workbench.wait("embedded")
    mary = workbench.token_id("embedded", " Mary")
    with pytest.raises(BadInput, match="top-1 already"):
        start_search(workbench, MARY.change(flip_to=mary))
