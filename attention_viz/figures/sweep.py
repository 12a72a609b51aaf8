"""The effect of each head ablated on its own: colours of the layer × head grid, and bars.

Effect = metric(ablated) − metric(clean), in the metric's unit. The colour says whether the head
helps the answer or works against it, where the metric speaks of the answer (`Metric.sense`).
"""

import numpy as np
import plotly.graph_objects as go

from attention_viz.figures import palette
from attention_viz.figures.escape import safe, signed
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.sweep import HeadSweep


def colour_limit(sweep: HeadSweep) -> float:
    """The effect with the full colour: the greatest size measured; 0 where nothing was."""
    sizes = np.abs(sweep.effect[np.isfinite(sweep.effect)])
    return float(sizes.max(initial=0.0))


def cell_colours(sweep: HeadSweep, theme: str = "light") -> list[list[tuple[str, str]]]:
    """[layer][head] (background, ink); heads not measured have the card's own colour."""
    limit, sense = colour_limit(sweep), sweep.request.metric.sense
    return [
        [palette.cell(float(effect), limit, sense, theme) for effect in row] for row in sweep.effect
    ]


def cell_gradient(sweep: HeadSweep, theme: str = "light") -> str:
    """CSS background of the grid's colour bar; a metric that can't fall starts at 0."""
    return palette.gradient(palette.scale_of(sweep.request.metric.sense, theme))


def draw_bars(
    sweep: HeadSweep,
    selected: tuple[HeadId, ...] = (),
    most: int = 40,
    theme: str = "light",
) -> go.Figure:
    """The `most` heads of the greatest effect, greatest first; a click's customdata[0] is "L2H3".

    Heads not measured are left out; `selected` ones are outlined.
    """
    heads = ranked_heads(sweep)[:most]
    if not heads:
        return go.Figure(layout=palette.empty_figure("No head measured yet.", theme))
    effects = [float(sweep.effect[head.layer, head.head]) for head in heads]
    colours, sense = palette.theme_of(theme), sweep.request.metric.sense
    bars = go.Bar(
        x=list(range(len(heads))),
        y=effects,
        marker={
            "color": [palette.sign_colour(effect, theme, sense) for effect in effects],
            "line": {
                "color": colours.ink,
                "width": [1.5 if head in selected else 0 for head in heads],
            },
        },
        customdata=[_facts(sweep, head) for head in heads],
        hovertemplate="<b>%{customdata[0]}</b><br>effect %{customdata[1]}"
        "<br>top-1 then %{customdata[2]}<extra></extra>",
    )
    return go.Figure(bars, _layout(sweep, heads, selected, theme))


def ranked_heads(sweep: HeadSweep) -> list[HeadId]:
    """Heads measured, by the size of their effect, greatest first."""
    measured = [
        HeadId(int(layer), int(head)) for layer, head in np.argwhere(np.isfinite(sweep.effect))
    ]
    return sorted(measured, key=lambda head: -abs(sweep.effect[head.layer, head.head]))


def _facts(sweep: HeadSweep, head: HeadId) -> list[str]:
    effect = float(sweep.effect[head.layer, head.head])
    top = sweep.top[head.layer][head.head]
    unit = sweep.request.metric.unit
    return [
        str(head),
        f"{signed(effect, 3)} {unit}",
        "not kept" if top is None else safe(top.shown),
    ]


def _layout(
    sweep: HeadSweep, heads: list[HeadId], selected: tuple[HeadId, ...], theme: str
) -> dict:
    colours = palette.theme_of(theme)
    metric = sweep.request.metric
    names = [f"<b>{head}</b>" if head in selected else str(head) for head in heads]
    angle = -90 if len(heads) > 12 else 0
    # A lone bar as wide as the card says nothing more than a slim one.
    ends = [-0.6, max(len(heads), 8) - 0.4]
    return palette.layout(
        theme,
        height=250,
        bargap=0.3,
        margin={"l": 70, "r": 10, "t": 12, "b": 52 if angle else 30},
        xaxis=palette.axis(
            theme,
            range=ends,
            tickvals=list(range(len(heads))),
            ticktext=names,
            tickangle=angle,
            tickfont={"family": palette.MONO, "size": 10.5, "color": colours.ink2},
        ),
        yaxis=palette.axis(
            theme,
            title={"text": f"effect on<br>{_named(metric)}", "font": {"size": 11}},
            showgrid=True,
            gridcolor=colours.line,
            zeroline=True,
            zerolinecolor=colours.muted,
            zerolinewidth=1,
            range=_range(sweep, heads),
            tickformat="~g",
            nticks=6,
        ),
    )


def _range(sweep: HeadSweep, heads: list[HeadId]) -> list[float]:
    effects = [float(sweep.effect[head.layer, head.head]) for head in heads]
    low, high = min(0.0, *effects), max(0.0, *effects)
    room = 0.06 * (high - low) or 1.0
    return [low - room if low < 0 else 0.0, high + room if high > 0 else 0.0 if low < 0 else 1.0]


def _named(metric: Metric) -> str:
    """The metric with its unit, once."""
    return metric.title if metric.unit in metric.title else f"{metric.title} ({metric.unit})"
