"""Searches for small sets of heads that matter together."""

from dataclasses import dataclass
from enum import StrEnum

from attention_viz.records.ablation import Ablation
from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token, Tokens


class Objective(StrEnum):
    """What a search looks for."""

    KL = "kl"  # a set with great KL(clean ‖ ablated); score in nats
    FLIP = "flip"  # a small set that makes flip_to the top-1; score = logit margin in logits

    @property
    def unit(self) -> str:
        return {"kl": "nats", "flip": "logits"}[self.value]

    @property
    def score_title(self) -> str:
        return {"kl": "KL (nats)", "flip": "margin of the flip-to token (logits)"}[self.value]


@dataclass(frozen=True)
class SearchRequest:
    """Sweep, keep the best 20 %, try all their pairs, grow the best pair head by head."""

    question: Question
    objective: Objective = Objective.KL
    flip_to: int | None = None  # token id; needed by FLIP
    max_heads: int = 5
    ablation: Ablation = Ablation()


@dataclass(frozen=True)
class SearchStep:
    """One decision of the search."""

    action: str  # "add", or "drop" when the head turned out not to be needed
    head: HeadId
    heads: tuple[HeadId, ...]  # the set after this step
    score: float  # of that set, in the objective's unit
    runner_up: HeadId | None  # the best head not taken
    runner_up_score: float | None
    top: Token  # top-1 of the run with that set ablated


@dataclass(frozen=True)
class SearchResult:
    """The set found, and how. Also the partial result of a running or cancelled search."""

    request: SearchRequest
    tokens: Tokens
    position: int
    heads: tuple[HeadId, ...]
    steps: tuple[SearchStep, ...]
    score: float | None  # of the set found
    top: Token | None  # top-1 with the set found ablated
    flipped: bool | None  # FLIP: flip_to is top-1; KL: the top-1 changed; None: nothing found yet
    minimal: bool | None  # no member can be dropped (each tried); None: not tried
    evaluations: int
    seconds: float
    stopped: str  # why: "flipped", "max heads", "no gain", "cancelled", "running"
