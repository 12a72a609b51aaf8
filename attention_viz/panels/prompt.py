"""The prompt, its counterfactual and Run; the tokens, where a click chooses the read-out.

Tokens that the counterfactual has otherwise are marked, and a line below its box names them.
"""

from typing import Any

from dash import Dash, Input, Output, Patch, State, dcc, html, no_update

from attention_viz.panels.common import NotReady, ask, loading, state_of, toast, token_text
from attention_viz.panels.ids import PAGE, POSITION_PICKED, QUESTION, RESTORED, TOAST
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import PageState
from attention_viz.records.question import PromptTokens, TokensRequest
from attention_viz.records.tokens import Token

PROMPT = "prompt"
COUNTERFACTUAL = "counterfactual"
RUN = "run"
_NOTE = "pair-note"
_MOST_NAMED = 3  # differing tokens in the line below the counterfactual

# Whether the texts differ from those last run: then what is shown is older than what is typed.
_MARK_EDITED = """(prompt, counterfactual, page) => {
  const isEdited = page.prompt !== "" &&
    (prompt !== page.prompt || (counterfactual || "") !== page.counterfactual);
  return [isEdited ? "results is-edited" : "results", !isEdited];
}"""


def layout(builder: Any = None) -> html.Section:
    """The bar below the top; `builder` stands beside the counterfactual's box."""
    return html.Section(
        [
            html.Div(
                [
                    html.Label("Prompt", htmlFor=PROMPT),
                    _text_box(PROMPT, "Type a prompt; the model says what comes next"),
                    html.Label("Counterfactual", htmlFor=COUNTERFACTUAL),
                    _text_box(COUNTERFACTUAL, "optional: as many tokens, another answer"),
                    html.Div(
                        [
                            builder,
                            html.Button("Run", id=RUN, className="btn btn-primary", type="button"),
                        ],
                        className="prompt-buttons",
                    ),
                    html.Div(id=_NOTE, className="pair-note", role="status"),
                ],
                className="prompt-row",
            ),
            html.Div(loading("starting…"), id="tokens", className="tokens"),
        ],
        className="prompt-bar",
        **{"aria-label": "Prompt"},
    )


def edited_note() -> html.Div:
    """Says that what is shown is older than what is typed; stands with the results."""
    return html.Div(
        "Prompt edited: these results are for the one last run",
        id="edited-note",
        className="edited-note",
        hidden=True,
        role="status",
    )


def _text_box(name: str, hint: str) -> dcc.Textarea:
    return dcc.Textarea(
        id=name, value="", placeholder=hint, rows=1, className="prompt-box", spellCheck="false"
    )


def with_prompt(state: PageState, prompt: str, counterfactual: str) -> PageState:
    """The page for another prompt: positions of the old one mean nothing in it."""
    if prompt == state.prompt:
        return state.change(counterfactual=counterfactual)
    return state.change(
        prompt=prompt, counterfactual=counterfactual, position=-1, focus=None, maps_page=0
    )


def check_prompt(workbench: Any, state: PageState) -> None:
    """Raises BadInput for a question the model can't read; lets it pass while it is loaded."""
    if not state.prompt.strip():
        raise BadInput("The prompt is empty.", "Type a few words, or take one of the examples.")
    try:
        ask(workbench, TokensRequest(state.question))
    except NotReady:
        pass


def run_patch(state: PageState) -> Patch:
    """The fields that a run changes."""
    patch = Patch()
    for name in ("prompt", "counterfactual", "position", "focus", "maps_page"):
        patch[name] = getattr(state, name)
    return patch


def differences(read: PromptTokens) -> dict[int, Token]:
    """The counterfactual's tokens by position, where they are not the prompt's."""
    if read.counterfactual is None:
        return {}
    both = zip(read.tokens.items, read.counterfactual.items, strict=True)
    return {at: other for at, (own, other) in enumerate(both) if own.id != other.id}


def draw_tokens(read: PromptTokens) -> list[html.Button]:
    """One chip per token; the read-out is pressed, and what the counterfactual has otherwise is
    marked with its token.
    """
    others = differences(read)
    return [
        _chip(read, position, label, others.get(position))
        for position, label in enumerate(read.tokens.labels)
    ]


