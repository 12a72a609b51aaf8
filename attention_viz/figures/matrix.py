"""A matrix of signed numbers with names on both sides, written in the cells where they fit."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from attention_viz.figures import palette
from attention_viz.figures.escape import signed

_ROW = 24  # px
_WRITTEN = 14  # columns up to which the numbers are written in the cells


def draw_matrix(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    unit: str,
    hovers: Sequence[Sequence[str]],
    limit: float | None = None,
    digits: int = 2,
    theme: str = "light",
) -> go.Figure:
    """`values` [row, column], nan drawn as not measured; names and hovers are plotly text.

    Full colour at ±`limit` (default: the greatest size). A click's customdata[0] is the row's name.
    """
    colours = palette.theme_of(theme)
    size = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    limit = limit or size or 1.0
    heat = go.Heatmap(
        z=values,
        x=list(range(len(columns))),
        y=list(range(len(rows))),
        zmin=-limit,
        zmax=limit,
        colorscale=palette.diverging_scale(theme),
        xgap=1,
        ygap=1,
        customdata=[
            [[rows[r], hovers[r][c]] for c in range(len(columns))] for r in range(len(rows))
        ],
        hovertemplate="%{customdata[1]}<extra></extra>",
        hoverongaps=False,
        colorbar=palette.colour_bar(unit, theme, nticks=5),
    )
    figure = go.Figure(heat)
    if len(columns) <= _WRITTEN:
        figure.add_trace(_numbers(values, limit, digits, theme))
    names = {"family": palette.MONO, "size": 10.5, "color": colours.ink2}
    angle = -90 if max(map(len, columns), default=0) * len(columns) > 60 else 0
    bottom = 12 + (7 * max(map(len, columns), default=0) if angle else 20)
    figure.update_layout(
        palette.layout(
            theme,
            height=24 + bottom + _ROW * max(len(rows), 3),
            margin={"l": 14 + 7 * max(map(len, rows), default=0), "r": 60, "t": 12, "b": bottom},
            xaxis=palette.axis(
                theme,
                tickvals=list(range(len(columns))),
                ticktext=list(columns),
                tickangle=angle,
                tickfont=names,
            ),
            yaxis=palette.axis(
                theme,
                tickvals=list(range(len(rows))),
                ticktext=list(rows),
                tickfont=names,
                autorange="reversed",
            ),
        )
    )
    return figure


def _numbers(values: np.ndarray, limit: float, digits: int, theme: str) -> go.Scatter:
    places = [place for place in np.ndindex(values.shape) if np.isfinite(values[place])]
    return go.Scatter(
        x=[column for _, column in places],
        y=[row for row, _ in places],
        mode="text",
        text=[signed(float(values[place]), digits) for place in places],
        textfont={
            "family": palette.MONO,
            "size": 9.5,
            "color": [palette.diverging(float(values[place]), limit, theme)[1] for place in places],
        },
        hoverinfo="skip",
    )
