"""The page's state in the address: what a link asks for, and whether the model can show it.

The browser keeps the address up to date (assets/11_history.js); here links are read.
"""

from typing import Any

from attention_viz.panels.frame.examples import EXAMPLES, example_state, suggested_flip
from attention_viz.panels.kit.acts import Act, Outcome
from attention_viz.panels.kit.common import NotReady, ask, toast
from attention_viz.panels.rail.search import under_way
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.model import ModelInfo
from attention_viz.records.page import PageState
from attention_viz.records.question import TokensRequest


def first_page(bench: Bench) -> PageState:
    """What a newcomer sees: the first example on the first model."""
    model = bench.catalogue.entries[0].name
    return suggested_flip(bench, example_state(EXAMPLES[0], PageState(model=model)))


def open_link(bench: Bench, here: PageState, fragment: str) -> tuple[PageState, tuple]:
    """The state a link asks for, and what to say about it.

    A broken link leaves the page as it is; one for a model that is not here keeps its prompt.
    """
    try:
        state = PageState.from_fragment(fragment)
    except BadInput as error:
        return here, toast(error)
    if not state.prompt:
        state = state.change(prompt=here.prompt, counterfactual=here.counterfactual)
    try:
        bench.status(state.model)
    except BadInput as error:
        return state.with_model(here.model), toast(
            f"This link is for another model. {error.message}",
            f"Its prompt is shown on {here.model}; heads and tokens chosen were dropped. "
            + error.remedy,
            "warning",
            "Link from another server",
        )
    return state, ()


def fit(bench: Bench, state: PageState) -> tuple[PageState, list[str]]:
    """The page without what the model can't show, and the reasons.

    Raises NotReady while the model is loaded.
    """
    info = bench.status(state.model).info
    fitted, reasons = _fit_to_sizes(state, info) if info else (state, [])
    fitted, more = _fit_to_tokens(bench, fitted)
    return fitted, reasons + more


def _fit_to_sizes(state: PageState, info: ModelInfo) -> tuple[PageState, list[str]]:
    reasons = []
    unknown = [h for h in state.head_ids if h.layer >= info.layers or h.head >= info.heads]
    if unknown:
        kept = tuple(str(head) for head in state.head_ids if head not in unknown)
        names = ", ".join(str(head) for head in unknown[:5])
        sizes = f"L0H0 to L{info.layers - 1}H{info.heads - 1}"
        reasons.append(f"{state.model} has no head {names} (its heads are {sizes})")
        state = state.change(heads=kept)
    for name in ("answer", "distractor", "flip_to"):
        token = getattr(state, name)
        if token is not None and token >= info.vocabulary:
            state = state.change(**{name: None})
            reasons.append(f"{state.model} has no token {token}")
    return state, reasons


def _fit_to_tokens(bench: Bench, state: PageState) -> tuple[PageState, list[str]]:
    """Try the page as it is, then with less; the prompt is kept whatever happens."""
    attempts: list[dict[str, Any]] = [{}]
    attempts += [{"position": -1}] if state.position != -1 else []
    attempts += [{"counterfactual": ""}] if state.counterfactual else []
    attempts.append({"position": -1, "counterfactual": ""})
    problem = None
    for changes in attempts:
        fitted = state.change(**changes)
        try:
            ask(bench, TokensRequest(fitted.question))
        except NotReady:
            raise
        except AttentionVizError as error:
            problem = problem or error
            continue
        return fitted, [str(problem)] if problem else []
    return state, [str(problem)]


def _fitted(bench: Bench, state: PageState) -> tuple[PageState, tuple]:
    """The page as its model can show it, and what to say about it; as it is while that loads."""
    try:
        fitted, reasons = fit(bench, suggested_flip(bench, state))
    except AttentionVizError:
        return state, ()
    if not reasons:
        return fitted, ()
    text = ". ".join(reasons)
    return fitted, toast(text, "The rest of the page was kept.", "warning", "Left out")


def _open(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    opened, says = open_link(bench, state, str(payload.get("fragment")))
    bench.load(opened.model)
    fitted, more = _fitted(bench, opened)
    texts = {"prompt": fitted.prompt, "counterfactual": fitted.counterfactual}
    return Outcome(page=fitted, says=(*says, *more), values=texts)


def _fit(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    """What the page does once its model is there; its search may be under way already."""
    fitted, says = _fitted(bench, state)
    return Outcome(page=fitted, says=says, followed=under_way(bench, fitted))


ACTS: dict[str, Act] = {"open": _open, "fit": _fit}
