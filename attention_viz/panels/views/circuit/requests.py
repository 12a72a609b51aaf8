"""What the circuit view asks the workbench."""

from attention_viz.panels.kit.requests import TOP
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import AttributionRequest, Method, Points
from attention_viz.records.circuits.circuit import (
    Circuit,
    CircuitRequest,
    Cut,
    CutRequest,
    EdgesRequest,
)
from attention_viz.records.circuits.edge import EdgeId
from attention_viz.records.circuits.faithfulness import (
    CircuitOnlyRequest,
    CurveRequest,
    FaithfulnessRequest,
)
from attention_viz.records.circuits.mib import MibRequest
from attention_viz.records.page import PageState

_RANDOM_CIRCUITS = 20


def circuit_request(state: PageState) -> CircuitRequest | CutRequest | EdgesRequest:
    """The circuit of the source that the view shows."""
    circuit = state.circuit
    if circuit.source == "scores":
        return CutRequest(
            attribution_request(state),
            circuit.edges,
            Cut(circuit.cut),
            circuit.mlps,
            exact=tuple(map(EdgeId.parse, circuit.exact)),
        )
    if circuit.source == "given":
        edges = tuple(map(EdgeId.parse, circuit.given_edges))
        kind = AblationKind(circuit.edge_kind)
        return EdgesRequest(state.pairs_request, edges, kind, circuit.replacing)
    return CircuitRequest(state.question, state.head_ids, state.intervention)


def attribution_request(state: PageState) -> AttributionRequest:
    """Scores of all edges. EAP-IG needs resample: with another kind the page asks for EAP."""
    kind, method = AblationKind(state.circuit.edge_kind), Method(state.circuit.method)
    if method is Method.EAP_IG and kind is not AblationKind.RESAMPLE:
        method = Method.EAP
    return AttributionRequest(
        state.pairs_request,
        method,
        ablation=kind,
        points=Points(state.circuit.points) if method is Method.EAP_IG else Points.RIGHT,
        replacing=state.circuit.replacing,
    )


def curve_request(state: PageState) -> CurveRequest:
    """Faithfulness over size, the same for every cut of these scores.

    Beside MIB's it is that of our own cut from the logits.
    """
    circuit, way = state.circuit, Cut(state.circuit.cut)
    ours = Cut.GREEDY if way.ranking else way
    return CurveRequest(CutRequest(attribution_request(state), 0, ours, circuit.mlps))


def mib_request(state: PageState) -> MibRequest | None:
    """The same by MIB's rule; None where circuits are cut another way."""
    circuit = state.circuit
    if circuit.source != "scores" or not Cut(circuit.cut).ranking or not circuit.mlps:
        return None
    return MibRequest(attribution_request(state))


def proof_request(state: PageState, circuit: Circuit, leave_out: bool) -> FaithfulnessRequest:
    """Faithfulness of the circuit shown; with `leave_out` without each edge too, and by chance."""
    return FaithfulnessRequest(
        circuit.request.pairs,
        circuit.edge_ids,
        AblationKind(state.circuit.edge_kind),
        keeps_mlps=_keeps_mlps(circuit),
        leave_out=leave_out,
        random_circuits=_RANDOM_CIRCUITS if leave_out else 0,
        replacing=state.circuit.replacing,
    )


def circuit_only_request(state: PageState, circuit: Circuit) -> CircuitOnlyRequest:
    return CircuitOnlyRequest(
        circuit.request.pairs,
        circuit.edge_ids,
        AblationKind(state.circuit.edge_kind),
        keeps_mlps=_keeps_mlps(circuit),
        top=TOP,
        replacing=state.circuit.replacing,
    )


def _keeps_mlps(circuit: Circuit) -> bool:
    """Whether MLPs were left out, so that their edges all stay."""
    if isinstance(circuit.request, CutRequest):
        return not circuit.request.with_mlps
    return not any(node.kind == "mlp" for node in circuit.nodes)
