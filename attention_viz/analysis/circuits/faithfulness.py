"""How much of a behaviour circuits explain, measured by replacing everything outside them.

Faithfulness as in Hanna et al. 2024 and MIB (Mueller et al. 2025): (m(circuit) − m(empty)) /
(m(full) − m(empty)) of the mean logit differences. Completeness: the same measure of all edges but
the circuit's, near 0 where nothing was left out. Minimality: what each edge is needed for.
"""

import time
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attention_viz.analysis.circuits.circuit_runs import CircuitRuns
from attention_viz.analysis.circuits.cut import scores_of
from attention_viz.analysis.circuits.pair_batches import Replacement, replacing_label
from attention_viz.analysis.circuits.pairs import known_pairs
from attention_viz.analysis.circuits.ranking import rank_edges, take
from attention_viz.analysis.lens import read_lens
from attention_viz.analysis.question import Asked, ask_pair, predict_from
from attention_viz.models.loading import LoadedModel
from attention_viz.records.ablation import Prediction
from attention_viz.records.circuits.attribution import Attribution
from attention_viz.records.circuits.circuit import LEAST_GAP, Cut
from attention_viz.records.circuits.faithfulness import (
    CircuitLensRequest,
    CircuitOnlyRequest,
    Curve,
    CurveRequest,
    Faithfulness,
    FaithfulnessRequest,
    FaithfulnessResult,
    Minimality,
    RandomCircuits,
)
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.circuits.pairs import PairSet
from attention_viz.records.errors import BadInput
from attention_viz.records.lens import LensRequest, LogitLens
from attention_viz.records.pace import Pace
from attention_viz.records.statistics import RESAMPLES, Interval

Mask = Bool[np.ndarray, "writer reader"]
Values = Float[np.ndarray, "circuit pair"]


def measure_faithfulness(
    model: LoadedModel, request: FaithfulnessRequest, pace: Pace | None = None
) -> FaithfulnessResult:
    """One circuit, be it empty. Raises BadInput: an unknown edge, or nothing to explain."""
    started = time.perf_counter()
    pace = pace or Pace()
    pairs = known_pairs(model, request.pairs, pace)
    with pace.turn():
        graph = model.streams.graph
    counted = _counted(graph, request.keeps_mlps)
    kept = graph.mask(request.edges) & counted
    random = [
        random_circuit(graph, int(kept.sum()), request.seed + i, with_mlps=not request.keeps_mlps)
        for i in range(request.random_circuits)
    ]
    reduced = list(_without_each(graph, kept, request)) if request.leave_out else []
    masks = [kept, counted & ~kept, *random, *reduced]
    replacement = Replacement.of(model, pairs, request.ablation, pace, request.replacing)
    scale, values = measure_masks(replacement, pairs, masks, counted, pace)
    found = scale.read(values)
    return FaithfulnessResult(
        request=request,
        measured=_faithfulness(scale, values, 0, int(kept.sum()), int(counted.sum())),
        full=scale.full,
        empty=scale.empty,
        pairs=len(pairs.pairs),
        replaced=replacing_label(model, request.ablation, request.replacing),
        random=_random(int(kept.sum()), found[2 : 2 + len(random)]),
        minimality=tuple(
            Minimality(edge, found[0] - without)
            for edge, without in zip(request.edges, found[2 + len(random) :], strict=False)
        ),
        seconds=time.perf_counter() - started,
    )


