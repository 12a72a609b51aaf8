"""A stack of MLPs and a sum of edges: what they hold, part by part, and that they are sums."""

from typing import Any

from attention_viz.exports.tables import Table
from attention_viz.figures.circuits.folding import can_fold, fold_circuit
from attention_viz.figures.circuits.stack import StackNode, SummedEdge, sum_of
from attention_viz.panels.kit import html
from attention_viz.panels.kit.tables import facts, fold, table
from attention_viz.panels.views.circuit.lines import (
    edge_list,
    given_name,
    logits,
    node_button,
    signed,
)
from attention_viz.panels.views.circuit.numbers import count_of
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.page import PageState


def folded(circuit: Circuit, state: PageState) -> Circuit:
    """The circuit as the page draws it; the drawing is read only where it can fold anything."""
    return fold_circuit(circuit, state.circuit.drawing) if can_fold(circuit) else circuit


def show_stack(state: PageState, drawn: Circuit, node: StackNode) -> list[Any]:
    """Its MLPs with their contributions, and the sums of its edges."""
    incoming = [edge for edge in drawn.edges if edge.target == node.id]
    outgoing = [edge for edge in drawn.edges if edge.source == node.id]
    rows = [[member.label, member.contribution] for member in node.members]
    written = f"{logits(node.contribution)}, a sum of {len(node.members)}"
    inside = f"{len(node.inside)}, together {logits(sum_of(node.inside))}"
    return [
        html.H3([node.label, given_name(state, node.id), html.Small(_holds(node)), _open()]),
        facts(("direct contribution", written), ("edges inside, not drawn", inside)),
        edge_list("reads from", incoming, drawn, state),
        edge_list("read by", outgoing, drawn, state),
        fold("Its MLPs", table(["MLP", "direct contribution (logits)"], rows, "MLPs of the stack")),
    ]


def _holds(node: StackNode) -> str:
    return f" {len(node.members)} MLPs without a head of the circuit between them"


def _open() -> html.Node:
    return html.Button(
        "Open",
        type="button",
        className="btn btn-sm",
        title="Draw its MLPs one by one (O)",
        **{"data-draw": "open"},
    )


def show_sum(state: PageState, drawn: Circuit, edge: SummedEdge) -> list[Any]:
    """What was added up; of either sign by itself where both occur."""
    ends = [node_button(drawn, state, edge.source), " → ", node_button(drawn, state, edge.target)]
    exact = sum(part.is_exact for part in edge.parts)
    how = "measured" if edge.is_exact else "estimated" if not exact else f"{exact} measured"
    told = [
        html.B(f"{signed(edge.value)} logits"),
        f" is the sum of {count_of(len(edge.parts), 'edge')} ({how}), not one measurement: "
        "patched together they may do more or less than their sum.",
    ]
    if edge.is_mixed:
        positive, negative = edge.both_sums
        told.append(f" Their signs differ: {signed(positive)} and {signed(negative)} logits.")
    listed = [["source", "target", "via", "logits", "exact"], [
        [part.source, part.target, part.via.value, part.value, part.is_exact]
        for part in sorted(edge.parts, key=lambda part: -abs(part.value))
    ]]  # fmt: skip
    return [html.H3(ends), html.P(told), table(*listed, "Edges of the sum")]


def with_sums(shown: Table, circuit: Circuit, state: PageState) -> Table:
    """The table of edges, and in which drawn sum each of them is, where any is folded."""
    drawn = folded(circuit, state)
    sums = {id(part): edge for edge in drawn.edges for part in getattr(edge, "parts", ())}
    inside = {id(edge): node for node in drawn.nodes for edge in getattr(node, "inside", ())}
    if not sums and not inside:
        return shown
    headers, rows = shown
    told = [_drawn_as(sums.get(id(edge)), inside.get(id(edge))) for edge in circuit.edges]
    return [*headers, "drawn as"], [[*row, text] for row, text in zip(rows, told, strict=True)]


def _drawn_as(edge: SummedEdge | None, inside: StackNode | None) -> str:
    if inside is not None:
        return f"inside {inside.label}"
    if edge is None:
        return "itself"
    return f"{edge.source}→{edge.target}: sum of {count_of(len(edge.parts), 'edge')}"
