"""MIB's circuits beside our curve: two lines, and their areas in words."""

import plotly.graph_objects as go

from attention_viz.figures import palette
from attention_viz.figures.escape import signed
from attention_viz.records.circuits.mib import MibAreas, MibCurve, Ranking

_LOOKS = {Ranking.SIGNED: ("solid", "diamond"), Ranking.ABSOLUTE: ("dot", "square")}


def mib_lines(mib: MibCurve, total: int, colours: palette.Theme) -> list[go.Scatter]:
    """A line per ranking, over the share of edges taken; `total` of them are the whole axis.

    A click's customdata[0] is how many edges are taken there.
    """
    return [_line(areas, mib.total, total, colours) for areas in mib.rankings]


def _line(areas: MibAreas, counted: int, total: int, colours: palette.Theme) -> go.Scatter:
    dash, symbol = _LOOKS[areas.ranking]
    # Where heads share keys and values the axis has fewer edges than MIB counts.
    places = [max(0.5, point.wanted * total / counted) for point in areas.points]
    return go.Scatter(
        x=places,
        y=[point.faithfulness for point in areas.points],
        name=f"MIB, {areas.ranking.value}",
        mode="lines+markers",
        line={"color": colours.ink, "width": 1.5, "dash": dash},
        marker={"size": 6, "color": colours.ink, "symbol": symbol},
        customdata=[
            [
                point.wanted,
                f"{point.share:.1%}",
                f"{point.size:,}",
                signed(point.faithfulness, 3).removeprefix("+"),
                signed(point.metric, 3),
            ]
            for point in areas.points
        ],
        hovertemplate=f"<b>MIB, {areas.ranking.value}: top %{{customdata[0]:,}}</b> "
        "(%{customdata[1]})<br>%{customdata[2]} edges left when pruned<br>"
        "faithfulness %{customdata[3]}<br>logit difference %{customdata[4]} logits<extra></extra>",
    )


def describe_mib(mib: MibCurve) -> str:
    """The areas of both rankings, and what they are over."""
    told = "; ".join(
        f"by {'signed' if areas.ranking is Ranking.SIGNED else 'absolute'} scores CPR "
        f"{_plain(areas.cpr)}, CMD {_plain(areas.cmd)}"
        for areas in mib.rankings
    )
    empty = sum(point.size == 0 for areas in mib.rankings for point in areas.points)
    none = f" {empty} of its circuits are empty, and count as 0." if empty else ""
    return (
        f"As MIB (top n of {mib.total:,} edges with each head's own keys and values, pruned, not "
        f"refilled, from 0.1 % on; {mib.replaced}): {told}.{none}"
    )


def _plain(value: float) -> str:
    return signed(value, 2).removeprefix("+")
