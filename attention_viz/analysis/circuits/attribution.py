"""Scores of every edge of the computation, by gradients or exactly.

EAP (Syed et al. 2023): (replaced − clean result of the writer) · gradient at the reader's own
input. EAP-IG (Hanna et al. 2024): the gradient's mean over m runs whose input lies at k/m of the
way from the counterfactual's embeddings to the clean ones. As in the paper k = 1 … m unless asked
otherwise (`Points`); with m = 1 that is EAP. Exact: direct path patching of every edge. Scores are
means over pairs, summed over positions.
"""

import time
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis.circuits.changing import Changing, replaced_writers
from attention_viz.analysis.circuits.pair_batches import (
    PairBatch,
    Replacement,
    Written,
    batches_of,
    stream_of,
)
from attention_viz.analysis.circuits.pairs import known_pairs
from attention_viz.analysis.circuits.path_patching import patch_all
from attention_viz.models.decoder import Run
from attention_viz.models.finite import need_finite
from attention_viz.models.loading import LoadedModel
from attention_viz.models.streams import Backward, writers_of
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import (
    EDGE_ABLATIONS,
    Attribution,
    AttributionRequest,
    Direction,
    EdgePositions,
    EdgePositionsRequest,
    Method,
)
from attention_viz.records.circuits.pairs import PairSet
from attention_viz.records.errors import BadInput
from attention_viz.records.pace import Pace

MOST_STEPS = 100
TURN_TOKENS = 4e8  # parameters × tokens that one turn's gradients may take; about 250 ms on 2 cores
# A stretch needs a clean run first: it pays where it leaves out a quarter of the positions or more.
MOST_CHANGING = 0.75

Scores = Float[Tensor, "writer reader"]


def attribute_edges(
    model: LoadedModel, request: AttributionRequest, pace: Pace | None = None
) -> Attribution:
    """One score per edge, in logits. Raises BadInput (see AttributionRequest)."""
    started = time.perf_counter()
    pace = pace or Pace()
    _check(request)
    pairs = known_pairs(model, request.pairs, pace)
    with pace.turn():
        graph = model.streams.graph
    scores = torch.zeros(len(graph.writers), len(graph.readers), dtype=torch.float64)
    metrics = np.zeros((2, len(pairs.pairs)))
    for batch, found, clean, replaced in _score_batches(model, request, pairs, pace):
        scores += found.to("cpu", torch.float64)
        metrics[:, batch.indices] = clean.cpu(), replaced.cpu()
    need_finite(scores, "What this method gives for the edges")
    clean, replaced = metrics.mean(1)
    return Attribution(
        request=request,
        pairs=pairs,
        graph=graph,
        scores=np.where(graph.edges, scores.numpy() / len(pairs.pairs), np.nan),
        clean=float(clean),
        replaced=float(replaced),
        seconds=time.perf_counter() - started,
    )


def attribute_positions(
    model: LoadedModel, request: EdgePositionsRequest, pace: Pace | None = None
) -> EdgePositions:
    """Gradient scores by position. Raises BadInput where pairs differ in length, or for exact."""
    pace = pace or Pace()
    asked = request.attribution
    _check(asked)
    if asked.method.is_exact:
        raise BadInput(
            "Exact scores are of whole edges, not of positions.", "Choose eap or eap-ig."
        )
    pairs = known_pairs(model, asked.pairs, pace)
    lengths = sorted({len(pair.clean) for pair in pairs.pairs})
    if len(lengths) > 1:
        raise BadInput(
            f"Scores by position need pairs of one length; these have {lengths} tokens.",
            "Use one pair, or a family whose prompts are equally long.",
        )
    with pace.turn():
        graph = model.streams.graph
    shape = (lengths[0], len(graph.writers), len(graph.readers))
    scores = torch.zeros(shape, dtype=torch.float64)
    replacement = Replacement.of(model, pairs, asked.ablation, pace, asked.replacing)
    for batch in batches_of(pairs, model.decoder.device, 1):
        with pace.turn():
            delta, backward, _, start = _gradients(model, asked, batch, replacement)
            for rows, part in _by_reader(model, delta, backward, by_position=True):
                at = slice(start, start + len(part))
                scores[at, : part.shape[1], rows] += part.to("cpu", torch.float64)
        pace.report(batch.indices[0] + 1, len(pairs.pairs))
    need_finite(scores, "What this method gives for the edges")
    means = np.where(graph.edges, scores.numpy() / len(pairs.pairs), np.nan)
    return EdgePositions(request, means)


def _check(request: AttributionRequest) -> None:
    if request.ablation not in EDGE_ABLATIONS:
        known = ", ".join(kind.value for kind in EDGE_ABLATIONS)
        raise BadInput(f"Edges have no {request.ablation.value} ablation.", f"Choose of: {known}.")
    is_resample = request.ablation is AblationKind.RESAMPLE
    if request.method is Method.EAP_IG and not is_resample:
        raise BadInput(
            f"EAP-IG goes from the counterfactual to the clean prompt, not from "
            f"{request.ablation.value}.",
            "Choose resample, or eap.",
        )
    if request.direction is Direction.DENOISE and not (
        is_resample and request.method is not Method.EXACT
    ):
        raise BadInput(
            "Denoising is the estimate whose gradient is taken on the counterfactual prompt.",
            "Choose resample with eap or eap-ig, or the direction noise.",
        )
    if request.method is Method.EAP_IG and not 1 <= request.steps <= MOST_STEPS:
        raise BadInput(f"{request.steps} steps can't be taken.", f"Choose 1 to {MOST_STEPS} steps.")


