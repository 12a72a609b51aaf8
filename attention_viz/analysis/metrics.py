"""The metrics of a next-token distribution, on batches of logits."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis.question import Asked, entropy_of
from attention_viz.records.metrics import Metric

Logits = Float[Tensor, "candidate vocabulary"]
Values = Float[Tensor, " candidate"]


def read_metric(asked: Asked, metric: Metric, logits: Logits) -> Values:
    """The metric of each row of logits, in its own unit."""
    return _READERS[metric](asked, logits)


def _kl(asked: Asked, logits: Logits) -> Values:
    """KL(clean ‖ ablated), nats; rounding may not take it below 0."""
    clean = asked.logits.log_softmax(-1)
    return (clean.exp() * (clean - logits.log_softmax(-1))).sum(-1).clamp(min=0)


def _logit_diff(asked: Asked, logits: Logits) -> Values:
    return logits[:, asked.answer] - logits[:, asked.distractor]


def _probability(asked: Asked, logits: Logits) -> Values:
    return logits.softmax(-1)[:, asked.answer]


def _rank(asked: Asked, logits: Logits) -> Values:
    higher = logits > logits[:, asked.answer, None]
    return higher.sum(-1).to(logits.dtype) + 1


def _entropy(asked: Asked, logits: Logits) -> Values:
    return entropy_of(logits)


_READERS: dict[Metric, Callable[[Asked, Logits], Values]] = {
    Metric.KL: _kl,
    Metric.LOGIT_DIFF: _logit_diff,
    Metric.PROBABILITY: _probability,
    Metric.RANK: _rank,
    Metric.ENTROPY: _entropy,
}


def margin(logits: Logits, token: int) -> Values:
    """Logit of the token minus the greatest other logit: above 0, the token is top-1."""
    others = logits.clone()
    others[:, token] = -torch.inf
    return logits[:, token] - others.max(-1).values
