"""The attention view: maps of the selected heads, clean, ablated or their difference.

A click on a cell highlights its row (query) and column (key) in every map and shows the two
tokens beside. Cells are known by their positions, never by the tokens' text.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from dash import ALL, Dash, Input, Output, Patch, State, ctx, dcc, html, no_update

from attention_viz.exports.tables import attention_table
from attention_viz.figures import palette
from attention_viz.figures.attention import draw_map
from attention_viz.panels import ids
from attention_viz.panels.attention_token import layout as token_layout
from attention_viz.panels.attention_token import register as register_token
from attention_viz.panels.common import ask, card, empty, explain, number, state_of
from attention_viz.panels.controls import segments
from attention_viz.panels.downloads import csv_button, offer_csv
from attention_viz.panels.mirror import mirror, watch
from attention_viz.panels.requests import attention_request
from attention_viz.panels.results import event_button
from attention_viz.panels.tables import figure, fold, room, table, width_of
from attention_viz.records.attention import AttentionMaps
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.page import PageState

PER_PAGE = 6
_ROWS = 20  # strongest weights listed
_ROOM = 620  # px for the maps, until the browser has said how many there are
_GAP = 8  # px between maps
_MOST_MAP = 420  # px of a map's side
_COLUMNS = 3
_MAP, _SLOT = "attention-map", "attention-slot"
_SHOWS = {"clean": "clean", "ablated": "ablated", "difference": "ablated − clean"}


@dataclass(frozen=True)
class MapsPage:
    """What the view shows of the selected heads: at most PER_PAGE maps."""

    figures: tuple[Any, ...] = ()
    message: Any = None
    legend: Any = None
    page: int = 0
    pages: int = 1


def layout() -> html.Div:
    maps = card(
        "Attention maps",
        _controls(),
        html.Div(id="attention-message"),
        html.Div(
            [_slot(slot) for slot in range(PER_PAGE)],
            className="maps",
            **{"data-room": "attention-room"},
        ),
        html.Div(id="attention-legend", className="legend-line"),
        _table_fold(),
        note="row: from (query) · column: to (key) · each row sums to 1",
        className="view-main",
    )
    stores = [dcc.Store(id="attention-look"), room("attention-room", _ROOM)]
    return html.Div([maps, token_layout(), *stores], className="view-columns attention-columns")


def _controls() -> html.Div:
    shows = segments("attention-show", _SHOWS, "clean")
    slider = dcc.Slider(
        0,
        1,
        0.01,
        id="attention-threshold",
        value=0,
        marks=None,
        allow_direct_input=False,
        updatemode="drag",
    )
    pager = html.Span(
        [
            html.Button("‹", id="attention-back", className="btn btn-sm", title="Back"),
            html.Span(id="attention-pages", className="pager-text"),
            html.Button("›", id="attention-next", className="btn btn-sm", title="Next"),
        ],
        id="attention-pager",
        className="pager",
    )
    threshold = html.Label(
        [
            html.Span("hide below"),
            html.Span(slider, className="slider"),
            html.Output(id="attention-least"),
        ],
        className="control",
    )
    return html.Div([shows, threshold, pager], className="controls")


def _slot(slot: int) -> html.Div:
    graph = figure({"type": _MAP, "slot": slot})
    return html.Div(graph, id={"type": _SLOT, "slot": slot}, className="map", hidden=True)


def _table_fold() -> html.Details:
    choice = dcc.Dropdown(
        id="attention-table-head", clearable=False, placeholder="head", className="small-dropdown"
    )
    tools = html.Div(
        [html.Label(["head", choice], className="control"), csv_button("attention")],
        className="controls",
    )
    return fold("Table: the strongest weights of a head", tools, html.Div(id="attention-table"))


def register(app: Dash, workbench: Any) -> None:
    mirror(app, "attention-show", "maps")
    mirror(app, "attention-threshold", "maps_threshold")
    watch(app, "attention-look", "maps", "maps_page", "maps_threshold", "focus")
    offer_csv(app, "attention", lambda state: attention_table(_measure(workbench, state)))
    register_token(app, workbench)
    _register_maps(app, workbench)
    _register_clicks(app)
    _register_table(app, workbench)


def _register_maps(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output({"type": _MAP, "slot": ALL}, "figure"),
        Output({"type": _SLOT, "slot": ALL}, "hidden"),
        Output("attention-message", "children"),
        Output("attention-legend", "children"),
        Output("attention-pages", "children"),
        Output("attention-pager", "hidden"),
        Output("attention-least", "children"),
        *_inputs(),
        Input(ids.THEME, "data"),
        Input("attention-room", "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def draw(view, _question, _heads, _ablation, _look, _theme, width, page):
        if view != "attention":
            return [no_update] * PER_PAGE, [no_update] * PER_PAGE, *[no_update] * 5
        state = state_of(page)
        shown = draw_page(workbench, state, width)
        figures = [*shown.figures, *[no_update] * (PER_PAGE - len(shown.figures))]
        hidden = [slot >= len(shown.figures) for slot in range(PER_PAGE)]
        pages = f"{shown.page + 1} of {shown.pages}"
        least = number(state.maps_threshold, 2)
        return figures, hidden, shown.message, shown.legend, pages, shown.pages == 1, least


def _inputs() -> list[Input]:
    names = (ids.VIEW, ids.QUESTION, ids.HEADS, ids.ABLATION, "attention-look")
    return [Input(name, "data") for name in names]


def _register_clicks(app: Dash) -> None:
    @app.callback(
        Output(ids.PAGE, "data", allow_duplicate=True),
        Output({"type": _MAP, "slot": ALL}, "clickData"),
        Input({"type": _MAP, "slot": ALL}, "clickData"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def click(clicks, page):
        cell = clicked_cell(clicks)
        if cell is None:
            return no_update, [no_update] * len(clicks)
        patch = Patch()
        patch["focus"] = None if state_of(page).focus == cell else list(cell)
        return patch, [None] * len(clicks)  # so that the same cell can be clicked again

    @app.callback(
        Output(ids.PAGE, "data", allow_duplicate=True),
        Input("attention-back", "n_clicks"),
        Input("attention-next", "n_clicks"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def turn(_back, _next, page):
        state = state_of(page)
        now, pages = page_of(len(state.heads), state.maps_page)
        patch = Patch()
        patch["maps_page"] = (now + (1 if ctx.triggered_id == "attention-next" else -1)) % pages
        return patch


def _register_table(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output("attention-table-head", "options"),
        Output("attention-table-head", "value"),
        Output("attention-table", "children"),
        *_inputs(),
        Input("attention-table-head", "value"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def tabulate(view, _question, _heads, _ablation, _look, head, page):
        if view != "attention":
            return no_update, no_update, no_update
        state = state_of(page)
        chosen = head if head in state.heads else next(iter(state.heads), None)
        return list(state.heads), chosen, show_table(workbench, state, chosen)


def draw_page(workbench: Any, state: PageState, width: int | None = None) -> MapsPage:
    """The maps of the page's heads that are on the page shown, or why there are none."""
    if not state.heads:
        return MapsPage(message=_teach())
    try:
        maps = _measure(workbench, state)
    except AttentionVizError as error:
        return MapsPage(message=explain(error))
    page, pages = page_of(len(state.heads), state.maps_page)
    shown = range(page * PER_PAGE, min((page + 1) * PER_PAGE, len(state.heads)))
    figures = draw_maps(maps, shown, state, width_of(width, _ROOM))
    return MapsPage(tuple(figures), None, _legend(state), page, pages)


