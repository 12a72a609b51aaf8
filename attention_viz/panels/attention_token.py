"""Beside the maps: what is known of one token of the prompt, and of the cell clicked."""

from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update

from attention_viz.panels import ids
from attention_viz.panels.common import ask, card, explain, number, state_of, token_text
from attention_viz.panels.mirror import watch
from attention_viz.panels.ranking import ranking
from attention_viz.panels.requests import attention_request, token_request
from attention_viz.panels.tables import facts, table
from attention_viz.records.attention import AttentionMaps, TokenFacts
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.ids import HeadId
from attention_viz.records.page import PageState
from attention_viz.records.question import PromptTokens, TokensRequest

_CHOICE = "attention-token"


def layout() -> html.Div:
    choice = dcc.Dropdown(id=_CHOICE, clearable=False, placeholder="token")
    token = card(
        "Token",
        html.Label([html.Span("of the prompt", className="visually-hidden"), choice]),
        html.Div(id="attention-token-facts"),
        note="click a cell, or choose",
    )
    cell = html.Div(id="attention-cell", hidden=True)
    focus = dcc.Store(id="attention-focus")
    return html.Div([token, cell, focus], className="view-side")


def register(app: Dash, workbench: Any) -> None:
    watch(app, "attention-focus", "focus")

    @app.callback(
        Output(_CHOICE, "options"),
        Output(_CHOICE, "value"),
        Input(ids.VIEW, "data"),
        Input(ids.QUESTION, "data"),
        Input("attention-focus", "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def offer(view, _question, _focus, page):
        if view != "attention":
            return no_update, no_update
        return choices(workbench, state_of(page))

    @app.callback(
        Output("attention-token-facts", "children"),
        Input(_CHOICE, "value"),
        Input(ids.QUESTION, "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def describe(position, _question, page):
        state = state_of(page)
        if state.view != "attention" or position is None:
            return no_update
        return show_facts(workbench, state, position)

    @app.callback(
        Output("attention-cell", "children"),
        Output("attention-cell", "hidden"),
        *[Input(name, "data") for name in (ids.VIEW, ids.QUESTION, ids.HEADS, ids.ABLATION)],
        Input("attention-look", "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def weigh(view, _question, _heads, _ablation, _look, page):
        if view != "attention":
            return no_update, no_update
        shown = show_cell(workbench, state_of(page))
        return shown, shown is None


def choices(workbench: Any, state: PageState) -> tuple[Any, Any]:
    """The tokens to choose from, and the one to show: the query clicked, or the read-out."""
    try:
        prompt: PromptTokens = ask(workbench, TokensRequest(state.question))
    except AttentionVizError:
        return [], None  # the maps' card says why
    labels = prompt.tokens.labels
    options = [{"label": f"{label} · {i}", "value": i} for i, label in enumerate(labels)]
    has_focus = state.focus is not None and max(state.focus) < len(labels)
    return options, state.focus[0] if has_focus else prompt.position


def show_facts(workbench: Any, state: PageState, position: int) -> Any:
    try:
        return draw_facts(ask(workbench, token_request(state, position)))
    except AttentionVizError as error:
        return explain(error)


def draw_facts(known: TokenFacts) -> list[Any]:
    """Token, id, norm, entropy, and what the model says right after it."""
    read_out = html.Button(
        "Read out here",
        type="button",
        className="btn btn-sm",
        title="Make this the position whose next token is explained",
        **{"data-position": str(known.position)},
    )
    return [
        facts(
            ("token", token_text(known.token)),
            ("id", str(known.token.id)),
            ("position", str(known.position)),
            ("embedding norm (L2)", number(known.embedding_norm, 2)),
            ("entropy of the next token", f"{number(known.entropy, 2)} nats"),
        ),
        html.H4(["Next token here ", html.Small("probability, clean run")]),
        ranking(known.top),
        read_out,
    ]


def show_cell(workbench: Any, state: PageState) -> Any:
    """The weights of the clicked cell in every selected head; None where there is nothing."""
    if state.focus is None or not state.heads:
        return None
    try:
        maps = ask(workbench, attention_request(state))
    except AttentionVizError:
        return None  # the maps' card says why
    if max(state.focus) >= len(maps.tokens):
        return None  # of an older, longer prompt
    return draw_cell(maps, *state.focus)


def draw_cell(maps: AttentionMaps, query: int, key: int) -> html.Div:
    labels = maps.tokens.labels
    ends = html.P(["from ", _end(labels, query), " to ", _end(labels, key)], className="cell-ends")
    headers = ["head", "clean"] + ([] if maps.ablated is None else ["ablated", "change"])
    rows = [_weights(maps, i, head, query, key) for i, head in enumerate(maps.request.heads)]
    return card("Cell", ends, table(headers, rows, "Weights of the cell"), note="attention weight")


def _end(labels: tuple[str, ...], position: int) -> html.Button:
    """One end of the cell; a click shows that token above."""
    return html.Button(
        f"{labels[position]} · {position}",
        type="button",
        className="token-chip",
        title="Show this token",
        **{"data-set": _CHOICE, "data-value": str(position)},
    )


def _weights(maps: AttentionMaps, index: int, head: HeadId, query: int, key: int) -> list[Any]:
    clean = float(maps.clean[index][query, key])
    if maps.ablated is None:
        return [head, clean]
    ablated = float(maps.ablated[index][query, key])
    return [head, clean, ablated, number(ablated - clean, sign=True)]
