"""At which positions a head does its work."""

from dataclasses import dataclass

import numpy as np

from attention_viz.records.ids import HeadId
from attention_viz.records.looks.heads import HeadsRequest
from attention_viz.records.tokens import Tokens


@dataclass(frozen=True)
class PositionsRequest(HeadsRequest):
    """Ablate each head at one position at a time; no `heads`: the MOST_HEADS strongest."""


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
