"""Building a counterfactual prompt: the prompt with one thing changed, token by token aligned."""

from dataclasses import dataclass
from enum import StrEnum

from attention_viz.records.question import Question
from attention_viz.records.tokens import Tokens


class Way(StrEnum):
    """How the prompt is changed."""

    NAMES = "swap names"  # the last repeated name becomes another one; else two names are swapped
    REPEATED = "swap repeated word"  # its last occurrence becomes another word
    RANDOM = "random token"  # one token becomes a random one


@dataclass(frozen=True)
class CounterfactualRequest:
    """A counterfactual of the question's prompt; its own counterfactual, if any, is ignored."""

    question: Question
    way: Way = Way.NAMES
    # Of the random token; beginning of text counts, negative counts from the end. None: the last
    # repeated word before the read-out, else the last word.
    position: int | None = None
    seed: int = 0  # of what is drawn at random


@dataclass(frozen=True)
class Counterfactual:
    """The answer: as many tokens as the prompt, at least one of them another."""

    request: CounterfactualRequest
    text: str
    prompt: Tokens
    tokens: Tokens
    differs: tuple[int, ...]  # positions
    change: str  # "␣John at 10 became ␣Mary."
