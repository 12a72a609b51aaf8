"""Heads × positions: the effect of ablating a head at one position only, in the metric's unit."""

import plotly.graph_objects as go

from attention_viz.figures.escape import safe, shorten, signed
from attention_viz.figures.matrix import draw_matrix
from attention_viz.records.looks.positions import PositionMap

_LABEL = 12  # characters of a token under its column


def draw_positions(found: PositionMap, theme: str = "light") -> go.Figure:
    """A click's customdata[0] is the row's head. Works on partial records."""
    labels = found.tokens.labels[: found.effect.shape[1]]
    unit = found.request.metric.unit
    hovers = [
        [
            f"<b>{head}</b> at <b>{safe(label)}</b> ({column})"
            f"<br>{signed(float(found.effect[row, column]), 3)} {unit}"
            f"<br>at all positions {signed(float(found.whole[row]), 3)}"
            for column, label in enumerate(labels)
        ]
        for row, head in enumerate(found.heads)
    ]
    return draw_matrix(
        found.effect,
        [str(head) for head in found.heads],
        [safe(shorten(label, _LABEL)) for label in labels],
        unit=unit,
        hovers=hovers,
        theme=theme,
    )
