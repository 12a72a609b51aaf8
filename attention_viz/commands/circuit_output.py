"""A measured circuit as the `circuit` command prints it: JSON and text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from attention_viz.commands.command import headline, table
from attention_viz.commands.mib_output import mib_json, mib_lines
from attention_viz.exports.records import pick, record_json
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import Attribution, Method
from attention_viz.records.circuits.circuit import (
    Circuit,
    CircuitEdge,
    CircuitNode,
    CircuitRequest,
    CutRequest,
    EdgesRequest,
)
from attention_viz.records.circuits.faithfulness import Curve, Faithfulness, FaithfulnessResult
from attention_viz.records.circuits.fit import tell_widened
from attention_viz.records.circuits.mib import MibCurve
from attention_viz.records.circuits.pairs import BadPair, PairSet
from attention_viz.records.circuits.roles import HeadRoles


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
    mib: MibCurve | None = None
    roles: HeadRoles | None = None  # those of `circuit` are joined

    @property
    def seconds(self) -> float:
        """Of all measurements together."""
        parts = (
            self.circuit,
            self.attribution,
            self.faithfulness,
            self.curve,
            self.mib,
            self.roles,
        )
        return sum(part.seconds for part in parts if part is not None)


# JSON


def to_json(found: MeasuredCircuit) -> dict[str, Any]:
    """Logits where nothing else is said; null: not measured."""
    circuit = found.circuit
    return {
        **(_heads_json if isinstance(circuit.request, CircuitRequest) else _pairs_json)(found),
        "label": circuit.request.label,
        "unit": "logits",
        **pick(circuit, "heads", "baseline", "ablated", "patched_with", "contributions"),
        "contributed_to": circuit.contributed_to,
        "nodes": [_node_json(node) for node in circuit.nodes],
        "edges": [_edge_json(edge) for edge in circuit.edges],
        **_proof_json(circuit, found.faithfulness),
        **_curve_json(found.curve),
        "mib": mib_json(found.mib),
        "widened": record_json(circuit.widened),
        "evaluations": circuit.evaluations,
        "seconds": found.seconds,
    }


def _heads_json(found: MeasuredCircuit) -> dict[str, Any]:
    return pick(found.circuit, "request", "tokens", "position", "answer", "distractor")


def _pairs_json(found: MeasuredCircuit) -> dict[str, Any]:
    return {
        **_asked_json(found.circuit),
        "pairs": found.circuit.pairs,
        "refused": record_json(found.refused),
        **_scores_json(found.circuit.request),
        "ablation": found.circuit.request.ablation.kind.value,
        **_replacing_json(found.circuit.request),
        **({"prompts": _prompts_json(found.pairs)} if found.pairs else {}),
    }


def _replacing_json(request: CutRequest | EdgesRequest) -> dict[str, str | None]:
    """What there was to choose of that kind; null: nothing."""
    kind, replacing = request.ablation.kind, request.replacing
    return {
        "input_part": None if kind is AblationKind.RESAMPLE else replacing.input.value,
        "mean_over": replacing.mean.value if kind is AblationKind.MEAN else None,
    }


def _prompts_json(pairs: PairSet) -> list[dict[str, Any]]:
    """Every pair that was asked, as text."""
    return [record_json(pair.text) for pair in pairs.pairs]


def _asked_json(circuit: Circuit) -> dict[str, Any]:
    """The family, nothing for pairs of a file, or the one prompt."""
    request = circuit.request.pairs
    if request.family:
        return {"model": request.question.model, **pick(request, "family", "seed")}
    if request.given:
        return {"model": request.question.model}
    asked = pick(circuit, "tokens", "position", "answer", "distractor")
    return record_json(request.question) | asked


def _scores_json(request: CutRequest | EdgesRequest) -> dict[str, Any]:
    if isinstance(request, EdgesRequest):
        return {"method": "exact"}
    scores = request.attribution
    is_stepped = scores.method is Method.EAP_IG
    return {
        **pick(scores, "method", "direction"),
        "steps": scores.steps if is_stepped else None,
        "points": scores.points.value if is_stepped else None,
        "cut": request.way.value,
        "heads_only": not request.with_mlps,
    }


def _node_json(node: CircuitNode) -> dict[str, Any]:
    role = node.role and {"name": node.role.role.value, "score": record_json(node.role.score)}
    return pick(node, "id", "kind", "label", "position", "contribution") | {"role": role}


def _edge_json(edge: CircuitEdge) -> dict[str, Any]:
    """`exact`: by path patching, else a gradient estimate; null for attention weights."""
    is_causal, value = edge.via.is_causal, record_json(edge.value)
    return {
        **pick(edge, "source", "target", "via", "value", "position"),
        "score": value,
        "measured": is_causal and edge.is_exact,
        "exact": edge.is_exact if is_causal else None,
        "estimate": record_json(edge.estimate) if edge.is_exact else value,
    }


def _proof_json(circuit: Circuit, found: FaithfulnessResult | None) -> dict[str, Any]:
    if found is None:  # of chosen heads: all other heads ablated, MLPs stay
        alone = {"faithfulness": circuit.heads_faithfulness}
        return record_json(alone | {"metric": circuit.alone, "empty": circuit.none})
    return {
        **record_json(found.measured),
        "interval": _interval(found.measured) if found.measured.interval else None,
        "random": [] if found.random is None else record_json(found.random.values),
        **pick(found, "full", "empty", "replaced"),
        "keeps_mlps": found.request.keeps_mlps,
    }


def _curve_json(curve: Curve | None) -> dict[str, Any]:
    if curve is None:
        return {"cpr": None, "cmd": None, "curve": None}
    points = [_point_json(point, mean) for point, mean in _points(curve)]
    return pick(curve, "cpr", "cmd", "random_cpr", "random_cmd") | {"curve": points}


def _point_json(point: Faithfulness, random_mean: float | None) -> dict[str, Any]:
    low, high = _interval(point)
    ends = record_json({"low": low, "high": high, "random_mean": random_mean})
    return pick(point, "size", "share", "metric", "faithfulness", "without") | ends


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
        sections = [*_pair_lines(found), *_widened(found.circuit)]
        sections += ["", _nodes(found.circuit), "", _edges(found.circuit)]
    if found.circuit.heads_faithfulness is not None:
        sections += ["", _heads_line(found.circuit)]
    if found.faithfulness is not None:
        sections += ["", *_proof_lines(found.faithfulness)]
    if found.curve is not None:
        sections += ["", *_curve_lines(found.curve)]
    if found.mib is not None:
        sections += ["", *mib_lines(found.mib)]
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


def _widened(circuit: Circuit) -> list[str]:
    told = tell_widened(circuit.widened)
    return [told] if told else []


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
    measured, kind = found.measured, found.replaced
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
    how = f"{curve.request.cut.way.value}, {curve.replaced}"
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
        f"faithfulness over size ({how}): CPR {curve.cpr:.4f}, CMD {curve.cmd:.4f}"
        + _random_areas(curve),
        table(["edges", "share", "faithfulness", "low", "high", "the rest", "random"], rows),
    ]


def _random_areas(curve: Curve) -> str:
    if curve.random_cpr is None:
        return ""
    return f"; random circuits: CPR {curve.random_cpr:.4f}, CMD {curve.random_cmd:.4f}"
