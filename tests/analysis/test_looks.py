"""The closer looks measure what they say, against plain runs of the same sets."""

from itertools import combinations
from random import Random

import numpy as np
import pytest
import torch

from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.looks.agreement import compare_kinds, correlate_ranks
from attention_viz.analysis.looks.control import compare_with_random_sets, count_sets, draw_sets
from attention_viz.analysis.looks.cost import cost_to_flip
from attention_viz.analysis.looks.dose import respond_to_dose
from attention_viz.analysis.looks.positions import map_positions
from attention_viz.analysis.looks.redundancy import map_redundancy
from attention_viz.analysis.one_pass import Candidate
from attention_viz.analysis.question import ask
from attention_viz.analysis.search import search_heads
from attention_viz.analysis.sweep import sweep_heads
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.errors import BadInput, Cancelled
from attention_viz.records.ids import HeadId
from attention_viz.records.looks.agreement import AgreementRequest
from attention_viz.records.looks.control import ControlRequest
from attention_viz.records.looks.cost import CostRequest
from attention_viz.records.looks.dose import DoseRequest
from attention_viz.records.looks.positions import PositionsRequest
from attention_viz.records.looks.redundancy import RedundancyRequest
from attention_viz.records.metrics import Metric
from attention_viz.records.search import Objective, SearchRequest
from attention_viz.records.sweep import SweepRequest
from tests.analysis.test_one_pass import one_pass
from tests.analysis.test_sweep import Stopping

KINDS_COMPARED = "zero mean resample permute sparsify uniform".split()
HEADS = (HeadId(0, 1), HeadId(1, 2), HeadId(2, 0), HeadId(2, 3))


@pytest.fixture(params=["gpt2", "llama", "neox"])
def about(request, load, ask_about):
    """(model, question)."""
    return load(request.param), ask_about(request.param)


def logit_diff(asked, heads, ablation):
    """Effect on the logit difference of one set, run on its own."""
    logprobs = one_pass(asked, [Candidate(heads, edit_of(asked, ablation))])[0]
    clean = asked.logits[asked.answer] - asked.logits[asked.distractor]
    return (logprobs[asked.answer] - logprobs[asked.distractor] - clean).item()


def test_redundancy_is_the_pair_minus_its_singles(about):
    model, question = about
    found = map_redundancy(model, RedundancyRequest(question, HEADS))
    asked = ask(model, question)
    single = [logit_diff(asked, (head,), Ablation()) for head in HEADS]
    assert found.single == pytest.approx(single, abs=1e-9)
    for i, j in combinations(range(4), 2):
        together = logit_diff(asked, (HEADS[i], HEADS[j]), Ablation())
        expected = together - single[i] - single[j]
        assert found.excess[i, j] == pytest.approx(expected, abs=1e-9)
        assert found.excess[i, j] == found.excess[j, i]
    assert np.isnan(np.diag(found.excess)).all() and found.evaluations == 4 + 6


def test_redundancy_takes_the_strongest_heads_where_none_are_chosen(about):
    model, question = about
    found = map_redundancy(model, RedundancyRequest(question))
    assert len(found.heads) == 12  # all there are: fewer than 20
    effect = sweep_heads(model, SweepRequest(question, metric=Metric.LOGIT_DIFF)).effect
    assert found.single == pytest.approx(effect.flatten(), abs=1e-9)


def test_positions_ablate_one_position_at_a_time(about):
    model, question = about
    for kind in (AblationKind.ZERO, AblationKind.MEAN, AblationKind.RESAMPLE):
        request = PositionsRequest(question, HEADS[:2], Ablation(kind))
        found = map_positions(model, request)
        asked = ask(model, question)
        assert found.effect.shape == (2, asked.position + 1)
        for row, head in enumerate(HEADS[:2]):
            assert found.whole[row] == pytest.approx(
                logit_diff(asked, (head,), Ablation(kind)), abs=1e-9
            )
            for position in range(asked.position + 1):
                alone = logit_diff(asked, (head,), Ablation(kind, positions=(position,)))
                assert found.effect[row, position] == pytest.approx(alone, abs=1e-9)


