"""The head grid and the sweep behind its colours."""

from dataclasses import replace

import numpy as np
import pytest

from attention_viz.panels.heads import (
    cell_title,
    draw_grid,
    draw_heads,
    draw_state,
    find_sweep,
    is_small,
    short_effect,
    start_sweep,
)
from attention_viz.panels.requests import sweep_request
from attention_viz.records.errors import BadInput
from attention_viz.records.job import JobStatus
from attention_viz.records.metrics import Metric
from attention_viz.records.question import TokensRequest
from attention_viz.records.sweep import HeadSweep
from attention_viz.records.tokens import Token, Tokens
from tests.panels.fakes import FakeWorkbench, info_of, said
from tests.panels.views import MARY, find_all

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


def test_every_head_has_a_button_with_its_name_and_exact_effect():
    cells = find_all(draw_grid(info_of(), WHOLE, "light"), "Button")
    names = [cell.__dict__["data-head"] for cell in cells]
    assert names == ["L1H0", "L1H1", "L1H2", "L0H0", "L0H1", "L0H2"]  # the last layer on top
    assert [said(cell) for cell in cells] == ["", "+2.0", "+1.0", "0", "−4.4", "0"]
    assert "−4.4100 logits" in cells[4].title and "␣John" in cells[4].title
    assert "not measured" in cells[0].title


def test_opposite_effects_have_different_colours():
    cells = find_all(draw_grid(info_of(), sweep([[-1, 0, 1], [0, 0, 0]]), "light"), "Button")
    backgrounds = [cell.style["background"] for cell in cells[3:]]
    assert len(set(backgrounds)) == 3


def test_wide_models_show_colours_only():
    wide = info_of(layers=2, heads=32)
    cells = find_all(draw_grid(wide, sweep(np.ones((2, 32)).tolist()), "dark"), "Button")
    assert len(cells) == 64 and not any(said(cell) for cell in cells)
    assert "+1.0000" in cells[0].title


def test_small_effects_keep_two_digits_and_zero_is_zero():
    small = sweep([[0.0261, -0.0004, 0.0], [0, 0, 0]])
    assert [short_effect(small, 0, head) for head in range(3)] == ["+.026", "0", "0"]


def test_kl_has_no_sign():
    kl = sweep([[0.5, 0, 0], [0, 0, 0]], request=replace(REQUEST, metric=Metric.KL))
    assert short_effect(kl, 0, 0) == ".50"
    assert "KL divergence 0.5000 nats" in cell_title(kl, 0, 0)


def test_only_the_sweep_of_this_question_is_shown():
    bench = FakeWorkbench(known={REQUEST: WHOLE})
    assert find_sweep(bench, STATE).sweep is WHOLE
    for other in (
        STATE.change(prompt="Another prompt"),
        STATE.change(kind="mean"),
        STATE.change(metric="kl"),
        STATE.change(position=3),
    ):
        assert find_sweep(bench, other).sweep is None


def test_a_running_sweep_shows_what_it_has_and_can_be_cancelled():
    running = job("running", done=3, total=6, partial=WHOLE)
    bench = FakeWorkbench(running, known={TokensRequest(STATE.question): "read"})
    grid, line, is_cancel_hidden, mark = draw_heads(bench, STATE, None, "light")
    assert len(find_all(grid, "Button")) == 6
    assert "3 of 6" in said(line) and not is_cancel_hidden
    assert not any(isinstance(part, str) for part in draw_heads(bench, STATE, mark, "light"))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (job("queued", queued_before=2), "2 jobs before yours"),
        (job("queued", queued_before=1), "1 job before yours"),
        (job("cancelled", partial=WHOLE), "logits · cancelled"),
        (job("failed", error=BadInput("Needs another prompt.", "Type one.")), "Type one."),
        (job("done", result=WHOLE), "+4.4 logits"),
    ],
)
def test_the_line_says_how_the_sweep_stands(status, words):
    assert words in said(draw_state(find_sweep(FakeWorkbench(status), STATE), "light"))


def test_without_a_sweep_the_line_says_how_to_get_one():
    assert "press Sweep" in said(draw_state(find_sweep(FakeWorkbench(), STATE), "light"))


def test_small_models_sweep_by_themselves_large_ones_are_asked_for():
    assert is_small(info_of(layers=4, heads=8), tokens=128)
    assert not is_small(replace(info_of(layers=12, heads=12), parameters=124_000_000), tokens=60)


def test_a_sweep_starts_by_itself_once(workbench):
    workbench.wait("embedded")
    state = STATE.change(prompt="The sweep starts by itself", counterfactual="")
    first = start_sweep(workbench, state, by_hand=False)
    assert first is not None and first.request == sweep_request(state)
    assert start_sweep(workbench, state, by_hand=False) is None
    assert start_sweep(workbench, state, by_hand=True) is not None
