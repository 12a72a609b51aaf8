"""Whether a set of heads does more than any set like it would."""

from dataclasses import dataclass

import numpy as np

from attention_viz.records.ablation import Ablation
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.question import Question
from attention_viz.records.tokens import Tokens


@dataclass(frozen=True)
class ControlRequest:
    """Compare `heads` with `sets` random sets that have as many heads in the same layers."""

    question: Question
    heads: tuple[HeadId, ...]
    ablation: Ablation = Ablation()
    metric: Metric = Metric.LOGIT_DIFF
    sets: int = 500
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Control:
    """Effects are metric(ablated) − metric(clean), in the metric's unit."""

    request: ControlRequest
    tokens: Tokens
    position: int
    effect: float  # of the heads chosen
    random: np.ndarray  # [set] of different random sets; nan: not measured yet
    possible: int  # other sets with as many heads in the same layers
    evaluations: int
    seconds: float

    @property
    def is_complete(self) -> bool:
        """Whether every other set there is was run, so that nothing is left to chance."""
        return len(self.random) == self.possible

    @property
    def percentile(self) -> float | None:
        """Percentage of the random sets whose effect is smaller in size; None: none there is."""
        sizes = np.abs(self.random[np.isfinite(self.random)])
        if not len(sizes):
            return None
        own = abs(self.effect)
        return float(100 * (np.mean(sizes < own) + np.mean(sizes == own) / 2))
