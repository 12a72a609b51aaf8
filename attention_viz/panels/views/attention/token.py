"""Beside the maps: what is known of one token of the prompt, and of the cell clicked."""

from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import ask, card, number, token_text
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.ranking import ranking
from attention_viz.panels.kit.tables import facts, table
from attention_viz.panels.views.attention.requests import attention_request, token_request
from attention_viz.records.attention import AttentionMaps, TokenFacts
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.ids import HeadId
from attention_viz.records.page import PageState
from attention_viz.records.question import PromptTokens, TokensRequest

_CHOSEN = "attention.token"  # the token chosen here, while no cell clicked says otherwise


def layout() -> html.Node:
    token = card(
        "Token",
        place("attention-token"),
        place("attention-token-facts"),
        note="click a cell, or choose",
    )
    return html.Div([token, place("attention-cell")], className="view-side")


def shown_position(state: PageState, prompt: PromptTokens) -> int:
    """The token chosen here, or the query clicked, or the read-out."""
    count = len(prompt.tokens)
    chosen, focus = state.local(_CHOSEN), state.attention.focus
    if isinstance(chosen, int) and 0 <= chosen < count:
        return chosen
    return focus[0] if focus is not None and max(focus) < count else prompt.position


def show_choice(bench: Bench, state: PageState) -> Any:
    """The menu of the prompt's tokens."""
    try:
        prompt: PromptTokens = ask(bench, TokensRequest(state.question))
    except AttentionVizError:
        return None  # the maps' card says why
    shown = shown_position(state, prompt)
    options = [
        html.Option(f"{label} · {at}", value=at, selected=at == shown)
        for at, label in enumerate(prompt.tokens.labels)
    ]
    return html.Select(
        options,
        id="attention-token-menu",
        className="form-select",
        **{"aria-label": "Token of the prompt", "data-local": _CHOSEN, "data-number": True},
    )


def show_facts(bench: Bench, state: PageState) -> Any:
    prompt = ask(bench, TokensRequest(state.question))
    return draw_facts(ask(bench, token_request(state, shown_position(state, prompt))))


def draw_facts(known: TokenFacts) -> list[Any]:
    """Token, id, norm, entropy, and what the model says right after it."""
    read_out = html.Button(
        "Read out here",
        type="button",
        className="btn btn-sm",
        title="Make this the position whose next token is explained",
        **{"data-position": known.position},
    )
    return [
        facts(
            ("token", token_text(known.token)),
            ("id", known.token.id),
            ("position", known.position),
            ("embedding norm (L2)", number(known.embedding_norm, 2)),
            ("entropy of the next token", f"{number(known.entropy, 2)} nats"),
        ),
        html.H3(["Next token here ", html.Small("probability, clean run")]),
        ranking(known.top),
        read_out,
    ]


def show_cell(bench: Bench, state: PageState) -> Any:
    """The weights of the clicked cell in every selected head; None where there is nothing."""
    focus = state.attention.focus
    if focus is None or not state.heads:
        return None
    try:
        maps = ask(bench, attention_request(state))
    except AttentionVizError:
        return None  # the maps' card says why
    if max(focus) >= len(maps.tokens):
        return None  # of an older, longer prompt
    return draw_cell(maps, *focus)


def draw_cell(maps: AttentionMaps, query: int, key: int) -> html.Node:
    labels = maps.tokens.labels
    ends = html.P(["from ", _end(labels, query), " to ", _end(labels, key)], className="cell-ends")
    headers = ["head", "clean"] + ([] if maps.ablated is None else ["ablated", "change"])
    rows = [_weights(maps, i, head, query, key) for i, head in enumerate(maps.request.heads)]
    return card("Cell", ends, table(headers, rows, "Weights of the cell"), note="attention weight")


def _end(labels: tuple[str, ...], position: int) -> html.Node:
    """One end of the cell; a click shows that token above."""
    return html.Button(
        f"{labels[position]} · {position}",
        type="button",
        className="token-chip",
        title="Show this token",
        **{"data-choose": html.to_json({_CHOSEN: position})},
    )


def _weights(maps: AttentionMaps, index: int, head: HeadId, query: int, key: int) -> list[Any]:
    clean = float(maps.clean[index][query, key])
    if maps.ablated is None:
        return [head, clean]
    ablated = float(maps.ablated[index][query, key])
    return [head, clean, ablated, number(ablated - clean, sign=True)]


PARTS = (
    Part("attention-token", show_choice),
    Part("attention-token-facts", show_facts),
    Part("attention-cell", show_cell),
)
