"""All heads swept by every kind of ablation, and how alike the kinds rank them."""

import numpy as np

from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.effects import Effects
from attention_viz.analysis.one_pass import Candidate
from attention_viz.analysis.question import Asked, ask
from attention_viz.analysis.sweep import all_heads
from attention_viz.models.loading import LoadedModel
from attention_viz.records.ablation import AblationKind
from attention_viz.records.looks.agreement import Agreement, AgreementRequest
from attention_viz.records.pace import Pace


def compare_kinds(
    model: LoadedModel, request: AgreementRequest, pace: Pace | None = None
) -> Agreement:
    """Raises BadInput where the question can't be asked."""
    asked = ask(model, request.question, pace)
    ablations = tuple(each for each in request.ablations if _can_ask(asked, each.kind))
    heads = all_heads(asked)
    effect = np.full((len(ablations), len(heads)), np.nan)

    def record() -> Agreement:
        return Agreement(
            request=request,
            tokens=asked.tokens,
            position=asked.position,
            ablations=ablations,
            effect=effect.reshape(len(ablations), asked.decoder.layers, asked.decoder.heads).copy(),
            correlation=correlate_ranks(effect),
            evaluations=effects.done,
            seconds=effects.seconds,
        )

    effects = Effects(asked, request.metric, record, expected=effect.size)
    for ablation, row in zip(ablations, effect, strict=True):
        edit = edit_of(asked, ablation)
        effects.measure([Candidate((head,), edit) for head in heads], row)
    return record()


def _can_ask(asked: Asked, kind: AblationKind) -> bool:
    lacks_counterfactual = kind.needs_counterfactual and asked.read.counterfactual is None
    return not lacks_counterfactual and (asked.decoder.hears_attention or not kind.needs_attention)


def correlate_ranks(rows: np.ndarray) -> np.ndarray:
    """[row, row] Spearman's correlation; nan where a row is not measured or is constant."""
    ranks = np.stack([_rank(row) for row in rows])
    centred = ranks - ranks.mean(1, keepdims=True)
    size = np.sqrt((centred**2).sum(1))
    with np.errstate(invalid="ignore"):
        return (centred @ centred.T) / np.outer(size, size)


def _rank(row: np.ndarray) -> np.ndarray:
    """Ranks from 0; equal values share the mean of theirs, nan stays nan throughout."""
    if np.isnan(row).any():
        return np.full(len(row), np.nan)
    _, group, count = np.unique(row, return_inverse=True, return_counts=True)
    last = count.cumsum()
    return ((last - count + last - 1) / 2)[group]
