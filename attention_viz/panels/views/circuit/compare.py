"""Two circuits side by side: one kept before, and the one shown now."""

from typing import Any

from attention_viz.exports.tables import comparison_table
from attention_viz.figures.circuits.comparison import comparison_legend, draw_compared
from attention_viz.figures.palette import BOTH
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button
from attention_viz.panels.kit.common import card, empty, explain, number
from attention_viz.panels.kit.drawn import graph
from attention_viz.panels.kit.files import csv_act, csv_button
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.tables import fold, table
from attention_viz.panels.views.circuit.drawing import graph_box, zoom_buttons
from attention_viz.panels.views.circuit.known import find_circuit, need_circuit
from attention_viz.panels.views.circuit.numbers import draw_legend
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.comparison import (
    CircuitComparison,
    compare_circuits,
    tell_turned,
)
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import PageState

_NOT_KEPT = ("kept", "smallest", "side_lens", "pinned", "shape", "hidden", "names", "groups")
_NOTHING = (
    "Nothing kept yet.",
    "Keep this circuit, then cut, score or import another: both are drawn in one graph.",
)


def layout() -> html.Node:
    keep = act_button(
        "Keep this circuit",
        "compare-keep",
        className="btn btn-sm",
        title="Then choose another: pairs, method, size, model settings, or an import",
    )
    return card(
        "Compare",
        place("compare-told"),
        graph_box(
            html.Div(zoom_buttons(can_widen=False), className="drawing-tools"),
            place("compare-figure"),
        ),
        fold("Table: nodes and edges", place("compare-table")),
        note="a circuit kept before with the one above",
        tools=html.Span([keep, csv_button("comparison", "Save the comparison as CSV")]),
        className="compare-card",
    )


def compare(bench: Bench, state: PageState) -> CircuitComparison:
    """The circuit kept (left) and the one of the page (right). Raises BadInput for neither."""
    if not state.circuit.kept:
        raise BadInput("No circuit was kept.", "Press Keep this circuit, then choose another.")
    left = find_circuit(bench, PageState.from_fragment(state.circuit.kept)).record
    if not isinstance(left, Circuit):
        raise BadInput("The circuit kept is not measured any more.", "Forget it, keep one anew.")
    return compare_circuits(left, need_circuit(bench, state))


# Parts


def show_told(bench: Bench, state: PageState) -> Any:
    if not state.circuit.kept:
        return empty(*_NOTHING)
    try:
        told: Any = html.P(tell(compare(bench, state)), className="verdict")
    except AttentionVizError as error:
        told = explain(error)
    return [told, act_button("Forget it", "compare-forget", className="btn btn-sm")]


def show_figure(bench: Bench, state: PageState) -> Any:
    if not state.circuit.kept:
        return None
    try:
        found = compare(bench, state)
    except AttentionVizError:
        return None  # the line above says why
    items = comparison_legend(found, BOTH.name)
    line = [item for item in items if item["mark"] != "note"]
    notes = [item for item in items if item["mark"] == "note"]
    return [
        graph(**draw_compared(found, BOTH.name)),
        draw_legend(line, notes),
    ]


def show_table(bench: Bench, state: PageState) -> Any:
    found = compare(bench, state)
    return table(*comparison_table(found), "Nodes and edges of both circuits")


def tell(found: CircuitComparison) -> str:
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
    return f"{told} {tell_turned(found)}".strip()


# Acts


def keep_state(state: PageState) -> str:
    """The page as a link, without what the circuit does not depend on."""
    plain = PageState()
    kept = {name: getattr(plain.circuit, name) for name in _NOT_KEPT}
    bare = state.change(theme=plain.theme, view=plain.view).put("circuit", **kept)
    return bare.to_fragment()


def _keep(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    need_circuit(bench, state)
    return Outcome(page=state.put("circuit", kept=keep_state(state)))


def _forget(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    return Outcome(page=state.put("circuit", kept=""))


PARTS = (
    Part("compare-told", show_told, wave=1),
    Part("compare-figure", show_figure, wave=1),
    Part("compare-table", show_table, wave=1),
)
ACTS: dict[str, Act] = {
    "compare-keep": _keep,
    "compare-forget": _forget,
    **csv_act("comparison", lambda bench, state: comparison_table(compare(bench, state))),
}
