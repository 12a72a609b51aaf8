"""`circuit`: heads and edges that make a prediction, how faithful they are, printed and drawn.

Of chosen heads every edge is measured; of prompt pairs the edges are scored and cut to a size, and
the circuit is proved by replacing everything outside it; an imported circuit is measured anew.
"""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from attention_viz.commands import circuit_options, options
from attention_viz.commands.circuit_options import Way
from attention_viz.commands.circuit_output import MeasuredCircuit, to_json, to_text
from attention_viz.commands.command import Asker, Command
from attention_viz.commands.pairs import read_pairs
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import (
    AttributionRequest,
    Direction,
    Method,
    Points,
)
from attention_viz.records.circuits.circuit import CircuitRequest, Cut, CutRequest, EdgesRequest
from attention_viz.records.circuits.circuit_file import ImportedCircuit
from attention_viz.records.circuits.circuit_view import CircuitView
from attention_viz.records.circuits.faithfulness import CurveRequest, FaithfulnessRequest
from attention_viz.records.circuits.fit import fit_edges
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.circuits.mib import MibRequest
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.replacing import Replacing
from attention_viz.records.circuits.roles import RolesRequest
from attention_viz.records.errors import BadInput


def _ask(asker: Asker, args: Namespace) -> MeasuredCircuit:
    imported = circuit_options.read_import(args.import_file)
    way = circuit_options.settle(args, imported)
    for file in args.out:
        circuit_options.check_file(Path(file))
    circuit_options.check_picture(args)
    found = _WAYS[way](asker, args, imported)
    return found if args.no_roles else _with_roles(asker, found)


def _with_roles(asker: Asker, found: MeasuredCircuit) -> MeasuredCircuit:
    """Last of all: nothing else waits for them."""
    asker.tell("roles of the heads")
    roles = asker.measure(RolesRequest(found.circuit.about))
    return replace(found, circuit=found.circuit.with_roles(roles), roles=roles)


def _measure_heads(
    asker: Asker, args: Namespace, imported: ImportedCircuit | None
) -> MeasuredCircuit:
    heads = options.heads(args.heads) if imported is None else imported.heads
    request = CircuitRequest(asker.question(args), heads, options.ablation(args))
    return MeasuredCircuit(asker.measure(request), *_model_of(asker))


def _measure_edges(asker: Asker, args: Namespace, imported: ImportedCircuit) -> MeasuredCircuit:
    pairs = read_pairs(asker, args)
    edges = fit_edges(imported.edges, _graph_of(asker))
    kind, replacing = _replaced_by(args)
    circuit = asker.measure(EdgesRequest(pairs.request, imported.edges, kind, replacing))
    has_mlps = any(name.endswith("MLP") for edge in edges for name in (edge.writer, edge.reader))
    return MeasuredCircuit(
        circuit,
        *_model_of(asker),
        pairs=pairs.found,
        refused=pairs.refused,
        faithfulness=asker.measure(
            FaithfulnessRequest(
                pairs.request,
                edges,
                kind,
                keeps_mlps=not has_mlps,
                random_circuits=args.random,
                seed=args.seed,
                replacing=replacing,
            )
        ),
    )


def _measure_scores(asker: Asker, args: Namespace, imported: None) -> MeasuredCircuit:
    pairs = read_pairs(asker, args)
    request = _cut_request(pairs.request, args)
    attribution = asker.measure(request.attribution)
    circuit = asker.measure(request)
    proof = FaithfulnessRequest(
        pairs.request,
        circuit.edge_ids,
        request.attribution.ablation,
        keeps_mlps=args.heads_only,
        random_circuits=args.random,
        seed=args.seed,
        replacing=request.replacing,
    )
    # One curve for every size; beside MIB's own areas, that of our default cut.
    ours = Cut.GREEDY if request.way.ranking else request.way
    sizeless = replace(request, edges=0, way=ours, exact=(), exact_top=0)
    curve = CurveRequest(sizeless, random_circuits=args.random, seed=args.seed)
    return MeasuredCircuit(
        circuit,
        *_model_of(asker),
        pairs=pairs.found,
        refused=pairs.refused,
        attribution=attribution,
        faithfulness=asker.measure(proof),
        curve=asker.measure(curve) if args.curve else None,
        mib=asker.measure(MibRequest(request.attribution)) if args.curve and args.mib else None,
    )


_WAYS: dict[Way, Callable[..., MeasuredCircuit]] = {
    Way.HEADS: _measure_heads,
    Way.EDGES: _measure_edges,
    Way.SCORES: _measure_scores,
}


def _cut_request(pairs: PairsRequest, args: Namespace) -> CutRequest:
    kind, replacing = _replaced_by(args)
    scores = AttributionRequest(
        pairs,
        Method(args.method),
        args.steps,
        kind,
        Direction(args.direction),
        Points(args.ig_points),
        replacing,
    )
    return CutRequest(
        scores,
        args.edges,
        Cut(args.cut),
        with_mlps=not args.heads_only,
        exact_top=args.exact_top,
    )


def _replaced_by(args: Namespace) -> tuple[AblationKind, Replacing]:
    kind = AblationKind(args.ablation)
    return kind, Replacing.of(kind, args.input_part, args.mean_over)


def _model_of(asker: Asker) -> tuple[str, int]:
    """Where the model is found, and the width of its residual stream."""
    status = asker.workbench.status(asker.model)
    return status.info.folder, status.info.d_model


def _graph_of(asker: Asker) -> Graph:
    """The model's graph, as far as names go; which edges it lacks is told by the measurement."""
    info = asker.workbench.status(asker.model).info
    return Graph(info.layers, info.heads, info.key_value_heads, is_parallel=False)


# Files


def _finish(found: MeasuredCircuit, args: Namespace) -> None:
    for file in args.out:
        path = Path(file)
        data = _file_content(found, circuit_options.check_file(path), args)
        try:
            path.write_bytes(data)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise BadInput(
                f"{str(path)!r} can't be written ({reason}).", "Choose another --out."
            ) from error


def _file_content(found: MeasuredCircuit, suffix: str, args: Namespace) -> bytes:
    # Not above: these bring matplotlib along.
    from attention_viz.exports.circuit import export_circuit
    from attention_viz.exports.picture_size import PictureSize
    from attention_viz.exports.script import script_of

    proof = found.faithfulness
    if suffix == "py":
        script = script_of(found.circuit, found.source, pairs=found.pairs, faithfulness=proof)
        return script.encode()
    return export_circuit(
        found.circuit,
        suffix,
        faithfulness=None if proof is None else proof.measured,
        graph=found.circuit.graph,
        attribution=found.attribution,
        d_model=found.d_model,
        view=CircuitView(folds=not args.unfold),
        size=PictureSize(args.width, args.height),
    )


COMMAND = Command(
    name="circuit",
    about="measure a circuit: of chosen heads, cut from edge scores, or imported; and draw it",
    parents=circuit_options.PARENTS,
    add_options=circuit_options.add_options,
    ask=_ask,
    to_json=to_json,
    to_text=to_text,
    finish=_finish,
)
