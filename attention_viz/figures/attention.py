"""Attention maps, one square heatmap per head.

Rows are queries (from), columns are keys (to); a cell is the attention weight (0 to 1; the
visible part of a row sums to 1), or, as a difference, weight(ablated) − weight(clean), centred
on 0. Keys after the query can't be seen by it and are left empty.
"""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from attention_viz.figures import palette
from attention_viz.figures.escape import safe, shorten, signed
from attention_viz.records.attention import AttentionMaps
from attention_viz.records.errors import BadInput

SHOWS = ("clean", "ablated", "difference")
_LABEL = 12  # characters of a token on an axis
_LEAST_CELL, _MOST_CELL = 12, 44  # px


def draw_map(
    maps: AttentionMaps,
    index: int,
    show: str = "clean",
    threshold: float = 0.0,
    focus: tuple[int, int] | None = None,
    theme: str = "light",
    size: int = 360,
    colour_bar: bool = False,
) -> go.Figure:
    """The map of `maps.request.heads[index]`.

    A click's `customdata` starts with (query, key) positions. Weights smaller in size than
    `threshold` are left blank; the colours stay. `focus` outlines a row and a column. The figure
    is about `size` px wide and tall, more where cells would get too small to hit.
    Raises BadInput where the ablated run is asked for and was not made.
    """
    weights = _visible_weights(maps, index, show)
    shown = np.where(np.abs(weights) >= threshold, weights, np.nan)
    heat = _heatmap(maps, index, show, shown, theme)
    if colour_bar:
        heat.update(showscale=True, colorbar=_bar(show, theme))
    figure = go.Figure(heat, _layout(maps, index, focus, theme, size, colour_bar))
    return figure


def _visible_weights(maps: AttentionMaps, index: int, show: str) -> np.ndarray:
    """What is drawn, `[query, key]`; nan where the key comes after the query."""
    if show not in SHOWS:
        raise BadInput(f"There is no map called {show!r}.", f"Choose {', '.join(SHOWS)}.")
    if show != "clean" and maps.ablated is None:
        raise BadInput(
            "The ablated run of these heads was not made.", "Choose an intervention first."
        )
    clean = np.asarray(maps.clean[index], dtype=float)
    if show == "ablated":
        clean = np.asarray(maps.ablated[index], dtype=float)
    elif show == "difference":
        clean = np.asarray(maps.ablated[index], dtype=float) - clean
    query, key = np.indices(clean.shape)
    return np.where(key <= query, clean, np.nan)


def _heatmap(
    maps: AttentionMaps, index: int, show: str, shown: np.ndarray, theme: str
) -> go.Heatmap:
    is_difference = show == "difference"
    gap = 1 if len(maps.tokens) <= 40 else 0.5
    scale = palette.diverging_scale(theme) if is_difference else palette.sequential_scale(theme)
    return go.Heatmap(
        z=shown,
        zmin=-1 if is_difference else 0,
        zmid=0 if is_difference else None,
        zmax=1,
        colorscale=scale,
        showscale=False,
        xgap=gap,
        ygap=gap,
        hoverongaps=False,
        customdata=_cells(maps, index),
        hovertemplate=_hover(maps, show),
    )


def _cells(maps: AttentionMaps, index: int) -> list[list[list[Any] | None]]:
    """Per visible cell: query, key, their labels, clean and ablated weight, their difference."""
    labels = [safe(label) for label in maps.tokens.labels]
    clean = maps.clean[index].tolist()
    ablated = clean if maps.ablated is None else maps.ablated[index].tolist()

    def cell(query: int, key: int) -> list[Any] | None:
        if key > query:
            return None  # never drawn: half of what the browser would have to load
        one, other = clean[query][key], ablated[query][key]
        names = [query, key, labels[query], labels[key]]
        return [*names, round(one, 4), round(other, 4), signed(other - one, 3)]

    count = range(len(labels))
    return [[cell(query, key) for key in count] for query in count]


