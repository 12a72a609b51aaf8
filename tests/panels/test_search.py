"""Find heads: what it says while it runs, and what it leaves in the selection."""

from dataclasses import replace

import pytest

from attention_viz.panels.kit.acts import Outcome
from attention_viz.panels.kit.common import NotReady
from attention_viz.panels.kit.html import to_html
from attention_viz.panels.kit.requests import search_request
from attention_viz.panels.rail import search
from attention_viz.panels.rail.search import (
    adopt,
    draw_search,
    start_search,
    targeted,
    under_way,
)
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.job import JobStatus
from attention_viz.records.search import SearchResult
from attention_viz.records.tokens import Token, Tokens
from tests.panels.fakes import FakeWorkbench, said
from tests.panels.views import MARY, answer, by_id

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
        (job("queued", queued_before=2), "2 jobs before yours"),
        (job("running", done=30, total=90, partial=FOUND), "30 of 90 sets"),
        (job("running", done=30, total=90, partial=FOUND), "so far L3H1 L0H5"),
        (job("running", partial=FOUND), "flips; fewer heads"),
        (job("running", partial=replace(FOUND, flipped=False, score=-1.5)), "not flipped yet"),
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
    assert words in said(draw_search(status))


def test_minimal_is_said_only_where_it_was_tried():
    shown = draw_search(job("done", result=replace(FOUND, minimal=None)))
    assert "Minimal" not in said(shown)


def test_before_a_search_the_line_is_empty_and_the_layout_says_what_it_is_for():
    assert draw_search(None) is None
    assert answer(search, "search-state", FakeWorkbench(), STATE)["html"] == ""
    goal = by_id(search.layout(), "find")
    assert said(goal) == "Find heads" and goal.props["data-act"] == "find"
    assert "a set of heads whose ablation" in to_html(search.layout())


def test_a_search_that_runs_can_be_cancelled():
    told = answer(search, "search-state", FakeWorkbench(job("running", done=3, total=9)), STATE)
    assert 'data-act="cancel"' in told["html"] and 'id="cancel-search"' in told["html"]
    assert list(told["marks"].values()) == ["job-1 running 3 0"]


@pytest.mark.parametrize("status", [job("done", result=FOUND), job("cancelled", partial=FOUND)])
def test_heads_found_go_into_the_selection_once(status):
    bench = FakeWorkbench(status)
    outcome = adopt(bench, STATE, ["job-1"])
    assert outcome.page == STATE.change(heads=("L0H5", "L3H1"))
    assert outcome.followed == () and "L0H5, L3H1" in outcome.says[0]["message"]
    assert adopt(bench, STATE, list(outcome.followed)) == Outcome()


def test_a_tab_that_does_not_follow_keeps_its_selection():
    assert adopt(FakeWorkbench(job("done", result=FOUND)), STATE, []) == Outcome()


def test_a_search_under_way_stays_followed():
    bench = FakeWorkbench(job("running", partial=FOUND))
    assert adopt(bench, STATE, ["job-1"]) == Outcome()


def test_a_search_that_is_forgotten_is_followed_no_longer():
    outcome = adopt(FakeWorkbench(job("running")), STATE, ["job-9", "job-1"])
    assert outcome == Outcome(followed=("job-1",))


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (job("done", result=FOUND), STATE.change(prompt="Another one")),
        (job("done", result=NOTHING), STATE),
        (job("failed", error=BadInput("No.", "Yes.")), STATE),
    ],
)
def test_what_does_not_belong_here_is_said_and_not_selected(status, state):
    outcome = adopt(FakeWorkbench(status), state, ["job-1"])
    assert outcome.page is None and outcome.followed == () and outcome.says


def test_a_search_that_did_not_flip_says_so():
    bench = FakeWorkbench(job("done", result=replace(FOUND, flipped=False)))
    outcome = adopt(bench, STATE, ["job-1"])
    assert outcome.page.heads
    assert outcome.says[0]["kind"] == "warning" and "at most 5 heads" in outcome.says[0]["message"]


def test_a_search_under_way_is_found_again_one_that_is_over_is_not_taken_over():
    running = FakeWorkbench(job("running"))
    assert under_way(running, STATE) == ("job-1",)
    assert under_way(running, STATE.change(max_heads=3)) is None
    assert under_way(FakeWorkbench(job("done", result=FOUND)), STATE) is None


def test_without_a_target_there_is_no_search_of_this_page():
    bench = FakeWorkbench(job("running"))
    state = STATE.change(flip_to=None)
    assert under_way(bench, state) is None
    assert answer(search, "search-state", bench, state)["html"] == ""


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
    with pytest.raises(BadInput, match="top-1 already"):
        search.ACTS["find"](workbench, MARY.change(flip_to=mary), {})


def test_finding_takes_the_target_starts_and_follows(workbench):
    workbench.wait("embedded")
    state = MARY.change(max_heads=1, strategy="greedy")
    outcome = search.ACTS["find"](workbench, state, {})
    (started,) = outcome.submitted
    assert outcome.page == targeted(workbench, state) and outcome.page.flip_to is not None
    assert started.request == search_request(outcome.page)
    assert outcome.followed == (started.id,)


def test_nothing_is_found_while_the_model_is_loaded():
    with pytest.raises(NotReady):
        search.ACTS["find"](FakeWorkbench(embedded=("loading", "")), STATE, {})
