"""Attention patterns of chosen heads, and what is known of one token of the prompt."""

from dataclasses import dataclass

import numpy as np

from attention_viz.records.ablation import Ablation, RankedToken
from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token, Tokens


@dataclass(frozen=True)
class AttentionRequest:
    """Maps of `heads`; with an ablation, also of the run in which those heads are ablated."""

    question: Question
    heads: tuple[HeadId, ...]
    ablation: Ablation | None = None


@dataclass(frozen=True, eq=False)
class AttentionMaps:
    """Rows are queries (from), columns are keys (to); each row sums to 1."""

    request: AttentionRequest
    tokens: Tokens
    clean: np.ndarray  # [head, query, key], in the order of request.heads
    ablated: np.ndarray | None  # same shape; None where no ablation was asked for


@dataclass(frozen=True)
class TokenRequest:
    """The token at question.position."""

    question: Question
    top: int = 10


@dataclass(frozen=True)
class TokenFacts:
    """A token of the prompt and the model's prediction right after it."""

    request: TokenRequest
    token: Token
    position: int
    embedding_norm: float  # L2 norm of the token's row of the embedding matrix
    top: tuple[RankedToken, ...]  # next tokens at this position
    entropy: float  # nats
