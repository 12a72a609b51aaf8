"""The lens view: what the model would say after each layer, clean or with the heads ablated."""

from typing import Any

from attention_viz.exports.tables import lens_table
from attention_viz.figures.lens_answer import HEIGHT, draw_answer
from attention_viz.figures.palette import BOTH
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import ask, card, empty, number, token_text
from attention_viz.panels.kit.controls import segments
from attention_viz.panels.kit.drawn import plot
from attention_viz.panels.kit.files import csv_act, csv_button
from attention_viz.panels.kit.lens import lens_map, measure_ablated, observe
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.requests import lens_request
from attention_viz.panels.kit.tables import fold, table
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.lens import LogitLens
from attention_viz.records.page import PageState

_HOW = (
    "Each row is the residual stream after a layer, read by the model's own final norm and "
    "unembedding; the bottom row is the embedding. A token that grows row by row is refined "
    "gradually; one that is top-1 early was known early; a sudden jump points at the layer whose "
    "heads to ablate. Early rows are read with a lens made for the last one: low certainty there "
    "does not show that nothing is known (nostalgebraist 2020)."
)


def layout() -> html.Node:
    return html.Div([_map_card(), _read_out_card()], className="view-rows")


def _map_card() -> html.Node:
    runs = {"clean": "clean", "ablated": "ablated"}
    shows = segments("lens.show", runs, "Which run", id="lens-show")
    return card(
        "Logit lens",
        html.Div([shows, place("lens-run", className="mut")], className="controls"),
        place("lens-figure"),
        html.P("Click a column to read out there.", className="note lens-hint"),
        fold("How to read it", html.P(_HOW, className="note")),
        note="top-1 after each layer, at every position",
        tools=csv_button("lens"),
    )


def _read_out_card() -> html.Node:
    return card(
        "At the read-out",
        html.Div([place("lens-sentence"), place("lens-answer")], className="lens-read-out"),
        place("lens-table"),
        note=html.Span(id="lens-at", **{"data-part": "lens-at"}),
    )


def measure_shown(bench: Bench, state: PageState) -> LogitLens:
    """The lens of the run the page shows. Raises BadInput where heads are needed and missing."""
    if state.lens.show == "ablated" and not state.heads:
        raise BadInput(
            "No heads are selected, so there is no ablated run.",
            "Pick heads in the grid, press Find heads, or show the clean run.",
        )
    return ask(bench, lens_request(state, state.lens.show))


def measure_both(bench: Bench, state: PageState) -> tuple[LogitLens, LogitLens | None]:
    """The clean run, and that with the heads ablated, where it can be measured."""
    clean = ask(bench, lens_request(state))
    return clean, measure_ablated(bench, state, clean)


def show_map(bench: Bench, state: PageState) -> html.Node:
    return lens_map(measure_shown(bench, state), "lens-map")


def show_run(bench: Bench, state: PageState) -> Any:
    """Which run the map shows."""
    try:
        request = measure_shown(bench, state).request
    except AttentionVizError:
        return None  # the map says why
    if request.ablation is None:
        return "the run as it is"
    heads = ", ".join(str(head) for head in request.heads)
    return f"{heads} ablated together ({request.ablation.label})"


def show_place(bench: Bench, state: PageState) -> Any:
    """After which token is read out."""
    try:
        clean = ask(bench, lens_request(state))
    except AttentionVizError:
        return None
    token = token_text(clean.tokens.items[clean.position])
    return ["after ", token, f" · position {clean.position}"]


def show_sentence(bench: Bench, state: PageState) -> html.Node:
    try:
        return observe(*measure_both(bench, state))
    except AttentionVizError:
        return empty("Nothing to read out yet.")


def show_answer(bench: Bench, state: PageState) -> html.Node | None:
    """The answer's probability, row by row, in both runs."""
    try:
        return plot(draw_answer(*measure_both(bench, state), BOTH.name), "lens-lines", HEIGHT)
    except AttentionVizError:
        return None


def show_table(bench: Bench, state: PageState) -> html.Node | None:
    """Of the run that the map shows."""
    try:
        return tabulate(measure_shown(bench, state))
    except AttentionVizError:
        return None


def tabulate(lens: LogitLens) -> html.Node:
    """The rows at the read-out, the last layer first."""
    answer = f"{lens.answer.shown}"
    headers = [
        "row",
        "top tokens, probability",
        "entropy (nats)",
        f"p({answer})",
        f"rank({answer})",
    ]
    rows = [_row(lens, row) for row in reversed(range(len(lens.rows)))]
    return table(headers, rows, "Logit lens at the read-out")


def _row(lens: LogitLens, row: int) -> list[Any]:
    at = lens.position
    tops = zip(lens.top[row][at], lens.probability[row, at], strict=True)
    words = [
        html.Span([token_text(token), " ", number(float(p), 2)], className="top-word")
        for token, p in tops
    ]
    return [
        lens.rows[row],
        html.Span(words),
        number(float(lens.entropy[row, at]), 2),
        float(lens.answer_probability[row, at]),
        int(lens.answer_rank[row, at]),
    ]


PARTS = (
    Part("lens-figure", show_map),
    Part("lens-run", show_run),
    Part("lens-at", show_place),
    Part("lens-sentence", show_sentence),
    Part("lens-answer", show_answer),
    Part("lens-table", show_table),
)
ACTS = csv_act("lens", lambda bench, state: lens_table(measure_shown(bench, state)))
