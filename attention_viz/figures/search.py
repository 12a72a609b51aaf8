"""The course of a search: the score of the set after each step, and the best head not taken.

Every score is of a run with that set ablated. Unit: the objective's (KL in nats; margin of the
flip-to token in logits, above 0 it is top-1).
"""

from typing import Any

import plotly.graph_objects as go

from attention_viz.figures import palette
from attention_viz.figures.escape import safe, signed
from attention_viz.records.search import Objective, SearchResult, SearchStep


def draw_steps(result: SearchResult, theme: str = "light") -> go.Figure:
    """Score per step; a click's customdata[0] is the head. Works on partial results."""
    if not result.steps:
        return go.Figure(layout=palette.empty_figure("No step taken yet.", theme))
    colours = palette.theme_of(theme)
    places = list(range(1, len(result.steps) + 1))
    taken = go.Scatter(
        x=places,
        y=[step.score for step in result.steps],
        mode="lines+markers",
        line={"color": colours.ablated, "width": 2},
        marker={"size": 9, "color": colours.ablated},
        customdata=[_facts(step, result) for step in result.steps],
        hovertemplate="<b>%{customdata[1]}</b><br>%{customdata[2]}<br>top-1 %{customdata[3]}"
        "<br>%{customdata[4]}<extra></extra>",
    )
    not_taken = go.Scatter(
        x=places,
        y=[step.runner_up_score for step in result.steps],
        mode="markers",
        marker={
            "size": 8,
            "color": "rgba(0,0,0,0)",
            "line": {"color": colours.muted, "width": 1.5},
        },
        hoverinfo="skip",
    )
    return go.Figure([not_taken, taken], _layout(result, theme))


def _facts(step: SearchStep, result: SearchResult) -> list[str]:
    unit = result.request.objective.unit
    runner_up = "no other head tried"
    if step.runner_up is not None and step.runner_up_score is not None:
        runner_up = f"next best {step.runner_up}: {signed(step.runner_up_score, 3)} {unit}"
    heads = ", ".join(str(head) for head in step.heads)
    score = f"{heads}: {signed(step.score, 3)} {unit}"
    return [str(step.head), _name(step), score, safe(step.top.shown), runner_up]


def _name(step: SearchStep) -> str:
    return f"{'+' if step.action == 'add' else '−'} {step.head}"


def _layout(result: SearchResult, theme: str) -> dict[str, Any]:
    colours = palette.theme_of(theme)
    places = list(range(1, len(result.steps) + 1))
    shapes = []
    if result.request.objective is Objective.FLIP:
        line = {"color": colours.ink2, "width": 1.2, "dash": "dot"}
        shapes = [
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 0, "line": line}
        ]
    return palette.layout(
        theme,
        height=220,
        margin={"l": 58, "r": 14, "t": 12, "b": 32},
        shapes=shapes,
        xaxis=palette.axis(
            theme,
            range=[0.5, max(len(places), 3) + 0.5],
            tickvals=places,
            ticktext=[_name(step) for step in result.steps],
            tickfont={"family": palette.MONO, "size": 11, "color": colours.ink2},
        ),
        yaxis=palette.axis(
            theme,
            title={"text": result.request.objective.score_title, "font": {"size": 11}},
            showgrid=True,
            gridcolor=colours.line,
            nticks=6,
        ),
    )
