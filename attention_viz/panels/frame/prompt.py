"""The prompt, its counterfactual and Run; the tokens, where a click chooses the read-out.

Tokens that the counterfactual has otherwise are marked, and a line below its box names them.
"""

from typing import Any

from attention_viz.panels.frame.examples import suggested_flip
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button
from attention_viz.panels.kit.common import NotReady, ask, loading, token_text
from attention_viz.panels.kit.parts import Part, place
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import PageState
from attention_viz.records.page.checks import check
from attention_viz.records.question import PromptTokens, TokensRequest
from attention_viz.records.tokens import Token

PROMPT = "prompt"
COUNTERFACTUAL = "counterfactual"
_MOST_NAMED = 3  # differing tokens in the line below the counterfactual


def layout(builder: Any = None) -> html.Node:
    """The bar below the top; `builder` stands beside the counterfactual's box."""
    run = act_button(
        "Run",
        "run",
        id="run",
        className="btn btn-primary",
        **{"data-with": f"{PROMPT} {COUNTERFACTUAL}"},
    )
    return html.Section(
        [
            html.Div(
                [
                    html.Label("Prompt", htmlFor=PROMPT),
                    _text_box(PROMPT, "Type a prompt; the model says what comes next"),
                    html.Label("Counterfactual", htmlFor=COUNTERFACTUAL),
                    _text_box(COUNTERFACTUAL, "optional: as many tokens, another answer"),
                    html.Div([builder, place("chat-box"), run], className="prompt-buttons"),
                ],
                className="prompt-row",
            ),
            html.Div(
                [_tokens(), place("pair-note", className="pair-note", role="status")],
                className="token-line",
            ),
        ],
        className="prompt-bar",
        **{"aria-label": "Prompt"},
    )


def _tokens() -> html.Node:
    about = "Tokens: arrow keys move, Enter reads out"
    data = {"data-roving": "true", "aria-label": about}
    return place("tokens", className="tokens", role="group", **data)


def edited_note() -> html.Node:
    """Says that what is shown is older than what is typed; stands with the results."""
    return html.Div(
        "Prompt edited: these results are for the one last run",
        id="edited-note",
        className="edited-note",
        hidden=True,
        role="status",
    )


def _text_box(name: str, hint: str) -> html.Node:
    return html.Textarea(
        id=name, placeholder=hint, rows=1, className="prompt-box", spellCheck="false"
    )


def check_prompt(bench: Bench, state: PageState) -> None:
    """Raises BadInput for a question the model can't read; lets it pass while it is loaded."""
    if not state.prompt:
        raise BadInput("The prompt is empty.", "Type a few words, or take one of the examples.")
    check(state)
    try:
        ask(bench, TokensRequest(state.question))
    except NotReady:
        pass


def differences(read: PromptTokens) -> dict[int, Token]:
    """The counterfactual's tokens by position, where they are not the prompt's."""
    if read.counterfactual is None:
        return {}
    both = zip(read.tokens.items, read.counterfactual.items, strict=True)
    return {at: other for at, (own, other) in enumerate(both) if own.id != other.id}


def draw_tokens(read: PromptTokens) -> list[html.Node]:
    """One chip per token; the read-out is pressed, and what the counterfactual has otherwise is
    marked with its token.
    """
    others = differences(read)
    return [
        _chip(read, position, label, others.get(position))
        for position, label in enumerate(read.tokens.labels)
    ]


def _chip(read: PromptTokens, position: int, label: str, other: Token | None) -> html.Node:
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
        tabIndex=0 if is_read else -1,  # one Tab stop for all; arrow keys move between them
        **{"data-position": position, "aria-pressed": "true" if is_read else "false"},
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


def show_tokens(bench: Bench, state: PageState) -> Any:
    try:
        return draw_tokens(ask(bench, TokensRequest(state.question)))
    except NotReady as wait:
        return loading(wait.message)
    except AttentionVizError as error:
        return html.Div([html.B(error.message), " ", error.remedy], className="problem")


def show_chat(bench: Bench, state: PageState) -> Any:
    """The switch of the chat template, for models that have one."""
    info = bench.status(state.model).info
    if info is None or not info.chats:
        return None
    return act_button(
        "Chat",
        "chat",
        {"on": not state.chat},
        id="chat",
        className="btn on" if state.chat else "btn",
        title="Wrap the prompts in the model's chat template: the next token begins its answer",
        **{"aria-pressed": "true" if state.chat else "false"},
    )


def show_note(bench: Bench, state: PageState) -> Any:
    try:
        return draw_note(ask(bench, TokensRequest(state.question)))
    except AttentionVizError:
        return None  # the tokens' place says why


def _run(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    prompt, counterfactual = _texts_of(payload)
    asked = state.with_prompt(prompt, counterfactual)
    check_prompt(bench, asked)
    return Outcome(page=suggested_flip(bench, asked))


def _chat(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    asked = state.with_chat(payload.get("on") is True)
    if asked.prompt:
        check_prompt(bench, asked)
    return Outcome(page=asked)


def _texts_of(payload: dict[str, Any]) -> tuple[str, str]:
    texts = payload.get(PROMPT), payload.get(COUNTERFACTUAL)
    prompt, counterfactual = (text if isinstance(text, str) else "" for text in texts)
    return prompt, counterfactual.rstrip("\n")


PARTS = (
    Part("tokens", show_tokens),
    Part("pair-note", show_note),
    Part("chat-box", show_chat),
)
ACTS: dict[str, Act] = {"run": _run, "chat": _chat}
