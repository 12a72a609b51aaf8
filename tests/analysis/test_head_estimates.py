"""First-order estimates of ablating a head: the derivative of the measured effect, and no more."""

import pytest
import torch

from attention_viz.analysis import head_estimates
from attention_viz.analysis.edits import Scale, edit_of
from attention_viz.analysis.head_estimates import estimate_effects
from attention_viz.analysis.metrics import margin
from attention_viz.analysis.one_pass import Candidate
from attention_viz.analysis.question import ask
from attention_viz.analysis.sweep import all_heads
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.ids import HeadId
from tests.analysis.test_one_pass import one_pass

SETS = ((), (HeadId(0, 1),), (HeadId(0, 2), HeadId(1, 0)))


def score(logits):
    """Not a margin: the greatest other logit has a kink."""
    return logits[:, 3] - logits[:, 5]


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox", "gptj"])
def test_the_estimate_is_the_slope_of_scaling(load, ask_about, name):
    """Scaled by 1 − h beside a set that is ablated, a head's effect over h, as h goes to 0."""
    asked = ask(load(name), ask_about(name))
    # GPT-J's attention and Llama's norms are computed in fp32, whatever the weights are in.
    step, most = (1e-2, 1e-2) if name in ("gptj", "llama") else (1e-4, 1e-6)

    found = estimate_effects(asked, SETS, Scale(None, 0.0), score)
    for heads, estimates in zip(SETS, found, strict=True):
        kept = [each for each in all_heads(asked) if each not in heads]
        slopes = torch.stack([_slope(asked, heads, head, step) for head in kept])
        own = torch.stack([estimates[head.layer, head.head] for head in kept])
        assert (own - slopes).abs().max() < most * slopes.abs().max()


def _slope(asked, heads, head, step):
    """By two whole forwards of the plain model's blocks, heads edited as they are heard."""

    def run(scale):
        def change(layer, z, attended):
            z = z.clone()
            for each in heads:
                if each.layer == layer:
                    z[:, :, each.head] = 0
            if head.layer == layer:
                z[:, :, head.head] *= scale
            return z

        final = asked.decoder.run(asked.ids, edit=change).residual[-1][:, asked.position]
        return score(asked.decoder.read_out(final))[0]

    return (run(1 - step) - run(1 + step)) / (2 * step)


@pytest.mark.parametrize("kind", list(AblationKind))
def test_every_kind_has_estimates(load, ask_about, kind):
    """To first order they are the effects of a small share of the edit."""
    asked = ask(load("llama"), ask_about("llama"))
    edit = edit_of(asked, Ablation(kind, scale=0.999, threshold=1e-9))
    [found] = estimate_effects(asked, [()], edit, score)
    heads = all_heads(asked)
    measured = score(one_pass(asked, [Candidate((head,), edit) for head in heads]))
    measured = measured - score(asked.logits[None])
    if kind is AblationKind.SCALE:  # so small an edit is its own first order
        assert (found.flatten() - measured).abs().max() < 1e-3 * measured.abs().max()
    assert found.isfinite().all() and found.shape == (3, 4)


def test_rows_that_do_not_fit_together_go_one_after_the_other(load, ask_about, monkeypatch):
    asked = ask(load("gpt2"), ask_about("gpt2"))
    edit = edit_of(asked, Ablation())

    def margins(logits):
        return margin(logits, 3)

    whole = estimate_effects(asked, SETS, edit, margins)
    monkeypatch.setattr(head_estimates, "TURN_TOKENS", 1)
    assert (estimate_effects(asked, SETS, edit, margins) - whole).abs().max() < 1e-12
