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


class Strategy(StrEnum):
    """How a search goes through the sets."""

    GUIDED = "guided"
    GREEDY = "greedy"
    PAIRS = "pairs"
    BEAM = "beam"
    EXHAUSTIVE = "exhaustive"

    @property
    def about(self) -> str:
        return _ABOUT[self]


_ABOUT = {
    Strategy.GUIDED: "the heads that gradients rank first, for a first flip; greedy; then smaller "
    "sets that gradients propose",
    Strategy.GREEDY: "the best head, then again and again the head that adds most",
    Strategy.PAIRS: "every head, all pairs of the best 20 %, then the best pair grows head by head",
    Strategy.BEAM: "the best sets of each size, all of them grown by every head",
    Strategy.EXHAUSTIVE: "every set of one head, of two, of three …: what it finds is the smallest",
}


@dataclass(frozen=True)
class SearchRequest:
    """Look for a set of at most `max_heads` heads."""

    question: Question
    objective: Objective = Objective.KL
    flip_to: int | None = None  # token id; needed by FLIP
    max_heads: int = 5
    ablation: Ablation = Ablation()
    strategy: Strategy = Strategy.GUIDED
    budget_seconds: float | None = None  # None = as long as it takes
    budget_evaluations: int | None = None  # None = as many as it takes
    alternatives: int = 5  # other minimal sets to look for after a flip


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
    smallest: bool | None  # no smaller set does it (all tried), or one does; None: not tried
    alternatives: tuple[tuple[HeadId, ...], ...]  # other minimal sets that flip, smallest first
    evaluations: int
    seconds: float
    stopped: str  # why: "flipped", "max heads", "no gain", "budget", "cancelled", "running"
    gradients: int = 0  # runs gone back through, to order what is run
    first_flip: int | None = None  # runs until the first set that flips; None: none does


@dataclass(frozen=True)
class EstimateRequest:
    """How long would this search take?"""

    search: SearchRequest

    @property
    def question(self) -> Question:
        return self.search.question


@dataclass(frozen=True)
class Estimate:
    """What a search will take at most until it has found a set, before it starts."""

    evaluations: int  # runs, dropping heads and alternatives not counted
    seconds: float  # at the speed measured on this model and device so far
