"""What is asked of which model: the common head of all requests."""

from dataclasses import dataclass

from attention_viz.records.tokens import Tokens


@dataclass(frozen=True)
class Question:
    """A prompt, where its next token is read, and the two tokens of the logit difference."""

    model: str  # a name from the catalogue
    prompt: str
    position: int = -1  # read-out; beginning of text counts; negative counts from the end
    bos: bool | None = None  # prepend beginning of text; None = as the model is used to
    counterfactual: str | None = None  # a prompt with the same number of tokens
    answer: int | None = None  # token id; None = the clean top-1 (never the distractor)
    distractor: int | None = None  # token id; None = the clean runner-up (never the answer)
    chat: bool = False  # every prompt is a user's message, in the model's chat template


@dataclass(frozen=True)
class TokensRequest:
    """How the model reads the prompt (and that the question can be asked at all)."""

    question: Question


@dataclass(frozen=True)
class PromptTokens:
    """The answer to a TokensRequest; raises what is wrong with the question instead."""

    question: Question
    tokens: Tokens
    position: int  # read-out, resolved: 0 ≤ position < len(tokens)
    counterfactual: Tokens | None
