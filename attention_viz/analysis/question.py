"""Asking the clean question once: tokens, activations, and the two tokens of the difference."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attention_viz.analysis.lazy import lazy
from attention_viz.models.decoder import Decoder, Run
from attention_viz.models.finite import need_finite
from attention_viz.models.loading import LoadedModel
from attention_viz.models.stretch import cut_run, run_from
from attention_viz.models.vocabulary import Vocabulary
from attention_viz.records.ablation import Prediction, RankedToken
from attention_viz.records.circuits.pairs import TokenPair
from attention_viz.records.errors import BadInput, Cancelled
from attention_viz.records.ids import HeadId
from attention_viz.records.pace import Pace
from attention_viz.records.question import PromptTokens, Question, TokensRequest
from attention_viz.records.tokens import Token, Tokens


def read_question(model: LoadedModel, request: TokensRequest, pace: Pace | None = None):
    """How the model reads the question. Raises BadInput (see Vocabulary.read)."""
    return model.vocabulary.read(request.question)


@dataclass
class Asked:
    """A question with its clean run."""

    model: LoadedModel
    read: PromptTokens
    pace: Pace
    run: Run
    logits: Float[Tensor, " vocabulary"]  # clean, at the read-out
    answer: int
    distractor: int
    busy: float = 0.0  # seconds of device work so far; tells the engine how fast the device is
    _stretches: dict[tuple[int, int], Run] = field(default_factory=dict)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the device for one piece of work. Raises Cancelled where the work was stopped."""
        if self.pace.is_cancelled:
            raise Cancelled("Cancelled.")
        with self.pace.turn():
            began = time.perf_counter()
            yield
            if self.decoder.device.type == "cuda":
                torch.cuda.synchronize(self.decoder.device)
            self.busy += time.perf_counter() - began

    @property
    def seconds_per_block(self) -> float:
        """What one row takes in one block: as measured in batches so far, else in the clean run."""
        measured = self.decoder.row_seconds
        if measured is None:
            return self.busy / self.decoder.layers
        return measured * len(self.tokens)

    @property
    def decoder(self) -> Decoder:
        return self.model.decoder

    @property
    def vocabulary(self) -> Vocabulary:
        return self.model.vocabulary

    @property
    def tokens(self) -> Tokens:
        return self.read.tokens

    @property
    def position(self) -> int:
        return self.read.position

    @property
    def ids(self) -> Int[Tensor, "1 pos"]:
        return ids_of(self.tokens)

    @lazy
    def counterfactual(self) -> Run:
        """Run of the counterfactual prompt. Raises BadInput where there is none."""
        if self.read.counterfactual is None:
            raise BadInput(
                "Resample ablation needs a counterfactual prompt.",
                "Give one with the same number of tokens, or choose another kind.",
            )
        ids, start = ids_of(self.read.counterfactual), self.first_difference
        with self.turn():
            if self.decoder.runs_stretches and 0 < start < len(self.tokens):
                return run_from(self.decoder, self.run, ids, start)
            return self.decoder.run(ids)

    @cached_property
    def first_difference(self) -> int:
        """The first position of another token in the counterfactual; without one, the length."""
        both = zip(self.tokens.items, self.read.counterfactual.items, strict=True)
        differs = (i for i, (one, other) in enumerate(both) if one.id != other.id)
        return next(differs, len(self.tokens))

    def stretch(self, start: int, stop: int) -> Run:
        """The clean run's positions from `start` to `stop`; all where the model needs them."""
        if not self.decoder.runs_stretches:
            return self.run
        if (start, stop) not in self._stretches:
            self._stretches[start, stop] = cut_run(self.run, start, stop)
        return self._stretches[start, stop]

    def token(self, id: int) -> Token:
        return self.vocabulary.token(id)

    @property
    def answer_token(self) -> Token:
        return self.token(self.answer)

    @property
    def distractor_token(self) -> Token:
        return self.token(self.distractor)

    def need_heads(self, heads: tuple[HeadId, ...]) -> tuple[HeadId, ...]:
        """The heads, each once. Raises BadInput for none or for one the model does not have."""
        return need_heads(self.model, heads)


def ask(model: LoadedModel, question: Question, pace: Pace | None = None) -> Asked:
    """Run the clean prompt. Raises BadInput where the question can't be asked, and where the run
    has NaN or inf: by position and layer.
    """
    pace = pace or Pace()
    return _run(model, model.vocabulary.read(question), pace)