def _score_batches(
    model: LoadedModel, request: AttributionRequest, pairs: PairSet, pace: Pace
) -> Iterator[tuple[PairBatch, Scores, Tensor, Tensor]]:
    """Batches with the sums of their scores, their clean and their replaced metrics."""
    replacement = Replacement.of(model, pairs, request.ablation, pace, request.replacing)
    if request.method.is_exact:
        yield from patch_all(model, request, pairs, replacement, pace)
        return
    done = 0
    for batch in batches_of(pairs, model.decoder.device, _pairs_per_turn(model, request, pairs)):
        with pace.turn():
            delta, backward, metrics, _ = _gradients(model, request, batch, replacement)
            graph = model.streams.graph
            scores = torch.zeros(len(graph.writers), len(graph.readers)).to(delta)
            for rows, part in _by_reader(model, delta, backward):
                scores[: len(part), rows] = part
            yield batch, scores, *metrics
        done += len(batch)
        pace.report(done, len(pairs.pairs))


def _pairs_per_turn(model: LoadedModel, request: AttributionRequest, pairs: PairSet) -> int:
    steps = request.steps if request.method is Method.EAP_IG else 1
    tokens = max(len(pair.clean) for pair in pairs.pairs)
    return max(1, int(TURN_TOKENS / model.info.parameters / tokens / steps))


def _gradients(
    model: LoadedModel, request: AttributionRequest, batch: PairBatch, replacement: Replacement
) -> tuple[Written, Backward, tuple[Tensor, Tensor], int]:
    """Change of every writer, the gradients it meets, and the metrics (clean, replaced).

    All at the positions that can change; last, the first of them.
    """
    decoder, streams = model.decoder, model.streams
    part = Changing.of(decoder, batch, request.ablation, most=MOST_CHANGING)
    replaced = replaced_writers(replacement, part)
    if request.method is Method.EAP_IG:
        shares = request.points.shares(request.steps)
        backward, clean = _integrate(model, shares, part, replaced)
    elif request.direction is Direction.NOISE:
        backward = streams.backward(batch.clean, part.metric, stretch=part.stretch)
        clean = writers_of(decoder, backward.run)
    else:
        ids = batch.counterfactual
        backward = streams.backward(ids, part.metric, stretch=part.replaced_stretch)
        clean = writers_of(decoder, part.clean)
    sign = 1 if request.direction is Direction.NOISE else -1
    with torch.no_grad():
        metrics = (
            part.metric(stream_of(decoder, clean)),
            part.metric(stream_of(decoder, replaced)),
        )
    return sign * (replaced - clean), backward, metrics, part.start


def _integrate(
    model: LoadedModel, shares: tuple[float, ...], part: Changing, replaced: Written
) -> tuple[Backward, Written]:
    """Gradients on the way from the counterfactual's input to the clean one, and clean writers.

    Where the way is gone to its end, the last step is the clean run.
    """
    decoder, steps = model.decoder, len(shares)
    ways = torch.tensor(shares, dtype=torch.float64).to(replaced)[:, None, None]
    start = replaced[:, 0]
    stop = decoder.embed(part.batch.clean)[:, part.start : part.stop]
    embeddings = (start[:, None] + ways * (stop - start)[:, None]).flatten(0, 1)
    ids = part.batch.clean.repeat_interleave(steps, 0)
    backward = model.streams.backward(
        ids, part.repeated(steps), embeddings=embeddings, stretch=part.stretch
    )
    if shares[-1] != 1:
        return backward, writers_of(decoder, part.clean)
    own = Run(
        residual=[each[steps - 1 :: steps] for each in backward.run.residual],
        z=[each[steps - 1 :: steps] for each in backward.run.z],
    )
    return backward, writers_of(decoder, own)


def _by_reader(
    model: LoadedModel, delta: Written, backward: Backward, *, by_position: bool = False
) -> Iterator[tuple[slice, Tensor]]:
    """Per part of a layer: its readers' columns, and the scores of the writers before it."""
    graph = model.streams.graph
    for layer in range(graph.layers):
        reads = graph.attention_readers(layer)
        gradient = backward.into_attention(layer)
        seen = graph.written_before(layer)
        yield reads, _contract(delta[:, :seen], gradient, by_position)
        seen += 0 if graph.is_parallel else graph.heads
        gradient = backward.into_mlp(layer)
        last = slice(reads.stop, reads.stop + 1)
        yield last, _contract(delta[:, :seen], gradient, by_position)
    last = slice(len(graph.readers) - 1, len(graph.readers))
    yield last, _contract(delta, backward.final[:, None], by_position)


def _contract(
    delta: Written, gradient: Float[Tensor, "row reader pos d_model"], by_position: bool
) -> Tensor:
    """Σ over pairs and d_model (and positions) of change · gradient, gradients' mean per pair."""
    gradient = gradient.unflatten(0, (len(delta), -1)).mean(1)
    if by_position:
        return torch.einsum("bwpd,brpd->pwr", delta, gradient)
    return sum(
        own.flatten(1) @ into.flatten(1).T for own, into in zip(delta, gradient, strict=True)
    )
