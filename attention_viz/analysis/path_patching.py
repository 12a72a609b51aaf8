"""Direct path patching: one writer's result replaced in one reader's input only.

Goldowsky-Dill et al. 2023, "Localizing Model Behavior with Path Patching". For a reader's Q, K or V
the block is called twice: once on the residual stream with the writer's result replaced, to see the
reader's q, k or v; then on the clean stream with only that q, k or v put in. From there on
everything is run. With grouped queries K and V belong to the key/value head, which the reader
shares. Into the logits, the result is replaced in the final residual stream.

Effects are changes of the logit difference, in logits: negative where the edge helped the answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis.metrics import read_metric
from attention_viz.analysis.one_pass import climb, in_chunks
from attention_viz.analysis.question import Asked
from attention_viz.models.attention import Listener, listening
from attention_viz.records.circuit import Via
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric

_SLOTS = (Via.Q, Via.K, Via.V)


@dataclass(frozen=True)
class Path:
    """An edge between two heads."""

    writer: HeadId
    reader: HeadId
    via: Via


def paths_between(heads: Sequence[HeadId]) -> list[Path]:
    """Every edge from a head to the Q, K and V of a head in a later layer."""
    return [
        Path(writer, reader, via)
        for reader in heads
        for writer in heads
        if writer.layer < reader.layer
        for via in _SLOTS
    ]


@torch.no_grad()
def patch_into_heads(
    asked: Asked, paths: Sequence[Path], written: dict[HeadId, Float[Tensor, "pos d_model"]]
) -> Iterator[tuple[list[Path], list[float]]]:
    """Effects of paths, chunk by chunk.

    `written[head]` is the change of what the head writes, `[pos, d_model]`. Yields (paths, effects
    in logits), each path once. Raises BadInput for models whose attention or blocks are out of
    reach.
    """
    asked.decoder.need_attention("Path patching")
    asked.decoder.need_blocks("Path patching")
    ordered = sorted(paths, key=lambda path: (path.reader, path.writer))
    baseline = read_metric(asked, Metric.LOGIT_DIFF, asked.logits[None]).item()

    def work(start: int, stop: int) -> list[float]:
        effects: list[float] = []
        chunk = ordered[start:stop]
        for layer in sorted({path.reader.layer for path in chunk}):
            group = [path for path in chunk if path.reader.layer == layer]
            logits = _patch_layer(asked, layer, group, written)
            effects += (read_metric(asked, Metric.LOGIT_DIFF, logits) - baseline).tolist()
        return effects

    costs = [asked.decoder.layers - path.reader.layer + 2 for path in ordered]
    for start, stop, effects in in_chunks(asked, costs, work):
        yield ordered[start:stop], effects


@torch.no_grad()
def patch_into_logits(
    asked: Asked, written: dict[HeadId, Float[Tensor, "pos d_model"]]
) -> dict[HeadId, float]:
    """Effect of each head's result on the logits alone, in logits."""
    with asked.turn():
        final = asked.run.residual[-1][0, asked.position]
        changed = torch.stack([final + change[asked.position] for change in written.values()])
        logits = asked.decoder.read_out(changed)[:, : asked.vocabulary.size]
        both = torch.cat([asked.logits[None], logits])
        values = read_metric(asked, Metric.LOGIT_DIFF, both)
        return dict(zip(written, (values[1:] - values[0]).tolist(), strict=True))


def _patch_layer(
    asked: Asked, layer: int, paths: list[Path], written: dict[HeadId, Tensor]
) -> Float[Tensor, "path vocabulary"]:
    """All paths into heads of one layer: see what the readers would read, then put it in."""
    writers = list(dict.fromkeys(path.writer for path in paths))
    clean = asked.run.residual[layer]
    seen = _inputs_of(asked, layer, torch.cat([clean + written[head] for head in writers]))
    sources = [(writers.index(path.writer), path) for path in paths]

    def put_in(at: int, query: Tensor, key: Tensor, value: Tensor):
        if at != layer:
            return query, key, value
        slots = [slot.clone() for slot in (query, key, value)]
        for row, (source, path) in enumerate(sources):
            which = _SLOTS.index(path.via)
            head = _slot_head(asked, path)
            slots[which][row, head] = seen[which][source, head]
        return tuple(slots)

    with listening(Listener(inputs=put_in)):
        return climb(asked, clean.expand(len(paths), -1, -1), layer=layer)


def _inputs_of(asked: Asked, layer: int, residual: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """q, k and v of a block for other residual streams."""
    seen = []

    def look(at: int, query: Tensor, key: Tensor, value: Tensor):
        seen.append((query, key, value))
        return query, key, value

    with asked.turn(), listening(Listener(inputs=look)):
        asked.decoder.call_block(layer, residual, asked.run)
    return seen[0]


def _slot_head(asked: Asked, path: Path) -> int:
    """Index of the reader among the query heads, or of the key/value head it shares."""
    if path.via is Via.Q:
        return path.reader.head
    return path.reader.head // (asked.decoder.heads // asked.decoder.key_value_heads)
