"""How long a measurement takes: its rows × the blocks they go through × what a block takes."""

import time
from collections.abc import Sequence

from attention_viz.analysis.circuits.path_patching import edges_between
from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.question import Asked, ask
from attention_viz.analysis.sweep import all_heads
from attention_viz.models.loading import LoadedModel
from attention_viz.records.circuits.circuit import CircuitRequest
from attention_viz.records.duration import Duration, DurationRequest
from attention_viz.records.ids import HeadId
from attention_viz.records.pace import Pace

TRIED = 16  # rows of the block that tells how fast a device is that ran none yet


def estimate_duration(
    model: LoadedModel, request: DurationRequest, pace: Pace | None = None
) -> Duration:
    """Nothing is measured but, once per model, one block. Raises BadInput as the measurement."""
    asked = ask(model, request.question, pace)
    of_heads = isinstance(request.of, CircuitRequest)
    layers = _circuit_rows(asked, request.of) if of_heads else _layers(all_heads(asked))
    if asked.decoder.row_seconds is None and asked.decoder.calls_blocks:
        _try_block(asked)
    carried = _carried(asked, request)
    blocks = sum(asked.decoder.layers - layer + 1 for layer in layers)
    return Duration(len(layers), carried * blocks * asked.seconds_per_block)


def _layers(heads: Sequence[HeadId]) -> list[int]:
    """Where each one's row joins."""
    return [head.layer for head in heads]


def _circuit_rows(asked: Asked, request: CircuitRequest) -> list[int]:
    """Edges at their readers, heads at every position, and three sets of heads."""
    heads = sorted(asked.need_heads(request.heads))
    with asked.turn():
        edges = edges_between(asked, heads)
    readers = [int(edge.reader[1:].partition("H")[0].partition("KV")[0]) for edge in edges]
    return [*readers, *_layers(heads) * (asked.position + 1), heads[0].layer, 0, 0]


def _carried(asked: Asked, request: DurationRequest) -> float:
    """The share of the prompt's positions that a row of the sweep carries."""
    if isinstance(request.of, CircuitRequest) or not asked.decoder.runs_stretches:
        return 1.0
    start, stop = edit_of(asked, request.of.ablation).stretch(asked.position)
    return (stop - start) / len(asked.tokens)


def _try_block(asked: Asked) -> None:
    """One block on a few rows: a single row, as in the clean run, uses a device badly."""
    layer = asked.decoder.layers // 2
    rows = asked.run.residual[layer].repeat(TRIED, 1, 1)
    with asked.turn():
        began = time.perf_counter()
        asked.decoder.call_block(layer, rows, asked.run)
        seconds = time.perf_counter() - began
    asked.decoder.row_seconds = seconds / TRIED / len(asked.tokens)
