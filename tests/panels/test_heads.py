"""The head grid and the sweep behind its colours."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from attention_viz.panels.kit.requests import sweep_request
from attention_viz.panels.kit.results import find
from attention_viz.panels.rail import heads
from attention_viz.panels.rail.heads import (
    cell_title,
    draw_grid,
    draw_state,
    known_sweep,
    short_effect,
)
from attention_viz.records.duration import BY_ITSELF, Duration, DurationRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.job import JobStatus
from attention_viz.records.metrics import Metric
from attention_viz.records.question import TokensRequest
from attention_viz.records.sweep import HeadSweep
from attention_viz.records.tokens import Token, Tokens
from tests.panels.fakes import FakeWorkbench, info_of, said
from tests.panels.views import MARY, answer, find_all, text_of

STATE = MARY.change(metric="logit_diff")
REQUEST = sweep_request(STATE)
MARY_TOKEN, JOHN = Token(7, " Mary"), Token(8, " John")


def sweep(effect: list, **changes: object) -> HeadSweep:
    top = tuple(tuple(JOHN for _ in row) for row in effect)
    record = HeadSweep(
        request=REQUEST,
        tokens=Tokens((MARY_TOKEN,), False),
        position=0,
        answer=MARY_TOKEN,
        distractor=JOHN,
        baseline=1.0,
        effect=np.array(effect, dtype=float),
        top=top,
        evaluations=6,
        seconds=0.1,
    )
    return replace(record, **changes)


def job(state: str, **values: object) -> JobStatus:
    return JobStatus("job-1", REQUEST, state, **values)


WHOLE = sweep([[0.0, -4.41, 0.02], [np.nan, 2.0, 1.0]])


def fake(
    *jobs: JobStatus, tokens: int = 10, seconds: float = 1.0, known: Any = None, **states: Any
) -> FakeWorkbench:
    """Every prompt has so many tokens, and every sweep would take so long."""
    bench = FakeWorkbench(*jobs, known=known or {}, **states)
    read = SimpleNamespace(tokens=[None] * tokens)
    measure = bench.measure
    told = {TokensRequest: read, DurationRequest: Duration(6, seconds)}
    bench.measure = lambda r: told[type(r)] if type(r) in told else measure(r)
    bench.submitted = []

    def submit(request: Any) -> JobStatus:
        bench.submitted.append(request)
        return JobStatus("job-2", request, "queued")

    bench.submit = submit
    return bench


LARGE = replace(info_of(layers=12, heads=12), parameters=124_000_000)


def large(*jobs: JobStatus, **more: Any) -> FakeWorkbench:
    """A model whose sweeps take long."""
    bench = fake(*jobs, tokens=60, seconds=40.0, **more)
    status = bench.status
    bench.status = lambda name: replace(status(name), info=LARGE)
    return bench


def test_every_head_has_a_button_with_its_name_and_exact_effect():
    cells = find_all(draw_grid(info_of(), WHOLE), "button")
    names = [cell.props["data-head"] for cell in cells]
    assert names == ["L1H0", "L1H1", "L1H2", "L0H0", "L0H1", "L0H2"]  # the last layer on top
    assert [said(cell) for cell in cells] == ["", "+2.0", "+1.0", "0", "−4.4", "0"]
    assert "−4.4100 logits" in cells[4].props["title"] and "␣John" in cells[4].props["title"]
    assert "not measured" in cells[0].props["title"]


def test_opposite_effects_have_different_colours():
    cells = find_all(draw_grid(info_of(), sweep([[-1, 0, 1], [0, 0, 0]])), "button")
    backgrounds = [cell.props["style"]["background"] for cell in cells[3:]]
    assert len(set(backgrounds)) == 3


def test_wide_models_show_colours_only():
    wide = info_of(layers=2, heads=32)
    cells = find_all(draw_grid(wide, sweep(np.ones((2, 32)).tolist())), "button")
    assert len(cells) == 64 and not any(said(cell) for cell in cells)
    assert "+1.0000" in cells[0].props["title"]


def test_small_effects_keep_two_digits_and_zero_is_zero():
    small = sweep([[0.0261, -0.0004, 0.0], [0, 0, 0]])
    assert [short_effect(small, 0, head) for head in range(3)] == ["+.026", "0", "0"]


def test_kl_has_no_sign():
    kl = sweep([[0.5, 0, 0], [0, 0, 0]], request=replace(REQUEST, metric=Metric.KL))
    assert short_effect(kl, 0, 0) == ".50"
    assert "KL divergence 0.5000 nats" in cell_title(kl, 0, 0)


def test_only_the_sweep_of_this_question_is_shown():
    bench = large(known={REQUEST: WHOLE})
    assert known_sweep(bench, STATE).record is WHOLE
    for other in (
        STATE.change(prompt="Another prompt"),
        STATE.change(kind="mean"),
        STATE.change(metric="kl"),
        STATE.change(position=3),
    ):
        assert known_sweep(bench, other).record is None


def test_a_running_sweep_shows_what_it_has_and_can_be_cancelled():
    running = job("running", done=3, total=6, partial=WHOLE)
    grid = answer(heads, "head-grid", fake(running), STATE)
    line = answer(heads, "sweep-state", fake(running), STATE)
    assert grid["html"].count("data-head=") == 6 and "−4.4" in grid["html"]
    assert "3 of 6" in line["html"] and 'data-act="cancel"' in line["html"]
    assert 'id="cancel-sweep"' in line["html"] and "job-1" in line["html"]
    assert list(grid["marks"].values()) == list(line["marks"].values()) == ["job-1 running 3 0"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (job("queued", queued_before=2), "2 jobs before yours"),
        (job("queued", queued_before=1), "1 job before yours"),
        (job("queued"), "about to start"),
        (job("cancelled", partial=WHOLE), "logits · cancelled"),
        (job("cancelled"), "Sweep all heads starts it again"),
        (job("failed", error=BadInput("Needs another prompt.", "Type one.")), "Type one."),
        (job("done", result=WHOLE), "+4.4 logits"),
    ],
)
def test_the_line_says_how_the_sweep_stands(status, words):
    assert words in said(draw_state(known_sweep(fake(status), STATE)))


def test_without_a_sweep_the_line_says_how_to_get_one():
    assert "press Sweep" in said(draw_state(find(FakeWorkbench(), REQUEST)))
    told = answer(heads, "sweep-state", large(), STATE)
    assert "press Sweep" in told["html"] and list(told["marks"].values()) == [""]
    assert "about 40 s" in told["html"]


def test_short_sweeps_run_by_themselves_long_ones_are_asked_for():
    """What counts is how long it takes, whatever the model's size."""
    bench = large()
    bench.measure = fake(seconds=BY_ITSELF).measure
    found = known_sweep(bench, STATE)
    assert found.is_active and bench.submitted == [REQUEST]
    asked_for = large()
    assert known_sweep(asked_for, STATE).job is None and asked_for.submitted == []


