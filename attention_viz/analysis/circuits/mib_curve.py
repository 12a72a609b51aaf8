"""Faithfulness over size by MIB's rule, with its areas (`records/circuits/mib` says which)."""

import time
from collections.abc import Sequence

import numpy as np

from attention_viz.analysis.circuits.cut import scores_of
from attention_viz.analysis.circuits.faithfulness import measure_masks, replacement_of
from attention_viz.analysis.circuits.mib import count_all, count_kept, cut_top
from attention_viz.analysis.circuits.pair_batches import replacing_label
from attention_viz.models.loading import LoadedModel
from attention_viz.records.circuits.mib import (
    SHARES,
    MibAreas,
    MibCurve,
    MibPoint,
    MibRequest,
    Ranking,
)
from attention_viz.records.pace import Pace


def measure_mib(model: LoadedModel, request: MibRequest, pace: Pace | None = None) -> MibCurve:
    """Both rankings at MIB's sizes. Raises BadInput (see AttributionRequest)."""
    started = time.perf_counter()
    pace = pace or Pace()
    asked = request.attribution
    attribution = scores_of(model, asked, pace)
    graph, scores, sense = attribution.graph, attribution.scores, asked.direction.sense
    total = count_all(graph)
    wanted = [int(share * total) for share in SHARES]
    masks = [cut_top(graph, scores, n, ranking, sense) for ranking in Ranking for n in wanted]
    replacement = replacement_of(model, attribution, pace)
    scale, values = measure_masks(replacement, attribution.pairs, masks, graph.edges, pace)
    found = zip(masks, values.mean(1).tolist(), scale.read(values).tolist(), strict=True)
    points = [
        MibPoint(share, n, count_kept(graph, mask), metric, faithfulness)
        for (share, n), (mask, metric, faithfulness) in zip(
            2 * list(zip(SHARES, wanted, strict=True)), found, strict=True
        )
    ]
    return MibCurve(
        request=request,
        signed=areas(Ranking.SIGNED, points[: len(SHARES)]),
        absolute=areas(Ranking.ABSOLUTE, points[len(SHARES) :]),
        full=scale.full,
        empty=scale.empty,
        pairs=len(attribution.pairs.pairs),
        total=total,
        replaced=replacing_label(model, asked.ablation, asked.replacing),
        seconds=time.perf_counter() - started,
    )


def areas(ranking: Ranking, points: Sequence[MibPoint]) -> MibAreas:
    """By trapezes from the first share to the last; the empty circuit's 0 is no point of it."""
    shares = np.array([point.share for point in points])
    values = np.array([point.faithfulness for point in points])
    cpr, cmd = np.trapezoid(values, shares), np.trapezoid(np.abs(1 - values), shares)
    return MibAreas(ranking, tuple(points), float(cpr), float(cmd))
