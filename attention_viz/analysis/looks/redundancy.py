"""Pairs of heads ablated together, against the sum of what each does alone."""

from itertools import combinations

import numpy as np

from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.effects import Effects, heads_of
from attention_viz.analysis.one_pass import Candidate
from attention_viz.analysis.question import ask
from attention_viz.models.loading import LoadedModel
from attention_viz.records.looks.redundancy import Redundancy, RedundancyRequest
from attention_viz.records.pace import Pace


def map_redundancy(
    model: LoadedModel, request: RedundancyRequest, pace: Pace | None = None
) -> Redundancy:
    """All pairs of the heads. Raises BadInput where the question can't be asked."""
    asked = ask(model, request.question, pace)
    edit = edit_of(asked, request.ablation)
    heads: tuple = ()
    single, pairs = np.full(0, np.nan), np.full(0, np.nan)

    def record() -> Redundancy:
        return Redundancy(
            request=request,
            tokens=asked.tokens,
            position=asked.position,
            heads=heads,
            single=single.copy(),
            pair=_square(pairs, len(heads)),
            evaluations=effects.done,
            seconds=effects.seconds,
        )

    effects = Effects(asked, request.metric, record)
    heads = heads_of(effects, request, edit, least=2)
    sets = list(combinations(heads, 2))
    single, pairs = np.full(len(heads), np.nan), np.full(len(sets), np.nan)
    effects.expected = effects.done + len(heads) + len(sets)
    effects.measure([Candidate((head,), edit) for head in heads], single)
    effects.measure([Candidate(each, edit) for each in sets], pairs)
    return record()


def _square(pairs: np.ndarray, heads: int) -> np.ndarray:
    """[head, head] from the upper triangle, row by row."""
    square = np.full((heads, heads), np.nan)
    rows, columns = np.triu_indices(heads, 1)
    square[rows, columns] = square[columns, rows] = pairs
    return square
