"""Heads × positions: the effect of ablating a head at one position only, in the metric's unit."""

from typing import Any

import numpy as np

from attention_viz.figures.matrix import NUMBERS, Axis, Hover, draw_matrix, limit_of, scale_of
from attention_viz.records.looks.positions import PositionMap


def draw_positions(found: PositionMap, theme: str = "light") -> dict[str, Any]:
    """A click chooses the row's head. Works on partial records."""
    metric, effect = found.request.metric, found.effect
    labels = found.tokens.labels[: effect.shape[1]]
    scale = scale_of(
        metric.sense, metric.unit, limit_of(effect), theme, word="effect", suffix=metric.unit
    )
    whole = np.broadcast_to(np.asarray(found.whole, dtype=float)[:, None], effect.shape)
    return draw_matrix(
        effect,
        Axis("", [str(head) for head in found.heads]),
        Axis.of_tokens("at", labels),
        scale=scale,
        about=f"Effect on the {metric.title} of ablating each of {len(found.heads)} heads at one "
        f"of {len(labels)} positions",
        written=2,
        hover=[Hover("at all positions", whole, is_signed=scale.is_signed)],
        click={"head": "row"},
        cells=NUMBERS,
        has_bar=True,
        theme=theme,
    )
