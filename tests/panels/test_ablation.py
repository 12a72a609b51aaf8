"""The ablation view: the study's story, the sweep, before and after."""

from dataclasses import replace

import numpy as np
import pytest

from attention_viz.panels.kit.common import NotReady, about_seconds
from attention_viz.panels.kit.found import verdict
from attention_viz.panels.kit.html import to_html
from attention_viz.panels.kit.requests import search_request, sweep_request
from attention_viz.panels.rail import search
from attention_viz.panels.views import ablation
from attention_viz.panels.views.ablation.compare import draw_comparison, tiles
from attention_viz.panels.views.ablation.study import checked, tabulate, tell
from attention_viz.panels.views.ablation.sweep import describe
from attention_viz.records.errors import BadInput
from attention_viz.records.job import JobStatus
from attention_viz.records.metrics import Metric
from attention_viz.records.question import PromptTokens, TokensRequest
from attention_viz.records.search import EstimateRequest, Objective
from tests.builders import ablation_of, search_of, sweep_of, tokens_of
from tests.panels.fakes import FakeWorkbench
from tests.panels.views import MARY, StubWorkbench, answer, by_id, draw, find_all, text_of

FLIP = MARY.change(flip_to=5)


def job_of(request, state="done", **values) -> JobStatus:
    return JobStatus(id="job-1", request=request, state=state, **values)


def bench_of(*jobs, **known) -> FakeWorkbench:
    """A bench that knows the tokens of MARY, and the jobs and records given."""
    tokens = tokens_of()
    prompt = PromptTokens(MARY.question, tokens, len(tokens) - 1, None)
    asked = {TokensRequest(MARY.question): prompt}
    return FakeWorkbench(*jobs, known=asked | known.pop("known", {}), **known)


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


def test_without_heads_before_and_after_teaches():
    none = MARY.change(heads=())
    assert "Pick heads" in text_of(draw(ablation, "compare-result", StubWorkbench(), none))
    with pytest.raises(BadInput, match="No heads"):
        ablation.ACTS["ablation-csv"](StubWorkbench(), none, {})


def test_a_sweep_is_told_with_metric_unit_kind_and_cost():
    text = describe(sweep_of(metric=Metric.KL))
    assert "KL divergence (nats)" in text
    assert "KL(clean ‖ ablated)" in text
    assert "zero ablation · 32 runs in 0.02 s" in text


def test_the_sweep_table_is_ranked_by_size_and_keeps_its_sign():
    sweep = sweep_of()
    bench = bench_of(known={sweep_request(MARY): sweep})
    first = find_all(draw(ablation, "sweep-table", bench, MARY), "Tr")[1]
    greatest = np.unravel_index(np.abs(sweep.effect).argmax(), sweep.effect.shape)
    effect = f"{sweep.effect[greatest]:+.3f}".replace("-", "−")
    assert text_of(first).startswith(f"1 L{greatest[0]}H{greatest[1]} {effect}")


def test_the_bars_outline_the_heads_selected():
    bench = bench_of(known={sweep_request(MARY): sweep_of()})
    bars = [draw(ablation, "sweep-bars", bench, state) for state in (MARY, MARY.change(heads=()))]
    figures = [by_id(drawn, "sweep-plot").props["data-plot"] for drawn in bars]
    assert ["<b>L2H3</b>" in figure for figure in figures] == [True, False]


def test_the_bars_are_drawn_anew_for_what_they_show_and_nothing_else():
    bench = bench_of(known={sweep_request(MARY): sweep_of()})
    reads = answer(ablation, "sweep-bars", bench, MARY)["reads"]
    assert {"shared.prompt", "shared.heads", "shared.kind", "shared.metric"} <= set(reads)
    others = {"shared.theme", "shared.view", "shared.objective", "shared.max_heads"}
    assert not {each for each in reads if each.startswith("ablation.")} | others & set(reads)
    assert "shared.heads" not in answer(ablation, "sweep-note", bench, MARY)["reads"]


def test_a_running_sweep_shows_what_it_has_and_leaves_the_progress_to_the_rail():
    job = job_of(sweep_request(MARY), "running", done=12, total=32, partial=sweep_of())
    drawn = draw(ablation, "sweep-bars", bench_of(job), MARY)
    assert by_id(drawn, "sweep-plot") is not None
    assert not find_all(drawn, "Button")


