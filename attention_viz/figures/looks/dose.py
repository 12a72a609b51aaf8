"""Probability of answer and distractor as z is scaled; dotted lines where the top-1 flips."""

import plotly.graph_objects as go

from attention_viz.figures import palette
from attention_viz.figures.escape import safe, signed
from attention_viz.records.looks.dose import LEAST, MOST, Dose

_MARKS = {-1: "−1<br>reversed", 0: "0<br>ablated", 1: "1<br>clean", 2: "2<br>doubled"}


def draw_dose(found: Dose, theme: str = "light") -> go.Figure:
    """x: factor on z; y: probability. The logit difference and KL are in the hovers."""
    colours = palette.theme_of(theme)
    facts = [
        f"z × {signed(scale)}<br>logit difference {signed(diff, 3)} logits<br>KL {kl:.3f} nats"
        for scale, diff, kl in zip(found.scale, found.logit_diff, found.kl, strict=True)
    ]
    lines = [
        _line(found, found.answer_probability, found.answer.shown, colours.ink, "solid", facts),
        _line(
            found,
            found.distractor_probability,
            found.distractor.shown,
            colours.muted,
            "dash",
            facts,
        ),
    ]
    dotted = {"color": colours.muted, "width": 1.2, "dash": "dot"}
    shapes = [
        {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": f.scale, "x1": f.scale,
         "line": dotted}
        for f in found.flips
    ]  # fmt: skip
    notes = [
        {
            "x": flip.scale,
            "y": 1.0,
            "yref": "paper",
            "yanchor": "bottom",
            "showarrow": False,
            "text": f"{signed(flip.scale)}: {safe(flip.before.shown)} → {safe(flip.after.shown)}",
            "font": {"size": 10.5, "color": colours.ink2},
        }
        for flip in found.flips
    ]
    layout = palette.layout(
        theme,
        height=280,
        margin={"l": 58, "r": 16, "t": 30, "b": 56},
        showlegend=True,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        shapes=shapes,
        annotations=notes,
        xaxis=palette.axis(
            theme,
            range=[LEAST - 0.05, MOST + 0.05],
            tickvals=list(_MARKS),
            ticktext=list(_MARKS.values()),
            title={"text": "factor on z", "font": {"size": 11}},
            showgrid=True,
            gridcolor=colours.line,
        ),
        yaxis=palette.axis(
            theme,
            range=[0, 1.02],
            title={"text": "probability", "font": {"size": 11}},
            showgrid=True,
            gridcolor=colours.line,
        ),
    )
    return go.Figure(lines, layout)


def _line(found: Dose, values, name: str, colour: str, dash: str, facts: list[str]) -> go.Scatter:
    return go.Scatter(
        x=found.scale,
        y=values,
        name=safe(name),
        mode="lines+markers",
        line={"color": colour, "width": 2, "dash": dash},
        marker={"size": 5, "color": colour},
        customdata=facts,
        hovertemplate=f"<b>{safe(name)}</b> %{{y:.3f}}<br>%{{customdata}}<extra></extra>",
    )
