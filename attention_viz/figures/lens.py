"""The logit lens as a matrix: rows are the embedding (bottom) and the layers, columns positions.

A cell names the top-1 token there, its colour is that token's probability; the tooltip lists the
top-k. Source: nostalgebraist, "interpreting GPT: the logit lens" (2020).
"""

from collections.abc import Mapping
from typing import Any

from attention_viz.figures.matrix import Axis, Cells, Hover, draw_matrix, scale_of
from attention_viz.records.lens import LogitLens
from attention_viz.records.metrics import Sense

_CELLS = Cells(least=34, most=96, scrolling=54, height=26)


def draw_lens(
    lens: LogitLens,
    theme: str = "light",
    focus_position: int | None = None,
    *,
    click: Mapping[str, Any] | None = None,
    colour_bar: bool = True,
) -> dict[str, Any]:
    """The spec of the lens; the read-out's column is marked, `focus_position` is outlined.

    Without `click` a cell moves the read-out to its position.
    """
    positions = range(len(lens.tokens))
    return draw_matrix(
        lens.probability[:, :, 0],
        Axis("", lens.rows),
        Axis.of_tokens("at", lens.tokens.labels),
        scale=scale_of(Sense.SIZE, "probability", 1.0, theme),
        about=f"Logit lens, probability of the likeliest token, {len(lens.rows)} rows from the "
        f"embedding up, {len(lens.tokens)} tokens",
        text=[[lens.top[row][at][0].shown for at in positions] for row in range(len(lens.rows))],
        hover=[*_top(lens), *_facts(lens)],
        focus=None if focus_position is None else (None, focus_position),
        marks={lens.position: "read-out"},
        click={"position": "col"} if click is None else click,
        cells=_CELLS,
        grows_up=True,
        has_bar=colour_bar,
        theme=theme,
    )


def _top(lens: LogitLens) -> list[Hover]:
    """The likeliest tokens, one line each."""
    return [
        Hover(
            f"{k + 1}.",
            lens.probability[:, :, k],
            [[cell[k].shown for cell in row] for row in lens.top],
        )
        for k in range(lens.probability.shape[2])
    ]


def _facts(lens: LogitLens) -> list[Hover]:
    answer = lens.answer.shown
    return [
        Hover("entropy", lens.entropy, digits=2, unit="nats"),
        Hover(f"answer {answer}", lens.answer_probability),
        Hover(f"rank of {answer}", lens.answer_rank, digits=0),
    ]
