"""Pickers of tokens: the answer, the distractor, and the token a search is to make win.

Any token of the vocabulary, found by typing; chosen by id, because two tokens can read alike.
"""

from collections import Counter
from typing import Any

from dash import Dash, Input, Output, Patch, State, ctx, dcc, html, no_update

from attention_viz.panels.common import ask, state_of
from attention_viz.panels.examples import example_of
from attention_viz.panels.ids import PAGE, QUESTION, STUDY
from attention_viz.panels.requests import prediction_request
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.page import PageState
from attention_viz.records.tokens import Token, unshow

# The page's fields
PICKERS = ("answer", "distractor", "flip_to")
# Options that are no tokens: nothing chosen, and why the text typed is not one token
DEFAULT, NO_TOKEN = -2, -1
_DEFAULTS = {"answer": "top-1", "distractor": "runner-up"}
_MOST = 40


def picker(field: str) -> dcc.Dropdown:
    return dcc.Dropdown(
        id=name_of(field),
        options=[],
        placeholder="type a token",
        className="token-menu",
        clearable=False,
        # The server's order: an exact match comes first, so that Enter takes it.
        search_order="original",
        maxHeight=280,
        labels={"search": "type any token", "no_options_found": "searching…"},
    )


def name_of(field: str) -> str:
    return f"pick-{field.replace('_', '-')}"


def layout() -> html.Div:
    return html.Div(
        [
            html.Label("answer", htmlFor=name_of("answer")),
            picker("answer"),
            html.Label("vs", htmlFor=name_of("distractor"), title="distractor"),
            picker("distractor"),
        ],
        className="token-row",
        title="The two tokens of the logit difference: answer − distractor",
    )


def token_option(token: Token, typed: str = "") -> dict[str, Any]:
    """A token as an option. `search` holds the text typed: the server has done the matching.

    Labels are plain text: Dash loses track of components in options that come and go.
    """
    label = token.shown
    return {
        "label": label,
        "value": token.id,
        "search": f"{typed} {label}",
        "title": f"id {token.id}",
    }


def found_options(workbench: Any, model: str, typed: str) -> list[dict[str, Any]]:
    """The tokens that match, best first, or one option that says why there is none."""
    tokens = sorted(workbench.find_tokens(model, typed, _MOST), key=lambda t: _distance(t, typed))
    if tokens:
        return [token_option(token, typed) for token in tokens]
    try:
        token_id = workbench.token_id(model, typed)
    except AttentionVizError as error:
        message = f"{error.message} {error.remedy}"
        return [{"label": message, "value": NO_TOKEN, "search": typed}]
    return [token_option(workbench.token(model, token_id), typed)]


def _distance(token: Token, typed: str) -> int:
    """The word typed comes first, with its leading space before without: that is what follows
    a prompt. The rest keeps its order.
    """
    word = unshow(typed)
    return [" " + word, word].index(token.text) if token.text in (" " + word, word) else 2


def usual_options(workbench: Any, state: PageState, field: str) -> list[dict[str, Any]]:
    """What is offered before anything is typed: the default, and the most probable next tokens."""
    top = ask(workbench, prediction_request(state)).top
    tokens = [item.token for item in top]
    return default_option(tokens, state, field) + [token_option(token) for token in tokens]


def default_option(tokens: list[Token], state: PageState, field: str) -> list[dict[str, Any]]:
    """The option that chooses nothing, with the token that is taken then."""
    if field not in _DEFAULTS:
        return []
    if field == "distractor":  # never the answer
        answer = tokens[0].id if state.answer is None else state.answer
        tokens = [token for token in tokens if token.id != answer]
    label = f"{_DEFAULTS[field]} {tokens[0].shown}"
    return [{"label": label, "value": DEFAULT, "search": label}]


