"""Pairs of a clean and a counterfactual prompt, and families of them.

A circuit is asked of pairs: both prompts have the same number of tokens, and the logit difference
answer − distractor is what the clean prompt has and the counterfactual lacks.
"""

from dataclasses import dataclass

from attention_viz.records.question import Question
from attention_viz.records.tokens import Token, Tokens

MOST_PAIRS = 1000  # of a family, or read from a file


@dataclass(frozen=True)
class Pair:
    """As people write it; answer and distractor are exact texts of single tokens (" Mary")."""

    clean: str
    counterfactual: str
    answer: str
    distractor: str


@dataclass(frozen=True)
class PairsRequest:
    """Which pairs: the question's own, those of a built-in family, or given ones.

    With a family or given pairs only `model`, `bos` and `chat` of the question count; leave the
    rest out, so that equal requests are equal.
    """

    question: Question
    family: str = ""  # a name from FAMILIES
    count: int = 20  # of a family's pairs
    seed: int = 0
    given: tuple[Pair, ...] = ()

    @property
    def label(self) -> str:
        """How the pairs are named beside every score."""
        if self.family:
            return f"{self.count} pairs of {self.family} (seed {self.seed})"
        return f"{len(self.given)} given pairs" if self.given else "this prompt pair"


@dataclass(frozen=True)
class TokenPair:
    """A pair as the model reads it."""

    clean: Tokens
    counterfactual: Tokens
    answer: Token
    distractor: Token
    position: int  # read-out: the last token, or where the question reads
    text: Pair | None = None  # as it was written

    @property
    def differs(self) -> tuple[int, ...]:
        """Positions whose tokens differ."""
        both = zip(self.clean.items, self.counterfactual.items, strict=True)
        return tuple(index for index, (one, other) in enumerate(both) if one.id != other.id)


@dataclass(frozen=True)
class BadPair:
    """A pair that can't be used, by its number from 1 (in a file: its line), and why."""

    number: int
    reason: str


@dataclass(frozen=True)
class PairSet:
    """The pairs of a request that the model can be asked, and those it can't."""

    request: PairsRequest
    pairs: tuple[TokenPair, ...]
    refused: tuple[BadPair, ...] = ()


@dataclass(frozen=True)
class FamilyInfo:
    """A built-in family, for menus and `python main.py circuits`."""

    name: str  # "indirect object ABBA", "greater than" …
    about: str
    example: Pair
