"""What the page asks of the workbench: one builder per request, all from the PageState.

The rail and the views build the same request for the same choices, so that a search started
in one place is found, and its result shown, in the other.
"""

from dataclasses import replace
from typing import Any

from attention_viz.records.ablation import AblationKind, AblationRequest, PredictionRequest
from attention_viz.records.attention import AttentionRequest, TokenRequest
from attention_viz.records.circuits.attribution import AttributionRequest, Method
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
from attention_viz.records.circuits.roles import RolesRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.lens import LensRequest
from attention_viz.records.looks.agreement import AgreementRequest
from attention_viz.records.looks.control import ControlRequest
from attention_viz.records.looks.cost import CostRequest
from attention_viz.records.looks.dose import DoseRequest
from attention_viz.records.looks.positions import PositionsRequest
from attention_viz.records.looks.redundancy import RedundancyRequest
from attention_viz.records.metrics import Metric
from attention_viz.records.page import PageState
from attention_viz.records.question import Question
from attention_viz.records.search import Objective, SearchRequest, Strategy
from attention_viz.records.sweep import SweepRequest

TOP = 10  # next tokens listed in tables


def prediction_request(state: PageState) -> PredictionRequest:
    return PredictionRequest(state.question, top=TOP)


def ablation_request(state: PageState) -> AblationRequest:
    return AblationRequest(state.question, state.head_ids, state.ablation, top=TOP)


def sweep_request(state: PageState) -> SweepRequest:
    return SweepRequest(state.question, state.ablation, Metric(state.metric))


def search_request(state: PageState) -> SearchRequest:
    """The search of the study. Raises BadInput where a targeted one has no target."""
    objective = Objective(state.objective)
    is_targeted = objective is Objective.FLIP
    if is_targeted and state.flip_to is None:
        raise BadInput(
            "A targeted search needs the token that is to win.",
            "Choose it under Target, or search for the greatest change (KL) instead.",
        )
    flip_to = state.flip_to if is_targeted else None
    return SearchRequest(
        state.question,
        objective,
        flip_to,
        state.max_heads,
        state.ablation,
        strategy=Strategy(state.strategy),
    )


def look_request(state: PageState) -> Any:
    """The closer look that the ablation view shows. Raises BadInput where it needs heads."""
    return _LOOKS[state.look](state)


def _cost_request(state: PageState) -> CostRequest:
    # It finds targets of its own: the page's must not make it another question.
    question = replace(state.question, answer=None, distractor=None)
    strategy = Strategy(state.strategy)
    return CostRequest(question, state.ablation, max_heads=state.max_heads, strategy=strategy)


def _dose_request(state: PageState) -> DoseRequest:
    return DoseRequest(_without_counterfactual(state.question), _need_heads(state))


def _redundancy_request(state: PageState) -> RedundancyRequest:
    chosen = state.head_ids if len(state.head_ids) > 1 else ()
    return RedundancyRequest(state.question, chosen, state.ablation, Metric(state.metric))


def _positions_request(state: PageState) -> PositionsRequest:
    return PositionsRequest(state.question, state.head_ids, state.ablation, Metric(state.metric))


def _control_request(state: PageState) -> ControlRequest:
    return ControlRequest(state.question, _need_heads(state), state.ablation, Metric(state.metric))


def _agreement_request(state: PageState) -> AgreementRequest:
    return AgreementRequest(state.question, Metric(state.metric), state.seed)


_LOOKS = {
    "cost": _cost_request,
    "dose": _dose_request,
    "redundancy": _redundancy_request,
    "positions": _positions_request,
    "control": _control_request,
    "agreement": _agreement_request,
}


def _need_heads(state: PageState) -> tuple[HeadId, ...]:
    if not state.heads:
        raise BadInput("No heads are selected.", "Pick heads in the grid, or press Find heads.")
    return state.head_ids


def circuit_request(state: PageState) -> CircuitRequest | CutRequest | EdgesRequest:
    """The circuit of the source that the circuit view shows."""
    if state.source == "scores":
        return CutRequest(
            attribution_request(state),
            state.edges,
            Cut(state.cut),
            state.mlps,
            exact=tuple(map(EdgeId.parse, state.exact)),
        )
    if state.source == "given":
        edges = tuple(map(EdgeId.parse, state.given_edges))
        return EdgesRequest(state.pairs_request, edges, AblationKind(state.edge_kind))
    return CircuitRequest(state.question, state.head_ids, state.ablation)


def attribution_request(state: PageState) -> AttributionRequest:
    """Scores of all edges. EAP-IG needs resample: with another kind the page asks for EAP."""
    kind, method = AblationKind(state.edge_kind), Method(state.method)
    if method is Method.EAP_IG and kind is not AblationKind.RESAMPLE:
        method = Method.EAP
    return AttributionRequest(state.pairs_request, method, ablation=kind)


def curve_request(state: PageState) -> CurveRequest:
    """Faithfulness over size, the same for every cut of these scores."""
    cut = CutRequest(attribution_request(state), 0, Cut(state.cut), state.mlps)
    return CurveRequest(cut)


def proof_request(state: PageState, circuit: Circuit, leave_out: bool) -> FaithfulnessRequest:
    """Faithfulness of the circuit shown; with `leave_out` without each edge too, and by chance."""
    return FaithfulnessRequest(
        circuit.request.pairs,
        circuit.edge_ids,
        AblationKind(state.edge_kind),
        keeps_mlps=_keeps_mlps(circuit),
        leave_out=leave_out,
        random_circuits=20 if leave_out else 0,
    )


def circuit_only_request(state: PageState, circuit: Circuit) -> CircuitOnlyRequest:
    return CircuitOnlyRequest(
        circuit.request.pairs,
        circuit.edge_ids,
        AblationKind(state.edge_kind),
        keeps_mlps=_keeps_mlps(circuit),
        top=TOP,
    )


def _keeps_mlps(circuit: Circuit) -> bool:
    """Whether MLPs were left out, so that their edges all stay."""
    if isinstance(circuit.request, CutRequest):
        return not circuit.request.with_mlps
    return not any(node.kind == "mlp" for node in circuit.nodes)


def roles_request(state: PageState) -> RolesRequest:
    return RolesRequest(state.question)


def attention_request(state: PageState) -> AttentionRequest:
    """Maps of the heads chosen; of the ablated run too where the page shows it.

    All the heads are ablated together, so the request names all of them, not one page's.
    """
    ablation = None if state.maps == "clean" else state.ablation
    return AttentionRequest(_without_target(state, ablation is not None), state.head_ids, ablation)


def token_request(state: PageState, position: int) -> TokenRequest:
    return TokenRequest(replace(_without_target(state, False), position=position), top=TOP)


def lens_request(state: PageState, show: str = "clean") -> LensRequest:
    """The lens of the clean run, or of the run with the chosen heads ablated.

    It counts positions from the page's read-out, because the answer is read there.
    """
    if show == "clean":
        return LensRequest(_without_counterfactual(state.question))
    return LensRequest(state.question, heads=state.head_ids, ablation=state.ablation)


def _without_target(state: PageState, is_ablated: bool) -> Question:
    """The question without what attention doesn't depend on, so that its key stays the same."""
    question = replace(state.question, position=-1, answer=None, distractor=None)
    is_resample = AblationKind(state.kind) is AblationKind.RESAMPLE
    return question if is_ablated and is_resample else _without_counterfactual(question)


def _without_counterfactual(question: Question) -> Question:
    return replace(question, counterfactual=None)