def test_the_smallest_sweeps_are_there_at_once():
    bench = fake(known={}, tokens=3)
    bench.measure = lambda r: WHOLE if r == REQUEST else SimpleNamespace(tokens=[None] * 3)
    assert known_sweep(bench, STATE).record is WHOLE and bench.submitted == []


def test_a_sweep_that_was_cancelled_does_not_start_again_by_itself():
    bench = fake(job("cancelled"), tokens=16)
    assert known_sweep(bench, STATE).record is None and bench.submitted == []


def test_the_button_sweeps_whatever_the_size(workbench):
    bench = large()
    outcome = heads.ACTS["sweep"](bench, STATE, {})
    assert bench.submitted == [REQUEST] and outcome.submitted[0].id == "job-2"
    workbench.wait("embedded")
    with pytest.raises(BadInput):
        heads.ACTS["sweep"](workbench, STATE.change(position=99), {})


def test_a_sweep_starts_by_itself_once(workbench):
    workbench.wait("embedded")
    state = STATE.change(prompt="The sweep starts by itself", counterfactual="")
    first = known_sweep(workbench, state)
    assert first.record.request == sweep_request(state)
    assert known_sweep(workbench, state).record is first.record
    assert heads.ACTS["sweep"](workbench, state, {}).submitted[0].state == "done"


def test_the_grid_says_that_the_model_is_loaded():
    told = answer(heads, "head-grid", fake(embedded=("loading", "reading weights")), STATE)
    assert "reading weights" in told["html"] and told["waits"]


def test_heads_can_be_picked_where_nothing_can_be_measured_and_the_line_says_why():
    nothing = STATE.change(prompt="")
    grid = answer(heads, "head-grid", FakeWorkbench(), nothing)["html"]
    assert grid.count("data-head=") == 6 and "not measured" in grid
    assert "Nothing was run yet" in answer(heads, "sweep-state", FakeWorkbench(), nothing)["html"]
    failed = FakeWorkbench(embedded=("failed", "Disk full."))
    assert "Disk full." in answer(heads, "head-grid", failed, STATE)["html"]


def test_a_deep_model_s_grid_lies_down():
    """30 layers × 9 heads: a row per head, a column per layer, all layers named by fives."""
    grid = draw_grid(info_of(layers=30, heads=9), None)
    assert "lies" in grid.props["className"].split()
    assert (grid.props["style"]["--columns"], grid.props["style"]["--rows"]) == (30, 9)
    cells = [cell.props["data-head"] for cell in find_all(grid, "Button")]
    assert cells == [f"L{layer}H{head}" for head in reversed(range(9)) for layer in range(30)]
    names = [text_of(span) for span in find_all(grid, "Span") if "axis" in span.props["className"]]
    assert names[:9] == [f"H{head}" for head in reversed(range(9))]
    assert [name for name in names[9:] if name] == ["L0", "L5", "L10", "L15", "L20", "L25"]
    assert "lies" not in draw_grid(info_of(layers=12, heads=12), None).props["className"]
    assert "lies" not in draw_grid(info_of(layers=32, heads=32), None).props["className"]
