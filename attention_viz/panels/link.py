"""The page's state in the address: opening a link, following the state, copying it."""

from typing import Any

from dash import Dash, Input, Output, Patch, State, dcc, html, no_update

from attention_viz.panels.common import NotReady, ask, state_of, toast
from attention_viz.panels.examples import EXAMPLES, example_state
from attention_viz.panels.ids import PAGE, QUESTION, RESTORED, TOAST
from attention_viz.panels.model import WANTED, with_model
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.model import ModelInfo
from attention_viz.records.page import PageState
from attention_viz.records.question import TokensRequest

OPENED = "link-opened"  # {fragment, theme, at}
FRAGMENT = "fragment"  # the state shown, as a fragment


def layout() -> html.Div:
    # No dcc.Location: it puts back the address it knows when only the fragment was replaced.
    return html.Div([dcc.Store(id=OPENED), dcc.Store(id=FRAGMENT)])


def first_page(workbench: Any, theme: str) -> PageState:
    """What a newcomer sees: the first example on the first model."""
    model = workbench.catalogue.entries[0].name
    return example_state(EXAMPLES[0], PageState(model=model, theme=theme))


def open_link(workbench: Any, opened: dict[str, Any], page: dict) -> tuple[PageState, list]:
    """The state a link asks for, and what to say about it.

    A broken link leaves the page as it is; one for a model that is not here keeps its prompt.
    """
    fragment = opened.get("fragment") or ""
    here = state_of(page)
    if not here.prompt:
        here = first_page(workbench, "dark" if opened.get("theme") == "dark" else "light")
    if fragment.strip("#") == "":
        return here, []
    try:
        state = PageState.from_fragment(fragment)
    except BadInput as error:
        return here, toast(error)
    if not state.prompt:
        state = state.change(prompt=here.prompt, counterfactual=here.counterfactual)
    try:
        workbench.status(state.model)
    except BadInput as error:
        return with_model(state, here.model), toast(
            f"This link is for another model. {error.message}",
            f"Its prompt is shown on {here.model}; heads and tokens chosen were dropped. "
            + error.remedy,
            "warning",
            "Link from another server",
        )
    return state, []


def fit(workbench: Any, state: PageState) -> tuple[dict[str, Any], list[str]]:
    """The fields to change so that the model can show this page, and why.

    Raises NotReady while the model is loaded.
    """
    info = workbench.status(state.model).info
    changes, reasons = _fit_to_sizes(state, info) if info else ({}, [])
    fixed, more = _fit_to_tokens(workbench, state.change(**changes))
    return changes | fixed, reasons + more


def _fit_to_sizes(state: PageState, info: ModelInfo) -> tuple[dict[str, Any], list[str]]:
    changes: dict[str, Any] = {}
    reasons = []
    unknown = [h for h in state.head_ids if h.layer >= info.layers or h.head >= info.heads]
    if unknown:
        changes["heads"] = tuple(str(head) for head in state.head_ids if head not in unknown)
        names = ", ".join(str(head) for head in unknown[:5])
        sizes = f"L0H0 to L{info.layers - 1}H{info.heads - 1}"
        reasons.append(f"{state.model} has no head {names} (its heads are {sizes})")
    for name in ("answer", "distractor", "flip_to"):
        token = getattr(state, name)
        if token is not None and token >= info.vocabulary:
            changes[name] = None
            reasons.append(f"{state.model} has no token {token}")
    return changes, reasons


def _fit_to_tokens(workbench: Any, state: PageState) -> tuple[dict[str, Any], list[str]]:
    """Try the page as it is, then with less; the prompt is kept whatever happens."""
    attempts: list[dict[str, Any]] = [{}]
    attempts += [{"position": -1}] if state.position != -1 else []
    attempts += [{"counterfactual": ""}] if state.counterfactual else []
    attempts.append({"position": -1, "counterfactual": ""})
    problem = None
    for changes in attempts:
        try:
            ask(workbench, TokensRequest(state.change(**changes).question))
        except NotReady:
            raise
        except AttentionVizError as error:
            problem = problem or error
            continue
        return changes, [str(problem)] if problem else []
    return {}, [str(problem)]


def fitted(workbench: Any, page: dict) -> tuple:
    """Page, restored and toast after a look at whether the model can show the page."""
    state = state_of(page)
    try:
        changes, reasons = fit(workbench, state)
    except AttentionVizError:
        return no_update, no_update, no_update
    if not reasons:
        return no_update, no_update, no_update
    message = toast(". ".join(reasons), "The rest of the page was kept.", "warning", "Left out")
    if not changes:
        return no_update, no_update, toast(reasons[-1])
    patch = Patch()
    for name, value in changes.items():
        patch[name] = list(value) if isinstance(value, tuple) else value
    return patch, state.change(**changes).to_json(), message


def register(app: Dash, workbench: Any) -> None:
    app.clientside_callback(
        "function() { return dash_clientside.page.linkOpened(); }",
        Output(OPENED, "data"),
        Input(OPENED, "id"),
    )

    @app.callback(
        Output(PAGE, "data", allow_duplicate=True),
        Output(RESTORED, "data", allow_duplicate=True),
        Output(WANTED, "data", allow_duplicate=True),
        Output(TOAST, "data", allow_duplicate=True),
        Input(OPENED, "data"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def open_(opened: dict | None, page: dict) -> tuple:
        if not opened:
            return (no_update,) * 4
        state, says = open_link(workbench, opened, page)
        workbench.load(state.model)
        data = state.to_json()
        wanted = {"name": state.model, "at": opened["at"]}
        return data, data, wanted, says or no_update

    @app.callback(
        Output(PAGE, "data", allow_duplicate=True),
        Output(RESTORED, "data", allow_duplicate=True),
        Output(TOAST, "data", allow_duplicate=True),
        Input(QUESTION, "data"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def fit_to_model(_question: dict, page: dict) -> tuple:
        return fitted(workbench, page)

    @app.callback(Output(FRAGMENT, "data"), Input(PAGE, "data"), prevent_initial_call=True)
    def follow(page: dict) -> Any:
        return state_of(page).to_fragment() if page["prompt"] else no_update

    app.clientside_callback(
        "function(fragment) { return dash_clientside.page.showFragment(fragment); }",
        Input(FRAGMENT, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        "function(n, fragment) { return dash_clientside.page.copyLink(fragment); }",
        Output(TOAST, "data", allow_duplicate=True),
        Input("copy-link", "n_clicks"),
        State(FRAGMENT, "data"),
        prevent_initial_call=True,
    )
