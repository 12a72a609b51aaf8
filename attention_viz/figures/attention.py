"""Attention maps, one square matrix per head.

Rows are queries (from), columns are keys (to); a cell is the attention weight (0 to 1; the
visible part of a row sums to 1), or, as a difference, weight(ablated) − weight(clean), centred
on 0. Keys after the query can't be seen by it: they are not there.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attention_viz.figures.matrix import Axis, Hover, Scale, draw_matrix, scale_of
from attention_viz.records.attention import AttentionMaps
from attention_viz.records.errors import BadInput
from attention_viz.records.metrics import Sense

SHOWS = ("clean", "ablated", "difference")
_UNITS = {
    "clean": "attention weight",
    "ablated": "attention weight, ablated run",
    "difference": "attention weight, ablated − clean",
}
_CLICK = {"change": {"attention.focus": "[row,col]"}}
FOLLOW = {
    "focus": "attention.focus",
    "least": "attention.threshold",
}  # of the page, see draw_matrix


def draw_map(
    maps: AttentionMaps,
    index: int,
    show: str = "clean",
    threshold: float = 0.0,
    focus: tuple[int | None, int | None] | None = None,
    theme: str = "light",
    *,
    click: Mapping[str, Any] | None = _CLICK,
    follow: Mapping[str, str] | None = None,
    colour_bar: bool = False,
) -> dict[str, Any]:
    """The map of `maps.request.heads[index]` as a matrix's spec.

    Weights smaller in size than `threshold` are left blank; the colours stay. `focus` outlines a
    row and a column. `follow` takes both from the page instead, see `draw_matrix`. Raises BadInput
    where the ablated run is asked for and was not made.
    """
    head = str(maps.request.heads[index])
    labels = maps.tokens.labels
    return draw_matrix(
        _weights(maps, index, show),
        Axis.of_tokens("from", labels),
        Axis.of_tokens("to", labels),
        scale=map_scale(show, theme),
        about=f"Attention map of {head}, {_UNITS[show]}, {len(labels)} tokens",
        title=head,
        hover=_runs(maps, index, show),
        least=threshold,
        focus=focus,
        click=click,
        follow=follow,
        is_triangle=True,
        has_bar=colour_bar,
        theme=theme,
    )


def map_scale(show: str = "clean", theme: str = "light") -> Scale:
    """The colours of all maps that show this, and their unit."""
    sense = Sense.CHANGE if show == "difference" else Sense.SIZE
    word = "difference" if show == "difference" else "weight"
    return scale_of(sense, _UNITS[show], 1.0, theme, word=word)


def _weights(maps: AttentionMaps, index: int, show: str) -> np.ndarray:
    """What is drawn, `[query, key]`."""
    if show not in SHOWS:
        raise BadInput(f"There is no map called {show!r}.", f"Choose {', '.join(SHOWS)}.")
    if show == "clean":
        return maps.clean[index]
    if maps.ablated is None:
        raise BadInput(
            "The ablated run of these heads was not made.", "Choose an intervention first."
        )
    return maps.ablated[index] - (maps.clean[index] if show == "difference" else 0.0)


def _runs(maps: AttentionMaps, index: int, show: str) -> list[Hover]:
    """The weight in each run that isn't the one drawn."""
    runs = {"clean": maps.clean, "ablated": maps.ablated}
    return [
        Hover(run, weights[index])
        for run, weights in runs.items()
        if weights is not None and run != show
    ]
