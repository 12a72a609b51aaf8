"""A set of heads over a family of prompt pairs: how often it flips, and by how much.

Each pair's clean prompt is run whole and with the heads ablated; what is read are the logits of
answer and distractor and the top-1.
"""

import time

import numpy as np

from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.analysis.many_pairs import ManyPairs
from attention_viz.analysis.question import need_heads
from attention_viz.models.loading import LoadedModel
from attention_viz.records.looks.family import FamilyEffect, FamilyRequest, PairEffect
from attention_viz.records.pace import Pace


def measure_family(
    model: LoadedModel, request: FamilyRequest, pace: Pace | None = None
) -> FamilyEffect:
    """Every pair, in its order. Raises BadInput: no heads, unknown ones, no pairs (read_pairs)."""
    started = time.perf_counter()
    pace = pace or Pace()
    heads = need_heads(model, request.heads)
    found = read_pairs(model, request.pairs, pace)
    pairs = found.pairs
    clean, ablated = (np.full(len(pairs), np.nan) for _ in range(2))
    clean_top, ablated_top = (np.zeros(len(pairs), dtype=int) for _ in range(2))
    many = ManyPairs(model, pairs, request.question, request.ablation, pace)

    def record(done: int) -> FamilyEffect:
        token = model.vocabulary.token
        return FamilyEffect(
            request=request,
            pairs=tuple(
                PairEffect(
                    pair,
                    float(clean[i]),
                    float(ablated[i]),
                    token(int(clean_top[i])),
                    token(int(ablated_top[i])),
                )
                for i, pair in enumerate(pairs)
                if np.isfinite(ablated[i])
            ),
            refused=found.refused,
            evaluations=done,
            seconds=time.perf_counter() - started,
        )

    done = 0
    for indices, readings in many.clean():
        clean[indices], clean_top[indices] = readings.difference, readings.top
        for rows, readings in many.evaluate([heads], indices):
            here = [index for _, index in rows]
            ablated[here], ablated_top[here] = readings.difference, readings.top
            done += len(rows)
            pace.report(done, len(pairs), record(done))
    return record(done)
