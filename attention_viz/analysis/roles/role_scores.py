"""What every measurement of a role is given, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis.attention import run_clean
from attention_viz.analysis.contributions import direct_contributions
from attention_viz.analysis.lazy import lazy
from attention_viz.analysis.question import Asked
from attention_viz.records.circuits.roles import Role, RoleEvidence, RoleNumber, SeenWeight
from attention_viz.records.ids import HeadId
from attention_viz.records.tokens import Token

SHOWN = 3  # weights of a row that are kept as evidence
READ_OUT_ROW = "attention of the read-out in this prompt"

PerHead = Float[Tensor, "layer head"]


@dataclass(frozen=True)
class RoleScores:
    """Scores of one role, and what shows it for one head."""

    role: Role
    scores: PerHead  # nan: can't be measured
    evidence: Callable[[HeadId], RoleEvidence]


@dataclass
class Clean:
    """The clean run, as far as roles need it. All tensors are on the CPU."""

    asked: Asked

    @lazy
    def rows(self) -> Float[Tensor, "layer head key"] | None:
        """Attention of the read-out; None where attention is out of reach."""
        if not self.asked.decoder.hears_attention:
            return None
        position = self.asked.position
        pattern = run_clean(self.asked).pattern
        return torch.stack([each[0, :, position, : position + 1].cpu() for each in pattern])

    @lazy
    def direct(self) -> PerHead | None:
        """Direct contributions to answer − distractor, in logits; None where not defined."""
        decoder = self.asked.decoder
        if not decoder.writes_to_stream:
            return None
        written = {each.component: each.value for each in direct_contributions(self.asked)}
        return torch.tensor(
            [
                [written[str(HeadId(layer, head))] for head in range(decoder.heads)]
                for layer in range(decoder.layers)
            ],
            dtype=torch.float64,
        )

    @property
    def unmeasured(self) -> PerHead:
        decoder = self.asked.decoder
        return torch.full((decoder.layers, decoder.heads), torch.nan)

    def places(self, id: int) -> list[int]:
        """Positions of a token up to the read-out."""
        seen = self.asked.tokens.items[: self.asked.position + 1]
        return [position for position, token in enumerate(seen) if token.id == id]

    def show(self, role: Role, head: HeadId, *numbers: RoleNumber) -> RoleEvidence:
        """The head's read-out row, and the numbers."""
        weights = ()
        if self.rows is not None:
            row = self.rows[head.layer, head.head]
            weights = strongest_weights(row, self.asked.tokens.items, self.asked.position)
        return RoleEvidence(role, READ_OUT_ROW, weights, numbers)


def strongest_weights(
    row: Float[Tensor, " key"], tokens: tuple[Token, ...], query: int
) -> tuple[SeenWeight, ...]:
    """The greatest weights of an attention row, the greatest first."""
    best = row.topk(min(SHOWN, len(row)))
    return tuple(
        SeenWeight(query, tokens[query], key, tokens[key], weight)
        for weight, key in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    )


def heads_where(wanted: Tensor) -> tuple[HeadId, ...]:
    """The heads at which a `[layer, head]` tensor is true."""
    return tuple(HeadId(layer, head) for layer, head in wanted.nonzero().tolist())
