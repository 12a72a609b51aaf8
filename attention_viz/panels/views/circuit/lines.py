"""Names and edges of a circuit's parts as the detail shows them; a click opens that part."""

from collections.abc import Sequence
from typing import Any

from attention_viz.figures.circuits.circuit_legend import worth_listing
from attention_viz.figures.escape import visible
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import number, token_text
from attention_viz.panels.views.circuit.numbers import count_of
from attention_viz.records.circuits.circuit import Circuit, CircuitEdge, CircuitNode
from attention_viz.records.circuits.edge import Via
from attention_viz.records.page import PageState

CHOSEN = "circuit"  # in the page's local choices: the part whose detail is shown
_MOST = 10  # edges of a list at first; the others are folded


def signed(value: float | None) -> str:
    """As on the drawing: a third digit where two would say little."""
    digits = 2 if value is None or abs(value) >= 0.095 else 3
    return number(value, digits, sign=True)


def logits(value: float | None) -> str:
    """ "−2.29 logits", or "not measured"."""
    return signed(value) if value is None else f"{signed(value)} logits"


def named(circuit: Circuit, state: PageState, node_id: str) -> Any:
    """A node as it is called: by its own name, and by the one a person gave it."""
    node = next(node for node in circuit.nodes if node.id == node_id)
    own = _own_name(node)
    alias = given_name(state, node_id)
    return own if alias is None else html.Span([own, alias])


def given_name(state: PageState, node_id: str) -> html.Node | None:
    """What a person called the node."""
    given = visible(dict(state.circuit.names).get(node_id, "").strip())
    return html.Span(f" “{given}”", className="given-name") if given else None


def _own_name(node: CircuitNode) -> Any:
    if node.kind == "token":
        return html.Code(node.label)
    return "the logits" if node.kind == "output" else node.label


def node_button(circuit: Circuit, state: PageState, node_id: str) -> html.Node:
    """A node's name; a click opens it."""
    return html.Button(
        named(circuit, state, node_id),
        type="button",
        className="part-link",
        title="Show this node",
        **_opens({"id": node_id}),
    )


def edge_list(title: str, edges: list[CircuitEdge], circuit: Circuit, state: PageState) -> Any:
    """Edges by size, the strongest first; "reads from" and "written by" name their sources."""
    if not edges:
        return html.P(f"{title}: nothing in this circuit", className="note")
    ordered = sorted(edges, key=lambda e: (not e.via.is_causal, -abs(e.value)))
    is_in = title in ("reads from", "written by")

    def listed(some: Sequence[CircuitEdge]) -> html.Node:
        ends = [(edge, edge.source if is_in else edge.target) for edge in some]
        return html.Ul([html.Li(_line(edge, other, circuit, state)) for edge, other in ends])

    worth, weak = worth_listing(ordered)
    first, rest = worth[:_MOST], [*worth[_MOST:], *weak]
    parts = [html.Span(title, className="list-title"), listed(first)]
    if rest:
        parts.append(html.Details([html.Summary(count_of(len(rest), "weaker one")), listed(rest)]))
    return html.Div(parts, className="edge-list")


def _value(edge: CircuitEdge) -> str:
    return signed(edge.value) if edge.via.is_causal else number(edge.value, 2)


def _line(edge: CircuitEdge, other: str, circuit: Circuit, state: PageState) -> html.Node:
    """An edge by its other end; a click opens it."""
    row = "" if edge.position is None else f", from {circuit.tokens.labels[edge.position]}"
    via = f" by its {edge.via.value}" if edge.via in (Via.Q, Via.K, Via.V) else ""
    way = "" if edge.is_exact else ", estimated"
    place = {"source": edge.source, "target": edge.target, "via": edge.via.value}
    return html.Button(
        [
            named(circuit, state, other),
            f"{via} ",
            html.B(_value(edge)),
            f" {edge.via.unit}{row}{way}",
        ],
        type="button",
        className="edge-line",
        title="Show this edge",
        **_opens(place | {"position": edge.position}),
    )


def _opens(part: dict[str, Any]) -> dict[str, str]:
    """What the browser reads off a button that opens a part."""
    return {"data-choose": html.to_json({CHOSEN: part})}


def at(circuit: Circuit, position: int) -> list[Any]:
    """A token of the prompt by its label and position."""
    label = circuit.tokens.labels[position]
    return [token_text(circuit.tokens.items[position], label=label), f" ({position})"]
