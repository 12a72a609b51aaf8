"""Is the circuit faithful? Everything outside it replaced: measured now, over sizes, by edges."""

from typing import Any

from attention_viz.panels.frame.news import submitted

from attention_viz.exports.tables import curve_table, minimality_table
from attention_viz.figures.circuits.faithfulness import (
    describe_curve,
    describe_proof,
    draw_curve,
    draw_minimality,
)
from attention_viz.panels import ids
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import ask, card, empty, explain, number, state_of, toast
from attention_viz.panels.kit.files import csv_button, offer_csv
from attention_viz.panels.kit.requests import circuit_request, curve_request, proof_request
from attention_viz.panels.kit.results import Found, ending, event_button, find, progress
from attention_viz.panels.kit.tables import figure, fold, table
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.faithfulness import FaithfulnessResult
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import PageState

_ASKED = "proof-asked"
_ABOUT = (
    "Every edge outside the circuit is replaced, the rest is run. Faithfulness is the share of the "
    "logit difference that is left: 1 is the whole model, 0 is everything replaced."
)


def sentence() -> html.Div:
    """Faithfulness of the circuit shown; it stands with the graph."""
    return html.Div(id="proof-now", className="verdict circuit-verdict", role="status")


def layout() -> html.Div:
    measure = event_button("Measure", _ASKED, className="btn primary small", id="proof-measure")
    tools = html.Span([measure, csv_button("curve", "Save the curve as CSV")])
    return html.Div(
        card(
            "Is it faithful?",
            html.P(_ABOUT, className="note"),
            html.Div(id="proof-status"),
            html.Div(figure("proof-curve", 300), id="proof-curve-box", hidden=True),
            html.P(id="proof-told", className="note"),
            html.Div(
                [
                    fold("What each edge is needed for", figure("proof-edges")),
                    fold("Table: faithfulness by size", html.Div(id="proof-table")),
                    fold("Table: without each edge", html.Div(id="proof-minimality")),
                ],
                id="proof-folds",
                hidden=True,
            ),
            dcc.Store(id=_ASKED),
            note="a click on the curve cuts there",
            tools=tools,
        ),
        id="proof",
        hidden=True,
    )