def _hover(maps: AttentionMaps, show: str) -> str:
    number = "%{customdata[6]}" if show == "difference" else "%{z:.3f}"
    lines = [
        "from <b>%{customdata[2]}</b> at %{customdata[0]}",
        "to <b>%{customdata[3]}</b> at %{customdata[1]}",
        f"{'difference' if show == 'difference' else 'weight'} <b>{number}</b>",
    ]
    if maps.ablated is not None:
        lines.append("clean %{customdata[4]:.3f} · ablated %{customdata[5]:.3f}")
    return "<br>".join(lines) + "<extra></extra>"


def _layout(
    maps: AttentionMaps,
    index: int,
    focus: tuple[int, int] | None,
    theme: str,
    size: int,
    colour_bar: bool,
) -> dict[str, Any]:
    count = len(maps.tokens)
    if focus is not None and not all(0 <= position < count for position in focus):
        focus = None  # of an older, longer prompt
    room = _label_room(maps)
    side = count * min(_MOST_CELL, max(_LEAST_CELL, (size - room - 8) // max(count, 1)))
    ends = [-0.5, count - 0.5]
    right = 88 if colour_bar else 8
    title = {
        "text": str(maps.request.heads[index]),
        "x": 0,
        "xref": "paper",
        "y": 1,
        "yref": "paper",
    }
    return palette.layout(
        theme,
        width=side + room + right,
        height=side + room + 30,
        margin={"l": room, "r": right, "t": 30, "b": room, "pad": 2},
        title=title
        | {
            "yanchor": "bottom",
            "pad": {"b": 7},
            "font": {"size": 13, "weight": 600, "color": palette.theme_of(theme).ink},
        },
        xaxis=_axis(maps, focus and focus[1], theme, range=ends, tickangle=-90, side="bottom"),
        yaxis=_axis(maps, focus and focus[0], theme, range=ends[::-1], scaleanchor="x"),
        shapes=_outlines(focus, count, theme),
    )


def _axis(maps: AttentionMaps, position: int | None, theme: str, **changes: Any) -> dict[str, Any]:
    colours = palette.theme_of(theme)
    labels = [safe(shorten(label, _LABEL)) for label in maps.tokens.labels]
    if position is not None:
        labels[position] = f'<b><span style="color:{colours.accent}">{labels[position]}</span></b>'
    font = {"family": palette.MONO, "size": _font(len(labels)), "color": colours.ink2}
    ticks = {"tickmode": "array", "tickvals": list(range(len(labels))), "ticktext": labels}
    fixed = {"tickfont": font, "constrain": "domain", "automargin": False}
    return palette.axis(theme, **ticks, **fixed, **changes)


def _font(count: int) -> int:
    return 11 if count <= 24 else 10 if count <= 40 else 9


def _label_room(maps: AttentionMaps) -> int:
    """px that the longest label needs beside the map."""
    longest = max((len(shorten(label, _LABEL)) for label in maps.tokens.labels), default=1)
    return 12 + round(longest * _font(len(maps.tokens)) * palette.MONO_EM)


def _outlines(focus: tuple[int, int] | None, count: int, theme: str) -> list[dict[str, Any]]:
    if focus is None:
        return []
    query, key = focus
    line = {"color": palette.theme_of(theme).accent, "width": 1.5}
    box = {"type": "rect", "line": line, "fillcolor": "rgba(0,0,0,0)"}
    return [
        box | {"x0": -0.5, "x1": count - 0.5, "y0": query - 0.5, "y1": query + 0.5},
        box | {"x0": key - 0.5, "x1": key + 0.5, "y0": -0.5, "y1": count - 0.5},
    ]


def _bar(show: str, theme: str) -> dict[str, Any]:
    if show == "difference":
        ticks = {"tickvals": [-1, -0.5, 0, 0.5, 1], "ticktext": ["−1", "−0.5", "0", "+0.5", "+1"]}
        return palette.colour_bar("difference of attention weight", theme, **ticks)
    return palette.colour_bar("attention weight", theme, tickvals=[0, 0.25, 0.5, 0.75, 1])
