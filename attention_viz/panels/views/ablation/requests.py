"""What the closer looks of the ablation view ask the workbench."""

from dataclasses import replace
from typing import Any

from attention_viz.panels.kit.requests import need_heads, without_counterfactual
from attention_viz.panels.views.circuit.pair_file import COLUMNS, GIVEN
from attention_viz.records.ablation import Ablation
from attention_viz.records.circuits.pairs import Pair, PairsRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.family_search import FamilySearchRequest
from attention_viz.records.looks.agreement import AgreementRequest
from attention_viz.records.looks.control import ControlRequest
from attention_viz.records.looks.cost import CostRequest
from attention_viz.records.looks.dose import DoseRequest
from attention_viz.records.looks.family import FamilyRequest, PairFlip
from attention_viz.records.looks.positions import PositionsRequest
from attention_viz.records.looks.redundancy import RedundancyRequest
from attention_viz.records.metrics import Metric
from attention_viz.records.page import PageState
from attention_viz.records.question import Question
from attention_viz.records.search import Strategy


def look_request(state: PageState) -> Any:
    """The closer look that the ablation view shows. Raises BadInput where it needs heads."""
    return _LOOKS[state.ablation.look](state)


def _cost_request(state: PageState) -> CostRequest:
    # It finds targets of its own: the page's must not make it another question.
    question = replace(state.question, answer=None, distractor=None)
    strategy = Strategy(state.strategy)
    return CostRequest(question, state.intervention, max_heads=state.max_heads, strategy=strategy)


def _dose_request(state: PageState) -> DoseRequest:
    return DoseRequest(without_counterfactual(state.question), need_heads(state))


def _redundancy_request(state: PageState) -> RedundancyRequest:
    chosen = state.head_ids if len(state.head_ids) > 1 else ()
    return RedundancyRequest(state.question, chosen, state.intervention, Metric(state.metric))


def _positions_request(state: PageState) -> PositionsRequest:
    metric = Metric(state.metric)
    return PositionsRequest(state.question, state.head_ids, state.intervention, metric)


def _control_request(state: PageState) -> ControlRequest:
    metric = Metric(state.metric)
    return ControlRequest(state.question, need_heads(state), state.intervention, metric)


def _agreement_request(state: PageState) -> AgreementRequest:
    ablations = Ablation.of_each_kind(dict(state.settings))
    return AgreementRequest(state.question, Metric(state.metric), ablations)


def family_pairs(state: PageState) -> PairsRequest:
    """The pairs that a set is looked at over. Raises BadInput where their file is missing."""
    plain = Question(state.model, "", bos=state.bos, chat=state.chat)
    if state.ablation.family != GIVEN:
        chosen = state.ablation
        return PairsRequest(plain, family=chosen.family, count=chosen.pair_count)
    given = tuple(Pair(*pair) for pair in state.circuit.given_pairs)
    if not given:
        raise BadInput("No pairs of your own yet.", f"Choose a file: {COLUMNS}.")
    return PairsRequest(plain, given=given)


def family_search_request(state: PageState) -> FamilySearchRequest:
    """The search over them, with the rail's intervention and greatest number of heads."""
    return FamilySearchRequest(
        family_pairs(state),
        PairFlip(state.ablation.flip),
        state.ablation.share,
        state.max_heads,
        state.intervention,
    )


def _family_request(state: PageState) -> FamilyRequest:
    return FamilyRequest(family_pairs(state), need_heads(state), state.intervention)


_LOOKS = {
    "cost": _cost_request,
    "dose": _dose_request,
    "redundancy": _redundancy_request,
    "positions": _positions_request,
    "control": _control_request,
    "agreement": _agreement_request,
    "family": _family_request,
}
