"""A measured circuit as the `circuit` command prints it: JSON and text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from attention_viz.commands.command import (
    ablation_json,
    headline,
    plain,
    read_out_json,
    table,
    token_json,
)
from attention_viz.records.circuits.attribution import Attribution, Method
from attention_viz.records.circuits.circuit import (
    Circuit,
    CircuitEdge,
    CircuitNode,
    CircuitRequest,
    CutRequest,
)
from attention_viz.records.circuits.faithfulness import Curve, Faithfulness, FaithfulnessResult
from attention_viz.records.circuits.pairs import BadPair, PairSet
from attention_viz.records.circuits.roles import HeadRole


@dataclass(frozen=True)
class MeasuredCircuit:
    """A circuit, and what was measured of it; None: it was not asked for."""

    circuit: Circuit
    source: str  # where the model is found: a folder or a hub name
    d_model: int
    pairs: PairSet | None = None
    refused: tuple[BadPair, ...] = ()
    attribution: Attribution | None = None
    faithfulness: FaithfulnessResult | None = None
    curve: Curve | None = None

    @property
    def seconds(self) -> float:
        """Of all measurements together."""
        parts = (self.circuit, self.attribution, self.faithfulness, self.curve)
        return sum(part.seconds for part in parts if part is not None)


# JSON


def to_json(found: MeasuredCircuit) -> dict[str, Any]:
    """Logits where nothing else is said; null: not measured."""
    circuit = found.circuit
    is_of_heads = isinstance(circuit.request, CircuitRequest)
    return plain(
        {
            **(_heads_json(circuit) if is_of_heads else _pairs_json(found)),
            "label": circuit.request.label,
            "unit": "logits",
            "baseline": circuit.baseline,
            "ablated": circuit.ablated,
            "patched_with": circuit.patched_with,
            "nodes": [_node_json(node) for node in circuit.nodes],
            "edges": [_edge_json(edge) for edge in circuit.edges],
            "contributions": [
                {"component": part.component, "value": part.value} for part in circuit.contributions
            ],
            **_proof_json(found.circuit, found.faithfulness),
            **_curve_json(found.curve),
            "evaluations": circuit.evaluations,
            "seconds": found.seconds,
        }
    )


def _heads_json(circuit: Circuit) -> dict[str, Any]:
    request = circuit.request
    return {
        **read_out_json(request.question, circuit.tokens, circuit.position),
        **ablation_json(request.ablation),
        "heads": [str(head) for head in request.heads],
        **_difference_json(circuit),
    }


def _pairs_json(found: MeasuredCircuit) -> dict[str, Any]:
    request = found.circuit.request
    return {
        **_asked_json(found.circuit),
        "pairs": found.circuit.pairs,
        "refused": [{"number": bad.number, "reason": bad.reason} for bad in found.refused],
        **_scores_json(found),
        "ablation": request.ablation.kind.value,
        "heads": [str(head) for head in found.circuit.heads],
    }


def _asked_json(circuit: Circuit) -> dict[str, Any]:
    """The family, nothing for pairs of a file, or the one prompt."""
    request = circuit.request.pairs
    if request.family:
        return {
            "model": request.question.model,
            "family": request.family,
            "seed": request.seed,
        }
    if request.given:
        return {"model": request.question.model}
    return {
        **read_out_json(request.question, circuit.tokens, circuit.position),
        **_difference_json(circuit),
    }


def _difference_json(circuit: Circuit) -> dict[str, Any]:
    return {
        "answer": token_json(circuit.answer),
        "distractor": token_json(circuit.distractor),
    }


def _scores_json(found: MeasuredCircuit) -> dict[str, Any]:
    request = found.circuit.request
    if not isinstance(request, CutRequest):
        return {"method": "exact"}
    scores = request.attribution
    return {
        "method": scores.method.value,
        "steps": scores.steps if scores.method is Method.EAP_IG else None,
        "direction": scores.direction.value,
        "cut": request.way.value,
        "heads_only": not request.with_mlps,
    }


def _node_json(node: CircuitNode) -> dict[str, Any]:
    return {
        "id": node.id,
        "kind": node.kind,
        "label": node.label,
        "position": node.position,
        "contribution": node.contribution,
        "role": None if node.role is None else _role_json(node.role),
    }


def _role_json(role: HeadRole) -> dict[str, Any]:
    return {"name": role.role.value, "score": role.score}


def _edge_json(edge: CircuitEdge) -> dict[str, Any]:
    """`exact`: by path patching, else a gradient estimate; null for attention weights."""
    is_causal = edge.via.is_causal
    return {
        "source": edge.source,
        "target": edge.target,
        "via": edge.via.value,
        "score": edge.value,
        "value": edge.value,
        "unit": edge.via.unit,
        "measured": is_causal and edge.is_exact,
        "exact": edge.is_exact if is_causal else None,
        "estimate": edge.estimate if edge.is_exact else edge.value,
        "position": edge.position,
    }


def _proof_json(circuit: Circuit, found: FaithfulnessResult | None) -> dict[str, Any]:
    if found is None:  # of chosen heads: all other heads ablated, MLPs stay
        alone = {"faithfulness": circuit.heads_faithfulness}
        return alone | {"metric": circuit.alone, "empty": circuit.none}
    measured = found.measured
    return {
        "faithfulness": measured.faithfulness,
        "interval": _interval(measured) if measured.interval else None,
        "without": measured.without,
        "random": [] if found.random is None else found.random.values,
        "size": measured.size,
        "share": measured.share,
        "metric": measured.metric,
        "full": found.full,
        "empty": found.empty,
        "keeps_mlps": found.request.keeps_mlps,
    }


def _curve_json(curve: Curve | None) -> dict[str, Any]:
    if curve is None:
        return {"cpr": None, "cmd": None, "curve": None}
    return {
        "cpr": curve.cpr,
        "cmd": curve.cmd,
        "random_cpr": curve.random_cpr,
        "random_cmd": curve.random_cmd,
        "curve": [_point_json(point, mean) for point, mean in _points(curve)],
    }


def _point_json(point: Faithfulness, random_mean: float | None) -> dict[str, Any]:
    low, high = _interval(point)
    return {
        "size": point.size,
        "share": point.share,
        "faithfulness": point.faithfulness,
        "low": low,
        "high": high,
        "without": point.without,
        "random_mean": random_mean,
    }


def _interval(point: Faithfulness) -> tuple[float | None, float | None]:
    return (None, None) if point.interval is None else (point.interval.low, point.interval.high)


def _points(curve: Curve) -> Iterator[tuple[Faithfulness, float | None]]:
    """Each size with the mean of its random circuits."""
    random = {control.size: control.mean for control in curve.random}
    return ((point, random.get(point.size)) for point in curve.points)


# Text


def to_text(found: MeasuredCircuit) -> str:
    if isinstance(found.circuit.request, CircuitRequest):
        sections = [*_head_lines(found.circuit), "", _nodes(found.circuit)]
        sections += ["", _edges_of_heads(found.circuit)]
    else:
        sections = [*_pair_lines(found), "", _nodes(found.circuit), "", _edges(found.circuit)]
    if found.circuit.heads_faithfulness is not None:
        sections += ["", _heads_line(found.circuit)]
    if found.faithfulness is not None:
        sections += ["", *_proof_lines(found.faithfulness)]
    if found.curve is not None:
        sections += ["", *_curve_lines(found.curve)]
    runs = found.circuit.evaluations
    return "\n".join([*sections, "", f"{runs} evaluations in {found.seconds:.2f} s"])


def _head_lines(circuit: Circuit) -> list[str]:
    return [
        headline(circuit.request.question, circuit.tokens, circuit.position),
        f"{_difference(circuit)}: clean {circuit.baseline:.4f}, "
        f"all heads ablated {circuit.ablated:.4f} logits",
        f"edges between heads and to the logits: change of it when the writer's result is "
        f"replaced by {circuit.patched_with}",
    ]


def _pair_lines(found: MeasuredCircuit) -> list[str]:
    circuit = found.circuit
    count = f", mean of {circuit.pairs} pairs" if circuit.pairs > 1 else ""
    asked = circuit.request.pairs
    first = [f"asked of {asked.label}, the first of which is:"] if circuit.pairs > 1 else []
    return [
        *first,
        headline(circuit.request.question, circuit.tokens, circuit.position),
        f"{_difference(circuit)}: clean {circuit.baseline:.4f} logits{count}",
        f"circuit: {circuit.request.label}",
        f"scores: change of it when the edge is replaced by {circuit.patched_with}",
    ]


def _difference(circuit: Circuit) -> str:
    if circuit.pairs > 1:
        return "logit difference answer − distractor"
    return f"logit difference {circuit.answer.shown} − {circuit.distractor.shown}"


def _nodes(circuit: Circuit) -> str:
    """What writes: heads with their roles, the input and MLPs without."""
    several = circuit.pairs > 1
    role = "role (on the first pair)" if several else "role"
    written = [] if several else ["direct contribution (logits)"]
    return table(
        ["node", *written, role, "score"],
        (
            [node.id, *([] if several else [node.contribution]), *_role(node)]
            for node in circuit.nodes
            if node.kind in ("head", "mlp", "input")
        ),
    )


def _role(node: CircuitNode) -> tuple[str, float | None]:
    return ("–", None) if node.role is None else (node.role.role.value, node.role.score)


def _edges_of_heads(circuit: Circuit) -> str:
    return table(
        ["from", "to", "via", "value", "unit"],
        (
            (_name(circuit, edge.source), edge.target, edge.via.value, edge.value, edge.via.unit)
            for edge in circuit.edges
        ),
    )


def _name(circuit: Circuit, id: str) -> str:
    """A token by its text and position, anything else by its id."""
    node = next(node for node in circuit.nodes if node.id == id)
    if node.kind != "token":
        return id
    return f"{circuit.tokens.items[node.position].shown} at {node.position}"


def _edges(circuit: Circuit) -> str:
    return table(
        ["from", "to", "via", "score (logits)", "how", "estimate"],
        (
            (
                edge.source,
                edge.target,
                edge.via.value,
                edge.value,
                "exact" if edge.is_exact else "estimated",
                edge.estimate,
            )
            for edge in circuit.edges
        ),
    )


def _heads_line(circuit: Circuit) -> str:
    return (
        f"faithfulness {circuit.heads_faithfulness:.4f}: with all other heads ablated "
        f"({circuit.request.ablation.label}; MLPs stay) {circuit.alone:.4f}, with all heads "
        f"ablated {circuit.none:.4f}, clean {circuit.baseline:.4f} logits"
    )


def _proof_lines(found: FaithfulnessResult) -> list[str]:
    measured, kind = found.measured, found.request.ablation.value
    kept = "; MLPs' edges all stay" if found.request.keeps_mlps else ""
    lines = [
        f"faithfulness {measured.faithfulness:.4f}{_between(measured)}: {measured.size} edges "
        f"({measured.share:.2%} of the model's) with all others ablated ({kind}{kept})",
        f"  logit difference of the circuit {measured.metric:.4f}, of nothing {found.empty:.4f}, "
        f"of the full model {found.full:.4f} logits",
        f"  everything but the circuit: {measured.without:.4f}",
    ]
    if found.random is not None:
        values = found.random.values
        lines.append(
            f"  {len(values)} random circuits of {found.random.size} edges: "
            f"{found.random.mean:.4f} ({min(values):.4f} to {max(values):.4f})"
        )
    return lines


def _between(measured: Faithfulness) -> str:
    low, high = _interval(measured)
    return "" if low is None else f" (95 % interval over pairs: {low:.4f} to {high:.4f})"


def _curve_lines(curve: Curve) -> list[str]:
    kind = curve.request.attribution.ablation.value
    rows = (
        (
            point.size,
            f"{point.share:.2%}",
            point.faithfulness,
            *_interval(point),
            point.without,
            mean,
        )
        for point, mean in _points(curve)
    )
    return [
        f"faithfulness over size ({kind}): CPR {curve.cpr:.4f}, CMD {curve.cmd:.4f}"
        + _random_areas(curve),
        table(["edges", "share", "faithfulness", "low", "high", "the rest", "random"], rows),
    ]


def _random_areas(curve: Curve) -> str:
    if curve.random_cpr is None:
        return ""
    return f"; random circuits: CPR {curve.random_cpr:.4f}, CMD {curve.random_cmd:.4f}"
