"""Every head ablated on its own."""

from dataclasses import dataclass

import numpy as np

from attention_viz.records.ablation import Ablation
from attention_viz.records.metrics import Metric
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token, Tokens


@dataclass(frozen=True)
class SweepRequest:
    """Ablate each head alone and read the metric."""

    question: Question
    ablation: Ablation = Ablation()
    metric: Metric = Metric.KL


@dataclass(frozen=True, eq=False)
class HeadSweep:
    """The effect of each head, in the metric's unit."""

    request: SweepRequest
    tokens: Tokens
    position: int
    answer: Token
    distractor: Token
    baseline: float  # metric of the clean run
    effect: np.ndarray  # [layer, head], metric(ablated) − metric(clean); nan: not measured (yet)
    top: tuple[tuple[Token | None, ...], ...]  # [layer][head] top-1 token after the ablation
    evaluations: int
    seconds: float
