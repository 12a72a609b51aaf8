"""How much of a behaviour circuits of growing size explain, and what each edge is worth.

Faithfulness is 1 where the circuit alone has the whole model's logit difference and 0 where it has
that of the model with everything ablated; it has no unit and may be below 0 or above 1. Areas under
it: CPR, and CMD of |1 − faithfulness| (MIB, Mueller et al. 2025), over the share of edges.
"""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from attention_viz.figures import palette
from attention_viz.figures.circuits.mib import mib_lines
from attention_viz.figures.escape import safe, signed
from attention_viz.records.circuits.circuit import Cut
from attention_viz.records.circuits.faithfulness import Curve, Faithfulness, FaithfulnessResult
from attention_viz.records.circuits.mib import MibCurve
from attention_viz.records.metrics import Sense

_CUTS = {Cut.GREEDY: "from the logits", Cut.TOP: "anywhere"}
_ZERO = 0.5  # where "0 edges" stands on the logarithmic axis, in edges


def draw_curve(
    curve: Curve, theme: str = "light", at: int | None = None, mib: MibCurve | None = None
) -> go.Figure:
    """Faithfulness over the number of edges (logarithmic), with its interval and random circuits.

    MIB's two lines beside it where it was measured.

    A click's customdata[0] is the size. The point of `at` edges is marked: a line says where it is
    when it was not measured. Works on partial curves.
    """
    if not curve.points:
        return go.Figure(layout=palette.empty_figure("No circuit measured yet.", theme))
    colours = palette.theme_of(theme)
    traces = [*_random(curve, colours), *_interval(curve, colours), _line(curve, colours)]
    traces += [] if mib is None else mib_lines(mib, curve.total, colours)
    measured = [point for point in curve.points if point.size == at]
    if measured:
        traces.append(_mark(measured[0], colours))
    return go.Figure(traces, _curve_layout(curve, theme, at))


def draw_minimality(result: FaithfulnessResult, theme: str = "light") -> go.Figure:
    """What the circuit loses without each of its edges; a click's customdata[0] is the edge."""
    if not result.minimality:
        why = "Not measured: ask for minimality to leave out each edge in turn."
        return go.Figure(layout=palette.empty_figure(why, theme))
    ranked = sorted(result.minimality, key=lambda found: -found.loss)
    losses = [found.loss for found in ranked]
    names = [safe(str(found.edge)) for found in ranked]
    colours = palette.theme_of(theme)
    # Where everything ablated does better than the model, faithfulness falls as the answer gains.
    sense = Sense.HELPS_ABOVE if result.full > result.empty else Sense.HELPS_BELOW
    bars = go.Bar(
        orientation="h",
        x=losses,
        y=list(range(len(ranked))),
        marker={"color": [palette.sign_colour(loss, theme, sense) for loss in losses]},
        text=[signed(loss) for loss in losses],
        textposition="outside",
        textfont={"size": 11, "color": colours.ink2},
        cliponaxis=False,
        customdata=[[str(found.edge), signed(found.loss, 3)] for found in ranked],
        hovertemplate="<b>%{customdata[0]}</b><br>faithfulness lost without it: "
        "%{customdata[1]}<extra></extra>",
    )
    return go.Figure(bars, _minimality_layout(names, losses, theme))


def describe_curve(curve: Curve) -> str:
    """Ablation kind, pairs and areas in two sentences, random circuits' beside them."""
    request = curve.request.cut.attribution
    pairs = "1 pair" if curve.pairs == 1 else f"{curve.pairs} pairs"
    text = (
        f"Everything outside the circuit is ablated by {_replaced(curve)}, {pairs}; edges are "
        f"ranked by {request.label} and cut {_CUTS[curve.request.cut.way]}, as many as fit. CPR "
        f"{_plain(curve.cpr, 2)}, CMD {_plain(curve.cmd, 2)}"
    )
    if curve.random_cpr is None or curve.random_cmd is None:
        return f"{text}; random circuits not measured."
    return f"{text}; random circuits of the same sizes {_plain(curve.random_cpr, 2)} and " + (
        f"{_plain(curve.random_cmd, 2)}."
    )


