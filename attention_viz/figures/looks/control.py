"""The effects of random sets as a histogram, and the effect of the set chosen as a line."""

import numpy as np
import plotly.graph_objects as go

from attention_viz.figures import palette
from attention_viz.figures.escape import signed
from attention_viz.records.looks.control import Control

_BINS = 40


def draw_control(found: Control, theme: str = "light") -> go.Figure:
    """Effects in the metric's unit. Works on partial records."""
    colours = palette.theme_of(theme)
    measured = found.random[np.isfinite(found.random)]
    if not len(measured):
        return go.Figure(layout=palette.empty_figure("No random set measured yet.", theme))
    counts, edges = np.histogram(measured, bins=_BINS)
    metric = found.request.metric
    bars = go.Bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=np.diff(edges),
        marker={"color": colours.muted, "line": {"width": 0}},
        customdata=[
            f"{count} of {len(measured)} sets"
            f"<br>{signed(low, 3)} to {signed(high, 3)} {metric.unit}"
            for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
    top = int(counts.max())
    own = go.Scatter(
        x=[found.effect, found.effect],
        y=[0, 1.12 * top],
        mode="lines+text",
        line={"color": colours.accent, "width": 2.5},
        text=["", "  set chosen"],
        textposition="middle right" if found.effect < np.median(edges) else "middle left",
        textfont={"size": 11, "color": colours.ink},
        hovertemplate=f"set chosen: {signed(found.effect, 3)} {metric.unit}<extra></extra>",
    )
    title = f"effect on {metric.title} ({metric.unit})"
    layout = palette.layout(
        theme,
        height=240,
        bargap=0,
        margin={"l": 58, "r": 16, "t": 12, "b": 44},
        xaxis=palette.axis(
            theme,
            title={"text": title, "font": {"size": 11}},
            zeroline=True,
            zerolinecolor=colours.line,
        ),
        yaxis=palette.axis(
            theme,
            title={"text": "random sets", "font": {"size": 11}},
            range=[0, 1.22 * top],
            showgrid=True,
            gridcolor=colours.line,
            nticks=6,
        ),
    )
    return go.Figure([bars, own], layout)
