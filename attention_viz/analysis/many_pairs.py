"""Ablations of many prompt pairs on the one-pass engine: sets of heads × pairs.

Pairs whose clean prompts have as many tokens share their runs. Few sets: rows of all these pairs go
up the blocks in one batch, each joining at its first ablated layer as a copy of its own pair's
clean residual stream, with the positions that change in any of them. Many sets: one pair's sets
fill a batch already, and each pair goes through `one_pass` by itself. Both give the same numbers.
"""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from attention_viz.analysis.edits import Edit, Replace, edit_of
from attention_viz.analysis.one_pass import Candidate, editor_of, evaluate, in_chunks
from attention_viz.analysis.question import Asked, ids_of, read_pair
from attention_viz.models.attention import Listener, listening
from attention_viz.models.decoder import Run
from attention_viz.models.loading import LoadedModel
from attention_viz.models.stretch import cut_run
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.pairs import TokenPair
from attention_viz.records.errors import Cancelled
from attention_viz.records.ids import HeadId
from attention_viz.records.looks.family import PairFlip
from attention_viz.records.pace import Pace
from attention_viz.records.question import Question
from attention_viz.records.tokens import Tokens

APART = 48  # sets from which on a pair fills batches by itself
_MOST_TOGETHER = 32  # pairs whose runs are kept in one
_KEPT = 8  # such batches that are kept: what a run keeps is some MB for every pair
_TURN = 0.2  # seconds of the device for runs of clean prompts

HeadSet = tuple[HeadId, ...]
Row = tuple[int, int]  # (number of the set, index of the pair)
Numbers = Float[np.ndarray, " row"]


@dataclass(frozen=True, eq=False)
class Readings:
    """What is read off the next-token logits of rows."""

    answer: Numbers  # logits
    distractor: Numbers
    best: Numbers  # the greatest logit, and the one after it
    second: Numbers
    top: Int[np.ndarray, " row"]  # token id
    answer_id: Int[np.ndarray, " row"]
    distractor_id: Int[np.ndarray, " row"]

    @classmethod
    def of(cls, logits: Float[Tensor, "row vocabulary"], asked: Sequence[Asked]) -> "Readings":
        """Each row with the answer and the distractor of its own pair."""
        ids = torch.tensor([[each.answer, each.distractor] for each in asked], device=logits.device)
        answer, distractor = logits.gather(1, ids).double().cpu().numpy().T
        values, top = (part.cpu() for part in logits.topk(2))
        best, second = values.double().numpy().T
        return cls(answer, distractor, best, second, top[:, 0].numpy(), *ids.cpu().numpy().T)

    @property
    def difference(self) -> Numbers:
        """Answer − distractor, logits."""
        return self.answer - self.distractor

    def margin(self, flip: PairFlip) -> Numbers:
        """Above 0 where the pair flips, logits."""
        if flip is PairFlip.SIGN:
            return -self.difference
        token = self.distractor_id if flip is PairFlip.DISTRACTOR else self.answer_id
        rival = np.where(self.top == token, self.second, self.best)
        return self.distractor - rival if flip is PairFlip.DISTRACTOR else rival - self.answer


@dataclass(frozen=True, eq=False)
class _Batch:
    """Pairs that blocks can be called for together."""

    asked: dict[int, Asked]  # by index of the pair
    run: Run  # the clean prompts, in the same order
    edits: dict[int, Edit]
    readings: Readings  # of the clean runs

    @property
    def lead(self) -> Asked:
        """Its run has the arguments that blocks are called with; it counts the device's time."""
        return next(iter(self.asked.values()))

    def stretch(self, members: Sequence[int]) -> Run:
        """The positions that rows of these pairs must carry."""
        if not self.lead.decoder.runs_stretches:
            return self.run
        position = self.lead.position
        starts, stops = zip(
            *(self.edits[index].stretch(position) for index in members), strict=True
        )
        return cut_run(self.run, min(starts), max(stops))