def measure_curve(model: LoadedModel, request: CurveRequest, pace: Pace | None = None) -> Curve:
    """Circuits of growing size, cut from the same scores. Raises BadInput (see the cut)."""
    started = time.perf_counter()
    pace = pace or Pace()
    cut = request.cut
    attribution = scores_of(model, request.attribution, pace)
    graph = attribution.graph
    counted = _counted(graph, not cut.with_mlps)
    total = int(counted.sum())
    wanted = sorted({max(1, round(share * total)) for share in request.shares if share < 1})
    ranked = rank_edges(graph, attribution.scores, cut.way, with_mlps=cut.with_mlps)
    circuits = _distinct([take(graph, ranked, size) for size in wanted])
    sizes = [int(mask.sum()) for mask in circuits]
    seeds = range(request.seed, request.seed + request.random_circuits)
    random = [
        random_circuit(graph, size, seed, with_mlps=cut.with_mlps)
        for size in sizes
        for seed in seeds
    ]
    masks = [*circuits, *(counted & ~mask for mask in circuits), *random]
    replacement = replacement_of(model, attribution, pace)
    scale, values = measure_masks(replacement, attribution.pairs, masks, counted, pace)
    points = [
        _faithfulness(scale, values, i, size, total, len(circuits)) for i, size in enumerate(sizes)
    ]
    found = scale.read(values)[2 * len(circuits) :].reshape(len(sizes), len(seeds))
    controls = tuple(_random(size, row) for size, row in zip(sizes, found, strict=True) if len(row))
    shares = [point.share for point in points]
    means = [control.mean for control in controls]
    return Curve(
        request=request,
        points=(_end(scale, 0, total), *points, _end(scale, total, total)),
        random=controls,
        cpr=area(shares, [point.faithfulness for point in points]),
        cmd=area(shares, [point.faithfulness for point in points], is_distance=True),
        random_cpr=area(shares, means) if means else None,
        random_cmd=area(shares, means, is_distance=True) if means else None,
        full=scale.full,
        empty=scale.empty,
        pairs=len(attribution.pairs.pairs),
        total=total,
        replaced=replacing_label(model, cut.ablation.kind, cut.replacing),
        seconds=time.perf_counter() - started,
    )


def predict_circuit_only(
    model: LoadedModel, request: CircuitOnlyRequest, pace: Pace | None = None
) -> Prediction:
    """The next-token distribution of the first pair with everything outside replaced."""
    pace = pace or Pace()
    asked, residuals = _run_circuit_only(model, request, pace)
    with torch.no_grad(), pace.turn():
        logits = model.decoder.read_out(residuals[-1][asked.position])[: model.vocabulary.size]
    return predict_from(asked, logits, top=request.top)[0]


def read_circuit_lens(
    model: LoadedModel, request: CircuitLensRequest, pace: Pace | None = None
) -> LogitLens:
    """The logit lens of the same run; its last row is what the logits read."""
    asked, residuals = _run_circuit_only(model, request.circuit, pace or Pace())
    return read_lens(asked, LensRequest(asked.read.question, request.top), residuals)


def _run_circuit_only(
    model: LoadedModel, request: CircuitOnlyRequest, pace: Pace
) -> tuple[Asked, list[Tensor]]:
    """The first pair, and its residual streams with everything outside the circuit replaced."""
    pairs = known_pairs(model, request.pairs, pace)
    with pace.turn():
        graph = model.streams.graph
    counted = _counted(graph, request.keeps_mlps)
    mask = graph.mask(request.edges) | (graph.edges & ~counted)
    replacement = Replacement.of(model, pairs, request.ablation, pace, request.replacing)
    runs = CircuitRuns(model, pairs, replacement, pace)
    asked = ask_pair(model, pairs.request.question, pairs.pairs[0], pace)
    return asked, runs.residuals(torch.from_numpy(mask), 0)


def area(shares: Sequence[float], values: Sequence[float], *, is_distance: bool = False) -> float:
    """Area under faithfulness (CPR), or |1 − faithfulness| (CMD), by trapezes over the share.

    The empty circuit (0) and the full one (1) close the curve.
    """
    x = np.array([0.0, *shares, 1.0])
    y = np.array([0.0, *values, 1.0])
    return float(np.trapezoid(np.abs(1 - y) if is_distance else y, x))


