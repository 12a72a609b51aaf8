"""Pairs of heads that stand in for each other, or that only work together."""

from dataclasses import dataclass

import numpy as np

from attention_viz.records.ids import HeadId
from attention_viz.records.looks.heads import HeadsRequest
from attention_viz.records.tokens import Tokens


@dataclass(frozen=True)
class RedundancyRequest(HeadsRequest):
    """Ablate heads alone and in pairs; `heads` of fewer than two: the MOST_HEADS strongest."""


@dataclass(frozen=True, eq=False)
class Redundancy:
    """Effects are metric(ablated) − metric(clean), in the metric's unit; nan: not measured yet."""

    request: RedundancyRequest
    tokens: Tokens
    position: int
    heads: tuple[HeadId, ...]
    single: np.ndarray  # [head]
    pair: np.ndarray  # [head, head], symmetric; nan on the diagonal
    evaluations: int
    seconds: float

    @property
    def excess(self) -> np.ndarray:
        """[head, head] effect of the pair minus the sum of its singles.

        Of the same sign as the singles: together they do more than alone, as heads do that back
        each other up. Of the other sign: one makes the other's ablation matter less.
        """
        return self.pair - (self.single[:, None] + self.single[None])
