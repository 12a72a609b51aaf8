"""What is known of the node or edge that was clicked, and how it was measured."""

from typing import Any

from attention_viz.figures.circuits.circuit_legend import difference_of, is_denoised
from attention_viz.figures.circuits.stack import StackNode, SummedEdge
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button
from attention_viz.panels.kit.common import ask, number
from attention_viz.panels.kit.parts import Part
from attention_viz.panels.kit.tables import facts, fold, table
from attention_viz.panels.views.circuit.known import circuit_with_roles
from attention_viz.panels.views.circuit.lines import (
    CHOSEN,
    at,
    edge_list,
    logits,
    node_button,
    signed,
)
from attention_viz.panels.views.circuit.node import show_node
from attention_viz.panels.views.circuit.stack import folded, show_stack, show_sum
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.attribution import EdgePositionsRequest, Method
from attention_viz.records.circuits.circuit import (
    Circuit,
    CircuitEdge,
    CircuitNode,
    CircuitRequest,
    CutRequest,
)
from attention_viz.records.circuits.edge import EdgeId, Via
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import PageState
from attention_viz.records.page.checks import MOST_GIVEN

_MOST_POSITIONS = 8
_INPUT = {
    Via.Q: "its queries only",
    Via.K: "its keys only",
    Via.V: "its values only",
}


def show_detail(bench: Bench, state: PageState) -> Any:
    """Of the part that was clicked, or of the whole circuit."""
    circuit = circuit_with_roles(bench, state)
    if circuit is None:
        return None
    chosen, drawn = state.local(CHOSEN), folded(circuit, state)
    part = find_part(circuit, chosen) or find_part(drawn, chosen)
    if isinstance(part, StackNode):
        return html.Div(show_stack(state, drawn, part), className="detail")
    if isinstance(part, SummedEdge):
        return html.Div(show_sum(state, drawn, part), className="detail")
    return [show_part(bench, state, circuit, part), show_positions(bench, circuit, part)]


def find_part(circuit: Circuit, clicked: Any) -> CircuitNode | CircuitEdge | None:
    """The node or edge of this circuit that a browser names; None for anything else."""
    if not isinstance(clicked, dict):
        return None
    for node in circuit.nodes:
        if clicked.get("id") == node.id:
            return node
    wanted = tuple(clicked.get(name) for name in ("source", "target", "via", "position"))
    for edge in circuit.edges:
        if (edge.source, edge.target, edge.via.value, edge.position) == wanted:
            return edge
    return None


def show_part(
    bench: Bench, state: PageState, circuit: Circuit, part: CircuitNode | CircuitEdge | None
) -> html.Node:
    """Its numbers; of the whole circuit where nothing was clicked. A node is measured now."""
    if part is None:
        shown = _show_whole(circuit)
    elif isinstance(part, CircuitEdge):
        shown = _show_edge(state, circuit, part)
    elif part.kind == "token":
        shown = _show_token(state, circuit, part)
    elif part.kind == "output":
        shown = _show_output(state, circuit, part)
    else:
        shown = show_node(bench, state, circuit, part)
    return html.Div(shown, className="detail")


def _show_whole(circuit: Circuit) -> list[Any]:
    mlps = sum(node.kind == "mlp" for node in circuit.nodes)
    pairs = [("pairs", f"{circuit.pairs}, numbers are means")] if circuit.pairs > 1 else []
    return [
        _difference(circuit),
        facts(
            *pairs,
            ("heads", str(len(circuit.heads))),
            *([("MLPs", str(mlps))] if mlps else []),
            *_effort(circuit),
            ("took", f"{number(circuit.seconds, 2)} s"),
        ),
        html.P(
            "Click a node or an edge for its numbers; drag a node to move it.", className="note"
        ),
    ]


def _effort(circuit: Circuit) -> list[tuple[str, str]]:
    """What was measured and what estimated, each with what it took."""
    causal = circuit.causal_edges
    exact = sum(edge.is_exact for edge in causal)
    told = []
    if exact or not causal:
        told += [("edges measured", str(exact)), ("runs", f"{circuit.evaluations:,}")]
    if exact < len(causal):
        scores = circuit.request.attribution
        steps = scores.steps if scores.method is Method.EAP_IG else 1
        told += [
            ("edges estimated", str(len(causal) - exact)),
            ("estimates", scores.label),
            ("backward passes", f"{steps * circuit.pairs:,}"),
        ]
    return told


def _difference(circuit: Circuit) -> html.Node:
    rows = [(f"logit {difference_of(circuit)}, clean", logits(circuit.baseline))]
    if isinstance(circuit.request, CircuitRequest) or circuit.ablated is not None:
        rows.append(("all these heads ablated", logits(circuit.ablated)))
    return facts(*rows)


def _show_token(state: PageState, circuit: Circuit, node: CircuitNode) -> list[Any]:
    token = circuit.tokens.items[node.position]
    read_out = html.Button(
        "Read out here",
        type="button",
        className="btn btn-sm",
        **{"data-position": str(node.position)},
    )
    outgoing = [edge for edge in circuit.edges if edge.source == node.id]
    return [
        html.H3(["Token ", html.Code(node.label), " ", read_out]),
        facts(("position", str(node.position)), ("id", str(token.id))),
        edge_list("attended to by", outgoing, circuit, state),
    ]


def _show_output(state: PageState, circuit: Circuit, node: CircuitNode) -> list[Any]:
    incoming = [edge for edge in circuit.edges if edge.target == node.id]
    return [
        html.H3("Output: the logit difference"),
        _difference(circuit),
        edge_list("written by", incoming, circuit, state),
    ]


