"""Is the circuit faithful? Everything outside it replaced: measured now, over sizes, by edges."""

from typing import Any

from attention_viz.exports.mib import mib_table
from attention_viz.exports.tables import curve_table, minimality_table
from attention_viz.figures.circuits.faithfulness import (
    describe_curve,
    describe_proof,
    draw_curve,
    draw_minimality,
)
from attention_viz.figures.circuits.mib import describe_mib
from attention_viz.figures.palette import BOTH
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button
from attention_viz.panels.kit.common import ask, card, empty, number
from attention_viz.panels.kit.controls import shown_if
from attention_viz.panels.kit.drawn import plot
from attention_viz.panels.kit.files import csv_act, csv_button
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.results import Found, ending, find, progress, submit
from attention_viz.panels.kit.tables import fold, table
from attention_viz.panels.views.circuit.known import need_circuit, shown_circuit
from attention_viz.panels.views.circuit.numbers import count_of
from attention_viz.panels.views.circuit.requests import (
    curve_request,
    mib_request,
    proof_request,
)
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.circuit import Circuit, CutRequest
from attention_viz.records.circuits.faithfulness import Curve, FaithfulnessResult
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState

_ABOUT = (
    "Every edge outside the circuit is replaced, the rest is run. Faithfulness is the share of the "
    "logit difference that is left: 1 is the whole model, 0 is everything replaced."
)
_NOT_YET = empty("Not measured yet.", "Press Measure above.")


def sentence() -> html.Node:
    """Faithfulness of the circuit shown; it stands with the graph."""
    return place("proof-now", className="verdict circuit-verdict", role="status")


def layout() -> html.Node:
    measure = act_button("Measure", "proof-measure", className="btn primary small")
    folds = [
        fold("What each edge is needed for", place("proof-edges")),
        fold("Table: faithfulness by size", place("proof-table")),
        fold("Table: without each edge", place("proof-minimality")),
    ]
    proof = card(
        "Is it faithful?",
        html.P(_ABOUT, className="note"),
        place("proof-status"),
        place("proof"),
        *folds,
        note="a click on the curve cuts there",
        tools=html.Span([measure, csv_button("curve", "Save the curve as CSV")]),
        className="proof-card",
    )
    return html.Div(proof, **shown_if("circuit.source", "scores", "given"))


# What is measured


def find_curve(bench: Bench, state: PageState) -> Found:
    """Faithfulness by size; only scores can be cut to sizes."""
    if state.circuit.source != "scores":
        return Found()
    return find(bench, curve_request(state))


def find_mib(bench: Bench, state: PageState) -> Found:
    """The same by MIB's rule, where circuits are cut by it."""
    request = mib_request(state)
    return Found() if request is None else find(bench, request)


def find_proof(bench: Bench, state: PageState) -> Found:
    """What the circuit loses without each of its edges, and circuits by chance."""
    circuit = _circuit_of_edges(bench, state)
    return Found() if circuit is None else find(bench, proof_request(state, circuit, True))


def _circuit_of_edges(bench: Bench, state: PageState) -> Circuit | None:
    if state.circuit.source == "heads":
        return None
    circuit = shown_circuit(bench, state)
    return circuit if circuit is not None and circuit.edge_ids else None


def _need_curve(bench: Bench, state: PageState) -> Curve:
    found = find_curve(bench, state).record
    if not isinstance(found, Curve):
        raise BadInput("The curve was not measured yet.", "Press Measure first.")
    return found


# Parts


def show_now(bench: Bench, state: PageState) -> Any:
    """How faithful the circuit is that is shown; measured now."""
    circuit = shown_circuit(bench, state)
    if circuit is None:
        return None
    if state.circuit.source == "heads":
        return tell_heads(circuit)
    if not circuit.edge_ids:
        return _tell_empty(circuit)
    return tell(ask(bench, proof_request(state, circuit, False)))


def show_status(bench: Bench, state: PageState) -> Any:
    """How far the measurements are, or how one ended."""
    all_of_them = [each(bench, state) for each in (find_proof, find_curve, find_mib)]
    for found in all_of_them:
        if found.is_active:
            return progress(found.job)
    return next((end for found in all_of_them if (end := ending(found.job)) is not None), None)


