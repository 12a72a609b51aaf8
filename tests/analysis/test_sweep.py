"""The sweep is every head ablated alone, in every metric."""

import pytest
import torch

from attention_viz.analysis.ablation import ablate, predict
from attention_viz.analysis.question import ask
from attention_viz.analysis.sweep import sweep_heads
from attention_viz.records.ablation import (
    Ablation,
    AblationKind,
    AblationRequest,
    PredictionRequest,
)
from attention_viz.records.errors import BadInput, Cancelled
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.pace import Pace
from attention_viz.records.sweep import SweepRequest
from tests.analysis import oracle
from tests.analysis.test_one_pass import plain_model

BY_HAND = {
    Metric.KL: lambda p, q, a, d: (p * (p / q).log()).sum(),
    Metric.LOGIT_DIFF: lambda p, q, a, d: (q[a] / q[d]).log(),
    Metric.PROBABILITY: lambda p, q, a, d: q[a],
    Metric.RANK: lambda p, q, a, d: (q > q[a]).sum() + 1,
    Metric.ENTROPY: lambda p, q, a, d: -(q * q.log()).sum(),
}


@pytest.mark.parametrize("metric", list(Metric))
def test_effects_are_those_of_hooked_forwards(load, ask_about, metric):
    model, question = load("neox"), ask_about("neox", position=-2)
    sweep = sweep_heads(model, SweepRequest(question, metric=metric))
    asked = ask(model, question)
    hf = plain_model(model, torch.float64, "sdpa")
    read, clean = BY_HAND[metric], asked.logits.softmax(-1)
    pair = (asked.answer, asked.distractor)
    baseline = read(clean, clean, *pair).item()
    assert sweep.baseline == pytest.approx(baseline, abs=1e-9)
    for layer in range(3):
        for head in range(4):
            logits = oracle.ablated_logits(hf, asked.ids, [(layer, head)], lambda i, c, z, v: 0 * z)
            after = logits[asked.position, : asked.vocabulary.size].softmax(-1)
            effect = read(clean, after, *pair).item() - baseline
            assert sweep.effect[layer, head] == pytest.approx(effect, abs=1e-9)
            assert sweep.top[layer][head].id == after.argmax().item()
    assert sweep.evaluations == 12


def test_the_sweep_agrees_with_ablating_one_head(load, ask_about):
    model, question = load("llama"), ask_about("llama")
    kind = Ablation(AblationKind.RESAMPLE)
    sweep = sweep_heads(model, SweepRequest(question, kind, Metric.KL))
    for head in (HeadId(0, 0), HeadId(2, 3)):
        one = ablate(model, AblationRequest(question, (head,), kind))
        assert one.kl == pytest.approx(sweep.effect[head.layer, head.head], abs=1e-9)
        assert one.ablated.top[0].token == sweep.top[head.layer][head.head]


def test_answer_and_distractor_are_by_default_the_two_most_probable(load, ask_about):
    model, question = load("gpt2"), ask_about("gpt2")
    clean = predict(model, PredictionRequest(question))
    assert [clean.answer, clean.distractor] == [ranked.token for ranked in clean.top[:2]]
    assert clean.logit_diff == pytest.approx(clean.top[0].logit - clean.top[1].logit)
    third = clean.top[2].token
    chosen = predict(model, PredictionRequest(ask_about("gpt2", distractor=third.id)))
    assert (chosen.answer, chosen.distractor) == (clean.answer, third)
    against = predict(model, PredictionRequest(ask_about("gpt2", distractor=clean.answer.id)))
    assert against.answer == clean.distractor
    with pytest.raises(BadInput, match="same token"):
        predict(model, PredictionRequest(ask_about("gpt2", answer=3, distractor=3)))


def test_ablation_lists_every_token_of_either_top(load, ask_about):
    model, question = load("gpt2"), ask_about("gpt2")
    result = ablate(model, AblationRequest(question, (HeadId(0, 1), HeadId(2, 2)), top=5))
    changed = {change.token.id: change for change in result.changes}
    for prediction, side in ((result.clean, "clean"), (result.ablated, "ablated")):
        assert [ranked.rank for ranked in prediction.top] == [1, 2, 3, 4, 5]
        for ranked in prediction.top:
            assert getattr(changed[ranked.token.id], side) == ranked
    assert result.flipped == (result.clean.top[0].token != result.ablated.top[0].token)


class Stopping(Pace):
    """Cancels after the first report, and keeps what was reported."""

    def __init__(self):
        self.partials = []

    def report(self, done, total, partial=None):
        self.partials.append((done, total, partial))
        raise Cancelled("Cancelled.")


def test_a_cancelled_sweep_has_reported_what_it_measured(load, ask_about):
    pace = Stopping()
    with pytest.raises(Cancelled):
        sweep_heads(load("gpt2"), SweepRequest(ask_about("gpt2")), pace)
    [(done, total, partial)] = pace.partials
    assert 0 < done <= total == 12
    known = ~torch.from_numpy(partial.effect).isnan()
    assert int(known.sum()) == done
