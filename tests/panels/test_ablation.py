"""The ablation view: the study's story, the sweep, before and after."""

from dataclasses import replace

import numpy as np
import pytest
from dash import no_update

from attention_viz.panels.ablation_compare import draw_comparison, show_comparison, tiles
from attention_viz.panels.ablation_study import (
    find_study,
    show_study,
    show_targets,
    tabulate,
    tell,
    verdict,
)
from attention_viz.panels.ablation_sweep import describe, show_sweep
from attention_viz.panels.requests import search_request, sweep_request
from attention_viz.panels.results import Found, recall
from attention_viz.records.errors import BadInput
from attention_viz.records.job import JobStatus
from attention_viz.records.metrics import Metric
from attention_viz.records.search import Objective
from tests.builders import ablation_of, search_of, sweep_of
from tests.panels.views import MARY, StubWorkbench, find_all, text_of


def job_of(request, state="done", **values) -> JobStatus:
    return JobStatus(id="job-1", request=request, state=state, **values)


def test_the_tiles_say_what_changed_with_units():
    told = {name: (text_of(value), below) for name, value, below in tiles(ablation_of())}
    assert told["KL(clean ‖ ablated)"] == ("1.90", "nats")
    assert told["top-1 token"] == ("␣ Mary → ␣ John", "flipped")
    assert told["probability of ␣Mary"] == ("0.900 → 0.100", "−0.80")
    assert told["logit ␣Mary − ␣John"] == ("3.00 → −2.00", "−5.00 logits")
    assert told["entropy"] == ("0.40 → 0.40", "0.00 nats")


def test_each_token_has_its_rank_before_and_after():
    text = text_of(draw_comparison(ablation_of()))
    assert "␣ Mary 0.900 0.100 −0.800 5.00 2.00 1 → 2" in text
    assert "␣ John 0.050 0.800 +0.750 2.00 4.00 2 → 1" in text


def test_without_heads_before_and_after_teaches(workbench):
    assert "Pick heads" in text_of(show_comparison(workbench, MARY.change(heads=())))


def test_a_sweep_is_told_with_metric_unit_kind_and_cost():
    text = describe(sweep_of(metric=Metric.KL))
    assert "KL divergence (nats)" in text
    assert "KL(clean ‖ ablated)" in text
    assert "zero ablation · 32 runs in 0.02 s" in text


def test_the_sweep_table_is_ranked_by_size_and_keeps_its_sign():
    sweep = sweep_of()
    _, _, is_hidden, _, table, _, _ = show_sweep(Found(sweep), False, MARY)
    assert not is_hidden
    first = find_all(table, "Tr")[1]
    greatest = np.unravel_index(np.abs(sweep.effect).argmax(), sweep.effect.shape)
    effect = f"{sweep.effect[greatest]:+.3f}".replace("-", "−")
    assert text_of(first).startswith(f"1 L{greatest[0]}H{greatest[1]} {effect}")


def test_a_running_sweep_shows_how_far_it_is_and_what_it_has():
    job = job_of(sweep_request(MARY), "running", done=12, total=32, partial=sweep_of())
    status, _, is_hidden, *_ = show_sweep(Found(job.partial, job), False, MARY)
    assert "12 of 32 runs" in text_of(status)
    assert [button.children for button in find_all(status, "Button")] == ["Cancel"]
    assert not is_hidden


def test_a_cancelled_sweep_keeps_its_part_and_says_so():
    job = job_of(sweep_request(MARY), "cancelled", done=12, total=32, partial=sweep_of())
    status, _, is_hidden, *_ = show_sweep(Found(job.partial, job), False, MARY)
    assert "Cancelled after 12 of 32 runs" in text_of(status)
    assert not is_hidden


def test_a_failed_job_says_why():
    job = job_of(sweep_request(MARY), "failed", error=BadInput("No such head.", "Pick another."))
    status, _, is_hidden, *_ = show_sweep(Found(None, job), False, MARY)
    assert "No such head. Pick another." in text_of(status)
    assert is_hidden


def test_the_last_result_of_other_settings_is_marked_stale():
    old = job_of(sweep_request(MARY), result=sweep_of())
    bench = StubWorkbench(old)
    now = MARY.change(kind="mean")
    found, is_stale = recall(bench, sweep_request(now), "job-1")
    assert is_stale
    assert "older" in text_of(show_sweep(found, is_stale, now)[0])
    same, is_stale = recall(bench, sweep_request(MARY), "job-1")
    assert (same.record is old.result, is_stale) == (True, False)
    assert recall(bench, sweep_request(now), "job-9")[0] == Found()


