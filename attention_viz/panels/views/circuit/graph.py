"""The circuit's graph: how it stands, its elements, its legend, and its numbers as tables.

Solid edges were measured by direct path patching, dotted ones are gradient estimates, dashed ones
attention weights.
"""

from typing import Any

from attention_viz.exports.tables import edges_table, nodes_table
from attention_viz.figures.circuits.circuit import draw_graph
from attention_viz.figures.circuits.circuit_layout import smallest_of
from attention_viz.figures.circuits.circuit_legend import folded_legend
from attention_viz.figures.palette import BOTH
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button
from attention_viz.panels.kit.common import card, empty
from attention_viz.panels.kit.controls import segments, slider, told
from attention_viz.panels.kit.drawn import graph
from attention_viz.panels.kit.files import csv_act, csv_button
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.results import ending, progress, submit
from attention_viz.panels.kit.tables import fold, table
from attention_viz.panels.views.circuit import drawing, export, proof, source
from attention_viz.panels.views.circuit.known import (
    circuit_with_roles,
    find_circuit,
    need_circuit,
    need_source,
    shown_circuit,
    whole_circuit,
)
from attention_viz.panels.views.circuit.numbers import draw_legend
from attention_viz.panels.views.circuit.requests import circuit_request
from attention_viz.panels.views.circuit.stack import with_sums
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.circuit import Circuit, CircuitRequest
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.page import PageState

_ARRANGED = {"layers": "layers", "tokens": "tokens × layers"}
_MOST_SHARE = 0.5  # of the strongest edge, that the slider hides below


def layout() -> html.Node:
    measure = html.Span(id="circuit-measure", **{"data-part": "circuit-measure"})
    return card(
        "Circuit",
        source.layout(),
        proof.sentence(),
        place("circuit-status"),
        _graph(),
        *_tables(),
        note=html.Span(id="circuit-note", **{"data-part": "circuit-note"}),
        tools=html.Span([measure, export.menu()]),
        className="circuit-card",
    )


def _graph() -> html.Node:
    return drawing.graph_box(
        drawing.layout(segments("circuit.arranged", _ARRANGED, "Layout"), _hide_below()),
        place("circuit-figure"),
        drawing.for_selected(),
        place("circuit-legend"),
        place("circuit-detail", className="circuit-detail"),
    )


def _hide_below() -> html.Node:
    share = slider("circuit.smallest", 0, _MOST_SHARE, 0.01, id="circuit-smallest")
    shown = html.Span([share, told("circuit.smallest", percent=True)], className="slider")
    title = "Edges weaker than this share of the strongest are not drawn; the table has them all"
    return html.Label(["hide below", shown], className="control", title=title)


def _tables() -> list[html.Node]:
    edges = [csv_button("edges", "Save all edges as CSV"), place("circuit-edges")]
    nodes = [csv_button("nodes", "Save all nodes as CSV"), place("circuit-nodes")]
    return [fold("Table: edges", *edges), fold("Table: nodes and roles", *nodes)]


# Parts


def show_status(bench: Bench, state: PageState) -> Any:
    """What stands in the graph's place, or how its measurement ended; None where all is well."""
    if state.circuit.source == "heads" and not state.heads:
        return _teach_heads()
    found = find_circuit(bench, state)
    if isinstance(found.record, Circuit):
        return ending(found.job)
    if found.is_active:
        return progress(found.job)
    hint = "Press Measure the circuit: the model is run again for it, in the background."
    return ending(found.job) or empty("This circuit was not measured yet.", hint)


def show_measure(bench: Bench, state: PageState) -> Any:
    """The button is there where there is something to measure and nobody measures it."""
    try:
        found = find_circuit(bench, state)
    except AttentionVizError:
        return None
    if found.is_active or isinstance(found.record, Circuit):
        return None
    return act_button("Measure the circuit", "circuit-measure", className="btn btn-sm")


def show_note(bench: Bench, state: PageState) -> Any:
    circuit = shown_circuit(bench, state)
    if circuit is None:
        return None
    text = describe(circuit)  # cut where the card is narrow, whole by hovering
    return html.Span(text, title=text)


def show_figure(bench: Bench, state: PageState) -> Any:
    circuit = circuit_with_roles(bench, state)
    if circuit is None:
        return None
    least, view = smallest_of(circuit, state.circuit.smallest), state.circuit.drawing
    return graph(**draw_graph(circuit, BOTH.name, least, view))


def show_legend(bench: Bench, state: PageState) -> Any:
    """A line of signs; unfolded, what each of them means."""
    circuit = circuit_with_roles(bench, state)
    if circuit is None:
        return None
    least, view = smallest_of(circuit, state.circuit.smallest), state.circuit.drawing
    return draw_legend(*folded_legend(circuit, BOTH.name, least, view))


def show_edges(bench: Bench, state: PageState) -> Any:
    circuit = need_circuit(bench, state)
    return table(*with_sums(edges_table(circuit), circuit, state), "Edges of the circuit")


def show_nodes(bench: Bench, state: PageState) -> Any:
    need_circuit(bench, state)
    return table(*nodes_table(circuit_with_roles(bench, state)), "Nodes of the circuit")


def _teach_heads() -> html.Node:
    find = act_button("Find heads", "find", className="btn primary small")
    hint = "Pick heads in the grid, or let a search find those that change the answer."
    return html.Div([empty("No heads selected yet.", hint), find], className="teach")


def describe(circuit: Circuit) -> str:
    """How the circuit was made."""
    if isinstance(circuit.request, CircuitRequest):
        return f"{circuit.request.ablation.label} ablation"
    return f"{circuit.request.label} · {circuit.request.pairs.label}"


# Acts


def _measure(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    need_source(bench, state)
    return submit(bench, circuit_request(state))


PARTS = (
    Part("circuit-status", show_status),
    Part("circuit-measure", show_measure),
    Part("circuit-note", show_note),
    Part("circuit-figure", show_figure),
    Part("circuit-legend", show_legend),
    Part("circuit-edges", show_edges),
    Part("circuit-nodes", show_nodes),
)
ACTS: dict[str, Act] = {
    "circuit-measure": _measure,
    **csv_act("edges", lambda bench, state: edges_table(need_circuit(bench, state))),
    **csv_act("nodes", lambda bench, state: nodes_table(whole_circuit(bench, state))),
}
