"""A head, an MLP or the input of a circuit: what it writes, where it looks, what it is for."""

from collections.abc import Sequence
from typing import Any

from attention_viz.figures import palette
from attention_viz.figures.circuits.node import draw_pattern
from attention_viz.figures.palette import BOTH
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import ask, explain, head_chip, number, token_text
from attention_viz.panels.kit.drawn import matrix
from attention_viz.panels.kit.tables import facts, fold
from attention_viz.panels.views.circuit.lines import edge_list, given_name, logits, named, signed
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.circuit import Circuit, CircuitNode, CircuitRequest
from attention_viz.records.circuits.node import NodeDetail, NodeRequest, WrittenToken
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.roles import HeadRole, RoleEvidence, SeenWeight
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.page import PageState

_SEEN = 4  # keys named beside the map
_LEAST = 0.005  # weight of a key that is named


def node_request(circuit: Circuit, node: CircuitNode) -> NodeRequest:
    """The node in the circuit's own question, ablated as its edges were."""
    request = circuit.request
    is_chosen = isinstance(request, CircuitRequest)
    pairs = PairsRequest(request.question) if is_chosen else request.pairs
    return NodeRequest(pairs, node.id, request.ablation)


def show_node(bench: Bench, state: PageState, circuit: Circuit, node: CircuitNode) -> list[Any]:
    """All that is known of a node that writes; what can't be measured is said in its place."""
    try:
        detail = ask(bench, node_request(circuit, node))
    except AttentionVizError as error:
        return [
            _title(state, circuit, node),
            explain(error),
            facts(("direct contribution", logits(node.contribution)), *_about(circuit, node)),
            *_known(circuit, node, state),
        ]
    return [
        _title(state, circuit, node),
        facts(*_numbers(circuit, node, detail), *_about(circuit, node)),
        _first_pair(circuit, detail),
        html.Div([_map(detail), _written(detail)], className="node-columns"),
        *_known(circuit, node, state),
    ]


def _title(state: PageState, circuit: Circuit, node: CircuitNode) -> html.Node:
    if node.head is not None:
        return html.H3(["Head ", head_chip(node.head), given_name(state, node.id)])
    about = " the embeddings of the prompt's tokens" if node.kind == "input" else None
    small = html.Small(about) if about else None
    return html.H3([named(circuit, state, node.id), small])


def _numbers(circuit: Circuit, node: CircuitNode, detail: NodeDetail) -> list[tuple[Any, Any]]:
    """Facts in logits; a circuit of several pairs has no contribution of its own."""
    own = detail.contribution if node.contribution is None else node.contribution
    ablation = detail.request.ablation
    ablated = html.Span(f"effect when ablated ({ablation.label})", title=ablation.kind.about)
    return [("direct contribution", logits(own)), (ablated, logits(detail.effect))]


def _about(circuit: Circuit, node: CircuitNode) -> list[tuple[str, Any]]:
    """What the circuit knows of a head besides its edges."""
    if node.head is None:
        return []
    known: list[tuple[str, Any]] = [("role", _role(node))]
    if node.position is not None:
        known.append(("matters most at", circuit.tokens.labels[node.position]))
    return known


def _first_pair(circuit: Circuit, detail: NodeDetail) -> Any:
    if circuit.pairs == 1:
        return None
    items = detail.tokens.items[int(detail.tokens.bos) :]
    prompt = html.Q("".join(token.text for token in items))
    return html.P([f"Measured on the first of {circuit.pairs} pairs: ", prompt], className="note")


def _known(circuit: Circuit, node: CircuitNode, state: PageState) -> list[Any]:
    """What the circuit itself knows: edges, role, evidence."""
    return [
        edge_list("writes to", [e for e in circuit.edges if e.source == node.id], circuit, state),
        None
        if node.kind == "input"
        else edge_list(
            "reads from", [e for e in circuit.edges if e.target == node.id], circuit, state
        ),
        _why(node.role),
    ]


# What it writes