def register(app: Dash, workbench: Any) -> None:
    offer_csv(app, "curve", lambda state: curve_table(_need_curve(workbench, state)))

    @app.callback(
        Output(ids.SUBMITTED, "data", allow_duplicate=True),
        Output(ids.TOAST, "data", allow_duplicate=True),
        Input(_ASKED, "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def measure(_asked, page):
        try:
            return submit_proof(workbench, state_of(page)), no_update
        except AttentionVizError as error:
            return no_update, toast(error)

    @app.callback(
        Output("proof", "hidden"),
        Output("proof-now", "children"),
        Output("proof-status", "children"),
        Output("proof-curve", "figure"),
        Output("proof-curve-box", "hidden"),
        Output("proof-told", "children"),
        Output("proof-edges", "figure"),
        Output("proof-folds", "hidden"),
        Output("proof-table", "children"),
        Output("proof-minimality", "children"),
        Input("circuit-shown", "data"),
        Input(ids.JOB_NEWS, "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def draw(_shown, _news, page):
        state = state_of(page)
        if state.view != "circuit":
            return (no_update,) * 10
        return show_proof(workbench, state)

    @app.callback(
        Output(ids.PAGE, "data", allow_duplicate=True),
        Input("proof-curve", "clickData"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def cut_there(clicked, page):
        size = clicked_size(clicked)
        state = state_of(page)
        if size is None or state.source != "scores" or size == state.edges:
            return no_update
        patch = Patch()
        patch["edges"] = size
        return patch


def clicked_size(clicked: Any) -> int | None:
    """How many edges a clicked point of the curve stands for."""
    try:
        size = int(clicked["points"][0]["customdata"][0])
    except (TypeError, KeyError, IndexError, ValueError):
        return None
    return size if size >= 1 else None


def submit_proof(workbench: Any, state: PageState) -> dict[str, Any]:
    """Start measuring the curve (of scores) and what each edge is needed for."""
    circuit = shown_circuit(workbench, state)
    if circuit is None:
        raise BadInput("There is no circuit yet.", "Measure the circuit first.")
    job = workbench.submit(proof_request(state, circuit, True))
    if state.source == "scores":
        job = workbench.submit(curve_request(state))
    return submitted(job)


def shown_circuit(workbench: Any, state: PageState) -> Circuit | None:
    """The circuit of the page where it is measured already, and its edges are of pairs."""
    if state.source == "heads":
        return None
    found = workbench.cached(circuit_request(state))
    return found if isinstance(found, Circuit) else None


def show_proof(workbench: Any, state: PageState) -> tuple:
    """All that the card shows; see the outputs of its callback."""
    if state.source == "heads":
        known = workbench.cached(circuit_request(state)) if state.heads else None
        return (True, tell_heads(known), *(no_update,) * 8)
    circuit = shown_circuit(workbench, state)
    if circuit is None:
        return (True, None, *(no_update,) * 8)
    if not circuit.edge_ids:
        nothing = empty("No edge leads from the input to the logits.", "Cut a larger circuit.")
        return (False, nothing, None, no_update, True, "", no_update, True, None, None)
    whole = find(workbench, proof_request(state, circuit, True))
    curve = find(workbench, curve_request(state)) if state.source == "scores" else Found()
    now = _now(workbench, state, circuit, whole.record)
    active = next((each for each in (whole, curve) if each.is_active), None)
    ended = next((each for each in (whole, curve) if ending(each.job) is not None), None)
    status = progress(active.job) if active else (ending(ended.job) if ended else None)
    has_curve, has_edges = curve.record is not None, whole.record is not None
    return (
        False,
        now,
        status,
        draw_curve(curve.record, state.theme, len(circuit.edge_ids)) if has_curve else no_update,
        not has_curve,
        describe_curve(curve.record) if has_curve else "",
        draw_minimality(whole.record, state.theme) if has_edges else no_update,
        not (has_curve or has_edges),
        table(*curve_table(curve.record), "Faithfulness by size") if has_curve else None,
        table(*minimality_table(whole.record), "Without each edge") if has_edges else None,
    )


def tell_heads(circuit: Circuit | None) -> list[Any] | None:
    """How much chosen heads explain by themselves."""
    if circuit is None or circuit.heads_faithfulness is None:
        return None
    return [
        html.B(f"Faithfulness {number(circuit.heads_faithfulness, 2)}"),
        f": with all other heads ablated ({circuit.request.ablation.label}; MLPs stay) the logit "
        f"difference is {number(circuit.alone, 2, sign=True)}, with all heads ablated "
        f"{number(circuit.none, 2, sign=True)}, clean {number(circuit.baseline, 2, sign=True)}.",
    ]


def _now(workbench: Any, state: PageState, circuit: Circuit, whole: Any) -> Any:
    """Faithfulness of the circuit shown: what is known of it, measured now where that is quick."""
    if isinstance(whole, FaithfulnessResult):
        return describe_proof(whole)
    try:
        found = ask(workbench, proof_request(state, circuit, False))
    except AttentionVizError as error:
        return explain(error)
    return _tell(found)


def _tell(found: FaithfulnessResult) -> list[Any]:
    """The measure in one line: size, faithfulness, interval, what is left without it."""
    measured, interval = found.measured, found.measured.interval
    within = (
        f" (95 % of resampled pairs: {number(interval.low, 2)} to {number(interval.high, 2)})"
        if interval
        else ""
    )
    edges = "1 edge" if measured.size == 1 else f"{measured.size} edges"
    return [
        html.B(f"Faithfulness {number(measured.faithfulness, 2)}"),
        f"{within} with {edges}, {100 * measured.share:.2g} % of all; everything but the circuit: "
        f"{number(measured.without, 2)}. Replaced: {found.request.ablation.value}.",
    ]


def _need_curve(workbench: Any, state: PageState) -> Any:
    found = workbench.cached(curve_request(state)) if state.source == "scores" else None
    if found is None:
        raise BadInput("The curve was not measured yet.", "Press Measure first.")
    return found
