"""The one-pass ("staircase") evaluation of many ablations of one prompt.

A candidate joins the batch at its first ablated layer, as a copy of the clean residual stream
entering that block: below it nothing changes, so nothing is computed. Candidates that are the same
up to some layer share a row until there (see `staircase`). By causality nothing changes
before the first position that is edited either, nor does what comes after the read-out reach it:
rows carry only the positions between (a second staircase; `models/stretch.py`). The blocks are
called whole, with the arguments they had in the clean run; the edit happens in the registered
attention function. Only the read-out position is unembedded, and the last block is computed only
there.

Where a model's blocks can't be called on their own (its self-test says so), every candidate is a
whole forward with the same edits: slower, the same numbers.

The batch is cut into chunks that fit the memory budget and take at most about a fifth of a second
per block; a chunk that does not fit after all is halved. The device is held for one block at a
time, so that clicks come in between; progress is reported and a cancel is noticed there too.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis import staircase
from attention_viz.analysis.edits import Edit, Place
from attention_viz.analysis.question import Asked
from attention_viz.models.attention import Attended, Listener, listening
from attention_viz.models.decoder import Run
from attention_viz.models.finite import is_finite, need_finite
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.ids import HeadId

T = TypeVar("T")
CHUNK_SECONDS = 0.2  # for one block


@dataclass(frozen=True)
class Candidate:
    """A set of heads and what is done to them. No heads: the clean run."""

    heads: tuple[HeadId, ...]
    edit: Edit


@torch.no_grad()
def evaluate(
    asked: Asked,
    candidates: Sequence[Candidate],
    measure: Callable[[Float[Tensor, "candidate vocabulary"]], T],
    *,
    budget: int | None = None,
) -> Iterator[tuple[list[int], T]]:
    """What `measure` reads off the read-out logits of every candidate, chunk by chunk.

    Yields (indices into `candidates`, measured), each candidate once. `budget` is in bytes;
    default: the model's own (`--memory`), else half of the device's free memory. Raises
    AttentionVizError where not even one candidate fits, and BadInput for NaN or inf in one's run.
    """
    layers = asked.decoder.layers
    ablated = [(id(candidate.edit), candidate.heads) for candidate in candidates]
    for run, group in _by_stretch(asked, candidates):
        order = staircase.in_order(ablated, group, layers)

        def work(start: int, stop: int, run=run, order=order) -> T:
            chosen = [candidates[i] for i in order[start:stop]]
            logits = _climb(asked, run, chosen)
            with asked.turn():
                if is_finite(logits):
                    return measure(logits)
            raise _overflow(asked, chosen, logits)

        costs = staircase.costs_of(ablated, order, layers)
        for start, stop, measured in in_chunks(asked, costs, work, run=run, budget=budget):
            yield order[start:stop], measured


def _by_stretch(asked: Asked, candidates: Sequence[Candidate]) -> Iterator[tuple[Run, list[int]]]:
    """Candidates whose rows carry the same positions, as a stretch of the clean run and indices."""
    groups = defaultdict(list)
    for index, candidate in enumerate(candidates):
        groups[candidate.edit.stretch(asked.position)].append(index)
    if not asked.decoder.runs_stretches:
        groups = {None: range(len(candidates))}
    for stretch, group in groups.items():
        yield (asked.run if stretch is None else asked.stretch(*stretch)), list(group)


def in_chunks(
    asked: Asked,
    costs: Sequence[int],
    work: Callable[[int, int], T],
    *,
    run: Run | None = None,
    budget: int | None = None,
) -> Iterator[tuple[int, int, T]]:
    """Do `work(start, stop)` on chunks of rows; `costs` are in blocks that a row goes through.

    `run` says which positions a row carries (default: the clean run's, all). A chunk has as many
    rows as go through one block in CHUNK_SECONDS, at the speed of the chunk before; at first, of
    the last batches of this model, or of the clean run, whose one row uses the device badly.
    A chunk that runs out of memory is done again in halves.
    """
    length = (run or asked.run).residual[0].shape[1]
    most = max(1, (budget or budget_of(asked)) // _row_bytes(asked, length))
    rows = CHUNK_SECONDS / asked.seconds_per_block * len(asked.tokens) / length
    start = 0
    while start < len(costs):
        stop = min(len(costs), start + max(1, min(most, int(rows))))
        busy = asked.busy
        try:
            done = work(start, stop)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            most = _halve(asked, stop - start)
            continue
        yield start, stop, done
        seconds = max(asked.busy - busy, 1e-9)
        blocks = sum(costs[start:stop])
        rows = min(CHUNK_SECONDS * blocks / seconds, 4 * rows)
        asked.decoder.row_seconds = seconds / blocks / length
        start = stop


def climb(
    asked: Asked,
    residual: Float[Tensor, "row pos d_model"],
    *,
    layer: int,
    run: Run | None = None,
) -> Float[Tensor, "row vocabulary"]:
    """Logits at the read-out from the residual stream entering `layer`, nothing edited.

    `run`: the stretch of the clean run whose positions the rows carry (default: all). The layer
    above the last one is the read-out itself. Raises BadInput for a model whose blocks can't be
    called.
    """
    asked.decoder.need_blocks("This measurement")
    run = run or asked.run
    if layer == asked.decoder.layers:
        final = residual[:, asked.position - run.start]
    else:
        for each in range(layer, asked.decoder.layers - 1):
            residual = _call(asked, run, each, residual)
        final = _call_last(asked, run, residual)
    logits = _read_out(asked, final)
    need_finite(logits, f"There is no answer: the run patched before layer {layer}")
    return logits


def run_ablated(
    asked: Asked, heads: Sequence[HeadId], edit: Edit, *, patterns: bool = False
) -> Run:
    """The whole ablated run with its activations kept, for lenses and maps."""
    by_layer = defaultdict(list)
    for head in heads:
        by_layer[head.layer].append((0, head.head, edit))
    change = editor_of(asked, by_layer)
    with asked.turn():
        return asked.decoder.run(asked.ids, patterns=patterns, edit=change)


def _overflow(asked: Asked, candidates: list[Candidate], logits: Tensor) -> BadInput:
    """What went wrong in the first row that is not finite: it is run again, to say where."""
    row = next(i for i, each in enumerate(logits) if not is_finite(each))
    heads = ", ".join(map(str, candidates[row].heads)) or "no head"
    try:
        run_ablated(asked, candidates[row].heads, candidates[row].edit)
    except BadInput as error:
        return BadInput(f"With {heads} ablated: {error.message}", error.remedy)
    return BadInput(
        f"With {heads} ablated the logits at position {asked.position} are not finite.",
        "Ask another prompt, or a smaller scale.",
    )


def _climb(
    asked: Asked, run: Run, candidates: list[Candidate]
) -> Float[Tensor, "candidate vocabulary"]:
    """Candidates go up the blocks, each joining at its first layer and parting where it differs."""
    if not asked.decoder.calls_blocks:
        return _run_whole(asked, candidates)
    stairs = staircase.build([(id(each.edit), each.heads) for each in candidates])
    by_layer = {
        layer: [(row, head, candidates[index].edit) for row, head, index in edited]
        for layer, edited in stairs.edited.items()
    }
    change = editor_of(asked, by_layer, run.start)
    last, clean = asked.decoder.layers - 1, run.residual
    residual = clean[0][:0]
    with listening(Listener(output=change)):
        for layer in range(last if stairs.first is None else stairs.first, last):
            residual = _join(residual, clean[layer], stairs.joins.get(layer, []))
            residual = _call(asked, run, layer, residual)
        residual = _join(residual, clean[last], stairs.joins.get(last, []))
        final = _call_last(asked, run, residual)
    untouched = asked.run.residual[-1][:, asked.position]
    return _read_out(asked, torch.cat([final, untouched])[stairs.ends])


def _run_whole(asked: Asked, candidates: list[Candidate]) -> Float[Tensor, "candidate vocabulary"]:
    """One whole forward per candidate."""
    runs = (run_ablated(asked, candidate.heads, candidate.edit) for candidate in candidates)
    final = [run.residual[-1][:, asked.position] for run in runs]
    return _read_out(asked, torch.cat(final))


def _call(asked: Asked, run: Run, layer: int, residual: Tensor) -> Tensor:
    with asked.turn():
        return asked.decoder.call_block(layer, residual, run)


def _call_last(asked: Asked, run: Run, residual: Tensor) -> Float[Tensor, "row d_model"]:
    """What leaves the last block at the read-out."""
    position = asked.position - run.start
    if not len(residual):
        return residual[:, position]
    with asked.turn():
        return asked.decoder.call_last_block(residual, run, position)


def _join(residual: Tensor, clean: Tensor, sources: list[int]) -> Tensor:
    """The rows there are, and new ones: copies of these rows, or of the clean one."""
    if not sources:
        return residual
    if all(source == staircase.CLEAN for source in sources):
        return torch.cat([residual, clean.expand(len(sources), -1, -1)])
    return torch.cat([residual, torch.cat([residual, clean])[sources]])


def editor_of(
    asked: Asked, by_layer: dict, start: int = 0
) -> Callable[[int, Tensor, Attended | None], Tensor]:
    """(layer, z, attended) → z with the rows' heads edited; rows of the same edit go together.

    The rows begin at the prompt's position `start`.
    """
    groups = {layer: _group(asked, rows) for layer, rows in by_layer.items()}

    def change(
        layer: int, z: Float[Tensor, "row pos head d_head"], attended: Attended | None
    ) -> Tensor:
        for edit, rows, heads in groups.get(layer, ()):
            at = Place(layer, rows, heads, attended, start)
            z[rows, :, heads] = edit(at, z[rows, :, heads])
        return z

    return change


def _group(asked: Asked, rows: list[tuple[int, int, Edit]]) -> list[tuple[Edit, Tensor, Tensor]]:
    grouped: dict[int, list] = defaultdict(list)
    for row, head, edit in rows:
        grouped[id(edit)].append((row, head, edit))
    device = asked.decoder.device
    return [
        (
            group[0][2],
            torch.tensor([row for row, _, _ in group], device=device),
            torch.tensor([head for _, head, _ in group], device=device),
        )
        for group in grouped.values()
    ]


def _read_out(asked: Asked, final: Float[Tensor, "row d_model"]) -> Float[Tensor, "row vocabulary"]:
    with asked.turn():
        logits = asked.decoder.read_out(final)
        return logits[:, : asked.vocabulary.size]


def _row_bytes(asked: Asked, length: int) -> int:
    """A generous estimate of what one row of that length needs in a block and in the unembedding.

    Keys and values are of all positions.
    """
    keys, decoder = len(asked.tokens), asked.decoder
    numbers = 24 * length * decoder.d_model + 3 * decoder.heads * length * keys
    if length < keys:
        numbers += 4 * keys * decoder.d_model
    return torch.finfo(decoder.dtype).bits // 8 * (numbers + 3 * asked.vocabulary.size)


def budget_of(asked: Asked) -> int:
    """Bytes a chunk may take: what the model was loaded with, else half of what is free."""
    return asked.decoder.memory or free_bytes(asked.decoder.device) // 2


def free_bytes(device: torch.device) -> int:
    """Free memory of a device; for the CPU, the machine's."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not every system tells
        return 2 * 2**30


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error is a lack of memory, by whatever name the device's allocator gives it."""
    said = str(error).lower()
    named = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return named or "out of memory" in said or "not enough memory" in said


def _halve(asked: Asked, rows: int) -> int:
    """How many rows to try next. Raises AttentionVizError where one alone was too many."""
    if rows <= 1:
        raise AttentionVizError(
            f"The device ran out of memory on one run of {len(asked.tokens)} tokens.",
            "Use a shorter prompt, a smaller model, or --device cpu.",
        )
    if asked.decoder.device.type == "cuda":
        torch.cuda.empty_cache()
    return rows // 2