class ManyPairs:
    """The pairs, their clean runs, and the engine that ablates sets of heads in them.

    Raises BadInput (from `edit_of`) where the ablation can't be asked of a pair.
    """

    def __init__(
        self,
        model: LoadedModel,
        pairs: Sequence[TokenPair],
        question: Question,
        ablation: Ablation,
        pace: Pace,
    ):
        self.pairs = tuple(pairs)
        self.pace = pace
        self._model, self._question, self._ablation = model, question, ablation
        self._groups = list(_groups_of(self.pairs))
        self._kept: OrderedDict[tuple[int, ...], _Batch] = OrderedDict()

    def clean(self) -> Iterator[tuple[list[int], Readings]]:
        """(indices of pairs, what their clean runs say), batch by batch."""
        for group in list(self._groups):
            for batch in self._batches(group):
                yield list(batch.asked), batch.readings

    @torch.no_grad()
    def evaluate(
        self, sets: Sequence[HeadSet], indices: Sequence[int] | None = None
    ) -> Iterator[tuple[list[Row], Readings]]:
        """Every set ablated in every pair (or in these), chunk by chunk, each row once."""
        wanted = set(range(len(self.pairs)) if indices is None else indices)
        for group in list(self._groups):
            if not wanted & set(group):
                continue
            for batch in self._batches(group):
                members = [index for index in batch.asked if index in wanted]
                if len(members) > 1 and len(sets) < APART and batch.lead.decoder.calls_blocks:
                    yield from _evaluate_together(batch, sets, members)
                else:
                    for index in members:
                        yield from _evaluate_one(batch, sets, index)

    # Clean runs

    def _batches(self, group: tuple[int, ...]) -> Iterator[_Batch]:
        if group in self._kept:
            self._kept.move_to_end(group)
            yield self._kept[group]
            return
        batch = self._run(group)
        if batch is None:  # these can't go together: from now on each is a group
            place = self._groups.index(group)
            self._groups[place : place + 1] = [(index,) for index in group]
            for index in group:
                yield from self._batches((index,))
            return
        self._kept[group] = batch
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        yield batch

    @torch.no_grad()
    def _run(self, group: tuple[int, ...]) -> _Batch | None:
        """The clean runs of a group; None where its pairs' blocks take different arguments."""
        pairs = [self.pairs[index] for index in group]
        runs, seconds = self._runs([pair.clean for pair in pairs])
        if len(runs) > 1 and not runs[0].is_called_as(runs[1]):
            return None
        whole = Run.joined(runs)
        if self._ablation.kind is not AblationKind.MEAN:
            whole.z.clear()  # nothing of this prompt's own z is asked for again
        with self.pace.turn():
            logits = self._model.decoder.read_out(whole.residual[-1][:, pairs[0].position])
            logits = logits[:, : self._model.vocabulary.size]
        asked = [
            Asked(
                self._model,
                read_pair(self._question, pair),
                self.pace,
                whole.row(row),
                logits[row],
                pair.answer.id,
                pair.distractor.id,
                busy=seconds,
            )
            for row, pair in enumerate(pairs)
        ]
        if self._ablation.kind is AblationKind.RESAMPLE:
            self._run_counterfactuals(asked)
        return _Batch(
            dict(zip(group, asked, strict=True)),
            whole,
            dict(zip(group, self._edits(asked), strict=True)),
            Readings.of(logits, asked),
        )

    def _edits(self, asked: list[Asked]) -> list[Edit]:
        first, *others = asked
        edit = edit_of(first, self._ablation)
        if isinstance(edit, Replace):  # by values of each pair's own
            return [edit, *(edit_of(each, self._ablation) for each in others)]
        return [edit] * len(asked)

    def _run_counterfactuals(self, asked: list[Asked]) -> None:
        runs, _ = self._runs([each.read.counterfactual for each in asked])
        whole = Run.joined(runs)
        for unused in (whole.residual, whole.attended):  # only z is put into the clean runs
            unused.clear()
        for row, each in enumerate(asked):
            each.counterfactual = whole.row(row)

    def _runs(self, prompts: Sequence[Tokens]) -> tuple[list[Run], float]:
        """Runs of prompts of one length, as many at a time as fit a turn; seconds of the first.

        The first two run alone: arguments of blocks that differ between them are of the prompts,
        and then rows of several prompts can't be called together.
        """
        ids = torch.cat([ids_of(tokens) for tokens in prompts])
        runs: list[Run] = []
        times: list[float] = []
        start, count = 0, 1
        while start < len(ids):
            if self.pace.is_cancelled:
                raise Cancelled("Cancelled.")
            with self.pace.turn():
                began = time.perf_counter()
                runs.append(self._model.decoder.run(ids[start : start + count]))
                times.append((time.perf_counter() - began) / count)
            start += count
            if len(runs) > 1:
                count = max(1, min(4 * count, int(_TURN / times[-1])))
        return runs, times[0]


