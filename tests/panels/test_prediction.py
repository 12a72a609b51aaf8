"""The next token, clean and ablated."""

import pytest

from attention_viz.panels.prediction import chosen_rows, draw_prediction
from attention_viz.panels.requests import ablation_request
from tests.panels.fakes import FakeWorkbench, said
from tests.panels.views import MARY, find_all


@pytest.fixture(scope="module")
def bench(workbench):
    workbench.wait("embedded")
    return workbench


def test_both_runs_stand_side_by_side_with_the_numbers_measured(bench):
    result = bench.measure(ablation_request(MARY))
    shown = said(draw_prediction(bench, MARY)[0])
    assert f"{result.kl:.2f} nats KL" in shown
    assert f"{result.clean.entropy:.2f} → {result.ablated.entropy:.2f} nats" in shown
    assert "ablation: zero" in shown
    top = result.ablated.top[0]
    assert top.token.shown in shown and f"{top.probability:.3f}" in shown


def test_the_leaders_of_both_runs_are_among_the_rows(bench):
    result = bench.measure(ablation_request(MARY))
    rows = {change.token.id for change in chosen_rows(result)}
    assert {result.clean.top[0].token.id, result.ablated.top[0].token.id} <= rows
    assert len(rows) == 5


def test_a_flip_is_said(bench):
    result = bench.measure(ablation_request(MARY))
    shown = said(draw_prediction(bench, MARY)[0])
    assert ("top-1 flipped" in shown) is result.flipped


def test_without_heads_only_the_clean_run_is_shown(bench):
    body, at = draw_prediction(bench, MARY.change(heads=()))
    assert "nats entropy" in said(body) and "KL" not in said(body)
    assert "Pick heads" in said(body) and "position 14" in said(at)


def test_what_cannot_be_ablated_says_why_and_keeps_the_clean_run(bench):
    state = MARY.change(kind="resample", counterfactual="")
    shown = said(draw_prediction(bench, state)[0])
    assert "not measured" in shown and "␣Mary" in shown


def test_while_the_model_is_loaded_it_says_so():
    bench = FakeWorkbench(embedded=("loading", "reading the weights"))
    body, _ = draw_prediction(bench, MARY)
    assert "loading the embedded model… reading the weights" in said(body)
    assert not find_all(body, "Em")
