"""How many heads it costs to make each of the likely tokens the top-1."""

from dataclasses import dataclass

from attention_viz.records.ablation import Ablation, RankedToken
from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from attention_viz.records.search import Strategy
from attention_viz.records.tokens import Tokens


@dataclass(frozen=True)
class CostRequest:
    """Search, for each of the `top` next tokens but the first, a set that makes it top-1."""

    question: Question
    ablation: Ablation = Ablation()
    top: int = 6
    max_heads: int = 5
    strategy: Strategy = Strategy.GUIDED


@dataclass(frozen=True)
class Cost:
    """What it takes to make one token the top-1."""

    token: RankedToken  # in the clean run
    heads: tuple[HeadId, ...]  # the minimal set found, or the best one where none flips
    score: float  # margin of the token with that set ablated, in logits
    flipped: bool
    smallest: bool | None  # as in SearchResult


@dataclass(frozen=True)
class CostTable:
    """One row per token, most probable first; rows are added as they are measured."""

    request: CostRequest
    tokens: Tokens
    position: int
    rows: tuple[Cost, ...]
    evaluations: int
    seconds: float