def _groups_of(pairs: Sequence[TokenPair]) -> Iterator[tuple[int, ...]]:
    """Indices of pairs whose clean prompts have the same shape, not too many together."""
    by_shape = defaultdict(list)
    for index, pair in enumerate(pairs):
        by_shape[len(pair.clean), pair.clean.bos, pair.position].append(index)
    for indices in by_shape.values():
        for start in range(0, len(indices), _MOST_TOGETHER):
            yield tuple(indices[start : start + _MOST_TOGETHER])


# Ablated runs


def _evaluate_one(
    batch: _Batch, sets: Sequence[HeadSet], index: int
) -> Iterator[tuple[list[Row], Readings]]:
    asked = batch.asked[index]
    candidates = [Candidate(heads, batch.edits[index]) for heads in sets]

    def read(logits: Tensor) -> Readings:
        return Readings.of(logits, [asked] * len(logits))

    for numbers, readings in evaluate(asked, candidates, read):
        yield [(number, index) for number in numbers], readings


def _evaluate_together(
    batch: _Batch, sets: Sequence[HeadSet], members: Sequence[int]
) -> Iterator[tuple[list[Row], Readings]]:
    lead, run = batch.lead, batch.stretch(members)
    first = [min(head.layer for head in heads) for heads in sets]
    rows = [(number, index) for number in range(len(sets)) for index in members]
    rows.sort(key=lambda row: first[row[0]])

    def work(start: int, stop: int) -> Readings:
        chosen = rows[start:stop]
        climbing = [(index, sets[number], first[number]) for number, index in chosen]
        logits = _climb(batch, run, climbing)
        with lead.turn():
            return Readings.of(logits, [batch.asked[index] for _, index in chosen])

    costs = [lead.decoder.layers - first[number] + 1 for number, _ in rows]
    for start, stop, readings in in_chunks(lead, costs, work, run=run):
        yield rows[start:stop], readings


def _climb(
    batch: _Batch, run: Run, rows: list[tuple[int, HeadSet, int]]
) -> Float[Tensor, "row vocabulary"]:
    """Rows (pair, heads, first layer), lowest first, go up the blocks, each joining at its own."""
    lead, decoder = batch.lead, batch.lead.decoder
    places = {index: place for place, index in enumerate(batch.asked)}
    pairs: list[int] = []  # of the rows that have joined, by their place in the batch
    residual = run.residual[0][:0]
    with listening(Listener(output=_editor(batch, rows, run.start))):
        for layer in range(rows[0][2], decoder.layers):
            joining = [places[index] for index, _, first in rows if first == layer]
            if joining:
                pairs += joining
                residual = torch.cat([residual, run.residual[layer][joining]])
            with lead.turn():
                own = _called_for(run, layer, pairs)
                if layer < decoder.layers - 1:
                    residual = decoder.call_block(layer, residual, own)
                else:
                    residual = decoder.call_last_block(residual, own, lead.position - run.start)
    with lead.turn():
        return decoder.read_out(residual)[:, : lead.vocabulary.size]


def _called_for(run: Run, layer: int, pairs: list[int]) -> Run:
    """The run with what lies before each row's stretch: its own pair's keys and values."""
    if run.earlier is None:
        return run
    earlier = list(run.earlier)
    before = earlier[layer]
    earlier[layer] = replace(before, key=before.key[pairs], value=before.value[pairs])
    return replace(run, earlier=earlier)


def _editor(batch: _Batch, rows: list[tuple[int, HeadSet, int]], start: int):
    by_layer = defaultdict(list)
    for row, (index, heads, _) in enumerate(rows):
        for head in heads:
            by_layer[head.layer].append((row, head.head, batch.edits[index]))
    return editor_of(batch.lead, by_layer, start)
