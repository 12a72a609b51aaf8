"""Whether the kinds of ablation agree on which heads matter."""

from dataclasses import dataclass

import numpy as np

from attention_viz.records.ablation import AblationKind
from attention_viz.records.metrics import Metric
from attention_viz.records.question import Question
from attention_viz.records.tokens import Tokens


@dataclass(frozen=True)
class AgreementRequest:
    """Sweep all heads with every kind that needs no setting (resample: with a counterfactual)."""

    question: Question
    metric: Metric = Metric.LOGIT_DIFF
    seed: int = 0  # for permute


@dataclass(frozen=True, eq=False)
class Agreement:
    """Effects of every head by every kind."""

    request: AgreementRequest
    tokens: Tokens
    position: int
    kinds: tuple[AblationKind, ...]
    effect: np.ndarray  # [kind, layer, head], in the metric's unit; nan: not measured yet
    correlation: np.ndarray  # [kind, kind], Spearman's rank correlation over heads
    evaluations: int
    seconds: float