def show_proof(bench: Bench, state: PageState) -> Any:
    """The curve with the size shown marked, and both measurements in words."""
    curve, whole = find_curve(bench, state).record, find_proof(bench, state).record
    if not isinstance(curve, Curve) and not isinstance(whole, FaithfulnessResult):
        return None
    drawn: list[Any] = []
    if isinstance(curve, Curve):
        circuit = _circuit_of_edges(bench, state)
        size = None if circuit is None else len(circuit.edge_ids)
        mib = find_mib(bench, state).record
        figure = draw_curve(curve, BOTH.name, size, mib)
        drawn += [plot(figure, "proof-curve", sets="circuit.edges")]
        drawn += [] if mib is None else [html.P(describe_mib(mib), className="note")]
        drawn += [html.P(describe_curve(curve), className="note")]
    if isinstance(whole, FaithfulnessResult):
        drawn += [html.P(describe_proof(whole), className="note")]
    return drawn


def show_edges(bench: Bench, state: PageState) -> Any:
    whole = find_proof(bench, state).record
    return _NOT_YET if whole is None else plot(draw_minimality(whole, BOTH.name), "proof-bars")


def show_curve_table(bench: Bench, state: PageState) -> Any:
    curve, mib = find_curve(bench, state).record, find_mib(bench, state).record
    if curve is None:
        return _NOT_YET
    by_mib = [] if mib is None else [table(*mib_table(mib), "MIB's circuits")]
    return [table(*curve_table(curve), "Faithfulness by size"), *by_mib]


def show_minimality_table(bench: Bench, state: PageState) -> Any:
    whole = find_proof(bench, state).record
    return _NOT_YET if whole is None else table(*minimality_table(whole), "Without each edge")


def tell_heads(circuit: Circuit) -> list[Any] | None:
    """How much chosen heads explain by themselves."""
    if circuit.heads_faithfulness is None:
        return None
    return [
        html.B(f"Faithfulness {number(circuit.heads_faithfulness, 2)}"),
        f": with all other heads ablated ({circuit.request.ablation.label}; MLPs stay) the logit "
        f"difference is {number(circuit.alone, 2, sign=True)}, with all heads ablated "
        f"{number(circuit.none, 2, sign=True)}, clean {number(circuit.baseline, 2, sign=True)}.",
    ]


def _tell_empty(circuit: Circuit) -> html.Node:
    if isinstance(circuit.request, CutRequest) and circuit.request.way.ranking:
        why = f"Faithfulness 0: pruning leaves none of the top {circuit.request.edges} edges."
        return empty(why, "MIB counts such circuits. Take more edges to see one.")
    return empty("No edge leads from the input to the logits.", "Cut a larger circuit.")


def tell(found: FaithfulnessResult) -> list[Any]:
    """The measure in one line: size, faithfulness, interval, what is left without it."""
    measured, interval = found.measured, found.measured.interval
    within = (
        f" (95 % of resampled pairs: {number(interval.low, 2)} to {number(interval.high, 2)})"
        if interval
        else ""
    )
    return [
        html.B(f"Faithfulness {number(measured.faithfulness, 2)}"),
        f"{within} with {count_of(measured.size, 'edge')}, {100 * measured.share:.2g} % of all; "
        f"everything but the circuit: {number(measured.without, 2)}. Replaced: "
        f"{found.replaced or found.request.ablation.value}.",
    ]


# Acts


def _measure(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    """Start measuring what each edge is needed for and (of scores) the curve."""
    circuit = need_circuit(bench, state)
    if state.circuit.source == "heads" or not circuit.edge_ids:
        raise BadInput("This circuit has no edges to leave out.", "Choose Edge scores above.")
    requests: list[Any] = [proof_request(state, circuit, True)]
    if state.circuit.source == "scores":
        requests += [curve_request(state), *filter(None, [mib_request(state)])]
    return submit(bench, *requests)


PARTS = (
    Part("proof-now", show_now, wave=1),
    Part("proof-status", show_status, wave=1),
    Part("proof", show_proof, wave=1),
    Part("proof-edges", show_edges, wave=1),
    Part("proof-table", show_curve_table, wave=1),
    Part("proof-minimality", show_minimality_table, wave=1),
)
ACTS: dict[str, Act] = {
    "proof-measure": _measure,
    **csv_act("curve", lambda bench, state: curve_table(_need_curve(bench, state))),
}
