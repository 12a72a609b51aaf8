"""Two circuits side by side: one kept before, and the one shown now."""

from typing import Any

import dash_cytoscape as cyto

from attention_viz.exports.tables import comparison_table
from attention_viz.figures.circuits.comparison import (
    comparison_legend,
    comparison_stylesheet,
    draw_comparison,
)
from attention_viz.panels import ids
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import ask, card, empty, explain, number, state_of, toast
from attention_viz.panels.kit.files import csv_button, offer_csv
from attention_viz.panels.kit.requests import circuit_request
from attention_viz.panels.kit.tables import fold, table
from attention_viz.panels.views.circuit.numbers import NOTHING, draw_sign
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.comparison import CircuitComparison, compare_circuits
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import PageState

_KEPT_FIELDS = ("theme", "view", "kept", "pinned", "hidden", "names", "groups")


def layout() -> html.Div:
    keep = html.Button(
        "Keep this circuit",
        id="compare-keep",
        type="button",
        className="btn btn-sm",
        title="Then choose another: pairs, method, size, model settings, or an import",
    )
    forget = html.Button(
        "Forget it", id="compare-forget", type="button", className="btn btn-sm", hidden=True
    )
    graph = cyto.Cytoscape(
        id="compare-graph",
        elements=NOTHING,
        stylesheet=comparison_stylesheet(),
        layout={"name": "preset", "fit": True, "padding": 14},
        minZoom=0.2,
        maxZoom=1.25,
        style={"width": "100%", "height": "360px"},
        userZoomingEnabled=False,
        boxSelectionEnabled=False,
        autoungrabify=True,
        responsive=True,
    )
    return card(
        "Compare",
        html.Div(id="compare-told"),
        html.Div(
            [
                graph,
                html.Div(id="compare-legend", className="circuit-legend"),
                fold("Table: nodes and edges", html.Div(id="compare-table")),
            ],
            id="compare-box",
            hidden=True,
        ),
        note="a circuit kept before with the one above",
        tools=html.Span([keep, forget, csv_button("comparison", "Save the comparison as CSV")]),
    )


def register(app: Dash, workbench: Any) -> None:
    offer_csv(app, "comparison", lambda state: comparison_table(_need(workbench, state)))

    @app.callback(
        Output(ids.PAGE, "data", allow_duplicate=True),
        Output(ids.TOAST, "data", allow_duplicate=True),
        Input("compare-keep", "n_clicks"),
        Input("compare-forget", "n_clicks"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def keep(kept, forgot, page):
        if not (kept or forgot):
            return no_update, no_update
        patch = Patch()
        patch["kept"] = ""
        if ctx.triggered_id == "compare-keep":
            try:
                state = state_of(page)
                ask(workbench, circuit_request(state))
                patch["kept"] = keep_state(state)
            except AttentionVizError as error:
                return no_update, toast(error)
        return patch, no_update

    @app.callback(
        Output("compare-told", "children"),
        Output("compare-graph", "elements"),
        Output("compare-graph", "stylesheet"),
        Output("compare-box", "hidden"),
        Output("compare-legend", "children"),
        Output("compare-table", "children"),
        Output("compare-forget", "hidden"),
        Input("circuit-shown", "data"),
        Input(ids.CIRCUIT, "data"),
        Input(ids.THEME, "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def draw(_shown, _circuit, _theme, page):
        state = state_of(page)
        if state.view != "circuit":
            return (no_update,) * 7
        return show_comparison(workbench, state)


def keep_state(state: PageState) -> str:
    """The page as a link, without what the circuit does not depend on."""
    plain = PageState()
    return state.change(**{name: getattr(plain, name) for name in _KEPT_FIELDS}).to_fragment()


def show_comparison(workbench: Any, state: PageState) -> tuple:
    """All that the card shows; see the outputs of its callback."""
    styles = comparison_stylesheet(state.theme)
    if not state.kept:
        hint = "Keep this circuit, then cut, score or import another: both are drawn in one graph."
        return empty("Nothing kept yet.", hint), NOTHING, styles, True, None, None, True
    try:
        found = compare(workbench, state)
    except AttentionVizError as error:
        return explain(error), NOTHING, styles, True, None, None, False
    return (
        html.P(_tell(found), className="verdict"),
        draw_comparison(found, state.theme),
        styles,
        False,
        html.Div(
            [draw_sign(item) for item in comparison_legend(found, state.theme)],
            className="legend-signs",
        ),
        table(*comparison_table(found), "Nodes and edges of both circuits"),
        False,
    )


def compare(workbench: Any, state: PageState) -> CircuitComparison:
    """The circuit kept (left) and the one of the page (right). Raises BadInput for neither."""
    left = ask(workbench, circuit_request(PageState.from_fragment(state.kept)))
    known = workbench.cached(circuit_request(state))
    if not isinstance(known, Circuit):
        raise BadInput("The circuit above is not measured yet.", "Measure it first.")
    return compare_circuits(left, known)


def _need(workbench: Any, state: PageState) -> CircuitComparison:
    if not state.kept:
        raise BadInput("No circuit was kept.", "Press Keep this circuit, then choose another.")
    return compare(workbench, state)


def _tell(found: CircuitComparison) -> str:
    """How much the two have in common."""
    heads, edges = found.heads, found.edges
    told = (
        f"{len(heads.shared)} heads in both, {len(heads.only_left)} only in the one kept, "
        f"{len(heads.only_right)} only above; {len(edges.shared)} edges in both, "
        f"{len(edges.only_left)} only in the one kept, {len(edges.only_right)} only above "
        f"(Jaccard of heads {number(heads.jaccard, 2)}, of edges {number(edges.jaccard, 2)})."
    )
    if found.correlation is not None:
        told += f" Correlation of the shared edges' scores: {number(found.correlation, 2)}."
    return told
