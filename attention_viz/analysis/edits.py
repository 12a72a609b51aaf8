"""What an ablation does to z, one class per way of editing, one registry line per kind.

What a kind takes, and from where to where, is said in its record (`KINDS`).

An edit is applied to rows of z `[row, pos, d_head]`, one head each. Where positions are chosen,
only those change. Rows carry only the positions from the first that an edit changes on.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attention_viz.analysis.question import Asked, ids_of
from attention_viz.models.attention import Attended
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.errors import BadInput

Rows = Float[Tensor, "row pos d_head"]


@dataclass(frozen=True, eq=False)
class Place:
    """Where rows of z come from: row i is head `heads[i]` in row `rows[i]` of the batch."""

    layer: int
    rows: Int[Tensor, " row"]
    heads: Int[Tensor, " row"]
    attended: Attended | None
    start: int = 0  # the prompt's position at which the rows begin


@dataclass(frozen=True, eq=False)
class Edit(ABC):
    """Changes z of some heads at some positions."""

    positions: tuple[int, ...] | None  # None = everywhere

    def __call__(self, at: "Place", z: Rows) -> Rows:
        """Edited rows of the heads at that place."""
        edited = self.edit(at, z)
        if self.positions is None:
            return edited
        kept = z.clone()
        own = [each - at.start for each in self.positions if 0 <= each - at.start < z.shape[1]]
        kept[:, own] = edited[:, own]
        return kept

    def at(self, positions: tuple[int, ...]) -> "Edit":
        """The same edit at these positions only."""
        return replace(self, positions=positions)

    @property
    def first(self) -> int:
        """The first position that can change."""
        return 0 if self.positions is None else min(self.positions)

    def stretch(self, read_out: int) -> tuple[int, int]:
        """The positions [start, stop) a row must carry for what it says at `read_out`.

        Before the first changed one all is clean; what comes after the read-out never reaches it.
        """
        return min(self.first, read_out), read_out + 1

    @abstractmethod
    def edit(self, at: "Place", z: Rows) -> Rows:
        """Edited rows, as if everywhere."""


@dataclass(frozen=True, eq=False)
class Scale(Edit):
    """z times a factor."""

    factor: float

    def edit(self, at, z):
        # Not z * 0: that keeps an infinity or a nan that zero ablation has to remove.
        return torch.zeros_like(z) if self.factor == 0 else z * self.factor


@dataclass(frozen=True, eq=False)
class Replace(Edit):
    """z replaced by fixed values, e.g. those of another prompt."""

    values: list[Float[Tensor, "pos head d_head"]]  # by layer; of one position: the same at all
    differs: int = 0  # the first position at which they are not the clean ones

    @property
    def first(self) -> int:
        return max(self.differs, super().first)

    def edit(self, at, z):
        values = self.values[at.layer]
        if len(values) > 1:
            values = values[at.start : at.start + z.shape[1]]
        return values[:, at.heads].transpose(0, 1).expand_as(z)


@dataclass(frozen=True, eq=False)
class Reorder(Edit):
    """z of position i becomes z of position order[i]."""

    order: Int[Tensor, " pos"]

    def at(self, positions):
        order = torch.arange(len(self.order), device=self.order.device)
        order[list(positions)] = self.order[list(positions)]
        return Reorder(positions, order)

    @cached_property
    def _touched(self) -> list[int]:
        """Positions that take another's place, and those they come from."""
        order = self.order.tolist()
        return [each for pair in enumerate(order) if pair[0] != pair[1] for each in pair]

    @property
    def first(self) -> int:
        return min(self._touched, default=len(self.order))

    def stretch(self, read_out: int) -> tuple[int, int]:
        """What comes from after the read-out is needed too, and what that comes from."""
        if self.first > read_out:
            return super().stretch(read_out)
        return self.first, max(read_out, *self._touched) + 1

    def edit(self, at, z):
        return z[:, self.order[at.start : at.start + z.shape[1]] - at.start]


@dataclass(frozen=True, eq=False)
class Sparsify(Edit):
    """Entries of z smaller in size than the threshold become 0."""

    threshold: float

    def edit(self, at, z):
        return z.masked_fill(z.abs() < self.threshold, 0)