def ask_pair(model: LoadedModel, question: Question, pair: TokenPair, pace: Pace) -> Asked:
    """Run the clean prompt of a pair."""
    return _run(model, read_pair(question, pair), pace)


def read_pair(question: Question, pair: TokenPair) -> PromptTokens:
    """What is read of a pair; `question` is the one its family was asked for."""
    own = replace(question, answer=pair.answer.id, distractor=pair.distractor.id)
    return PromptTokens(own, pair.clean, pair.position, pair.counterfactual)


def _run(model: LoadedModel, read: PromptTokens, pace: Pace) -> Asked:
    with pace.turn():
        began = time.perf_counter()
        run = model.decoder.run(ids_of(read.tokens))
        logits = read_out(model, run, read.position)
        need_finite(logits, f"The logits at position {read.position} are no answer: what is read")
        answer, distractor = _choose_pair(read.question, logits)
        seconds = time.perf_counter() - began
    return Asked(model, read, pace, run, logits, answer, distractor, busy=seconds)


def need_heads(model: LoadedModel, heads: tuple[HeadId, ...]) -> tuple[HeadId, ...]:
    """The heads, each once. Raises BadInput for none or for one the model does not have."""
    if not heads:
        raise BadInput(
            "No heads are selected.", "Pick heads in the grid, or let a search find them."
        )
    for head in heads:
        if not (0 <= head.layer < model.decoder.layers and 0 <= head.head < model.decoder.heads):
            raise BadInput(
                f"There is no head {head}: {model.info.name} has layers 0 to "
                f"{model.decoder.layers - 1} and heads 0 to {model.decoder.heads - 1}.",
                "Choose heads of this model.",
            )
    return tuple(dict.fromkeys(heads))


def ids_of(tokens: Tokens) -> Int[Tensor, "1 pos"]:
    return torch.tensor([[token.id for token in tokens.items]])


@torch.no_grad()
def read_out(model: LoadedModel, run: Run, position: int) -> Float[Tensor, " vocabulary"]:
    """Logits of a run at one position; padding rows of the unembedding are left out."""
    logits = model.decoder.read_out(run.residual[-1][0, position])
    return logits[: model.vocabulary.size]


def predict_from(
    asked: Asked, logits: Float[Tensor, " vocabulary"], *, top: int, also: tuple[int, ...] = ()
) -> tuple[Prediction, dict[int, RankedToken]]:
    """A distribution as a record, and the ranked tokens of `also` by id."""
    listed = logits.topk(min(top, len(logits))).indices.tolist()
    ranked = rank_tokens(asked.vocabulary, logits, tuple(dict.fromkeys([*listed, *also])))
    prediction = Prediction(
        question=asked.read.question,
        tokens=asked.tokens,
        position=asked.position,
        answer=asked.answer_token,
        distractor=asked.distractor_token,
        top=tuple(ranked[id] for id in listed),
        entropy=entropy_of(logits).item(),
        logit_diff=(logits[asked.answer] - logits[asked.distractor]).item(),
    )
    return prediction, ranked


def rank_tokens(
    vocabulary: Vocabulary, logits: Float[Tensor, " vocabulary"], ids: tuple[int, ...]
) -> dict[int, RankedToken]:
    """Probability, logit and rank (1 = top) of chosen tokens."""
    probability = logits.softmax(-1)
    return {
        id: RankedToken(
            token=vocabulary.token(id),
            probability=probability[id].item(),
            logit=logits[id].item(),
            rank=int((logits > logits[id]).sum()) + 1,
        )
        for id in ids
    }


def entropy_of(logits: Float[Tensor, "*rows vocabulary"]) -> Float[Tensor, "*rows"]:
    """Entropy in nats."""
    logprobs = logits.log_softmax(-1)
    return -(logprobs.exp() * logprobs).sum(-1)


def _choose_pair(question: Question, logits: Float[Tensor, " vocabulary"]) -> tuple[int, int]:
    """Answer and distractor; where not given, the most probable token that is not the other."""
    best = logits.topk(2).indices.tolist()
    answer, distractor = question.answer, question.distractor
    if answer is None:
        answer = next(id for id in best if id != distractor)
    if distractor is None:
        distractor = next(id for id in best if id != answer)
    if answer == distractor:
        raise BadInput("Answer and distractor are the same token.", "Choose two different tokens.")
    return answer, distractor
