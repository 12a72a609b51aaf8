"""The answer's probability after each layer, at the read-out: clean, and ablated if it was run."""

import plotly.graph_objects as go

from attention_viz.figures import palette
from attention_viz.figures.escape import safe
from attention_viz.records.lens import LogitLens

HEIGHT = 210  # px


def draw_answer(clean: LogitLens, ablated: LogitLens | None = None, theme: str = "light"):
    """One line per run; the read-out and the answer are those of `clean`."""
    colours = palette.theme_of(theme)
    lines = [_line(clean, clean, "clean", colours.clean)]
    if ablated is not None:
        lines.append(_line(ablated, clean, "ablated", colours.ablated))
    return go.Figure(lines, _layout(clean, theme, len(lines) > 1))


def _line(lens: LogitLens, clean: LogitLens, run: str, colour: str) -> go.Scatter:
    """Of the clean run's answer: the ablated run must have been asked for the same token."""
    ranks = lens.answer_rank[:, clean.position]
    return go.Scatter(
        x=list(range(len(lens.rows))),
        y=lens.answer_probability[:, clean.position].tolist(),
        name=run,
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"size": 7, "color": colour},
        customdata=[[lens.rows[i], int(rank)] for i, rank in enumerate(ranks)],
        hovertemplate=f"{run}, after %{{customdata[0]}}: <b>%{{y:.3f}}</b>, "
        "rank %{customdata[1]}<extra></extra>",
    )


def _layout(clean: LogitLens, theme: str, has_two: bool) -> dict:
    colours = palette.theme_of(theme)
    return palette.layout(
        theme,
        height=HEIGHT,
        margin={"l": 52, "r": 12, "t": 10 if not has_two else 24, "b": 30},
        showlegend=has_two,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
        xaxis=palette.axis(
            theme,
            range=[-0.3, len(clean.rows) - 0.7],
            tickvals=list(range(len(clean.rows))),
            ticktext=list(clean.rows),
            tickfont={"size": 11, "color": colours.ink2},
        ),
        yaxis=palette.axis(
            theme,
            range=[-0.04, 1.04],
            tickvals=[0, 0.25, 0.5, 0.75, 1],
            title={"text": f"probability of {safe(clean.answer.shown)}", "font": {"size": 11}},
            showgrid=True,
            gridcolor=colours.line,
        ),
    )
