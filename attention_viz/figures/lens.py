"""The logit lens as a map: rows are the embedding (bottom) and the layers, columns positions.

A cell names the top-1 token there, its colour is that token's probability; the hover lists the
top-k. Source: nostalgebraist, "interpreting GPT: the logit lens" (2020).
"""

from typing import Any

import plotly.graph_objects as go

from attention_viz.figures import palette
from attention_viz.figures.escape import safe, shorten, visible
from attention_viz.records.lens import LogitLens

_CELL = (21, 64)  # px, narrowest and widest
_ROW = 31  # px
_FONT = (7.5, 11)  # px, smallest and greatest in a cell
_LABEL = 12  # characters of a token under its column
_RIGHT = 54  # px, for the colour bar


def draw_lens(
    lens: LogitLens, theme: str = "light", focus_position: int | None = None, width: int = 620
) -> go.Figure:
    """About `width` px wide, more where the cells would get too narrow: then let it scroll.

    A click's customdata is (row, position, hover text). The read-out column is outlined, and
    so is `focus_position`, thinner.
    """
    cell = _cell_width(lens, width)
    heat = go.Heatmap(
        z=lens.probability[:, :, 0],
        zmin=0,
        zmax=1,
        colorscale=palette.sequential_scale(theme),
        xgap=2,
        ygap=2,
        customdata=[
            [[row, position, _hover(lens, row, position)] for position in range(len(lens.tokens))]
            for row in range(len(lens.rows))
        ],
        hovertemplate="%{customdata[2]}<extra></extra>",
        colorbar=palette.colour_bar("probability", theme, tickvals=[0, 0.5, 1]),
    )
    return go.Figure([heat, _words(lens, cell, theme)], _layout(lens, cell, focus_position, theme))


def _words(lens: LogitLens, cell: float, theme: str) -> go.Scatter:
    """The top-1 tokens: a heatmap's own text has one size for all, this one fits each cell."""
    places = [(row, at) for row in range(len(lens.rows)) for at in range(len(lens.tokens))]
    fitted = [_fit(lens.top[row][at][0].shown, cell - 3.5) for row, at in places]
    inks = [palette.sequential(float(lens.probability[row, at, 0]), theme)[1] for row, at in places]
    return go.Scatter(
        x=[at for _, at in places],
        y=[row for row, _ in places],
        mode="text",
        text=[text for text, _ in fitted],
        textfont={"family": palette.MONO, "size": [size for _, size in fitted], "color": inks},
        hoverinfo="skip",
        cliponaxis=False,
    )


def _fit(word: str, room: float) -> tuple[str, float]:
    """The word as plotly text, and the size at which it fits `room` px.

    On one line; else without the sign for its leading space (the hover has it); else on two
    lines, shortened where even that is not enough.
    """
    word = visible(word)
    smallest, greatest = _FONT
    for shown in (word, word.removeprefix("␣") or word):
        size = room / (max(len(shown), 1) * palette.MONO_EM)
        if size >= smallest:
            return safe(shown), min(greatest, size)
    per_line = int(room / (smallest * palette.MONO_EM))
    shown = shorten(shown, 2 * per_line)
    cut = (len(shown) + 1) // 2
    size = min(greatest, room / (cut * palette.MONO_EM))
    return f"{safe(shown[:cut])}<br>{safe(shown[cut:])}", size


def _hover(lens: LogitLens, row: int, position: int) -> str:
    name = lens.rows[row]
    place = "embedding" if name == "embed" else f"after {name}"
    lines = [f"{place}, at <b>{safe(lens.tokens.labels[position])}</b> ({position})"]
    for token, probability in zip(
        lens.top[row][position], lens.probability[row, position], strict=True
    ):
        lines.append(f"{probability:.3f}  <b>{safe(token.shown)}</b>")
    answer = float(lens.answer_probability[row, position])
    rank = int(lens.answer_rank[row, position])
    lines.append(f"answer {safe(lens.answer.shown)}: {answer:.3f}, rank {rank}")
    return "<br>".join(lines)


def _layout(lens: LogitLens, cell: float, focus_position: int | None, theme: str) -> dict[str, Any]:
    count, rows = len(lens.tokens), len(lens.rows)
    colours = palette.theme_of(theme)
    labels = [safe(shorten(label, _LABEL)) for label in lens.tokens.labels]
    labels[lens.position] = (
        f'<b><span style="color:{colours.accent}">{labels[lens.position]}</span></b>'
    )
    left, bottom = _left(lens), _label_room(lens)
    mono = {"family": palette.MONO, "size": 11, "color": colours.ink2}
    return palette.layout(
        theme,
        width=round(left + count * cell + _RIGHT),
        height=8 + rows * _ROW + bottom,
        margin={"l": left, "r": _RIGHT, "t": 8, "b": bottom, "pad": 2},
        xaxis=palette.axis(
            theme,
            range=[-0.5, count - 0.5],
            tickvals=list(range(count)),
            ticktext=labels,
            tickangle=-90,
            tickfont=mono,
        ),
        yaxis=palette.axis(
            theme,
            range=[-0.5, rows - 0.5],
            tickvals=list(range(rows)),
            ticktext=list(lens.rows),
            tickfont={"size": 11, "color": colours.muted},
        ),
        shapes=_outlines(lens, focus_position, theme),
    )


def _outlines(lens: LogitLens, focus_position: int | None, theme: str) -> list[dict[str, Any]]:
    colours = palette.theme_of(theme)
    columns = {lens.position: (colours.accent, 2.0)}
    if focus_position is not None and 0 <= focus_position < len(lens.tokens):
        columns.setdefault(focus_position, (colours.muted, 1.2))
    return [
        {
            "type": "rect",
            "x0": position - 0.5,
            "x1": position + 0.5,
            "y0": -0.5,
            "y1": len(lens.rows) - 0.5,
            "line": {"color": colour, "width": thickness},
            "fillcolor": "rgba(0,0,0,0)",
        }
        for position, (colour, thickness) in columns.items()
    ]


def _cell_width(lens: LogitLens, width: int) -> float:
    room = (width - _left(lens) - _RIGHT) / max(len(lens.tokens), 1)
    return min(_CELL[1], max(_CELL[0], room))


def _left(lens: LogitLens) -> int:
    return 14 + round(max((len(name) for name in lens.rows), default=1) * 6.6)


def _label_room(lens: LogitLens) -> int:
    longest = max((len(shorten(label, _LABEL)) for label in lens.tokens.labels), default=1)
    return 12 + round(longest * 11 * palette.MONO_EM)
