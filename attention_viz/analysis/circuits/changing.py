"""Where a replacement can change what is read: the positions of a batch of pairs that are run.

Replaced by the counterfactual, nothing differs from the clean run before the first token in which a
pair differs; what comes after the read-outs never reaches them. Only the positions between are run,
with the clean run's keys and values before them (`models/stretch.py`).
"""

from dataclasses import dataclass
from functools import cached_property

import torch

from attention_viz.analysis.circuits.pair_batches import PairBatch, Replacement, Written
from attention_viz.models.decoder import Decoder, Run
from attention_viz.models.streams import writers_of
from attention_viz.models.stretch import cut_run, run_from
from attention_viz.records.ablation import AblationKind


@dataclass(frozen=True, eq=False)
class Changing:
    """The positions [start, stop) of a batch at which anything can change."""

    decoder: Decoder
    batch: PairBatch
    start: int
    stop: int

    @classmethod
    def of(
        cls, decoder: Decoder, batch: PairBatch, kind: AblationKind, *, most: float = 1.0
    ) -> "Changing":
        """All positions where the model needs them, or where more than `most` of them change."""
        length = batch.clean.shape[1]
        if not decoder.runs_stretches:
            return cls(decoder, batch, 0, length)
        start = batch.first_difference if kind is AblationKind.RESAMPLE else 0
        stop = int(batch.position.max()) + 1
        if stop - start > most * length:
            return cls(decoder, batch, 0, length)
        return cls(decoder, batch, start, stop)

    @property
    def is_whole(self) -> bool:
        return (self.start, self.stop) == (0, self.batch.clean.shape[1])

    @cached_property
    def run(self) -> Run:
        """The clean run, all positions."""
        return self.decoder.run(self.batch.clean)

    @cached_property
    def clean(self) -> Run:
        """The clean run at these positions."""
        return cut_run(self.run, self.start, self.stop)

    @cached_property
    def replaced(self) -> Run:
        """The counterfactual run at these positions."""
        return cut_run(self._counterfactual, self.start, self.stop)

    @property
    def stretch(self) -> Run | None:
        """What passes over these positions go on from; None where they are all."""
        return None if self.is_whole else self.clean

    @property
    def replaced_stretch(self) -> Run | None:
        """The same for passes of the counterfactual."""
        return None if self.is_whole else self.replaced

    @cached_property
    def _counterfactual(self) -> Run:
        ids = self.batch.counterfactual
        if self.start:
            return run_from(self.decoder, self.run, ids, self.start)
        return self.decoder.run(ids)

    @property
    def metric(self):
        """As the batch's, of streams at these positions; see `PairBatch.metric`."""
        return self.repeated(1)

    def repeated(self, repeats: int):
        return self.batch.metric(self.decoder, repeats, start=self.start)


@torch.no_grad()
def replaced_writers(replacement: Replacement, part: Changing) -> Written:
    """What writers are replaced by at these positions."""
    if replacement.kind is AblationKind.RESAMPLE:
        return writers_of(part.decoder, part.replaced)
    return replacement.writers(part.batch)[:, :, part.start : part.stop]
