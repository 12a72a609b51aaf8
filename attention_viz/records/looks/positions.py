"""At which positions a head does its work."""

from dataclasses import dataclass

import numpy as np

from attention_viz.records.ablation import Ablation
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.question import Question
from attention_viz.records.tokens import Tokens

MOST_HEADS = 20  # of the greatest effect, where none are chosen


@dataclass(frozen=True)
class PositionsRequest:
    """Ablate each head at one position at a time; no `heads`: the MOST_HEADS strongest."""

    question: Question
    heads: tuple[HeadId, ...] = ()
    ablation: Ablation = Ablation()
    metric: Metric = Metric.LOGIT_DIFF


@dataclass(frozen=True, eq=False)
class PositionMap:
    """Effects are metric(ablated) − metric(clean), in the metric's unit."""

    request: PositionsRequest
    tokens: Tokens
    position: int
    heads: tuple[HeadId, ...]
    effect: np.ndarray  # [head, position up to the read-out]; nan: not measured yet
    whole: np.ndarray  # [head] effect of ablating the head at all positions
    evaluations: int
    seconds: float
