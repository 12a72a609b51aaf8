"""Searches for a small set of heads that flips a family of prompt pairs, not one prompt."""

from dataclasses import dataclass

from attention_viz.records.ablation import Ablation
from attention_viz.records.circuits.pairs import BadPair, PairsRequest
from attention_viz.records.ids import HeadId
from attention_viz.records.looks.family import PairFlip
from attention_viz.records.question import Question
from attention_viz.records.statistics import Rate


@dataclass(frozen=True)
class FamilySearchRequest:
    """Find at most `max_heads` heads that flip `share` of the pairs or more.

    Pairs that can flip are split by a seeded shuffle: the search sees the training pairs only, and
    what it found is measured on those held out.
    """

    pairs: PairsRequest
    flip: PairFlip = PairFlip.DISTRACTOR
    share: float = 0.8
    max_heads: int = 5
    ablation: Ablation = Ablation()
    hold_out: float = 0.5  # share of the pairs
    random_sets: int = 50  # control: sets with as many heads in the same layers
    seed: int = 0  # of the split and of the control
    budget_seconds: float | None = None  # None = as long as it takes

    @property
    def question(self) -> Question:
        return self.pairs.question


@dataclass(frozen=True)
class FamilyStep:
    """One decision of the search."""

    action: str  # "add" a head or two, or "drop" one that was not needed
    heads: tuple[HeadId, ...]  # added or dropped
    then: tuple[HeadId, ...]  # the set after this step
    score: float  # of that set: mean over training pairs of min(margin, 0), logits
    rate: Rate  # of the training pairs


@dataclass(frozen=True)
class FamilySearchResult:
    """The set found, and how. Also the partial result of a running or cancelled search.

    A pair's margin is above 0 where it flips: logits of the distractor over the greatest other, of
    the greatest other over the answer, or of the distractor over the answer. The score is the mean
    of what is missing to it: 0 where all training pairs flip.
    """

    request: FamilySearchRequest
    heads: tuple[HeadId, ...]
    steps: tuple[FamilyStep, ...]
    score: float | None  # of the set found, on the training pairs; None: nothing found yet
    train: Rate | None
    held_out: Rate | None  # None: not measured (yet), or no pair was held out
    random: tuple[Rate, ...]  # of random sets, on the held-out pairs (or else the training pairs)
    minimal: (
        bool | None
    )  # without any one head fewer than `share` flip (each tried); None: not tried
    smallest: bool | None  # no set of fewer heads flips as many (proved); None: not tried
    usable: int  # pairs that can flip
    apart: int  # the clean model does not answer these right
    refused: tuple[BadPair, ...]  # and can't be asked these
    evaluations: int  # runs of one set on one pair
    seconds: float
    stopped: str  # why: "reached", "max heads", "no gain", "budget", "cancelled", "running"

    @property
    def reached(self) -> bool | None:
        """Whether the set flips the share of the training pairs; None: nothing found yet."""
        if self.train is None:
            return None
        return is_reached(self.train, self.request.share)

    @property
    def percentile(self) -> float | None:
        """Percentage of the random sets that flip fewer pairs; ties count half."""
        own = self.held_out or self.train
        if own is None or not self.random:
            return None
        below = sum(each.count < own.count for each in self.random)
        same = sum(each.count == own.count for each in self.random)
        return 100 * (below + same / 2) / len(self.random)

    @property
    def random_reaching(self) -> int:
        """How many of the random sets flip as many pairs as the set found."""
        own = self.held_out or self.train
        return 0 if own is None else sum(each.count >= own.count for each in self.random)


@dataclass(frozen=True)
class FamilyEstimateRequest:
    """How long would this search take? The answer is a search's Estimate, in runs of one pair."""

    search: FamilySearchRequest

    @property
    def pairs(self) -> PairsRequest:
        return self.search.pairs

    @property
    def question(self) -> Question:
        return self.search.question


def is_reached(rate: Rate, share: float) -> bool:
    """Whether so many flip; of 0 pairs none."""
    return rate.of > 0 and rate.count >= share * rate.of - 1e-9