def test_a_cancelled_job_says_nothing_of_a_result_measured_since():
    request = sweep_request(MARY)
    cancelled = job_of(request, "cancelled", done=3, total=32)
    bench = StubWorkbench(cancelled, known={request: sweep_of()})
    found, _ = recall(bench, request, None)
    assert show_sweep(found, False, MARY)[0] is None


def test_the_story_says_what_was_found_and_what_it_took():
    result = search_of()
    john = result.top
    text = text_of(tell(result, john))
    assert "Ablating these 2 heads makes ␣ John the top token, +0.70 logits ahead" in text
    assert "Minimal: each head was dropped in turn" in text
    assert "120 runs in 0.30 s, zero ablation" in text
    assert "Stopped because the token is top-1." in text


def test_the_words_are_earned():
    result = replace(search_of(), flipped=False, score=-1.25, minimal=None)
    text = text_of(verdict(result, result.top))
    assert text.startswith("No set found makes ␣ John the top token")
    assert "1.25 logits behind" in text
    assert "was not tried" in text_of(tell(result, result.top))
    assert text_of(verdict(replace(result, heads=(), score=None), None)) == "Nothing found yet."


def test_a_generic_search_speaks_of_nats():
    result = replace(search_of(Objective.KL), score=2.5)
    text = text_of(verdict(result, None))
    assert "by 2.50 nats KL; top-1 is then ␣ John" in text


def test_the_heads_found_go_into_the_selection_by_one_click():
    buttons = find_all(tell(search_of(), None), "Button")
    props = [button.to_plotly_json()["props"] for button in buttons]
    payloads = [p["data-payload"] for p in props if p.get("data-event") == "heads-picked"]
    assert payloads == [
        '{"heads": ["L2H3", "L3H1"], "mode": "set"}',
        '{"heads": ["L2H3", "L3H1"], "mode": "add"}',
    ]


def test_each_step_has_its_runner_up():
    rows = [text_of(row) for row in find_all(tabulate(search_of()), "Tr")]
    assert rows[1] == "1 add L2H3 L2H3 −1.500 L3H1 −1.900 ␣ Mary"
    assert rows[3] == "3 add L3H1 L2H3 L0H6 L3H1 +1.200 none ␣ John"
    assert rows[4].startswith("4 drop L0H6")


def test_the_partial_result_of_a_cancelled_search_is_shown_as_such(workbench):
    workbench.wait("embedded")
    state = MARY.change(flip_to=5)
    part = replace(search_of(), request=search_request(state), stopped="cancelled")
    job = job_of(search_request(state), "cancelled", done=40, total=900, partial=part)
    found, _ = find_study(StubWorkbench(job), state, None)
    status, story, *_, shown = show_study(workbench, found, False, state)
    assert "Cancelled after 40 of 900 runs" in text_of(status)
    assert "L2H3" in text_of(story)
    assert shown == "job-1"


def test_without_a_token_to_flip_to_nothing_is_searched(workbench):
    found, is_stale = find_study(workbench, MARY, None)
    assert (found, is_stale) == (Found(), False)
    status, story, figure, is_hidden, *_ = show_study(workbench, found, is_stale, MARY)
    assert "Press Find heads" in text_of(status)
    assert (story, figure, is_hidden) == (None, no_update, True)


def test_any_token_chosen_is_among_the_targets(workbench):
    workbench.wait("embedded")
    john = workbench.token_id("embedded", " John")
    chips = find_all(show_targets(workbench, MARY.change(flip_to=john)), "Button")
    pressed = [c.children for c in chips if c.to_plotly_json()["props"]["aria-pressed"] == "true"]
    assert pressed == ["␣John"]


@pytest.mark.parametrize("objective", list(Objective))
def test_a_search_found_again_is_the_one_the_page_asks_for(objective):
    state = MARY.change(objective=objective.value, flip_to=7)
    request = search_request(state)
    assert request.flip_to == (7 if objective is Objective.FLIP else None)
    known = StubWorkbench(known={request: search_of(objective)})
    assert find_study(known, state, None)[0].is_whole