def test_a_cancelled_sweep_keeps_its_part_and_says_so():
    job = job_of(sweep_request(MARY), "cancelled", done=12, total=32, partial=sweep_of())
    drawn = draw(ablation, "sweep-bars", bench_of(job), MARY)
    assert "Cancelled after 12 of 32 runs" in text_of(drawn)
    assert by_id(drawn, "sweep-plot") is not None


def test_a_failed_sweep_says_why():
    job = job_of(sweep_request(MARY), "failed", error=BadInput("No such head.", "Pick another."))
    drawn = draw(ablation, "sweep-bars", bench_of(job), MARY)
    assert "No such head. Pick another." in text_of(drawn)
    assert by_id(drawn, "sweep-plot") is None


def test_a_sweep_of_other_settings_is_not_shown():
    job = job_of(sweep_request(MARY), "queued")
    other = MARY.change(kind="mean")
    bench = bench_of(
        job,
        job_of(sweep_request(other), "queued"),
        known={sweep_request(MARY): sweep_of()},
    )
    assert by_id(draw(ablation, "sweep-bars", bench, other), "sweep-plot") is None
    assert draw(ablation, "sweep-note", bench, other) is None
    with pytest.raises(BadInput, match="not swept yet"):
        ablation.ACTS["sweep-csv"](bench, other, {})


def test_while_the_model_loads_the_bars_wait_and_the_rest_is_silent():
    bench = bench_of(embedded=("loading", "reading weights"))
    with pytest.raises(NotReady):
        draw(ablation, "sweep-bars", bench, MARY)
    for name in ("sweep-note", "sweep-table"):
        told = answer(ablation, name, bench, MARY)
        assert (told["html"], told["waits"]) == ("", True)


def test_a_cancelled_search_says_nothing_of_a_result_found_since():
    request = search_request(FLIP)
    cancelled = job_of(request, "cancelled", done=3, total=32)
    drawn = draw(
        ablation, "study-result", StubWorkbench(cancelled, known={request: search_of()}), FLIP
    )
    assert "Cancelled" not in text_of(drawn)


def test_the_story_says_what_was_found_and_what_it_took():
    text = text_of(tell(search_of()))
    assert "Found L2H3 L3H1 : top-1 is ␣ John (margin +0.70 logits)." in text
    assert "Minimal: no head can be dropped." in text
    assert "120 runs in 0.30 s, zero ablation" in text
    assert "Stopped because the token is top-1." in text


@pytest.mark.parametrize("state", ["done", "cancelled"])
def test_the_study_and_the_rail_use_the_same_words(state):
    job = job_of(search_request(FLIP), state, result=search_of())
    bench = StubWorkbench(job)
    told = text_of(draw(search, "search-state", bench, FLIP))
    assert told and told in text_of(draw(ablation, "study-result", bench, FLIP))


def test_the_words_are_earned():
    result = replace(search_of(), flipped=False, score=-1.25, minimal=None, smallest=None)
    told = text_of(tell(result))
    assert "not flipped (margin −1.25 logits)" in told
    assert "Minimal" not in told and "was not tried" in told
    assert "Nothing found. 120 sets tried." in text_of(tell(replace(result, heads=(), score=None)))
    assert not find_all(tell(replace(result, heads=())), "Button")


@pytest.mark.parametrize(
    ("minimal", "smallest", "told"),
    [
        (True, True, "Smallest: every smaller set was tried."),
        (True, False, "Not the smallest."),
        (True, None, ""),
        (False, None, "Not minimal: a head can be dropped."),
        (None, None, "Whether a head can be dropped was not tried."),
    ],
)
def test_how_far_the_set_was_checked_is_said(minimal, smallest, told):
    assert checked(replace(search_of(), minimal=minimal, smallest=smallest)) == told


def test_a_generic_search_speaks_of_nats():
    result = replace(search_of(Objective.KL), score=2.5)
    assert "top-1 is ␣ John (KL 2.50 nats)." in text_of(verdict(result))


def test_the_heads_found_go_into_the_selection_by_one_click():
    buttons = [b.props for b in find_all(tell(search_of()), "Button") if "data-mode" in b.props]
    assert [(b["data-heads"], b["data-mode"]) for b in buttons] == [
        ('["L2H3","L3H1"]', "set"),
        ('["L2H3","L3H1"]', "add"),
    ]


