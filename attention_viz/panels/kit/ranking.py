"""A next-token distribution as rows: token, probability as a bar, probability as a number."""

from collections.abc import Sequence

from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import number, token_text
from attention_viz.records.ablation import RankedToken


def ranking(top: Sequence[RankedToken], most: int = 10, run: str = "clean") -> html.Node:
    """The `most` most probable tokens; `run` ("clean", "ablated") chooses the colour."""
    rows = [_row(ranked, run) for ranked in top[:most]]
    return html.Div(rows, className="ranking", role="list")


def _row(ranked: RankedToken, run: str) -> html.Node:
    title = f"rank {ranked.rank} · logit {number(ranked.logit, 2)} · id {ranked.token.id}"
    return html.Div(
        [token_text(ranked.token), bar(ranked.probability, run)],
        className="ranking-row",
        title=title,
        role="listitem",
    )


def bar(probability: float, run: str = "clean") -> html.Node:
    """A probability, drawn and written."""
    filled = html.B(className=f"bar-{run}", style={"width": f"{100 * probability:.2f}%"})
    return html.Div([filled, html.Em(number(probability))], className="probability-bar")
