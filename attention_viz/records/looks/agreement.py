"""Whether the kinds of ablation agree on which heads matter."""

from dataclasses import dataclass

import numpy as np

from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.metrics import Metric
from attention_viz.records.question import Question
from attention_viz.records.tokens import Tokens


@dataclass(frozen=True)
class AgreementRequest:
    """Sweep all heads with each of these; those that can't be asked of the question are left out.

    `Ablation.of_each_kind(settings)` makes one of every kind.
    """

    question: Question
    metric: Metric = Metric.LOGIT_DIFF
    ablations: tuple[Ablation, ...] = Ablation.of_each_kind()


@dataclass(frozen=True, eq=False)
class Agreement:
    """Effects of every head by every kind."""

    request: AgreementRequest
    tokens: Tokens
    position: int
    ablations: tuple[Ablation, ...]  # those that could be asked
    effect: np.ndarray  # [kind, layer, head], in the metric's unit; nan: not measured yet
    correlation: np.ndarray  # [kind, kind], Spearman's rank correlation over heads
    evaluations: int
    seconds: float

    @property
    def kinds(self) -> tuple[AblationKind, ...]:
        return tuple(ablation.kind for ablation in self.ablations)