def _chip(read: PromptTokens, position: int, label: str, other: Token | None) -> html.Button:
    token, is_read = read.tokens.items[position], position == read.position
    below: list[Any] = [position]
    title = f"{label}: token {token.id}. Read the next token after position {position}"
    if other is not None:
        below += [" ", html.B(f"→ {other.shown}", className="token-other")]
        title += f". The counterfactual has {other.shown} here (token {other.id})"
    marks = (" on" if is_read else "") + ("" if other is None else " differs")
    return html.Button(
        [token_text(token), html.Small(below)],
        type="button",
        className=f"token{marks}",
        title=title,
        **{"data-position": str(position), "aria-pressed": "true" if is_read else "false"},
    )


def draw_note(read: PromptTokens) -> Any:
    """How the counterfactual differs, in a line; None where there is no counterfactual."""
    if read.counterfactual is None:
        return None
    others = differences(read)
    if not others:
        return html.Span("the same tokens as the prompt: change a word", className="problem")
    count = "1 token differs" if len(others) == 1 else f"{len(others)} tokens differ"
    changes: list[Any] = []
    for position, other in list(others.items())[:_MOST_NAMED]:
        own = read.tokens.items[position]
        changes += ["; " if changes else ": ", token_text(own), " → ", token_text(other)]
        changes.append(f" at {position}")
    more = f"; and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    return html.Span([count, *changes, more])


def pick_position(workbench: Any, state: PageState, position: int) -> int:
    """The read-out as the page keeps it: the last token is −1, whatever the prompt's length."""
    read = ask(workbench, TokensRequest(state.question))
    if not 0 <= position < len(read.tokens):
        raise BadInput(
            f"There is no token at position {position}.",
            f"The prompt has positions 0 to {len(read.tokens) - 1}.",
        )
    return -1 if position == len(read.tokens) - 1 else position


def register(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output(PAGE, "data", allow_duplicate=True),
        Output(TOAST, "data", allow_duplicate=True),
        Input(RUN, "n_clicks"),
        State(PROMPT, "value"),
        State(COUNTERFACTUAL, "value"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def run(_clicks: int, prompt: str | None, counterfactual: str | None, page: dict) -> tuple:
        try:
            state = with_prompt(state_of(page), prompt or "", (counterfactual or "").rstrip("\n"))
            check_prompt(workbench, state)
        except AttentionVizError as error:
            return no_update, toast(error)
        return run_patch(state), no_update

    @app.callback(
        Output(PROMPT, "value"),
        Output(COUNTERFACTUAL, "value"),
        Input(RESTORED, "data"),
        prevent_initial_call=True,
    )
    def restore(page: dict) -> tuple[str, str]:
        return page["prompt"], page["counterfactual"]

    @app.callback(
        Output("tokens", "children"),
        Output(_NOTE, "children"),
        Input(QUESTION, "data"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def draw(_question: dict, page: dict) -> tuple:
        try:
            read = ask(workbench, TokensRequest(state_of(page).question))
            return draw_tokens(read), draw_note(read)
        except NotReady as wait:
            return loading(wait.message), None
        except AttentionVizError as error:
            problem = [html.B(error.message), " ", error.remedy]
            return html.Div(problem, className="problem"), None

    @app.callback(
        Output(PAGE, "data", allow_duplicate=True),
        Output(TOAST, "data", allow_duplicate=True),
        Input(POSITION_PICKED, "data"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def move(picked: dict, page: dict) -> tuple:
        try:
            state = state_of(page)
            position = pick_position(workbench, state, int(picked["position"]))
        except AttentionVizError as error:
            return no_update, toast(error)
        if position == state.position:
            return no_update, no_update
        patch = Patch()
        patch["position"] = position
        return patch, no_update

    app.clientside_callback(
        _MARK_EDITED,
        Output("results", "className"),
        Output("edited-note", "hidden"),
        Input(PROMPT, "value"),
        Input(COUNTERFACTUAL, "value"),
        Input(PAGE, "data"),
    )
