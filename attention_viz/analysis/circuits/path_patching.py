"""Direct path patching: one writer's result replaced in one reader's input only.

Goldowsky-Dill et al. 2023, "Localizing Model Behavior with Path Patching". Every edge is a row that
joins the batch at its reader's block, as a copy of the clean residual stream; there only that
reader is given another input, and from there on everything is run. With grouped queries K and V
belong to the key/value head, which several heads share. Into the logits, the result is replaced in
the final residual stream.

Effects are changes of the logit difference, in logits: negative where the edge helped the answer.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis.circuits.pair_batches import PairBatch, Replacement
from attention_viz.analysis.metrics import read_metric
from attention_viz.analysis.one_pass import climb, in_chunks
from attention_viz.analysis.question import Asked, ask_pair
from attention_viz.models.decoder import Run
from attention_viz.models.loading import LoadedModel
from attention_viz.models.readers import NewInput
from attention_viz.models.streams import writers_of
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import AttributionRequest
from attention_viz.records.circuits.edge import EdgeId, Via
from attention_viz.records.circuits.pairs import PairSet
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.pace import Pace

Place = tuple[int, int]  # writer and reader of an edge, in the graph's order
Changes = Float[Tensor, "writer pos d_model"]  # how each writer's result changes


def edges_between(asked: Asked, heads: Sequence[HeadId]) -> list[EdgeId]:
    """Every edge from a head to the Q, K and V of a head in a later layer.

    K and V of heads that share a key/value head are one edge.
    """
    graph = asked.model.streams.graph
    group = graph.heads // graph.key_value_heads
    edges = []
    for reader in heads:
        shared = graph.key_value_name(reader.layer, reader.head // group)
        for writer in heads:
            if writer.layer < reader.layer:
                edges.append(EdgeId(str(writer), str(reader), Via.Q))
                edges += [EdgeId(str(writer), shared, via) for via in (Via.K, Via.V)]
    return list(dict.fromkeys(edges))


@torch.no_grad()
def patch_edges(
    asked: Asked, edges: Sequence[EdgeId], changes: Changes, *, first: int = 0
) -> Iterator[tuple[list[EdgeId], list[float]]]:
    """Effects of edges, chunk by chunk: (edges, effects in logits), each edge once.

    `first` is the first position at which any writer changes: rows carry nothing before it.
    Raises BadInput for models whose readers can't be told apart, and for unknown edges.
    """
    asked.decoder.need_blocks("Path patching")
    with asked.turn():
        graph = asked.model.streams.graph
    places = [graph.index(edge) for edge in edges]
    for chosen, effects in _patch_places(asked, places, changes, first):
        yield [edges[index] for index in chosen], effects


def patch_all(
    model: LoadedModel,
    request: AttributionRequest,
    pairs: PairSet,
    replacement: Replacement,
    pace: Pace,
) -> Iterator[tuple[PairBatch, Float[Tensor, "writer reader"], Tensor, Tensor]]:
    """Every edge of the model, pair by pair: (pair, effects, clean and replaced metric)."""
    graph = model.streams.graph
    writers, readers = graph.edges.nonzero()
    places = list(zip(writers.tolist(), readers.tolist(), strict=True))
    for number, pair in enumerate(pairs.pairs):
        asked = ask_pair(model, request.question, pair, pace)
        batch = PairBatch.of(pairs.pairs, [number], model.decoder.device)
        changes = changes_of(asked, batch, replacement)
        first = first_change(asked, replacement)
        scores = torch.zeros(len(graph.writers), len(graph.readers), dtype=torch.float64)
        done = number * len(places)
        for chosen, effects in _patch_places(asked, places, changes, first):
            picked = [places[index] for index in chosen]
            rows, columns = (torch.tensor(each) for each in zip(*picked, strict=True))
            scores[rows, columns] = torch.tensor(effects, dtype=torch.float64)
            done += len(chosen)
            pace.report(done, len(places) * len(pairs.pairs))
        with torch.no_grad(), asked.turn():
            metric = batch.metric(model.decoder)
            clean = asked.run.residual[-1]
            yield batch, scores, metric(clean), metric(clean + changes.sum(0))


@torch.no_grad()
def changes_of(asked: Asked, batch: PairBatch, replacement: Replacement) -> Changes:
    """How a replacement changes every writer of one pair."""
    with asked.turn():
        return (replacement.writers(batch) - writers_of(asked.decoder, asked.run))[0]


def with_convention(model: LoadedModel, replaced_by: str) -> str:
    """How a result counts, said beside every score of a model where that is a choice."""
    return ", ".join(each for each in (replaced_by, model.info.convention) if each)


def first_change(asked: Asked, replacement: Replacement) -> int:
    """The first position at which a replacement changes anything."""
    return asked.first_difference if replacement.kind is AblationKind.RESAMPLE else 0


@torch.no_grad()
def _patch_places(
    asked: Asked, places: Sequence[Place], changes: Changes, first: int
) -> Iterator[tuple[list[int], list[float]]]:
    run = asked.stretch(min(first, asked.position), asked.position + 1)
    changes = changes[:, run.start : run.start + run.residual[0].shape[1]]
    graph = asked.model.streams.graph
    order = sorted(range(len(places)), key=lambda index: places[index][::-1])
    layers = [places[index][1] // graph.readers_per_layer for index in order]
    baseline = read_metric(asked, Metric.LOGIT_DIFF, asked.logits[None]).item()

    def work(start: int, stop: int) -> list[float]:
        effects: list[float] = []
        for layer in sorted(set(layers[start:stop])):
            rows = [order[i] for i in range(start, stop) if layers[i] == layer]
            logits = _patch_layer(asked, run, layer, [places[index] for index in rows], changes)
            effects += (read_metric(asked, Metric.LOGIT_DIFF, logits) - baseline).tolist()
        return effects

    costs = [graph.layers - layer + 1 for layer in layers]
    for start, stop, effects in in_chunks(asked, costs, work, run=run):
        yield order[start:stop], effects


def _patch_layer(
    asked: Asked, run: Run, layer: int, places: Sequence[Place], changes: Changes
) -> Float[Tensor, "edge vocabulary"]:
    """Logits of edges whose readers are in one layer; the layer above the last is the logits."""
    writers = torch.tensor([writer for writer, _ in places], device=changes.device)
    clean = run.residual[layer]
    if layer == asked.decoder.layers:
        return climb(asked, clean + changes[writers], layer=layer, run=run)
    streams = asked.model.streams
    first = layer * streams.graph.readers_per_layer
    rows_of: dict[int, list[int]] = defaultdict(list)
    for row, (_, reader) in enumerate(places):
        rows_of[reader - first].append(row)
    mlp = len(streams.readers)

    def split(_, residual: Tensor, is_mlp: bool) -> list[NewInput]:
        chosen = [reader for reader in rows_of if (reader == mlp) == is_mlp]
        found = []
        for reader in chosen:
            rows = torch.tensor(rows_of[reader], device=residual.device)
            index = 0 if is_mlp else reader
            found.append(NewInput(index, rows, residual[rows] + changes[writers[rows]]))
        return found

    with asked.turn(), streams.splitting(split, [layer]):
        leaving = asked.decoder.call_block(layer, clean.expand(len(places), -1, -1), run)
    return climb(asked, leaving, layer=layer + 1, run=run)