# Edges


def _show_edge(state: PageState, circuit: Circuit, edge: CircuitEdge) -> list[Any]:
    ends = [
        node_button(circuit, state, edge.source),
        " → ",
        node_button(circuit, state, edge.target),
    ]
    if not edge.via.is_causal:
        return [html.H3(ends), html.P(_tell_weight(circuit, edge))]
    told = [
        html.B(f"{signed(edge.value)} logits"),
        _tell_exact(circuit, edge) if edge.is_exact else _tell_estimate(circuit, edge),
        _verdict(circuit, edge),
        " A mean over the pairs." if circuit.pairs > 1 else "",
        _shared_by(circuit, edge),
    ]
    return [html.H3(ends), html.P(told), _compared(circuit, edge), _exact_button(circuit, edge)]


def show_positions(bench: Bench, circuit: Circuit, part: CircuitNode | CircuitEdge | None) -> Any:
    """Of an estimated edge, where the writer's result is read: its parts, the greatest first."""
    request, edge = circuit.request, part
    is_estimate = isinstance(edge, CircuitEdge) and not edge.is_exact
    if not is_estimate or not isinstance(request, CutRequest):
        return None
    try:
        found = ask(bench, EdgePositionsRequest(request.attribution))
    except AttentionVizError as error:
        return html.P(error.message, className="note")
    parts = found.scores[(slice(None), *circuit.graph.index(circuit.edge_id(edge)))]
    order = sorted(range(len(parts)), key=lambda at: -abs(parts[at]))[:_MOST_POSITIONS]
    family = " (tokens of the first pair)" if circuit.pairs > 1 else ""
    rows = [[circuit.tokens.labels[at], at, float(parts[at])] for at in order]
    title = f"The estimate by position{family}"
    return fold(title, table(["token", "position", "logits"], rows, title))


def _verdict(circuit: Circuit, edge: CircuitEdge) -> str:
    if edge.value == 0:
        return "This path changes nothing."
    is_restored = not edge.is_exact and is_denoised(circuit)
    helps = (edge.value > 0) == is_restored
    sign = "Negative" if edge.value < 0 else "Positive"
    return (
        f"{sign}: this path helps the answer." if helps else f"{sign}: it works against the answer."
    )


def _tell_weight(circuit: Circuit, edge: CircuitEdge) -> list[Any]:
    row = [] if edge.position is None else [" in the row of ", *at(circuit, edge.position)]
    return [
        "Attention weight ",
        html.B(number(edge.value, 3)),
        f" of {edge.target}'s pattern",
        *row,
        ", clean run. No intervention was made on it.",
    ]


def _tell_exact(circuit: Circuit, edge: CircuitEdge) -> str:
    return (
        f" is the change of the logit difference {difference_of(circuit)} when the result of "
        f"{edge.source} is replaced by {circuit.patched_with} in {_reader(edge)}, and the rest is "
        "run (direct path patching, Goldowsky-Dill et al. 2023). "
    )


def _tell_estimate(circuit: Circuit, edge: CircuitEdge) -> str:
    is_restored = is_denoised(circuit)
    change = "restored" if is_restored else f"replaced by {circuit.patched_with}"
    return (
        f" is an estimate from gradients ({circuit.request.attribution.label}), not measured: the "
        f"change of the logit difference {difference_of(circuit)}, to first order, if the result "
        f"of {edge.source} were {change} in {_reader(edge)}. "
    )


def _reader(edge: CircuitEdge) -> str:
    if edge.via is Via.LOGITS:
        return "what the unembedding reads, and nowhere else"
    if edge.via is Via.MLP:
        return f"what {edge.target} reads"
    return f"what {edge.target} reads for {_INPUT[edge.via]}"


def _shared_by(circuit: Circuit, edge: CircuitEdge) -> str:
    """Heads that share keys and values have this edge together."""
    if circuit.graph is None:
        return ""
    heads = circuit.graph.heads_behind(circuit.edge_id(edge).reader)
    if len(heads) == 1:
        return ""
    what = "keys" if edge.via is Via.K else "values"
    return f" {', '.join(heads)} share these {what}: it is one edge for all of them."


def _compared(circuit: Circuit, edge: CircuitEdge) -> Any:
    """The exact effect beside the estimate it replaced."""
    if not edge.is_exact or edge.estimate is None:
        return None
    rows = [
        ("measured", logits(edge.value)),
        (f"estimated ({circuit.request.attribution.label})", logits(edge.estimate)),
    ]
    if not is_denoised(circuit):  # where the estimate is of the same change
        rows.append(("estimate − measured", logits(edge.estimate - edge.value)))
    return facts(*rows)


def _exact_button(circuit: Circuit, edge: CircuitEdge) -> Any:
    if edge.is_exact:
        return None
    return act_button(
        "Measure exactly",
        "circuit-exact",
        {"edge": str(circuit.edge_id(edge))},
        className="btn btn-sm",
        title="Run the model with this path patched",
    )


def _measure_exactly(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    """The page with one more edge that is to be measured."""
    edge = str(EdgeId.parse(str(payload.get("edge"))))
    exact = state.circuit.exact
    if edge in exact:
        return Outcome()
    if len(exact) >= MOST_GIVEN:
        raise BadInput(f"A page measures at most {MOST_GIVEN} edges exactly.", "Cut fewer edges.")
    return Outcome(page=state.put("circuit", exact=(*exact, edge)))


PARTS = (Part("circuit-detail", show_detail),)
ACTS: dict[str, Act] = {"circuit-exact": _measure_exactly}
