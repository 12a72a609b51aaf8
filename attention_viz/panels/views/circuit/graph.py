"""The circuit view: a measured graph, its proof, and lens, top tokens and parts beside it.

Solid edges were measured by direct path patching, dotted ones are gradient estimates, dashed ones
attention weights. A small model's circuit is measured as soon as it is chosen, a large one's in the
background.
"""

import time
from typing import Any

import dash_cytoscape as cyto
from attention_viz.panels.frame.news import submitted

from attention_viz.exports.tables import contributions_table, edges_table, nodes_table
from attention_viz.figures.circuits.circuit import draw_circuit, legend, stylesheet
from attention_viz.panels import (
    circuit_compare,
    circuit_detail,
    circuit_drawing,
    circuit_export,
    circuit_proof,
    circuit_side,
    circuit_source,
    ids,
)
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import ask, card, empty, explain, stale, state_of, toast
from attention_viz.panels.kit.files import csv_button, offer_csv
from attention_viz.panels.kit.requests import attribution_request, circuit_request
from attention_viz.panels.kit.results import (
    Found,
    ending,
    event_button,
    is_about,
    is_only_news,
    progress,
    recall,
)
from attention_viz.panels.kit.tables import fold, table
from attention_viz.panels.views.circuit.detail import find_part, show_part, show_positions
from attention_viz.panels.views.circuit.numbers import NOTHING, draw_sign, smallest_of
from attention_viz.panels.views.circuit.pairs import ask_pairs
from attention_viz.panels.views.circuit.source import known_circuit
from attention_viz.records.circuits.attribution import Method
from attention_viz.records.circuits.circuit import Circuit, CircuitRequest
from attention_viz.records.circuits.circuit_view import PLAIN_VIEW, CircuitView
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.page import PageState

_SMALL_MODEL = 20_000_000  # parameters; its circuits take well under a second on two cores
_FEW_HEADS = 12
_HEIGHT = 420  # px of the graph, until the browser has fitted it
_SHARE = 0.02  # edges weaker than this share of the strongest are not drawn at first
_ASKED = "circuit-asked"
_STALE = "Of an older prompt, selection or intervention. Measure again to bring it up to date."
_CALLED_BY = (
    ids.VIEW,
    ids.QUESTION,
    ids.HEADS,
    ids.ABLATION,
    ids.CIRCUIT,
    ids.DRAWING,
    ids.THEME,
    ids.JOB_NEWS,
)


def layout() -> html.Div:
    tools = html.Span([_measure_button(), circuit_export.menu()])
    graph = card(
        "Circuit",
        circuit_source.layout(),
        circuit_proof.sentence(),
        html.Div(id="circuit-status"),
        html.Div(_graph(), id="circuit-figure", hidden=True),
        _tables(),
        dcc.Store(id="circuit-shown"),
        *circuit_detail.stores(),
        dcc.Store(id=_ASKED),
        note=html.Span(id="circuit-note"),
        tools=tools,
    )
    main = html.Div(
        [graph, circuit_proof.layout(), circuit_compare.layout()], className="view-main"
    )
    return html.Div([main, circuit_side.layout()], className="view-columns circuit-columns")


def _measure_button() -> html.Button:
    return event_button(
        "Measure the circuit", _ASKED, id="circuit-measure", className="btn btn-sm", hidden=True
    )


def _graph() -> list[Any]:
    threshold = dcc.Slider(
        0,
        0.5,
        0.01,
        id="circuit-smallest",
        value=_SHARE,
        marks=None,
        allow_direct_input=False,
        updatemode="mouseup",
    )
    share = html.Output(id="circuit-share")
    hide = html.Label(
        ["hide edges below", html.Span(threshold, className="slider"), share, "of the strongest"],
        className="control",
    )
    graph = cyto.Cytoscape(
        id="circuit-graph",
        elements=NOTHING,
        stylesheet=stylesheet(),
        layout={"name": "preset", "fit": True, "padding": 14},
        minZoom=0.2,
        maxZoom=1.25,
        style={"width": "100%", "height": f"{_HEIGHT}px"},
        userZoomingEnabled=False,  # the wheel scrolls the page
        boxSelectionEnabled=False,
        responsive=True,
    )
    return [
        html.Div(hide, className="controls"),
        circuit_drawing.layout(),
        graph,
        html.Div(id="circuit-detail", className="circuit-detail"),
        html.Div(id="circuit-legend", className="circuit-legend"),
    ]


