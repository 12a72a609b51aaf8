"""What a set of heads does over a family of prompt pairs: a set found on one may be its quirk."""

from dataclasses import dataclass
from enum import StrEnum

from attention_viz.records.ablation import Ablation
from attention_viz.records.circuits.pairs import BadPair, PairsRequest, TokenPair
from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from attention_viz.records.statistics import Mean, Rate
from attention_viz.records.tokens import Token


class PairFlip(StrEnum):
    """What it means that a pair flips when heads are ablated in its clean prompt."""

    DISTRACTOR = "distractor"
    LEAVES = "leaves"
    SIGN = "sign"

    @property
    def about(self) -> str:
        return _ABOUT[self]

    @property
    def counts(self) -> str:
        """Which pairs can flip: the others the clean model does not answer right."""
        if self is PairFlip.SIGN:
            return "pairs whose answer the clean model prefers to the distractor"
        return "pairs whose answer is the clean model's top-1"


_ABOUT = {
    PairFlip.DISTRACTOR: "the pair's distractor becomes the top-1",
    PairFlip.LEAVES: "the answer is no longer the top-1",
    PairFlip.SIGN: "the logit difference answer − distractor falls below 0",
}


@dataclass(frozen=True)
class FamilyRequest:
    """Ablate these heads together in the clean prompt of every pair."""

    pairs: PairsRequest
    heads: tuple[HeadId, ...]
    ablation: Ablation = Ablation()

    @property
    def question(self) -> Question:
        return self.pairs.question


@dataclass(frozen=True)
class PairEffect:
    """One pair before and after. Differences are answer − distractor, in logits."""

    pair: TokenPair
    clean: float  # logit difference
    ablated: float
    clean_top: Token
    ablated_top: Token

    @property
    def change(self) -> float:
        return self.ablated - self.clean

    @property
    def is_right(self) -> bool:
        """Whether the answer is the clean model's top-1."""
        return self.clean_top.id == self.pair.answer.id

    def counts(self, flip: PairFlip) -> bool:
        """Whether it can flip: see `PairFlip.counts`."""
        return self.clean > 0 if flip is PairFlip.SIGN else self.is_right

    def flips(self, flip: PairFlip) -> bool:
        """Whether it counts and flips."""
        happened = {
            PairFlip.DISTRACTOR: self.ablated_top.id == self.pair.distractor.id,
            PairFlip.LEAVES: self.ablated_top.id != self.pair.answer.id,
            PairFlip.SIGN: self.ablated < 0,
        }
        return self.counts(flip) and happened[flip]


@dataclass(frozen=True)
class FamilyEffect:
    """The pairs measured so far, in their order."""

    request: FamilyRequest
    pairs: tuple[PairEffect, ...]
    refused: tuple[BadPair, ...]  # this model can't be asked these
    evaluations: int
    seconds: float

    def rate(self, flip: PairFlip) -> Rate:
        """How many of the pairs that count flip."""
        counted = [pair for pair in self.pairs if pair.counts(flip)]
        return Rate(sum(pair.flips(flip) for pair in counted), len(counted))

    @property
    def rates(self) -> dict[PairFlip, Rate]:
        return {flip: self.rate(flip) for flip in PairFlip}

    @property
    def right(self) -> tuple[PairEffect, ...]:
        """Pairs whose answer is the clean model's top-1."""
        return tuple(pair for pair in self.pairs if pair.is_right)

    @property
    def apart(self) -> tuple[PairEffect, ...]:
        """Pairs that the clean model does not answer right: nothing is averaged over them."""
        return tuple(pair for pair in self.pairs if not pair.is_right)

    @property
    def change(self) -> Mean | None:
        """Mean change of the logit difference over the pairs answered right, in logits."""
        return Mean.over([pair.change for pair in self.right])