def options_for(
    workbench: Any, state: PageState, field: str, typed: str = "", before: list | None = None
) -> list[dict[str, Any]]:
    """Options of a picker. What is chosen is always among them: the component drops a value that
    is not among its options.
    """
    usual = usual_options(workbench, state, field)
    if typed:
        options = found_options(workbench, state.model, typed) + usual[:1]
    else:
        options = usual + [option for option in before or [] if option["value"] >= 0]
    chosen = getattr(state, field)
    if chosen is not None and all(option["value"] != chosen for option in options):
        options.append(token_option(workbench.token(state.model, chosen)))
    return unique(options)


def value_of(state: PageState, field: str) -> int | None:
    """The option that stands for the page's choice."""
    chosen = getattr(state, field)
    return DEFAULT if chosen is None and field in _DEFAULTS else chosen


def unique(options: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each value once, the first of each kept; tokens that read alike are told apart by id."""
    kept = list({option["value"]: option for option in reversed(options)}.values())[::-1]
    count = Counter(option["label"] for option in kept)
    return [
        option | {"label": f"{option['label']} (id {option['value']})"}
        if count[option["label"]] > 1
        else option
        for option in kept
    ]


def suggested_flip(workbench: Any, state: PageState) -> int | None:
    """The flip-to token of the example shown; None where it is chosen already or has none."""
    example = example_of(state.prompt)
    if state.flip_to is not None or example is None or not example.flip_to:
        return None
    return workbench.token_id(state.model, example.flip_to)


def register(app: Dash, workbench: Any) -> None:
    for field in PICKERS:
        _register_picker(app, workbench, field)

    @app.callback(
        Output(PAGE, "data", allow_duplicate=True),
        Input(QUESTION, "data"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def suggest(question: dict, page: dict) -> Any:
        try:
            flip_to = suggested_flip(workbench, state_of(page)) if question["ready"] else None
        except AttentionVizError:
            return no_update  # this model has no such token
        patch = Patch()
        patch["flip_to"] = flip_to
        return no_update if flip_to is None else patch


def _needs_renewal(
    state: PageState, question: dict | None, triggers: set[str], before: list, field: str
) -> bool:
    """Whether a change of the page asks for new options: another question, or a choice (from a
    link, say) that is not among them.
    """
    if not question or not question["ready"]:
        return False
    wanted = value_of(state, field)
    is_offered = any(option["value"] == wanted for option in before)
    return QUESTION in triggers or not (is_offered or wanted is None)


def _register_picker(app: Dash, workbench: Any, field: str) -> None:
    name = name_of(field)

    # One callback for both reasons to change the options: Dash drops the answer to an older call of
    # the same callback, so usual options asked for before the typing never replace what it found.
    @app.callback(
        Output(name, "options"),
        Input(name, "search_value"),
        Input(QUESTION, "data"),
        Input(STUDY, "data"),
        State(name, "options"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def offer(
        typed: str | None, question: dict | None, _study: dict, before: list, page: dict
    ) -> Any:
        state, typed = state_of(page), (typed or "").strip("\n")
        triggers = set(ctx.triggered_prop_ids.values())
        is_typing = bool(typed) or name in triggers
        if not is_typing and not _needs_renewal(state, question, triggers, before, field):
            return no_update
        # While the menu closes, the token just picked may not be on the page yet: keep `before`.
        kept = before if name in triggers else None
        try:
            return options_for(workbench, state, field, typed, kept)
        except AttentionVizError:
            return no_update

    # The value is set in the browser, from the page as it is then: what a slow answer knew of the
    # page may be older than what was picked meanwhile.
    browser = "(...all) => dash_clientside.page.%s(%r, %r, ...all)"
    app.clientside_callback(
        browser % ("showToken", name, field),
        Input(name, "options"),
        Input(QUESTION, "data"),
        Input(STUDY, "data"),
        State(name, "value"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        browser % ("pickToken", name, field),
        Output(PAGE, "data", allow_duplicate=True),
        Input(name, "value"),
        State(name, "options"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