def test_other_sets_can_be_selected_and_say_what_they_share():
    other = search_of().steps[2].heads
    told = tell(replace(search_of(), alternatives=(other,)))
    assert "shares 2 of 2" in text_of(told)
    assert find_all(told, "Button")[-1].props["data-heads"] == '["L2H3","L0H6","L3H1"]'


def test_each_step_has_its_runner_up():
    rows = [text_of(row) for row in find_all(tabulate(search_of()), "Tr")]
    assert rows[1] == "1 add L2H3 L2H3 −1.500 L3H1 −1.900 ␣ Mary"
    assert rows[3] == "3 add L3H1 L2H3 L0H6 L3H1 +1.200 none ␣ John"
    assert rows[4].startswith("4 drop L0H6")


def test_a_search_without_steps_has_no_figure_and_says_so_in_its_table():
    bench = StubWorkbench(known={search_request(FLIP): replace(search_of(), steps=())})
    assert draw(ablation, "study-steps", bench, FLIP) is None
    assert "nothing to list" in text_of(draw(ablation, "study-table", bench, FLIP))


def test_the_partial_result_of_a_cancelled_search_is_shown_as_such():
    part = replace(search_of(), request=search_request(FLIP), stopped="cancelled")
    job = job_of(search_request(FLIP), "cancelled", done=40, total=900, partial=part)
    story = text_of(draw(ablation, "study-result", StubWorkbench(job), FLIP))
    assert "Cancelled after 40 of 900 runs" in story
    assert "Kept L2H3" in story


def test_a_running_search_shows_its_best_set_and_its_steps():
    job = job_of(search_request(FLIP), "running", done=40, total=900, partial=search_of())
    bench = StubWorkbench(job)
    assert text_of(draw(ablation, "study-result", bench, FLIP)).startswith("so far L2H3 L3H1")
    assert draw(ablation, "study-steps", bench, FLIP) is not None
    job = replace(job, partial=None)
    told = text_of(draw(ablation, "study-result", StubWorkbench(job), FLIP))
    assert told == "Searching: the rail says how far it is."


@pytest.mark.parametrize("state", [MARY, FLIP, FLIP.change(kind="mean")])
def test_only_a_search_of_these_settings_is_shown(state):
    bench = StubWorkbench(known={search_request(MARY.change(flip_to=6)): search_of()})
    told = text_of(draw(ablation, "study-result", bench, state))
    assert told == "These settings were not searched yet: press Find heads."
    assert draw(ablation, "study-steps", bench, state) is None
    assert draw(ablation, "study-table", bench, state) is None
    with pytest.raises(BadInput, match="not searched yet"):
        ablation.ACTS["search-csv"](bench, state, {})


def test_a_search_that_starts_is_seen_although_it_was_not_there():
    """What was looked for in vain is noted too."""
    marks = answer(ablation, "study-result", StubWorkbench(), FLIP)["marks"]
    assert list(marks.values()) == [""]


@pytest.mark.parametrize("objective", list(Objective))
def test_a_search_found_again_is_the_one_the_page_asks_for(objective):
    state = MARY.change(objective=objective.value, flip_to=7)
    request = search_request(state)
    assert request.flip_to == (7 if objective is Objective.FLIP else None)
    bench = StubWorkbench(known={request: search_of(objective)})
    assert "Found" in text_of(draw(ablation, "study-result", bench, state))


def test_a_strategy_says_what_it_does_and_what_it_would_take(workbench):
    workbench.wait("embedded")
    told = draw(ablation, "study-estimate", workbench, FLIP.change(strategy="exhaustive"))
    assert told.startswith("Every set of one head")
    estimate = workbench.measure(
        EstimateRequest(search_request(FLIP.change(strategy="exhaustive")))
    )
    assert f"At most {estimate.evaluations:,} runs" in told
    assert "runs" not in draw(ablation, "study-estimate", workbench, MARY)  # no target yet


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.3, "under a second"), (42, "about 42 s"), (300, "about 5 min")]
)
def test_durations_are_rounded(seconds, told):
    assert about_seconds(seconds) == told


def test_what_the_rail_has_is_not_here_again():
    page = to_html(ablation.layout())
    for act in ("find", "sweep"):
        assert f'data-act="{act}"' not in page
    for address in ("shared.metric", "shared.objective", "shared.flip_to"):
        assert address not in page
    assert not any(fold.props.get("open") for fold in find_all(ablation.layout(), "Details"))
    names = {part.name for part in ablation.PARTS}
    assert all(f'data-part="{name}"' in page for name in names)