def _measure(workbench: Any, state: PageState) -> AttentionMaps:
    if not state.heads:
        raise BadInput("No heads are selected.", "Pick heads in the grid, or press Find heads.")
    return ask(workbench, attention_request(state))


def _teach() -> html.Div:
    find = event_button("Find heads", ids.SEARCH_ASKED, className="btn primary small")
    hint = "Pick heads in the grid, or let a search find those that change the answer."
    return html.Div([empty("No heads selected yet.", hint), find], className="teach")


def page_of(count: int, page: int) -> tuple[int, int]:
    """The page shown, kept within what there is, and how many pages there are."""
    pages = max(1, -(-count // PER_PAGE))
    return min(max(page, 0), pages - 1), pages


def draw_maps(maps: AttentionMaps, shown: range, state: PageState, room: int) -> list[Any]:
    """As many beside each other as fit without cells too small to hit, and as large as fits."""
    look = {"focus": state.focus, "theme": state.theme}
    figures = []
    for columns in range(min(_COLUMNS, max(1, len(shown))), 0, -1):
        size = min(_MOST_MAP, room // columns - _GAP)
        figures = [
            draw_map(maps, i, state.maps, state.maps_threshold, size=size, **look) for i in shown
        ]
        if figures[0].layout.width <= size:
            break
    return figures


def clicked_cell(clicks: list[Any]) -> tuple[int, int] | None:
    """(query, key) of the one map that was clicked: a heatmap's rows and columns."""
    for click in clicks:
        if click and click.get("points"):
            point = click["points"][0]
            return int(point["y"]), int(point["x"])
    return None


def _legend(state: PageState) -> list[Any]:
    """The colour bar of all maps, with its unit."""
    if state.maps == "difference":
        scale, ends = palette.diverging_scale(state.theme), ("−1", "+1")
        unit = f"change of attention weight, {state.ablation.label} ablation of the heads together"
    else:
        scale, ends = palette.sequential_scale(state.theme), ("0", "1")
        run = f", {state.ablation.label} ablation of the heads together"
        unit = f"attention weight{run if state.maps == 'ablated' else ''}"
    ramp = html.I(className="ramp", style={"background": palette.gradient(scale)})
    return [html.Span(ends[0]), ramp, html.Span(ends[1]), html.Span(unit, className="legend-unit")]


def show_table(workbench: Any, state: PageState, head: str | None) -> Any:
    """The strongest weights of one head, in words and numbers."""
    if head is None:
        return empty("No heads selected yet.", "Pick heads in the grid, or press Find heads.")
    try:
        maps = _measure(workbench, state)
    except AttentionVizError as error:
        return explain(error)
    headers, rows = strongest(maps, maps.request.heads.index(HeadId.parse(head)), state.maps)
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