def describe_proof(result: FaithfulnessResult) -> str:
    """Faithfulness of one circuit, the ablation kind, and the controls that were measured."""
    found = result.measured
    pairs = "1 pair" if result.pairs == 1 else f"{result.pairs} pairs"
    text = (
        f"{found.size} edges kept, everything else ablated by {_replaced(result)}, "
        f"{pairs}: logit difference {signed(found.metric)} of {signed(result.full)} (all ablated "
        f"{signed(result.empty)}), faithfulness {_with_interval(found)}. Everything but "
        f"the circuit has {_plain(found.without, 2)}"
    )
    if result.random is not None and result.random.values:
        text += f"; random circuits of this size have {_plain(result.random.mean, 2)}"
    return f"{text}."


def _replaced(found: Curve | FaithfulnessResult) -> str:
    """By what, in full; records made without it have the kind."""
    request = found.request.attribution if isinstance(found, Curve) else found.request
    return found.replaced or request.replacing.label(request.ablation)


def _plain(value: float, digits: int) -> str:
    """With a proper minus sign, never "−0.00"."""
    return signed(value, digits).removeprefix("+")


def _place(size: int) -> float:
    return float(size) if size > 0 else _ZERO


def _with_interval(point: Faithfulness) -> str:
    if point.interval is None:
        return f"{_plain(point.faithfulness, 3)}"
    return (
        f"{_plain(point.faithfulness, 3)} (95 % interval {_plain(point.interval.low, 3)} to "
        f"{_plain(point.interval.high, 3)})"
    )


def _line(curve: Curve, colours: palette.Theme) -> go.Scatter:
    return go.Scatter(
        x=[_place(point.size) for point in curve.points],
        y=[point.faithfulness for point in curve.points],
        name="circuit",
        mode="lines+markers",
        line={"color": colours.ink2, "width": 2},
        marker={"size": 7, "color": colours.ink2},
        customdata=[[point.size, *_facts(point)] for point in curve.points],
        hovertemplate="<b>%{customdata[0]:,} edges</b> (%{customdata[1]})<br>"
        "faithfulness %{customdata[2]}<br>logit difference %{customdata[3]} logits<br>"
        "everything but the circuit %{customdata[4]}<extra></extra>",
    )


def _facts(point: Faithfulness) -> list[str]:
    without = f"{_plain(point.without, 3)}"
    return [f"{point.share:.2%}", _with_interval(point), signed(point.metric, 3), without]


def _interval(curve: Curve, colours: palette.Theme) -> list[go.Scatter]:
    """The band of the bootstrap intervals; nothing where there is one pair."""
    points = [point for point in curve.points if point.interval is not None]
    if not points:
        return []
    ends = [(point.interval.low, point.interval.high) for point in points]
    sizes = [point.size for point in points]
    return [_band(sizes, ends, colours.ink2, "95 % interval")]


def _random(curve: Curve, colours: palette.Theme) -> list[go.Scatter]:
    """Least to greatest of the random circuits, and their mean."""
    found = [each for each in curve.random if each.values]
    if not found:
        return []
    sizes = [each.size for each in found]
    ends = [(min(each.values), max(each.values)) for each in found]
    mean = go.Scatter(
        x=[_place(size) for size in sizes],
        y=[each.mean for each in found],
        name="random circuits",
        mode="lines+markers",
        line={"color": colours.muted, "width": 1.5, "dash": "dash"},
        marker={"size": 4, "color": colours.muted},
        customdata=[
            [
                each.size,
                f"{_plain(each.mean, 3)}",
                f"{_plain(low, 3)} to {_plain(high, 3)}",
                len(each.values),
            ]
            for each, (low, high) in zip(found, ends, strict=True)
        ],
        hovertemplate="<b>random, %{customdata[0]:,} edges</b><br>mean %{customdata[1]}, "
        "%{customdata[2]}<br>%{customdata[3]} circuits<extra></extra>",
    )
    return [_band(sizes, ends, colours.muted, "their range"), mean]


