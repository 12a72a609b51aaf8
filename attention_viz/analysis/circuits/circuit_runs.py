"""Runs of parts of the computation: only a circuit's edges carry the clean run's results.

Every reader's input is the sum of what its writers wrote: an edge inside the circuit carries what
the writer writes in this very run, an edge outside what it is replaced by. Many circuits and pairs
make one batch. (Conmy et al. 2023, "Towards Automated Circuit Discovery"; Hanna et al. 2024)
"""

import time
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attention_viz.analysis.circuits.changing import Changing, replaced_writers
from attention_viz.analysis.circuits.pair_batches import (
    PairBatch,
    Replacement,
    Written,
    batches_of,
    stream_of,
)
from attention_viz.analysis.one_pass import CHUNK_SECONDS, free_bytes
from attention_viz.models.attention import Listener
from attention_viz.models.finite import need_finite
from attention_viz.models.loading import LoadedModel
from attention_viz.models.readers import NewInput
from attention_viz.records.circuits.pairs import PairSet
from attention_viz.records.pace import Pace

# A pass of so few tokens takes hardly longer than one of a single one: all weights are read anyway
FEW_TOKENS = 32

Masks = Bool[Tensor, "circuit writer reader"]


class CircuitRuns:
    """The logit difference of any circuit on every pair, everything outside it replaced."""

    def __init__(self, model: LoadedModel, pairs: PairSet, replacement: Replacement, pace: Pace):
        self._model = model
        self._pairs = pairs
        self._replacement = replacement
        self._pace = pace
        self._row_seconds: float | None = None

    @torch.no_grad()
    def metrics(
        self, masks: Masks, always: Bool[Tensor, "writer reader"]
    ) -> Float[Tensor, "2+circuit pair"]:
        """Logit differences: of the empty circuit, the full one, and each of these, in logits.

        Edges in `always` are kept in all of them.
        """
        graph = self._model.streams.graph
        every = torch.from_numpy(graph.edges)
        has_ends = not always.any()  # nothing kept and all kept need no reader of their own
        ends = masks[:0] if has_ends else torch.stack([torch.zeros_like(every), every])
        masks = torch.cat([ends, masks]) | always
        found = torch.zeros(2 * has_ends + len(masks), len(self._pairs.pairs), dtype=torch.float64)
        for number, batch in enumerate(batches_of(self._pairs, self._model.decoder.device, 1)):
            with self._pace.turn():
                part = Changing.of(self._model.decoder, batch, self._replacement.kind)
                replaced = self._writers(part)
                if has_ends:
                    found[:2, batch.indices[0]] = self._ends(part, replaced)
            for start, stop, values in self._chunks(part, masks, replaced):
                start, stop = start + 2 * has_ends, stop + 2 * has_ends
                found[start:stop, batch.indices[0]] = values.to("cpu", torch.float64)
                self._pace.report(number * len(found) + stop, found.numel())
        need_finite(found, "A run of the circuit")
        return found

    def _ends(self, part: Changing, replaced: Written) -> Float[Tensor, "2"]:
        """Everything replaced, and nothing."""
        began = time.perf_counter()
        full = part.metric(part.clean.residual[-1])
        if self._row_seconds is None and part.is_whole:
            self._row_seconds = time.perf_counter() - began  # for the first chunk
        return torch.cat([part.metric(stream_of(self._model.decoder, replaced)), full]).cpu()

    def _chunks(
        self, part: Changing, masks: Masks, replaced: Written
    ) -> Iterator[tuple[int, int, Tensor]]:
        """As many circuits as fit a turn, by the time that those before took."""
        start, most = 0, max(1, self._budget() // self._row_bytes(part))
        least = max(1, FEW_TOKENS // (part.stop - part.start))
        while start < len(masks):
            seconds = self._row_seconds
            rows = 1 if seconds is None else int(CHUNK_SECONDS / seconds)
            stop = min(len(masks), start + min(max(rows, least), most))
            with self._pace.turn():
                began = time.perf_counter()
                final = self._run(part, masks[start:stop], replaced)
                found = part.repeated(stop - start)(final)
                self._row_seconds = (time.perf_counter() - began) / (stop - start)
            yield start, stop, found
            start = stop

    @torch.no_grad()
    def residuals(
        self, mask: Bool[Tensor, "writer reader"], pair: int
    ) -> list[Float[Tensor, "pos d_model"]]:
        """Residual streams of a pair where one circuit is all that is left.

        What enters each layer, and last what the logits read.
        """
        batch = PairBatch.of(self._pairs.pairs, [pair], self._model.decoder.device)
        with self._pace.turn():
            every = Changing(self._model.decoder, batch, 0, batch.clean.shape[1])
            run = _Run(self._model, mask[None].to(batch.clean.device), self._writers(every))
            final = self._model.streams.run_split(batch.clean, run.split, Listener(output=run.hear))
            return [*(residual[0] for residual in run.entered), run.read_logits(final)[0]]

    def _writers(self, part: Changing) -> Written:
        return replaced_writers(self._replacement, part)

    def _run(
        self, part: Changing, masks: Masks, replaced: Written
    ) -> Float[Tensor, "circuit pos d_model"]:
        """What the logits read in one pass of a pair in all these circuits."""
        clean = part.batch.clean
        run = _Run(self._model, masks.to(clean.device), replaced)
        final = self._model.streams.run_split(
            clean.expand(len(masks), -1),
            run.split,
            Listener(output=run.hear),
            stretch=part.stretch,
        )
        return run.read_logits(final)

    def _budget(self) -> int:
        decoder = self._model.decoder
        return decoder.memory or free_bytes(decoder.device) // 2

    def _row_bytes(self, part: Changing) -> int:
        """What a circuit takes: every writer's change, and every reader's input of a layer."""
        decoder, graph = self._model.decoder, self._model.streams.graph
        vectors = len(graph.writers) + 3 * graph.readers_per_layer + 40
        keys = 0 if part.is_whole else 4 * part.stop
        return (vectors * (part.stop - part.start) + keys) * decoder.d_model * 4


class _Run:
    """A pass in progress: how far every writer is from its replacement, so far."""

    def __init__(self, model: LoadedModel, masks: Masks, replaced: Written):
        self._writes = model.decoder.need_writes()
        self._graph = model.streams.graph
        self._masks = masks.to(replaced.dtype)
        self._replaced = replaced
        shape = (len(masks), *replaced.shape[1:])
        self._changes = torch.empty(shape, dtype=replaced.dtype, device=replaced.device)
        self._entering: Tensor | None = None  # the residual stream of the layer below
        self._attention: Tensor | None = None  # what its attention wrote
        self.entered: list[Tensor] = []  # the stream entering each layer

    def split(self, layer: int, residual: Tensor, is_mlp: bool) -> list[NewInput]:
        graph = self._graph
        reads = graph.attention_readers(layer)
        if is_mlp:
            seen = graph.written_before(layer) + (0 if graph.is_parallel else graph.heads)
            reads = slice(reads.stop, reads.stop + 1)
        else:
            self._enter(layer, residual)
            self.entered.append(residual)
            seen = graph.written_before(layer)
        inputs = self._inputs(residual, seen, reads)
        return [NewInput(i, slice(None), inputs[:, i]) for i in range(inputs.shape[1])]

    def hear(self, layer: int, z: Tensor, _) -> Tensor:
        results = self._writes.head_results(layer, z)
        first = self._graph.written_before(layer)
        last = first + self._graph.heads
        self._changes[:, first:last] = results - self._replaced[:, first:last]
        self._attention = results.sum(1) + self._writes.bias(layer, z)
        return z

    def read_logits(self, final: Tensor) -> Tensor:
        self._enter(self._graph.layers, final)
        last = slice(len(self._graph.readers) - 1, None)
        return self._inputs(final, len(self._graph.writers), last)[:, 0]

    def _enter(self, layer: int, residual: Tensor) -> None:
        """The stream above a block tells what its MLP wrote; below the first, the input."""
        written, index = residual, 0
        if layer:
            written = residual - self._entering - self._attention
            index = self._graph.written_before(layer) - 1
        self._changes[:, index] = written - self._replaced[:, index]
        self._entering = residual

    def _inputs(
        self, residual: Tensor, seen: int, reads: slice
    ) -> Float[Tensor, "circuit reader pos d_model"]:
        """What each reader reads: everything replaced, but for the edges it keeps."""
        changes = self._changes[:, :seen].flatten(2)
        kept = self._masks[:, :seen, reads].transpose(1, 2) @ changes
        replaced = residual.flatten(1) - changes.sum(1)
        return (replaced[:, None] + kept).unflatten(2, residual.shape[1:])
