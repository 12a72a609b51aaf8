"""Each head ablated at one position at a time."""

import numpy as np

from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.effects import Effects, heads_of
from attention_viz.analysis.one_pass import Candidate
from attention_viz.analysis.question import ask
from attention_viz.models.loading import LoadedModel
from attention_viz.records.looks.positions import PositionMap, PositionsRequest
from attention_viz.records.pace import Pace


def map_positions(
    model: LoadedModel, request: PositionsRequest, pace: Pace | None = None
) -> PositionMap:
    """Positions after the read-out are left out: they can't change it. Raises BadInput."""
    asked = ask(model, request.question, pace)
    positions = range(asked.position + 1)
    everywhere = edit_of(asked, request.ablation)
    heads: tuple = ()
    effect, whole = np.full(0, np.nan), np.full(0, np.nan)

    def record() -> PositionMap:
        return PositionMap(
            request=request,
            tokens=asked.tokens,
            position=asked.position,
            heads=heads,
            effect=effect.reshape(len(heads), len(positions)).copy(),
            whole=whole.copy(),
            evaluations=effects.done,
            seconds=effects.seconds,
        )

    effects = Effects(asked, request.metric, record)
    heads = heads_of(effects, request, everywhere)
    # The edit's values are those of the whole ablation, put in at one position only: permute and
    # mean would otherwise mean something else for each position.
    edits = [everywhere.at((position,)) for position in positions]
    effect, whole = np.full(len(heads) * len(edits), np.nan), np.full(len(heads), np.nan)
    effects.expected = effects.done + len(heads) * (1 + len(edits))
    effects.measure([Candidate((head,), everywhere) for head in heads], whole)
    effects.measure([Candidate((head,), edit) for head in heads for edit in edits], effect)
    return record()
