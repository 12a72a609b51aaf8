"""What happens as a set of heads is turned down, off, around or up."""

from dataclasses import dataclass

import numpy as np

from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token, Tokens

LEAST, MOST = -1.0, 2.0  # factors on z


@dataclass(frozen=True)
class DoseRequest:
    """Scale z of these heads together by `steps` factors from −1 to 2."""

    question: Question
    heads: tuple[HeadId, ...]
    steps: int = 31


@dataclass(frozen=True)
class Flip:
    """Where the top-1 changes, found by bisection."""

    scale: float
    before: Token  # top-1 just below that factor
    after: Token  # and just above


@dataclass(frozen=True, eq=False)
class Dose:
    """All arrays are [step]; nan: not measured yet."""

    request: DoseRequest
    tokens: Tokens
    position: int
    answer: Token
    distractor: Token
    scale: np.ndarray
    logit_diff: np.ndarray  # logits, answer − distractor
    answer_probability: np.ndarray
    distractor_probability: np.ndarray
    kl: np.ndarray  # nats, KL(clean ‖ scaled)
    flips: tuple[Flip, ...]
    evaluations: int
    seconds: float
