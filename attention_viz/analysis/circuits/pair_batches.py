"""Pairs of prompts as batches of one length, and what replaces their writers."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attention_viz.models.decoder import Decoder
from attention_viz.models.loading import LoadedModel
from attention_viz.models.positions import position_embeddings
from attention_viz.models.streams import constant_bias, writers_of
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.pairs import PairSet, TokenPair
from attention_viz.records.circuits.replacing import InputPart, MeanOver, Replacing
from attention_viz.records.errors import BadInput
from attention_viz.records.pace import Pace

Written = Float[Tensor, "pair writer pos d_model"]


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Pairs with the same number of tokens."""

    indices: tuple[int, ...]  # in the pair set
    clean: Int[Tensor, "pair pos"]
    counterfactual: Int[Tensor, "pair pos"]
    answer: Int[Tensor, " pair"]
    distractor: Int[Tensor, " pair"]
    position: Int[Tensor, " pair"]
    bos: bool

    @classmethod
    def of(cls, pairs: Sequence[TokenPair], indices: Sequence[int], device) -> "PairBatch":
        chosen = [pairs[index] for index in indices]
        numbers = {
            "clean": [[token.id for token in pair.clean.items] for pair in chosen],
            "counterfactual": [[t.id for t in pair.counterfactual.items] for pair in chosen],
            "answer": [pair.answer.id for pair in chosen],
            "distractor": [pair.distractor.id for pair in chosen],
            "position": [pair.position for pair in chosen],
        }
        tensors = {name: torch.tensor(value, device=device) for name, value in numbers.items()}
        return cls(tuple(indices), bos=chosen[0].clean.bos, **tensors)

    def __len__(self) -> int:
        return len(self.indices)

    @cached_property
    def first_difference(self) -> int:
        """The first position at which any pair's prompts differ."""
        return int((self.clean != self.counterfactual).any(0).nonzero()[0])

    def metric(
        self, decoder: Decoder, repeats: int = 1, *, start: int = 0
    ) -> Callable[[Float[Tensor, "row pos d_model"]], Float[Tensor, " row"]]:
        """Logit difference of final residual streams; every pair stands there `repeats` times.

        The streams begin at the prompts' position `start`.
        """
        tokens = torch.stack([self.answer, self.distractor], 1).repeat_interleave(repeats, 0)
        position = self.position.repeat_interleave(repeats) - start

        def read(final: Tensor) -> Tensor:
            rows = torch.arange(len(final), device=final.device)
            answer, distractor = decoder.read_tokens(final[rows, position], tokens).unbind(1)
            return answer - distractor

        return read


def batches_of(pairs: PairSet, device, most: int) -> Iterator[PairBatch]:
    """All pairs, at most `most` in a batch."""
    by_length = defaultdict(list)
    for index, pair in enumerate(pairs.pairs):
        by_length[len(pair.clean), pair.clean.bos].append(index)
    for indices in by_length.values():
        for start in range(0, len(indices), most):
            yield PairBatch.of(pairs.pairs, indices[start : start + most], device)


@torch.no_grad()
def stream_of(decoder: Decoder, written: Written) -> Float[Tensor, "pair pos d_model"]:
    """The final residual stream that writers add up to, with what no writer owns."""
    return written.sum(1) + constant_bias(decoder)


@dataclass(frozen=True, eq=False)
class Replacement:
    """What writers' results are replaced by."""

    model: LoadedModel
    kind: AblationKind
    mean: Float[Tensor, "writer d_model"] | Float[Tensor, "writer pos d_model"] | None = None
    positions: Float[Tensor, "pos d_model"] | None = None  # embeddings that stay, if they do

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        model: LoadedModel,
        pairs: PairSet,
        kind: AblationKind,
        pace: Pace,
        replacing: Replacing = Replacing(),  # noqa: B008 (frozen)
    ) -> "Replacement":
        """The mean is over all clean prompts, and their positions without beginning of text.

        Raises BadInput: position embeddings to keep in a model without them; a mean per position
        of one pair, or of pairs of several lengths.
        """
        positions = _kept_positions(model, pairs, kind, replacing)
        if kind is not AblationKind.MEAN:
            return cls(model, kind, None, positions)
        by_position = replacing.mean is MeanOver.POSITION
        if by_position:
            _check_lengths(pairs)
        total, count = torch.zeros(()), 0
        for batch in batches_of(pairs, model.decoder.device, 1):
            with pace.turn():
                written = writers_of(model.decoder, model.decoder.run(batch.clean))
                if positions is not None:
                    written[:, 0] -= positions[: written.shape[2]]
                if by_position:
                    total, count = total.to(written) + written[0], count + 1
                    continue
                first = 1 if batch.bos and written.shape[2] > 1 else 0
                total = total.to(written) + written[0, :, first:].sum(1)
                count += written.shape[2] - first
        return cls(model, kind, total / count, positions)

    @torch.no_grad()
    def writers(self, batch: PairBatch) -> Written:
        """For every pair, writer and position."""
        graph = self.model.streams.graph
        shape = (*batch.clean.shape, self.model.decoder.d_model)
        if self.kind is AblationKind.RESAMPLE:
            return writers_of(self.model.decoder, self.model.decoder.run(batch.counterfactual))
        values = torch.zeros(
            len(graph.writers), shape[-1], device=batch.clean.device, dtype=self.model.decoder.dtype
        )
        if self.mean is not None:
            values = self.mean
        if values.ndim == 2:
            values = values[:, None].expand(-1, shape[1], -1)
        if self.positions is not None:
            values = values.clone()
            values[0] += self.positions[: shape[1]]
        return values.expand(shape[0], *values.shape)


def replacing_label(model: LoadedModel, kind: AblationKind, replacing: Replacing) -> str:
    """The choice by name, told in full where the model leaves one."""
    has_choice = kind is not AblationKind.RESAMPLE and model.info.adds_positions
    is_whole = replacing.input is InputPart.BOTH
    too = ", position embeddings too" if has_choice and is_whole else ""
    return replacing.label(kind) + too


def _kept_positions(
    model: LoadedModel, pairs: PairSet, kind: AblationKind, replacing: Replacing
) -> Float[Tensor, "pos d_model"] | None:
    """The position embeddings of the longest prompt, where they are to stay."""
    if replacing.input is InputPart.BOTH or kind is AblationKind.RESAMPLE:
        return None
    found = position_embeddings(model.decoder, max(len(pair.clean) for pair in pairs.pairs))
    if found is None:
        raise BadInput(
            f"{model.info.name!r} adds no position embeddings to its tokens' (its positions are "
            "rotary, or part of attention): there is nothing to keep.",
            "Leave the choice out: the token embedding is all that its input writes.",
        )
    return found


def _check_lengths(pairs: PairSet) -> None:
    lengths = sorted({len(pair.clean) for pair in pairs.pairs})
    if len(lengths) > 1:
        raise BadInput(
            f"A mean per position needs prompts of one length; these have {lengths} tokens.",
            "Choose pairs of one length, or the mean over all positions.",
        )
    if len(pairs.pairs) < 2:
        raise BadInput(
            "The mean per position of one prompt is that prompt: nothing would be replaced.",
            "Choose a family of pairs, or the mean over all positions.",
        )