def _written(detail: NodeDetail) -> html.Node:
    """The tokens it promotes and suppresses, on one scale."""
    if not detail.promoted:
        why = (
            "What it promotes is not measured: a norm stands between this model's heads and logits."
        )
        return html.Div(html.P(why, className="note"))
    both = (*detail.promoted, *detail.suppressed)
    most = max(abs(each.logits) for each in both) or 1.0
    rankings = [
        _ranking("promotes", detail.promoted, most),
        _ranking("suppresses", detail.suppressed, most),
    ]
    return html.Div(rankings, className="node-tokens")


def _ranking(title: str, tokens: Sequence[WrittenToken], most: float) -> html.Node:
    about = "Its direct write to the logits at the read-out, compared with the mean token"
    rows = [_row(each, most) for each in tokens]
    return html.Div(
        [
            html.H4([title, html.Small(" logits")], title=about),
            html.Div(rows, className="ranking", role="list"),
        ]
    )


def _row(written: WrittenToken, most: float) -> html.Node:
    colour = palette.see_through(palette.sign_colour(written.logits, BOTH.name), 0.55)
    width = f"{100 * abs(written.logits) / most:.1f}%"
    bar = html.B(style={"width": width, "background": colour})
    return html.Div(
        [
            token_text(written.token),
            html.Div([bar, html.Em(signed(written.logits))], className="probability-bar"),
        ],
        className="ranking-row",
        role="listitem",
    )


# Where it looks


def _map(detail: NodeDetail) -> Any:
    if detail.pattern is None:
        return None
    row = detail.pattern[detail.position]
    keys = [key for key in range(detail.position + 1) if row[key] >= _LEAST]
    seen = sorted(keys, key=lambda key: -row[key])[:_SEEN]
    told: list[Any] = [_label(detail, detail.position), " (outlined) looks at "]
    for key in seen:
        told += [_label(detail, key), f" {number(row[key], 2)} "]
    return html.Div(
        [
            html.H4(["attention", html.Small(" rows look at columns")]),
            matrix(draw_pattern(detail, BOTH.name), "circuit-map"),
            html.P(told, className="note"),
        ],
        className="node-map",
    )


def _label(detail: NodeDetail, position: int) -> html.Node:
    return token_text(detail.tokens.items[position], label=detail.tokens.labels[position])


# What it is for


def _role(node: CircuitNode) -> Any:
    """The role with its colour and score; "not measured" of a head without one."""
    if node.role is None:
        return "not measured"
    role = node.role
    mark = html.I(className="sign dot", style={"color": palette.role_colour(role.role, BOTH.name)})
    score = "" if role.score is None else f" {number(role.score, 2)}"
    return html.Span([mark, f" {role.role.value}", score], title=role.role.about)


def _why(role: HeadRole | None) -> Any:
    """What shows the role, and what was measured of the others."""
    if role is None:
        return None
    evidence = map(_evidence, role.evidence)
    return fold("Evidence of its role, and all scores", *evidence, _scores(role))


def _scores(role: HeadRole) -> html.Node:
    pairs = [
        (html.Span(f"{each.value} score", title=each.about), number(score, 2))
        for each, score in role.scores
    ]
    return facts(*pairs)


def _evidence(evidence: RoleEvidence) -> html.Node:
    numbers = [
        html.Li([f"{each.label} ", html.B(number(each.value, 3)), f" {each.unit}"])
        for each in evidence.numbers
    ]
    weights = [html.Li(_weight(seen)) for seen in evidence.weights]
    title = html.Span(f"{evidence.role.value}: {evidence.label}", className="list-title")
    return html.Div([title, html.Ul([*numbers, *weights])], className="edge-list evidence")


def _weight(seen: SeenWeight) -> list[Any]:
    return [
        token_text(seen.query_token),
        f" at {seen.query} looks at ",
        token_text(seen.key_token),
        f" at {seen.key}: ",
        html.B(number(seen.weight, 2)),
    ]