def test_positions_end_at_the_read_out(load, ask_about):
    found = map_positions(load("gpt2"), PositionsRequest(ask_about("gpt2", position=3), HEADS))
    assert found.effect.shape == (4, 4) and np.isfinite(found.effect).all()


def test_agreement_ranks_the_sweeps_of_every_kind(about):
    model, question = about
    found = compare_kinds(model, AgreementRequest(question))
    assert [kind.value for kind in found.kinds] == KINDS_COMPARED
    for ablation, effect in zip(found.ablations, found.effect, strict=True):
        sweep = sweep_heads(model, SweepRequest(question, ablation, Metric.LOGIT_DIFF))
        assert effect == pytest.approx(sweep.effect, abs=1e-9)
    assert np.diag(found.correlation) == pytest.approx(np.ones(6))
    without = compare_kinds(
        model, AgreementRequest(type(question)(question.model, question.prompt))
    )
    assert AblationKind.RESAMPLE not in without.kinds


def test_agreement_takes_the_settings_of_every_kind(load, ask_about):
    model, question = load("gpt2"), ask_about("gpt2")
    settings = {"threshold": 0.05, "seed": 3, "scale": 0.4}
    request = AgreementRequest(
        question, ablations=Ablation.of_each_kind(settings, positions=(4, 6))
    )
    found = compare_kinds(model, request)
    by_kind = dict(zip(found.kinds, found.effect, strict=True))
    for ablation in (
        Ablation(AblationKind.SPARSIFY, threshold=0.05, positions=(4, 6)),
        Ablation(AblationKind.PERMUTE, seed=3, positions=(4, 6)),
    ):
        sweep = sweep_heads(model, SweepRequest(question, ablation, Metric.LOGIT_DIFF))
        assert by_kind[ablation.kind] == pytest.approx(sweep.effect, abs=1e-9)


def test_agreement_leaves_out_what_the_model_keeps_to_itself(load, ask_about):
    kinds = compare_kinds(load("gptj"), AgreementRequest(ask_about("gptj"))).kinds
    assert [kind.value for kind in kinds] == [name for name in KINDS_COMPARED if name != "uniform"]


def test_rank_correlation_by_hand():
    rows = np.array([[1.0, 2, 3, 4], [10, 20, 30, 5], [1, 1, 2, 3], [4, np.nan, 1, 0]])
    found = correlate_ranks(rows)
    assert found[0, 1] == pytest.approx(1 - 6 * (1 + 1 + 1 + 9) / (4 * 15))  # Spearman's formula
    ranks = np.array([0.5, 0.5, 2, 3]), np.array([0.0, 1, 2, 3])  # ties share their mean rank
    assert found[2, 0] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert np.isnan(found[3]).all()


def test_control_compares_with_sets_of_the_same_layers(about):
    model, question = about
    found = compare_with_random_sets(model, ControlRequest(question, HEADS))
    asked = ask(model, question)
    assert found.effect == pytest.approx(logit_diff(asked, HEADS, Ablation()), abs=1e-9)
    assert found.possible == 4 * 4 * 6 - 1 == len(found.random) and found.is_complete
    sets = draw_sets(HEADS, 4, 500, Random(0))
    effects = [logit_diff(asked, each, Ablation()) for each in sets]
    assert found.random == pytest.approx(effects, abs=1e-9)
    smaller = sum(abs(each) < abs(found.effect) for each in effects)
    assert found.percentile == pytest.approx(100 * smaller / len(effects))


def test_random_sets_are_different_and_alike():
    heads = (HeadId(0, 1), HeadId(0, 5), HeadId(3, 7))
    sets = draw_sets(heads, 12, 300, Random(1))
    assert len(sets) == len(set(sets)) == 300 and heads not in sets
    assert all([head.layer for head in each] == [0, 0, 3] for each in sets)
    assert sets == draw_sets(heads, 12, 300, Random(1)) != draw_sets(heads, 12, 300, Random(2))
    assert count_sets(heads, 12) == 66 * 12
    assert len(draw_sets((HeadId(0, 1),), 12, 300, Random(1))) == 11


