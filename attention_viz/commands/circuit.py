"""`circuit`: what chosen heads write to the logits and to each other, printed and drawn."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from attention_viz.commands import options
from attention_viz.commands.command import (
    Asker,
    Command,
    ablation_json,
    headline,
    plain,
    read_out_json,
    table,
    token_json,
)
from attention_viz.records.circuit import Circuit, CircuitEdge, CircuitNode, CircuitRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.roles import HeadRole

SUFFIXES = ("png", "svg", "pdf", "graphml", "dot", "json", "csv")


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--heads", required=True, metavar="L2H3,L3H1")
    parser.add_argument(
        "--out",
        action="append",
        default=[],
        metavar="FILE",
        help=f"also write it, by suffix: {', '.join(SUFFIXES)}; may be repeated",
    )


def _ask(asker: Asker, args: Namespace) -> Circuit:
    heads = options.heads(args.heads)
    for file in args.out:
        _check_file(Path(file))
    request = CircuitRequest(asker.question(args), heads, options.ablation(args))
    return asker.measure(request)


def _check_file(path: Path) -> None:
    """Before measuring, so that nobody waits for a file that can't be written."""
    if path.suffix.lower().removeprefix(".") not in SUFFIXES:
        known = ", ".join(f".{suffix}" for suffix in SUFFIXES)
        raise BadInput(f"{str(path)!r} has no known suffix.", f"Use one of: {known}.")
    if not path.parent.is_dir():
        raise BadInput(f"There is no folder {str(path.parent)!r}.", "Make it first.")


def _finish(circuit: Circuit, args: Namespace) -> None:
    if not args.out:
        return
    from attention_viz.exports.circuit import export_circuit  # brings matplotlib along

    for file in args.out:
        path = Path(file)
        data = export_circuit(circuit, path.suffix.lower().removeprefix("."))
        try:
            path.write_bytes(data)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise BadInput(
                f"{str(path)!r} can't be written ({reason}).", "Choose another --out."
            ) from error


def to_json(circuit: Circuit) -> dict[str, Any]:
    request = circuit.request
    return plain(
        {
            **read_out_json(request.question, circuit.tokens, circuit.position),
            **ablation_json(request.ablation),
            "heads": [str(head) for head in request.heads],
            "answer": token_json(circuit.answer),
            "distractor": token_json(circuit.distractor),
            "unit": "logits",
            "baseline": circuit.baseline,
            "ablated": circuit.ablated,
            "patched_with": circuit.patched_with,
            "nodes": [_node_json(node) for node in circuit.nodes],
            "edges": [_edge_json(edge) for edge in circuit.edges],
            "contributions": [
                {"component": part.component, "value": part.value} for part in circuit.contributions
            ],
            "evaluations": circuit.evaluations,
            "seconds": circuit.seconds,
        }
    )


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
    return {
        "source": edge.source,
        "target": edge.target,
        "via": edge.via.value,
        "value": edge.value,
        "unit": edge.via.unit,
        "measured": edge.via.is_measured,
        "position": edge.position,
    }


def to_text(circuit: Circuit) -> str:
    request = circuit.request
    nodes = table(
        ["head", "direct contribution (logits)", "role", "score"],
        (
            (
                node.id,
                node.contribution,
                node.role.role.value if node.role else "–",
                node.role.score if node.role else None,
            )
            for node in circuit.nodes
            if node.kind == "head"
        ),
    )
    edges = table(
        ["from", "to", "via", "value", "unit"],
        (
            (_name(circuit, edge.source), edge.target, edge.via.value, edge.value, edge.via.unit)
            for edge in circuit.edges
        ),
    )
    diff = f"logit difference {circuit.answer.shown} − {circuit.distractor.shown}"
    return "\n".join(
        [
            headline(request.question, circuit.tokens, circuit.position),
            f"{diff}: clean {circuit.baseline:.4f}, all heads ablated {circuit.ablated:.4f} logits",
            f"edges between heads and to the logits: change of it when the writer's result is "
            f"replaced by {circuit.patched_with}",
            "",
            nodes,
            "",
            edges,
            "",
            f"{circuit.evaluations} evaluations in {circuit.seconds:.2f} s",
        ]
    )


def _name(circuit: Circuit, id: str) -> str:
    """A token by its text and position, anything else by its id."""
    node = next(node for node in circuit.nodes if node.id == id)
    if node.position is None:
        return id
    return f"{circuit.tokens.items[node.position].shown} at {node.position}"


COMMAND = Command(
    name="circuit",
    about="measure the circuit of chosen heads, and draw it to a file",
    parents=(options.question, options.intervention, options.machine, options.output),
    add_options=_add_options,
    ask=_ask,
    to_json=to_json,
    to_text=to_text,
    finish=_finish,
)
