"""The next token at the read-out, clean and with the selected heads ablated, side by side."""

from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import ask, card, number, token_text
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.requests import ablation_request, prediction_request
from attention_viz.records.ablation import AblationResult, Prediction, RankedToken, TokenChange
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.page import PageState
from attention_viz.records.question import TokensRequest

_ROWS = 5


def layout() -> html.Node:
    return card(
        "Next token",
        place("prediction", className="prediction"),
        note=html.Span(id="prediction-at", **{"data-part": "prediction-at"}),
        className="prediction-card",
    )


def chosen_rows(result: AblationResult, most: int = _ROWS) -> list[TokenChange]:
    """The tokens most probable in either run, by clean rank; all of both top 2 among them."""
    by_size = sorted(result.changes, key=lambda c: -max(c.clean.probability, c.ablated.probability))
    leading = [c for c in by_size if c.clean.rank <= 2 or c.ablated.rank <= 2]
    rest = [c for c in by_size if c not in leading]
    return sorted((leading + rest)[:most], key=lambda c: c.clean.rank)


def draw_clean(prediction: Prediction, why_not_ablated: Any) -> html.Node:
    """Bars of the clean run only; the place of the ablated ones says how to get them."""
    rows = [_row(item, None) for item in prediction.top[:_ROWS]]
    facts = [
        _fact(html.B(number(prediction.entropy, 2)), " nats entropy"),
        _fact(html.Span(why_not_ablated, className="muted wrap")),
    ]
    return html.Div([_head(False), *rows, html.Div(facts, className="facts")], className="bars")


def draw_both(result: AblationResult) -> html.Node:
    """Bars of both runs, and what changed between them."""
    rows = [_row(change.clean, change.ablated) for change in chosen_rows(result)]
    return html.Div([_head(True), *rows, draw_facts(result)], className="bars")


def draw_facts(result: AblationResult) -> html.Node:
    """KL, entropy before and after, and whether another token is top-1 now."""
    before, after = result.clean.top[0].token, result.ablated.top[0].token
    if result.flipped:
        top = ["top-1 flipped ", token_text(before), " → ", token_text(after)]
    else:
        top = ["top-1 stays ", token_text(before)]
    entropies = f"{number(result.clean.entropy, 2)} → {number(result.ablated.entropy, 2)}"
    facts = [
        _fact(html.B(number(result.kl, 2), id="kl"), " nats KL", title="KL(clean ‖ ablated)"),
        _fact(*top, className="flipped" if result.flipped else ""),
        _fact("entropy ", html.B(entropies), " nats"),
        _fact(html.B(result.request.ablation.label), " ablation"),
    ]
    return html.Div(facts, className="facts")


def _head(with_ablated: bool) -> html.Node:
    names = ["", "clean", "ablated" if with_ablated else "", "rank"]
    return html.Div([html.Span(name) for name in names], className="bar-row bar-head")


def _row(clean: RankedToken, ablated: RankedToken | None) -> html.Node:
    if ablated is None:
        cells = [html.Span(className="bar none"), html.Span(clean.rank, className="rank")]
    else:
        moved = clean.rank != ablated.rank
        rank = f"{clean.rank} → {_short(ablated.rank)}" if moved else str(clean.rank)
        title = f"rank {clean.rank} → {ablated.rank}; logit {clean.logit:.2f} → {ablated.logit:.2f}"
        cells = [
            _bar(ablated.probability, "ablated"),
            html.Span(rank, className="rank moved" if moved else "rank", title=title),
        ]
    return html.Div(
        [token_text(clean.token), _bar(clean.probability, "clean"), *cells],
        className="bar-row",
        **{"data-token": str(clean.token.id)},
    )


def _short(rank: int) -> str:
    return str(rank) if rank < 10_000 else f"{rank // 1000}k"


def _bar(probability: float, run: str) -> html.Node:
    shown = number(probability, 3)
    title = f"{run} probability {probability:.6f}"
    width = f"{100 * probability:.1f}%"
    return html.Span(
        [html.I(style={"width": width}), html.Em(shown)], className=f"bar {run}", title=title
    )


def _fact(*children: Any, **props: Any) -> html.Node:
    return html.Span(list(children), **props)


def draw_prediction(bench: Bench, state: PageState) -> Any:
    """The bars; what can't be ablated still shows the clean run."""
    clean = ask(bench, prediction_request(state))
    if not state.heads:
        return draw_clean(clean, "Pick heads to ablate, or press Find heads.")
    try:
        return draw_both(ask(bench, ablation_request(state)))
    except AttentionVizError as error:
        return draw_clean(clean, f"Ablated run not measured: {error}")


def draw_place(bench: Bench, state: PageState) -> Any:
    """After which token the next one is read."""
    try:
        read = ask(bench, TokensRequest(state.question))
    except AttentionVizError:
        return None  # the bars say why
    token = token_text(read.tokens.items[read.position])
    return html.Span(["after ", token, f" · position {read.position}"])


PARTS = (Part("prediction", draw_prediction), Part("prediction-at", draw_place))
