"""Before and after: the next token with the selected heads whole, and with all of them ablated."""

from typing import Any

from attention_viz.exports.tables import ablation_table
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import ask, card, empty, head_chip, number, token_text
from attention_viz.panels.kit.files import csv_act, csv_button
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.ranking import bar
from attention_viz.panels.kit.requests import ablation_request, need_heads
from attention_viz.panels.kit.tables import table
from attention_viz.records.ablation import AblationResult, TokenChange
from attention_viz.records.bench import Bench
from attention_viz.records.page import PageState

_HEADERS = (
    "token",
    "probability, clean",
    "probability, ablated",
    "change",
    "logit, clean",
    "logit, ablated",
    "rank",
)


def layout() -> html.Node:
    return card(
        "Before and after",
        place("compare-result", className="result"),
        note="the selected heads ablated together",
        tools=csv_button("ablation"),
    )


def measure(bench: Bench, state: PageState) -> AblationResult:
    need_heads(state)
    return ask(bench, ablation_request(state))


def show_comparison(bench: Bench, state: PageState) -> Any:
    if not state.heads:
        return empty("No heads selected yet.", "Pick heads in the grid, or press Find heads.")
    return draw_comparison(measure(bench, state))


def draw_comparison(result: AblationResult) -> list[Any]:
    request = result.request
    heads = [head_chip(head) for head in request.heads]
    rows = [_row(change) for change in result.changes]
    return [
        html.P([*heads, f" · {request.ablation.label} ablation"], className="chip-line"),
        html.Div([_tile(*tile) for tile in tiles(result)], className="tiles"),
        table(_HEADERS, rows, "The next token before and after the ablation"),
    ]


def tiles(result: AblationResult) -> list[tuple[str, Any, str]]:
    """The changed numbers: name, value, and what it was before or is measured in."""
    clean, ablated = result.clean, result.ablated
    favourite = next(c for c in result.changes if c.token.id == clean.top[0].token.id)
    first, winner = token_text(clean.top[0].token), token_text(ablated.top[0].token)
    return [
        ("KL(clean ‖ ablated)", number(result.kl, 2), "nats"),
        (
            "top-1 token",
            [first, " → ", winner] if result.flipped else ["stays ", first],
            "flipped" if result.flipped else "not flipped",
        ),
        (
            f"probability of {favourite.token.shown}",
            _arrow(favourite.clean.probability, favourite.ablated.probability),
            _change(favourite.clean.probability, favourite.ablated.probability, ""),
        ),
        (
            f"logit {clean.answer.shown} − {clean.distractor.shown}",
            _arrow(clean.logit_diff, ablated.logit_diff, 2),
            _change(clean.logit_diff, ablated.logit_diff, " logits"),
        ),
        (
            "entropy",
            _arrow(clean.entropy, ablated.entropy, 2),
            _change(clean.entropy, ablated.entropy, " nats"),
        ),
    ]


def _tile(name: str, value: Any, below: str) -> html.Node:
    parts = (("tile-name", name), ("tile-value", value), ("tile-below", below))
    return html.Div([html.Div(text, className=kind) for kind, text in parts], className="tile")


def _arrow(before: float, after: float, digits: int = 3) -> str:
    return f"{number(before, digits)} → {number(after, digits)}"


def _change(before: float, after: float, unit: str) -> str:
    return f"{number(after - before, 2, sign=True)}{unit}"


def _row(change: TokenChange) -> list[Any]:
    clean, ablated = change.clean, change.ablated
    return [
        change.token,
        bar(clean.probability),
        bar(ablated.probability, "ablated"),
        html.Span(number(ablated.probability - clean.probability, sign=True), className="number"),
        number(clean.logit, 2),
        number(ablated.logit, 2),
        str(clean.rank) if clean.rank == ablated.rank else f"{clean.rank} → {ablated.rank}",
    ]


PARTS = (Part("compare-result", show_comparison),)
ACTS = csv_act("ablation", lambda bench, state: ablation_table(measure(bench, state)))
