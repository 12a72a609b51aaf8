"""Pairs of heads: the effect of both minus the sum of each alone, in the metric's unit."""

from typing import Any

import numpy as np

from attention_viz.figures.matrix import NUMBERS, Axis, Hover, draw_matrix, limit_of, scale_of
from attention_viz.records.looks.redundancy import Redundancy
from attention_viz.records.metrics import Sense


def draw_redundancy(found: Redundancy, theme: str = "light") -> dict[str, Any]:
    """A click chooses both heads. Works on partial records.

    The colour takes no side: more than the sum of two helpful heads is not more help.
    """
    names = [str(head) for head in found.heads]
    unit, excess = found.request.metric.unit, found.excess
    scale = scale_of(Sense.CHANGE, unit, limit_of(excess), theme, word="difference", suffix=unit)
    single = np.asarray(found.single, dtype=float)
    on_diagonal = np.eye(len(names), dtype=bool)
    lines = {
        "together": np.where(on_diagonal, np.nan, found.pair),
        "sum of each alone": np.where(on_diagonal, np.nan, single[:, None] + single[None]),
        "alone": np.where(on_diagonal, single[:, None], np.nan),
    }
    return draw_matrix(
        excess,
        Axis("", names),
        Axis("and", names),
        scale=scale,
        about=f"Effect of pairs of {len(names)} heads minus the sum of each alone, in {unit}",
        written=2,
        hover=[Hover(name, values, is_signed=True) for name, values in lines.items()],
        click={"head": "both"},
        cells=NUMBERS,
        has_bar=True,
        theme=theme,
    )