def _tables() -> html.Div:
    edges = [csv_button("edges", "Save all edges as CSV"), html.Div(id="circuit-edges")]
    nodes = [csv_button("nodes", "Save all nodes as CSV"), html.Div(id="circuit-nodes")]
    folds = [fold("Table: edges", *edges), fold("Table: nodes and roles", *nodes)]
    return html.Div(folds, id="circuit-tables", hidden=True)


def register(app: Dash, workbench: Any) -> None:
    tables = {"edges": edges_table, "nodes": nodes_table, "contributions": contributions_table}
    for name, make in tables.items():
        offer_csv(app, name, lambda state, make=make: make(known_circuit(workbench, state)))
    circuit_source.register(app, workbench)
    circuit_drawing.register(app, workbench)
    circuit_side.register(app, workbench)
    circuit_proof.register(app, workbench)
    circuit_detail.register(app, workbench)
    circuit_compare.register(app, workbench)
    circuit_export.register(app, workbench)
    _register_graph(app, workbench)
    _register_detail(app, workbench)

    app.clientside_callback(
        "share => `${Math.round(100 * (share ?? 0))} %`",
        Output("circuit-share", "children"),
        Input("circuit-smallest", "value"),
    )
    app.clientside_callback(
        "shown => dash_clientside.views.fitGraph(shown, 'circuit-graph')",
        Input("circuit-shown", "data"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(ids.SUBMITTED, "data", allow_duplicate=True),
        Output(ids.TOAST, "data", allow_duplicate=True),
        Input(_ASKED, "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def measure(_asked, page):
        try:
            return submitted(workbench.submit(circuit_request(state_of(page)))), no_update
        except AttentionVizError as error:
            return no_update, toast(error)


def _register_graph(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output("circuit-status", "children"),
        Output("circuit-graph", "elements"),
        Output("circuit-graph", "stylesheet"),
        Output("circuit-figure", "hidden"),
        Output("circuit-legend", "children"),
        Output("circuit-note", "children"),
        Output("circuit-edges", "children"),
        Output("circuit-nodes", "children"),
        Output("circuit-tables", "hidden"),
        Output("circuit-measure", "hidden"),
        Output("circuit-shown", "data"),
        *[Input(name, "data") for name in _CALLED_BY],
        Input("circuit-smallest", "value"),
        State("circuit-shown", "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def draw_graph(view, _question, _heads, _ablation, _circuit, _drawing, _theme, news, *rest):
        share, shown, page = rest
        if view != "circuit":
            return (no_update,) * 11
        state = state_of(page)
        found, is_stale = find_circuit(workbench, state, (shown or {}).get("job"))
        if is_only_news() and not is_about(news, found.job):
            return (no_update,) * 11
        return show_circuit(found, is_stale, state, share, instead=missing(workbench, state))


def _register_detail(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output("circuit-detail", "children"),
        Input("circuit-graph", "tapNodeData"),
        Input("circuit-graph", "tapEdgeData"),
        Input("circuit-shown", "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def detail(node, edge, shown, page):
        state = state_of(page)
        if state.view != "circuit":
            return no_update
        found, _ = recall(workbench, circuit_request(state), (shown or {}).get("job"))
        if found.record is None:
            return None
        part = find_part(found.record, newest(node, edge))
        shown = show_part(workbench, state, found.record, part)
        return [shown, show_positions(workbench, found.record, part)]


def newest(node: Any, edge: Any) -> Any:
    """What was clicked last."""
    clicked = [part for part in (node, edge) if isinstance(part, dict)]
    return max(clicked, key=lambda part: part.get("timeStamp") or 0, default=None)


def find_circuit(workbench: Any, state: PageState, shown: str | None) -> tuple[Found, bool]:
    """The circuit of the page, measured at once where that is quick."""
    if missing(workbench, state) is not None:
        return Found(), False
    request = circuit_request(state)
    found, is_stale = recall(workbench, request, shown)
    is_missing = found.record is None or is_stale
    if is_missing and found.job is None and is_quick(workbench, state):
        return Found(error_or(lambda: ask(workbench, request))), False
    return found, is_stale


def missing(workbench: Any, state: PageState) -> Any:
    """What stands in the graph's place where there is nothing to measure yet."""
    if state.source == "heads":
        return None if state.heads else _teach_heads()
    if state.source == "given" and not state.given_edges:
        return empty(
            "No circuit imported yet.",
            "Paste heads, or choose a file: JSON of this page or of EAP-IG.",
        )
    try:
        ask_pairs(workbench, state)
    except AttentionVizError as error:
        return explain(error)
    return None


def error_or(measure: Any) -> Any:
    """The record, or the error that says why there is none."""
    try:
        return measure()
    except AttentionVizError as error:
        return error


def is_quick(workbench: Any, state: PageState) -> bool:
    """Whether the circuit is measured without asking; a model not there yet is asked about."""
    try:
        status = workbench.status(state.model)
    except AttentionVizError:
        return True
    is_small = status.info is None or status.info.parameters <= _SMALL_MODEL
    if state.source == "heads":
        return is_small and len(state.heads) <= _FEW_HEADS
    if state.source == "scores" and workbench.cached(attribution_request(state)) is not None:
        return True  # cutting known scores takes no runs
    # Every edge patched takes some thousand runs a pair, even in a small model.
    is_single = not state.pairs or state.method != Method.EXACT.value
    return is_small and is_single


def show_circuit(
    found: Found,
    is_stale: bool,
    state: PageState,
    share: float | None = 0,
    *,
    instead: Any = None,
) -> tuple:
    """All that the graph's card shows; see the outputs of its callback.

    Edges below `share` of the strongest are not drawn; `instead` stands where nothing can be.
    """
    job, record = found.job, found.record
    shown = {"job": None if job is None else job.id, "at": time.time()}
    is_measured = isinstance(record, Circuit)
    # The button is there where there is something to measure and nobody measures it.
    is_button_hidden = instead is not None or found.is_active or (is_measured and not is_stale)
    if not is_measured:
        status = _status(found) if instead is None else instead
        styles = stylesheet(state.theme)
        return (
            status,
            NOTHING,
            styles,
            True,
            None,
            "",
            None,
            None,
            True,
            is_button_hidden,
            shown,
        )
    smallest = smallest_of(record, share)
    return (
        stale(None, _STALE) if is_stale else ending(job),
        draw_circuit(record, state.theme, smallest, state.circuit_view),
        stylesheet(state.theme),
        False,
        show_legend(record, state.theme, smallest, state.circuit_view),
        describe(record),
        table(*edges_table(record), "Edges of the circuit"),
        table(*nodes_table(record), "Nodes of the circuit"),
        False,
        is_button_hidden,
        shown,
    )


def _teach_heads() -> html.Div:
    find = event_button("Find heads", ids.SEARCH_ASKED, className="btn primary small")
    hint = "Pick heads in the grid, or let a search find those that change the answer."
    return html.Div([empty("No heads selected yet.", hint), find], className="teach")


def _status(found: Found) -> Any:
    if isinstance(found.record, AttentionVizError):
        return explain(found.record)
    if found.is_active:
        return progress(found.job)
    hint = "Press Measure the circuit: the model is run again for it, in the background."
    return ending(found.job) or empty("This circuit was not measured yet.", hint)


def describe(circuit: Circuit) -> str:
    if isinstance(circuit.request, CircuitRequest):
        return f"{circuit.request.ablation.label} ablation"
    return f"{circuit.request.label} · {circuit.request.pairs.label}"


def show_legend(
    circuit: Circuit, theme: str, smallest: float, view: CircuitView = PLAIN_VIEW
) -> list[Any]:
    """The legend's signs as HTML; long notes below the signs."""
    items = legend(circuit, theme, smallest, view)
    signs = [draw_sign(item) for item in items if item["mark"] != "note"]
    notes = [html.P(item["text"], className="note") for item in items if item["mark"] == "note"]
    return [html.Div(signs, className="legend-signs"), *notes]