def test_dose_scales_the_heads_together(about):
    model, question = about
    found = respond_to_dose(model, DoseRequest(question, HEADS, steps=7))
    asked = ask(model, question)
    assert found.scale == pytest.approx([-1, -0.5, 0, 0.5, 1, 1.5, 2])
    clean = (asked.logits[asked.answer] - asked.logits[asked.distractor]).item()
    for scale, diff in zip(found.scale, found.logit_diff, strict=True):
        ablation = Ablation(AblationKind.SCALE, scale=scale)
        assert diff == pytest.approx(clean + logit_diff(asked, HEADS, ablation), abs=1e-9)
    assert found.kl[4] == pytest.approx(0, abs=1e-9)
    assert found.answer_probability[4] == pytest.approx(asked.logits.softmax(-1).max().item())


def test_flip_points_are_where_the_top_changes(about):
    model, question = about
    asked = ask(model, question)
    everything = tuple(HeadId(layer, head) for layer in range(3) for head in range(4))
    found = respond_to_dose(model, DoseRequest(question, everything))
    assert found.flips

    def top_at(scale):
        edit = edit_of(asked, Ablation(AblationKind.SCALE, scale=scale))
        return one_pass(asked, [Candidate(everything, edit)])[0].argmax().item()

    for flip in found.flips:
        assert top_at(flip.scale - 0.1 / 2**12) == flip.before.id
        assert top_at(flip.scale) == flip.after.id


def test_cost_is_that_of_a_search_for_each_token(about):
    model, question = about
    found = cost_to_flip(model, CostRequest(question, top=4, max_heads=4))
    asked = ask(model, question)
    assert [row.token.token.id for row in found.rows] == asked.logits.topk(4).indices[1:].tolist()
    for row in found.rows:
        request = SearchRequest(
            question, Objective.FLIP, row.token.token.id, max_heads=4, alternatives=0
        )
        alone = search_heads(model, request)
        assert (row.heads, row.flipped, row.score) == (alone.heads, alone.flipped, alone.score)
    assert found.evaluations > 12 * len(found.rows)


@pytest.mark.parametrize(
    ("measure", "request_of"),
    [
        (map_redundancy, lambda question: RedundancyRequest(question)),
        (map_positions, lambda question: PositionsRequest(question, HEADS)),
        (compare_kinds, lambda question: AgreementRequest(question)),
        (compare_with_random_sets, lambda question: ControlRequest(question, HEADS)),
        (cost_to_flip, lambda question: CostRequest(question)),
    ],
)
def test_a_partial_record_is_told_and_a_cancel_stops_it(load, ask_about, measure, request_of):
    pace = Stopping()
    with pytest.raises(Cancelled):
        measure(load("gpt2"), request_of(ask_about("gpt2")), pace)


@pytest.mark.parametrize(
    ("measure", "request_of", "message"),
    [
        (respond_to_dose, lambda q: DoseRequest(q, ()), "No heads"),
        (respond_to_dose, lambda q: DoseRequest(q, HEADS, steps=1), "no response"),
        (compare_with_random_sets, lambda q: ControlRequest(q, ()), "No heads"),
        (compare_with_random_sets, lambda q: ControlRequest(q, HEADS, sets=50), "too little"),
        (map_positions, lambda q: PositionsRequest(q, (HeadId(9, 9),)), "There is no head"),
        (cost_to_flip, lambda q: CostRequest(q, top=1), "costs nothing"),
    ],
)
def test_what_cannot_be_looked_at_is_said(load, ask_about, measure, request_of, message):
    with pytest.raises(BadInput, match=message):
        measure(load("gpt2"), request_of(ask_about("gpt2")))


def test_all_kinds_of_numbers_are_finite(load, ask_about):
    """fp32, the page's precision, on the embedded model."""
    model, question = load("embedded", torch.float32), ask_about("embedded")
    heads = (HeadId(3, 0), HeadId(2, 1))
    assert np.isfinite(map_positions(model, PositionsRequest(question, heads)).effect).all()
    assert np.isfinite(respond_to_dose(model, DoseRequest(question, heads)).logit_diff).all()
    assert np.isfinite(compare_kinds(model, AgreementRequest(question)).correlation).all()
