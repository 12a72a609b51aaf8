"""The next token, clean and ablated."""

import pytest

from attention_viz.panels.kit.common import NotReady
from attention_viz.panels.kit.requests import ablation_request
from attention_viz.panels.rail import prediction
from attention_viz.panels.rail.prediction import chosen_rows, draw_prediction
from tests.panels.fakes import FakeWorkbench, said
from tests.panels.views import MARY, answer, draw, find_all


@pytest.fixture(scope="module")
def bench(workbench):
    workbench.wait("embedded")
    return workbench


def test_both_runs_stand_side_by_side_with_the_numbers_measured(bench):
    result = bench.measure(ablation_request(MARY))
    shown = said(draw_prediction(bench, MARY))
    assert f"{result.kl:.2f} nats KL" in shown
    assert f"{result.clean.entropy:.2f} → {result.ablated.entropy:.2f} nats" in shown
    assert "zero ablation" in shown
    top = result.ablated.top[0]
    assert top.token.shown in shown and f"{top.probability:.3f}" in shown


def test_the_leaders_of_both_runs_are_among_the_rows(bench):
    result = bench.measure(ablation_request(MARY))
    rows = {change.token.id for change in chosen_rows(result)}
    assert {result.clean.top[0].token.id, result.ablated.top[0].token.id} <= rows
    assert len(rows) == 5


def test_a_flip_is_said(bench):
    result = bench.measure(ablation_request(MARY))
    shown = said(draw_prediction(bench, MARY))
    assert ("top-1 flipped" in shown) is result.flipped


def test_without_heads_only_the_clean_run_is_shown(bench):
    state = MARY.change(heads=())
    body, at = draw_prediction(bench, state), draw(prediction, "prediction-at", bench, state)
    assert "nats entropy" in said(body) and "KL" not in said(body)
    assert "Pick heads" in said(body) and "position 14" in said(at)


def test_what_cannot_be_ablated_says_why_and_keeps_the_clean_run(bench):
    state = MARY.change(kind="resample", counterfactual="")
    shown = said(draw_prediction(bench, state))
    assert "not measured" in shown and "␣Mary" in shown


def test_while_the_model_is_loaded_it_says_so():
    bench = FakeWorkbench(embedded=("loading", "reading the weights"))
    with pytest.raises(NotReady):
        draw_prediction(bench, MARY)
    told = answer(prediction, "prediction", bench, MARY)
    assert "loading the embedded model… reading the weights" in told["html"]
    assert told["waits"] and "<em>" not in told["html"]
    at = answer(prediction, "prediction-at", bench, MARY)
    assert at["html"] == "" and at["waits"]


def test_rows_say_which_token_they_are_and_how_ranks_moved(bench):
    result = bench.measure(ablation_request(MARY))
    rows = [
        row for row in find_all(draw_prediction(bench, MARY), "div") if "data-token" in row.props
    ]
    assert [int(row.props["data-token"]) for row in rows] == [
        change.token.id for change in chosen_rows(result)
    ]
    for row, change in zip(rows, chosen_rows(result), strict=True):
        moved = f"{change.clean.rank} → " in said(row)
        assert moved is (change.clean.rank != change.ablated.rank)
