"""What the parts of the page that several views share ask the workbench."""

from dataclasses import replace

from attention_viz.records.ablation import AblationKind, AblationRequest, PredictionRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.lens import LensRequest
from attention_viz.records.metrics import Metric
from attention_viz.records.page import PageState
from attention_viz.records.question import Question
from attention_viz.records.search import Objective, SearchRequest, Strategy
from attention_viz.records.sweep import SweepRequest

TOP = 10  # next tokens listed in tables


def prediction_request(state: PageState) -> PredictionRequest:
    return PredictionRequest(state.question, top=TOP)


def ablation_request(state: PageState) -> AblationRequest:
    return AblationRequest(state.question, state.head_ids, state.intervention, top=TOP)


def sweep_request(state: PageState) -> SweepRequest:
    return SweepRequest(state.question, state.intervention, Metric(state.metric))


def search_request(state: PageState) -> SearchRequest:
    """The search of the study. Raises BadInput where a targeted one has no target."""
    objective = Objective(state.objective)
    is_targeted = objective is Objective.FLIP
    if is_targeted and state.flip_to is None:
        raise BadInput(
            "A targeted search needs the token that is to win.",
            "Choose it under Target, or search for the greatest change (KL) instead.",
        )
    return SearchRequest(
        state.question,
        objective,
        state.flip_to if is_targeted else None,
        state.max_heads,
        state.intervention,
        strategy=Strategy(state.strategy),
    )


def need_heads(state: PageState) -> tuple[HeadId, ...]:
    """The heads selected. Raises BadInput where there are none."""
    if not state.heads:
        raise BadInput("No heads are selected.", "Pick heads in the grid, or press Find heads.")
    return state.head_ids


def lens_request(state: PageState, show: str = "clean") -> LensRequest:
    """The lens of the clean run, or of the run with the chosen heads ablated.

    It counts positions from the page's read-out, because the answer is read there.
    """
    if show == "clean":
        return LensRequest(state.change(counterfactual="").question)
    return LensRequest(state.question, heads=state.head_ids, ablation=state.intervention)


def without_target(state: PageState, is_ablated: bool) -> Question:
    """The question without what attention doesn't depend on, so that its key stays the same.

    None of that is read, so that moving the read-out draws no attention anew.
    """
    plain = state.change(position=-1, answer=None, distractor=None, flip_to=None)
    is_resample = is_ablated and AblationKind(state.kind) is AblationKind.RESAMPLE
    return (plain if is_resample else plain.change(counterfactual="")).question


def without_counterfactual(question: Question) -> Question:
    return replace(question, counterfactual=None)
