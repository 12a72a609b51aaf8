"""What is known of the node or edge that was clicked, and how it was measured."""

from typing import Any

from dash import html

from attention_viz.panels.common import head_chip, number
from attention_viz.panels.tables import facts
from attention_viz.records.circuit import Circuit, CircuitEdge, CircuitNode, Via

_INPUT = {
    Via.Q: "its queries only",
    Via.K: "its keys only",
    Via.V: "its values only",
    Via.LOGITS: "the read-out only",
}


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


def show_part(circuit: Circuit, part: CircuitNode | CircuitEdge | None) -> html.Div:
    """Its numbers; of the whole circuit where nothing was clicked."""
    if isinstance(part, CircuitEdge):
        return _show_edge(circuit, part)
    if part is None:
        return _show_whole(circuit)
    show = {"head": _show_head, "token": _show_token, "output": _show_output}[part.kind]
    return html.Div(show(circuit, part), className="detail")


def _show_whole(circuit: Circuit) -> html.Div:
    heads = len(circuit.request.heads)
    measured = sum(edge.via.is_measured for edge in circuit.edges)
    return html.Div(
        [
            _difference(circuit),
            facts(
                ("heads", str(heads)),
                ("edges measured", str(measured)),
                ("runs", f"{circuit.evaluations:,}"),
                ("took", f"{number(circuit.seconds, 2)} s"),
            ),
            html.P(
                "Click a node or an edge for its numbers; drag a node to move it.", className="note"
            ),
        ],
        className="detail",
    )


def _difference(circuit: Circuit) -> html.Dl:
    answer, distractor = circuit.answer.shown, circuit.distractor.shown
    return facts(
        (f"logit {answer} − {distractor}, clean", f"{_signed(circuit.baseline)} logits"),
        ("all these heads ablated", f"{_signed(circuit.ablated)} logits"),
    )


def _show_head(circuit: Circuit, node: CircuitNode) -> list[Any]:
    written = (
        "not measured" if node.contribution is None else f"{_signed(node.contribution)} logits"
    )
    numbers = [("direct contribution", written), *_role_facts(node)]
    return [
        html.H4(["Head ", head_chip(node.head)]),
        facts(*numbers),
        _list("writes to", [e for e in circuit.edges if e.source == node.id], circuit),
        _list("reads from", [e for e in circuit.edges if e.target == node.id], circuit),
    ]


def _role_facts(node: CircuitNode) -> list[tuple[str, str]]:
    if node.role is None:
        return [("role", "not measured")]
    scores = [(f"{role.value} score", number(score, 2)) for role, score in node.role.scores]
    return [("role", node.role.role.value), *scores]


def _show_token(circuit: Circuit, node: CircuitNode) -> list[Any]:
    token = circuit.tokens.items[node.position]
    read_out = html.Button(
        "Read out here",
        type="button",
        className="btn btn-sm",
        **{"data-position": str(node.position)},
    )
    return [
        html.H4(["Token ", html.Code(node.label), " ", read_out]),
        facts(("position", str(node.position)), ("id", str(token.id))),
        _list("attended to by", [e for e in circuit.edges if e.source == node.id], circuit),
    ]


def _show_output(circuit: Circuit, node: CircuitNode) -> list[Any]:
    incoming = [edge for edge in circuit.edges if edge.target == node.id]
    return [
        html.H4("Output: the logit difference"),
        _difference(circuit),
        _list("written by", incoming, circuit),
    ]


def _list(title: str, edges: list[CircuitEdge], circuit: Circuit) -> Any:
    """Edges by size, the strongest first."""
    if not edges:
        return html.P(f"{title}: nothing in this circuit", className="note")
    ordered = sorted(edges, key=lambda e: (not e.via.is_measured, -abs(e.value)))
    is_in = title in ("reads from", "written by")
    items = [
        html.Li(_line(edge, edge.source if is_in else edge.target, circuit)) for edge in ordered
    ]
    return html.Div(
        [html.Span(title, className="list-title"), html.Ul(items)], className="edge-list"
    )


def _line(edge: CircuitEdge, other: str, circuit: Circuit) -> list[Any]:
    unit = edge.via.unit
    value = _signed(edge.value) if edge.via.is_measured else number(edge.value, 2)
    row = "" if edge.position is None else f", from {circuit.tokens.labels[edge.position]}"
    via = "" if edge.via in (Via.LOGITS, Via.ATTENTION) else f" by its {edge.via.value}"
    return [_name(other, circuit), f"{via} ", html.B(value), f" {unit}{row}"]


def _name(node_id: str, circuit: Circuit) -> Any:
    node = next(node for node in circuit.nodes if node.id == node_id)
    if node.kind == "head":
        return head_chip(node.head)
    return html.Code(node.label) if node.kind == "token" else "the logits"


def _show_edge(circuit: Circuit, edge: CircuitEdge) -> html.Div:
    title = html.H4([_name(edge.source, circuit), " → ", _name(edge.target, circuit)])
    if not edge.via.is_measured:
        row = "" if edge.position is None else f" in the row of {_at(circuit, edge.position)}"
        told = [
            "Attention weight ",
            html.B(number(edge.value, 3)),
            f" of {edge.target}'s pattern{row}, clean run. No intervention was made on it.",
        ]
        return html.Div([title, html.P(told)], className="detail")
    difference = f"{circuit.answer.shown} − {circuit.distractor.shown}"
    told = [
        html.B(f"{_signed(edge.value)} logits"),
        f" is the change of the logit difference {difference} when the result of {edge.source} is "
        f"replaced by {circuit.patched_with} in {_reader(edge)}, and the rest is run "
        "(direct path patching, Goldowsky-Dill et al. 2023). ",
        "Negative: this path helps the answer."
        if edge.value < 0
        else "Positive: it works against the answer.",
    ]
    return html.Div([title, html.P(told)], className="detail")


def _reader(edge: CircuitEdge) -> str:
    if edge.via is Via.LOGITS:
        return "what the unembedding reads, and nowhere else"
    return f"what {edge.target} reads for {_INPUT[edge.via]}"


def _at(circuit: Circuit, position: int) -> str:
    return f"{circuit.tokens.labels[position]} ({position})"


def _signed(value: float) -> str:
    return number(value, 2, sign=True)