def random_circuit(graph: Graph, size: int, seed: int, *, with_mlps: bool) -> Mask:
    """A circuit cut from random scores as any other, greedily and pruned."""
    scores = np.random.default_rng(seed).random(graph.edges.shape)
    return take(graph, rank_edges(graph, scores, Cut.GREEDY, with_mlps=with_mlps), size)


class Scale:
    """What faithfulness 0 and 1 mean: the mean metric of the empty and the full circuit."""

    def __init__(self, empty: Float[np.ndarray, " pair"], full: Float[np.ndarray, " pair"]):
        self._empty, self._full = empty, full
        self.empty, self.full = float(empty.mean()), float(full.mean())

    def read(self, values: Values) -> Float[np.ndarray, " circuit"]:
        return (values.mean(1) - self.empty) / (self.full - self.empty)

    def interval(self, values: Float[np.ndarray, " pair"]) -> Interval | None:
        """Middle 95 % over resampled pairs; None where some samples have no scale of their own."""
        count = len(values)
        if count < 2:
            return None
        drawn = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
        one, empty, full = (each[drawn].mean(1) for each in (values, self._empty, self._full))
        if (full == empty).any():
            return None
        low, high = np.percentile((one - empty) / (full - empty), [2.5, 97.5])
        return Interval(float(low), float(high))


def _counted(graph: Graph, keeps_mlps: bool) -> Mask:
    """Edges that a circuit chooses from; the others are kept in every run."""
    return graph.edges & ~graph.touches_mlp() if keeps_mlps else graph.edges


def replacement_of(model: LoadedModel, attribution: Attribution, pace: Pace) -> Replacement:
    """What the scores are about is what everything outside a circuit is replaced by."""
    asked = attribution.request
    return Replacement.of(model, attribution.pairs, asked.ablation, pace, asked.replacing)


def measure_masks(
    replacement: Replacement, pairs: PairSet, masks: Sequence[Mask], counted: Mask, pace: Pace
) -> tuple[Scale, Values]:
    """Metrics of circuits on every pair; edges that don't count are kept in all of them."""
    model = replacement.model
    graph = model.streams.graph
    always = torch.from_numpy(graph.edges & ~counted)
    runs = CircuitRuns(model, pairs, replacement, pace)
    values = runs.metrics(torch.from_numpy(np.stack(masks)), always).numpy()
    scale = Scale(values[0], values[1])
    if abs(scale.full - scale.empty) < LEAST_GAP:
        raise BadInput(
            f"With everything replaced ({replacement.kind.value}) the logit difference is "
            f"{scale.empty:.4f}, and {scale.full:.4f} in the clean run: there is nothing to "
            "explain.",
            "Choose a counterfactual, an answer or a distractor that make a difference.",
        )
    return scale, values[2:]


def _faithfulness(
    scale: Scale, values: Values, index: int, size: int, total: int, apart: int = 1
) -> Faithfulness:
    """Row `index` and, `apart` rows later, its complement."""
    return Faithfulness(
        size=size,
        share=size / total,
        metric=float(values[index].mean()),
        faithfulness=float(scale.read(values)[index]),
        interval=scale.interval(values[index]),
        without=float(scale.read(values)[index + apart]),
    )


def _end(scale: Scale, size: int, total: int) -> Faithfulness:
    """The empty or the full circuit."""
    is_full = size == total
    metric = scale.full if is_full else scale.empty
    return Faithfulness(size, size / total, metric, float(is_full), None, float(not is_full))


def _random(size: int, values: Float[np.ndarray, " circuit"]) -> RandomCircuits | None:
    return RandomCircuits(size, tuple(values.tolist())) if len(values) else None


def _without_each(graph: Graph, kept: Mask, request: FaithfulnessRequest):
    for edge in request.edges:
        mask = kept.copy()
        mask[graph.index(edge)] = False
        yield mask


def _distinct(masks: Sequence[Mask]) -> list[Mask]:
    """Circuits of different sizes, none empty."""
    return list({int(mask.sum()): mask for mask in masks if mask.any()}.values())
