"""The lens view: what the model would say after each layer, clean or with the heads ablated."""

from dataclasses import replace
from typing import Any

from attention_viz.panels.frame.mirror import mirror, watch

from attention_viz.exports.tables import lens_table
from attention_viz.figures.lens import draw_lens
from attention_viz.figures.lens_answer import HEIGHT, draw_answer
from attention_viz.panels import ids
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import ask, card, empty, explain, number, state_of, token_text
from attention_viz.panels.kit.controls import segments
from attention_viz.panels.kit.files import csv_button, offer_csv
from attention_viz.panels.kit.requests import lens_request
from attention_viz.panels.kit.tables import figure, fold, room, table, width_of
from attention_viz.panels.views.lens.sentence import observe
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.lens import LensRequest, LogitLens
from attention_viz.records.page import PageState

_ROOM = 800  # px for the lens, until the browser has said how many there are
_HOW = (
    "Each row is the residual stream after a layer, read by the model's own final norm and "
    "unembedding; the bottom row is the embedding. A token that grows row by row is refined "
    "gradually; one that is top-1 early was known early; a sudden jump points at the layer whose "
    "heads to ablate. Early rows are read with a lens made for the last one: low certainty there "
    "does not show that nothing is known (nostalgebraist 2020)."
)


def layout() -> html.Div:
    shows = segments("lens-show", {"clean": "clean", "ablated": "ablated"}, "clean")
    lens = card(
        "Logit lens",
        html.Div([shows, html.Span(id="lens-run", className="mut")], className="controls"),
        html.Div(id="lens-message"),
        html.Div(
            html.Div(figure("lens-map"), id="lens-figure", hidden=True),
            className="scroll-x",
            **{"data-room": "lens-room"},
        ),
        html.P("Click a column to read out there.", className="note"),
        fold("How to read it", html.P(_HOW, className="note")),
        note="top-1 after each layer, at every position",
        tools=csv_button("lens"),
    )
    read_out = card(
        "At the read-out",
        html.Div(id="lens-sentence"),
        html.Div(figure("lens-answer", HEIGHT), id="lens-answer-box", hidden=True),
        html.Div(id="lens-table"),
        note=html.Span(id="lens-at"),
    )
    stores = [dcc.Store(id="lens-look"), room("lens-room", _ROOM)]
    return html.Div([lens, read_out, *stores], className="view-rows")


def register(app: Dash, workbench: Any) -> None:
    mirror(app, "lens-show", "lens_show")
    watch(app, "lens-look", "lens_show")
    offer_csv(app, "lens", lambda state: lens_table(measure_shown(workbench, state)))
    keep_read_out_visible(app, "lens-map")
    _register_map(app, workbench)
    _register_read_out(app, workbench)

    @app.callback(
        Output(ids.PAGE, "data", allow_duplicate=True),
        Output("lens-map", "clickData"),
        Input("lens-map", "clickData"),
        prevent_initial_call=True,
    )
    def read_out_there(click):
        position = clicked_position(click)
        if position is None:
            return no_update, no_update
        patch = Patch()
        patch["position"] = position
        return patch, None


def keep_read_out_visible(app: Dash, name: str) -> None:
    """Scroll a lens that is wider than its box to the column read out."""
    app.clientside_callback(
        f"figure => dash_clientside.views.showReadOut(figure, {name!r})",
        Input(name, "figure"),
        prevent_initial_call=True,
    )


def _inputs() -> list[Input]:
    names = (ids.VIEW, ids.QUESTION, ids.HEADS, ids.ABLATION, ids.THEME, "lens-look")
    return [Input(name, "data") for name in names]


def _register_map(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output("lens-map", "figure"),
        Output("lens-figure", "hidden"),
        Output("lens-message", "children"),
        Output("lens-run", "children"),
        *_inputs(),
        Input("lens-room", "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def draw(view, _question, _heads, _ablation, _theme, _look, width, page):
        if view != "lens":
            return (no_update,) * 4
        return show_lens(workbench, state_of(page), width)


def _register_read_out(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output("lens-sentence", "children"),
        Output("lens-answer", "figure"),
        Output("lens-answer-box", "hidden"),
        Output("lens-table", "children"),
        Output("lens-at", "children"),
        *_inputs(),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def tell(view, _question, _heads, _ablation, _theme, _look, page):
        if view != "lens":
            return (no_update,) * 5
        return show_read_out(workbench, state_of(page))


def show_lens(workbench: Any, state: PageState, width: int | None = None) -> tuple:
    """Figure, whether it is hidden, what is said in its place, and which run it shows."""
    try:
        lens = measure_shown(workbench, state)
    except AttentionVizError as error:
        return no_update, True, explain(error), ""
    drawn = draw_lens(lens, state.theme, width=width_of(width, _ROOM))
    return drawn, False, None, describe_run(lens)


def show_read_out(workbench: Any, state: PageState) -> tuple:
    """Sentence, figure, whether it is hidden, table, and where the read-out is."""
    try:
        clean = ask(workbench, lens_request(state))
        shown = measure_shown(workbench, state)
    except AttentionVizError:
        return empty("Nothing to read out yet."), no_update, True, None, ""  # the map says why
    ablated = measure_ablated(workbench, state, clean)
    label = clean.tokens.items[clean.position]
    at = ["after ", token_text(label), f" · position {clean.position}"]
    sentence = observe(clean, ablated)
    return sentence, draw_answer(clean, ablated, state.theme), False, tabulate(shown), at


def measure_shown(workbench: Any, state: PageState) -> LogitLens:
    """The lens of the run the page shows. Raises BadInput where heads are needed and missing."""
    if state.lens_show == "ablated" and not state.heads:
        raise BadInput(
            "No heads are selected, so there is no ablated run.",
            "Pick heads in the grid, press Find heads, or show the clean run.",
        )
    return ask(workbench, lens_request(state, state.lens_show))


def measure_ablated(workbench: Any, state: PageState, clean: LogitLens) -> LogitLens | None:
    """The lens of the ablated run, about the clean run's answer; None where there is none."""
    if not state.heads:
        return None
    try:
        return ask(workbench, _about(lens_request(state, "ablated"), clean))
    except AttentionVizError:
        return None  # the rail says why the heads can't be ablated


def _about(request: LensRequest, clean: LogitLens) -> LensRequest:
    question = replace(request.question, answer=clean.answer.id, distractor=clean.distractor.id)
    return replace(request, question=question)


def describe_run(lens: LogitLens) -> str:
    """Which run the map shows."""
    request = lens.request
    if request.ablation is None:
        return "the run as it is"
    heads = ", ".join(str(head) for head in request.heads)
    return f"{heads} ablated together ({request.ablation.label})"


def clicked_position(click: Any) -> int | None:
    """The column clicked."""
    if not click or not click.get("points"):
        return None
    return int(click["points"][0]["x"])


def tabulate(lens: LogitLens) -> html.Div:
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
