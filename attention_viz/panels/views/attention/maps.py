"""Maps of the selected heads, clean, ablated or their difference.

A click on a cell highlights its row (query) and column (key) in every map and shows the two
tokens beside. Cells are known by their positions, never by the tokens' text.
"""

from typing import Any

import numpy as np

from attention_viz.exports.tables import attention_table
from attention_viz.figures import palette
from attention_viz.figures.attention import FOLLOW, draw_map
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import act_button, change_button
from attention_viz.panels.kit.common import ask, card, empty, number
from attention_viz.panels.kit.controls import segments, slider, told
from attention_viz.panels.kit.drawn import matrix
from attention_viz.panels.kit.files import csv_act, csv_button
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.requests import need_heads
from attention_viz.panels.kit.tables import fold, table
from attention_viz.panels.views.attention.requests import attention_request
from attention_viz.records.attention import AttentionMaps
from attention_viz.records.bench import Bench
from attention_viz.records.page import PageState

PER_PAGE = 6
_ROWS = 20  # strongest weights listed
_SHOWS = {"clean": "clean", "ablated": "ablated", "difference": "ablated − clean"}


def layout() -> html.Node:
    return card(
        "Attention maps",
        _controls(),
        place("attention-maps", className="maps"),
        place("attention-legend", className="legend-line"),
        _table_fold(),
        note="row: from (query) · column: to (key) · each row sums to 1",
        className="view-main",
    )


def _controls() -> html.Node:
    shows = segments("attention.show", _SHOWS, "Which run", id="attention-show")
    least = slider("attention.threshold", 0, 1, 0.01, id="attention-threshold")
    threshold = html.Label(
        ["hide below", html.Span([least, told("attention.threshold", 2)], className="slider")],
        className="control",
    )
    return html.Div([shows, threshold, place("attention-pager")], className="controls")


def _table_fold() -> html.Node:
    return fold(
        "Table: the strongest weights of a head",
        place("attention-table-tools", className="controls"),
        place("attention-table"),
        name="attention-table-fold",
    )


def measure(bench: Bench, state: PageState) -> AttentionMaps:
    need_heads(state)
    return ask(bench, attention_request(state))


def show_maps(bench: Bench, state: PageState) -> Any:
    """The maps of the page's heads that are on the page shown, or why there are none."""
    if not state.heads:
        return teach()
    maps = measure(bench, state)
    page, _ = page_of(len(state.heads), state.attention.page)
    shown = range(page * PER_PAGE, min((page + 1) * PER_PAGE, len(state.heads)))
    return [draw_one(maps, index, state) for index in shown]


def draw_one(maps: AttentionMaps, index: int, state: PageState) -> html.Node:
    # The browser outlines the cell clicked and hides weak weights, without asking for the map.
    spec = draw_map(maps, index, state.attention.show, theme=palette.BOTH.name, follow=FOLLOW)
    return html.Div(matrix(spec, f"map-{maps.request.heads[index]}"), className="map")


def teach() -> html.Node:
    find = act_button("Find heads", "find", className="btn primary small")
    hint = "Pick heads in the grid, or let a search find those that change the answer."
    return html.Div([empty("No heads selected yet.", hint), find], className="teach")


def page_of(count: int, page: int) -> tuple[int, int]:
    """The page shown, kept within what there is, and how many pages there are."""
    pages = max(1, -(-count // PER_PAGE))
    return min(max(page, 0), pages - 1), pages


def show_pager(bench: Bench, state: PageState) -> Any:
    """Which page of maps is shown, and the ways to the others; nothing where there is but one."""
    page, pages = page_of(len(state.heads), state.attention.page)
    if pages == 1:
        return None

    def turn(sign: str, name: str, step: int) -> html.Node:
        return change_button(
            sign,
            {"attention.page": (page + step) % pages},
            id=f"attention-{name}",
            className="btn btn-sm",
            title=name.capitalize(),
            **{"aria-label": f"{name.capitalize()} page of maps"},
        )

    told = html.Span(f"{page + 1} of {pages}", id="attention-pages", className="pager-text")
    return html.Span([turn("‹", "back", -1), told, turn("›", "next", 1)], className="pager")


def show_legend(bench: Bench, state: PageState) -> Any:
    """The colour bar of all maps, with its unit."""
    if not state.heads:
        return None
    if state.attention.show == "difference":
        scale, ends = palette.diverging_scale(palette.BOTH.name), ("−1", "+1")
        label = state.intervention.label
        unit = f"change of attention weight, {label} ablation of the heads together"
    else:
        scale, ends = palette.sequential_scale(palette.BOTH.name), ("0", "1")
        unit = "attention weight"
        if state.attention.show == "ablated":
            unit += f", {state.intervention.label} ablation of the heads together"
    ramp = html.I(className="ramp", style={"background": palette.gradient(scale)})
    return [html.Span(ends[0]), ramp, html.Span(ends[1]), html.Span(unit, className="legend-unit")]


def _chosen(state: PageState) -> str | None:
    """The head whose table is shown: the one chosen there, else the first."""
    chosen = state.local("attention.table")
    return chosen if chosen in state.heads else next(iter(state.heads), None)


def show_table_tools(bench: Bench, state: PageState) -> Any:
    chosen = _chosen(state)
    options = [html.Option(head, value=head, selected=head == chosen) for head in state.heads]
    choice = html.Select(
        options,
        id="attention-table-head",
        className="form-select",
        **{"data-local": "attention.table"},
    )
    return [html.Label(["head", choice], className="control"), csv_button("attention")]


def show_table(bench: Bench, state: PageState) -> Any:
    """The strongest weights of one head, in words and numbers."""
    head = _chosen(state)
    maps = measure(bench, state)
    index = [str(each) for each in maps.request.heads].index(head)
    headers, rows = strongest(maps, index, state.attention.show)
    return table(headers, rows, f"Strongest attention weights of {head}")


def strongest(maps: AttentionMaps, index: int, show: str, most: int = _ROWS) -> tuple[list, list]:
    """Headers and rows of the greatest weights, or of the greatest differences in size."""
    clean, ablated = maps.clean[index], None if maps.ablated is None else maps.ablated[index]
    sizes = {"clean": clean, "ablated": ablated}.get(show)
    if sizes is None:
        sizes = clean if ablated is None else np.abs(ablated - clean)
    order = np.argsort(-sizes, axis=None, kind="stable")[:most]
    cells = [divmod(int(cell), sizes.shape[1]) for cell in order]
    cells = [(query, key) for query, key in cells if key <= query and sizes[query, key] > 0]
    labels = maps.tokens.labels
    headers = ["from", "at", "to", "at", "weight, clean"]
    rows = [
        [html.Code(labels[q]), q, html.Code(labels[k]), k, float(clean[q, k])] for q, k in cells
    ]
    if ablated is not None:
        headers += ["weight, ablated", "difference"]
        rows = [
            [*row, float(ablated[q, k]), number(float(ablated[q, k] - clean[q, k]), sign=True)]
            for row, (q, k) in zip(rows, cells, strict=True)
        ]
    return headers, rows


PARTS = (
    Part("attention-maps", show_maps),
    Part("attention-pager", show_pager),
    Part("attention-legend", show_legend),
    Part("attention-table-tools", show_table_tools),
    Part("attention-table", show_table),
)
ACTS = csv_act("attention", lambda bench, state: attention_table(measure(bench, state)))