@dataclass(frozen=True, eq=False)
class Uniform(Edit):
    """The pattern replaced by equal weights on all visible keys, values as they are in the row."""

    def edit(self, at, z):
        return at.attended.uniform(at.rows, at.heads)


def edit_of(asked: Asked, ablation: Ablation) -> Edit:
    """The edit an ablation means for this question.

    Raises BadInput: positions or a setting out of range, resample without a counterfactual.
    """
    _check_settings(ablation)
    positions = _resolve_positions(ablation.positions, len(asked.tokens))
    return _MAKERS[ablation.kind](asked, ablation, positions)


def _check_settings(ablation: Ablation) -> None:
    for setting in ablation.kind.settings:
        value = ablation.settings[setting.name]
        if not setting.holds(value):
            raise BadInput(
                f"A {setting.name} of {value} is out of range.",
                f"Choose from {setting.least} to {setting.most}.",
            )


def _zero(asked: Asked, ablation: Ablation, positions) -> Edit:
    return Scale(positions, 0.0)


def _scale(asked: Asked, ablation: Ablation, positions) -> Edit:
    return Scale(positions, ablation.scale)


def _resample(asked: Asked, ablation: Ablation, positions) -> Edit:
    return Replace(positions, [z[0] for z in asked.counterfactual.z], asked.first_difference)


def _permute(asked: Asked, ablation: Ablation, positions) -> Edit:
    """One seeded shuffle of the chosen positions, all but beginning of text by default."""
    chosen = positions or tuple(range(1 if asked.tokens.bos else 0, len(asked.tokens)))
    generator = torch.Generator().manual_seed(ablation.seed)
    shuffled = torch.randperm(len(chosen), generator=generator)
    order = torch.arange(len(asked.tokens))
    order[list(chosen)] = torch.tensor(chosen, dtype=torch.long)[shuffled]
    return Reorder(positions, order.to(asked.decoder.device))


def _sparsify(asked: Asked, ablation: Ablation, positions) -> Edit:
    return Sparsify(positions, ablation.threshold)


def _uniform(asked: Asked, ablation: Ablation, positions) -> Edit:
    asked.decoder.need_attention("Uniform attention")
    return Uniform(positions)


def _mean(asked: Asked, ablation: Ablation, positions) -> Edit:
    """One vector per head over the prompt's own positions without beginning of text; with
    references, their mean per position where all have the prompt's length, else one vector."""
    if not ablation.references:
        first = 1 if asked.tokens.bos and len(asked.tokens) > 1 else 0
        return Replace(positions, [z[0, first:].mean(0, keepdim=True) for z in asked.run.z])
    bos, chat = asked.read.question.bos, asked.read.question.chat
    prompts = [
        asked.vocabulary.tokenize(text, bos, "reference", chat=chat) for text in ablation.references
    ]
    with asked.turn():
        runs = [asked.decoder.run(ids_of(tokens)) for tokens in prompts]
    layers = range(asked.decoder.layers)
    if all(len(tokens) == len(asked.tokens) for tokens in prompts):
        return Replace(positions, [torch.cat([run.z[i] for run in runs]).mean(0) for i in layers])
    skipped = [1 if tokens.bos else 0 for tokens in prompts]
    pooled = [
        torch.cat([run.z[i][0, skip:] for run, skip in zip(runs, skipped, strict=True)])
        for i in layers
    ]
    return Replace(positions, [z.mean(0, keepdim=True) for z in pooled])


_MAKERS: dict[AblationKind, Callable[..., Edit]] = {
    AblationKind.ZERO: _zero,
    AblationKind.SCALE: _scale,
    AblationKind.MEAN: _mean,
    AblationKind.RESAMPLE: _resample,
    AblationKind.PERMUTE: _permute,
    AblationKind.SPARSIFY: _sparsify,
    AblationKind.UNIFORM: _uniform,
}


def _resolve_positions(positions: tuple[int, ...] | None, length: int) -> tuple[int, ...] | None:
    """Negative positions count from the end. Raises BadInput for one out of range."""
    if positions is None:
        return None
    for position in positions:
        if not -length <= position < length:
            raise BadInput(
                f"Position {position} is out of range: the prompt has {length} tokens.",
                f"Choose from 0 to {length - 1}.",
            )
    if not positions:
        raise BadInput("No positions are chosen.", "Name at least one, or leave them out.")
    return tuple(sorted({position % length for position in positions}))