def _band(
    sizes: Sequence[int], ends: Sequence[tuple[float, float]], colour: str, name: str
) -> go.Scatter:
    places = [_place(size) for size in sizes]
    return go.Scatter(
        x=[*places, *reversed(places)],
        y=[*(low for low, _ in ends), *(high for _, high in reversed(ends))],
        name=name,
        mode="lines",
        fill="toself",
        fillcolor=palette.see_through(colour, 0.16),
        line={"width": 0},
        hoverinfo="skip",
    )


def _mark(point: Faithfulness, colours: palette.Theme) -> go.Scatter:
    return go.Scatter(
        x=[_place(point.size)],
        y=[point.faithfulness],
        name="shown",
        mode="markers",
        marker={
            "size": 15,
            "color": "rgba(0,0,0,0)",
            "line": {"color": colours.accent, "width": 2.5},
        },
        hoverinfo="skip",
        customdata=[[point.size]],
    )


def _curve_layout(curve: Curve, theme: str, at: int | None) -> dict[str, Any]:
    colours = palette.theme_of(theme)
    sizes = sorted({point.size for point in curve.points})
    one = {"color": colours.ink2, "width": 1.2, "dash": "dot"}
    shapes = [{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 1, "y1": 1, "line": one}]
    if at is not None:
        here = {"type": "line", "yref": "paper", "x0": _place(at), "x1": _place(at)}
        shapes.append(here | {"y0": 0, "y1": 1, "line": {"color": colours.accent, "width": 1}})
    shown = _ticks(sizes)
    return palette.layout(
        theme,
        height=280,
        margin={"l": 58, "r": 16, "t": 30, "b": 48},
        showlegend=True,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        shapes=shapes,
        xaxis=palette.axis(
            theme,
            type="log",
            tickvals=[_place(size) for size in shown],
            ticktext=[f"{size:,}" for size in shown],
            title={"text": f"edges kept, of {curve.total:,}", "font": {"size": 11}},
            showgrid=True,
            gridcolor=colours.line,
        ),
        yaxis=palette.axis(
            theme,
            title={"text": "faithfulness (1 = whole model)", "font": {"size": 11}},
            showgrid=True,
            gridcolor=colours.line,
            zeroline=True,
            zerolinecolor=colours.muted,
            nticks=7,
        ),
    )


def _ticks(sizes: Sequence[int]) -> list[int]:
    """Sizes with room for their numbers: each at least 1.7 times the one before."""
    shown: list[int] = []
    for size in sizes:
        if not shown or _place(size) >= 1.7 * _place(shown[-1]):
            shown.append(size)
    return shown


def _minimality_layout(names: list[str], losses: list[float], theme: str) -> dict[str, Any]:
    colours = palette.theme_of(theme)
    low, high = min(0.0, *losses), max(0.0, *losses)
    room = 0.2 * (high - low) or 1.0  # for the numbers at the bars' ends
    return palette.layout(
        theme,
        height=64 + 21 * len(names),
        bargap=0.28,
        margin={"l": 16 + round(7.0 * max(len(name) for name in names)), "r": 12, "t": 6, "b": 44},
        xaxis=palette.axis(
            theme,
            range=[low - (room if low < 0 else 0.02 * room), high + room],
            title={"text": "faithfulness lost without the edge", "font": {"size": 11}},
            showgrid=True,
            gridcolor=colours.line,
            zeroline=True,
            zerolinecolor=colours.muted,
            nticks=6,
        ),
        yaxis=palette.axis(
            theme,
            range=[len(names) - 0.4, -0.6],
            tickvals=list(range(len(names))),
            ticktext=names,
            tickfont={"family": palette.MONO, "size": 11, "color": colours.ink2},
        ),
    )
