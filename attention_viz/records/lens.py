"""The logit lens: what the model would say if it stopped after each layer.

Source: nostalgebraist, "interpreting GPT: the logit lens" (2020).
"""

from dataclasses import dataclass

import numpy as np

from attention_viz.records.ablation import Ablation
from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token, Tokens


@dataclass(frozen=True)
class LensRequest:
    """Lens of the clean run, or, with heads and an ablation, of the ablated run."""

    question: Question
    top: int = 5
    heads: tuple[HeadId, ...] = ()
    ablation: Ablation | None = None


@dataclass(frozen=True, eq=False)
class LogitLens:
    """Row 0 is the embedding, row i + 1 the residual stream after layer i."""

    request: LensRequest
    tokens: Tokens
    position: int
    rows: tuple[str, ...]  # "embed", "L0", "L1", …
    top: tuple[tuple[tuple[Token, ...], ...], ...]  # [row][position][k]
    probability: np.ndarray  # [row, position, k], of those tokens
    entropy: np.ndarray  # [row, position], nats
    answer: Token
    distractor: Token
    answer_probability: np.ndarray  # [row, position]
    answer_rank: np.ndarray  # [row, position], 1 = top
    settles: int | None  # the row from which the final top-1 at the read-out stays top-1
