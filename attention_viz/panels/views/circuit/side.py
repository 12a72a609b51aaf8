"""Beside the graph: logit lens, top tokens, and what each component writes by itself."""

from typing import Any

import plotly.graph_objects as go
from attention_viz.panels.frame.mirror import mirror, watch

from attention_viz.figures.circuits.circuit import draw_contributions
from attention_viz.figures.lens import draw_lens
from attention_viz.panels import ids
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import ask, card, empty, explain, number, state_of
from attention_viz.panels.kit.controls import segments
from attention_viz.panels.kit.files import csv_button
from attention_viz.panels.kit.ranking import ranking
from attention_viz.panels.kit.requests import (
    ablation_request,
    circuit_only_request,
    circuit_request,
    lens_request,
    prediction_request,
)
from attention_viz.panels.kit.results import recall
from attention_viz.panels.kit.tables import figure, room, width_of
from attention_viz.panels.views.circuit.source import first_question
from attention_viz.panels.views.lens.lens import keep_read_out_visible, measure_ablated
from attention_viz.panels.views.lens.sentence import observe
from attention_viz.records.ablation import AblationResult, Prediction
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.faithfulness import CircuitLensRequest
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.lens import LogitLens
from attention_viz.records.page import PageState

_ROOM = 420  # px for the lens, until the browser has said how many there are
_BAR, _EDGE = 48, 6  # px beside the lens, with and without a colour bar
_MOST_BARS = 12
_TOP = 6
_RUNS = {"clean": "clean", "ablated": "its heads ablated", "circuit": "circuit only"}
_LOOK = "circuit-lens-look"


def layout() -> html.Div:
    runs = segments("circuit-lens-run", _RUNS, "clean")
    lens = card(
        "Logit lens",
        html.Div(runs, className="controls"),
        html.Div(
            html.Div(figure("circuit-lens"), id="circuit-lens-box", hidden=True),
            className="scroll-x",
            **{"data-room": "circuit-room"},
        ),
        html.Div(id="circuit-lens-text"),
        note="stronger: more probable",
    )
    top = card("Top tokens", html.Div(id="circuit-top"), note=html.Span(id="circuit-top-note"))
    bars = card(
        "Direct contributions",
        html.Div(figure("circuit-bars"), id="circuit-bars-box", hidden=True),
        html.Div(id="circuit-bars-text"),
        note="to the logit difference",
        tools=csv_button("contributions", "Save all contributions as CSV"),
    )
    return html.Div(
        [lens, top, bars, room("circuit-room", _ROOM), dcc.Store(id=_LOOK)], className="view-side"
    )


def register(app: Dash, workbench: Any) -> None:
    keep_read_out_visible(app, "circuit-lens")
    mirror(app, "circuit-lens-run", "side_lens")
    watch(app, _LOOK, "side_lens")
    _register_lens(app, workbench)
    _register_top(app, workbench)
    _register_bars(app, workbench)


def _inputs() -> list[Input]:
    names = (ids.VIEW, ids.QUESTION, ids.HEADS, ids.ABLATION, ids.THEME, "circuit-shown")
    return [Input(name, "data") for name in names]


def aside(workbench: Any, state: PageState) -> tuple[PageState, Circuit | None]:
    """The page as these views ask it, and the circuit where one was cut or imported.

    Beside such a circuit the question is its first pair's, and what is ablated are its heads.
    """
    if state.source == "heads":
        return state, None
    question = first_question(workbench, state)
    circuit = workbench.cached(circuit_request(state))
    heads = circuit.heads if isinstance(circuit, Circuit) else ()
    kind = state.edge_kind
    asked = state.change(
        prompt=question.prompt,
        counterfactual=question.counterfactual or "",
        position=question.position,
        answer=question.answer,
        distractor=question.distractor,
        heads=tuple(str(head) for head in heads),
        kind=kind,
    )
    return asked, circuit if isinstance(circuit, Circuit) else None


def _register_lens(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output("circuit-lens", "figure"),
        Output("circuit-lens-box", "hidden"),
        Output("circuit-lens-text", "children"),
        *_inputs(),
        Input(_LOOK, "data"),
        Input("circuit-room", "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def draw(view, _question, _heads, _ablation, _theme, _shown, _look, width, page):
        return (
            show_lens(workbench, state_of(page), width) if view == "circuit" else (no_update,) * 3
        )


def _register_top(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output("circuit-top", "children"),
        Output("circuit-top-note", "children"),
        *_inputs(),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def rank(view, _question, _heads, _ablation, _theme, _shown, page):
        return show_top(workbench, state_of(page)) if view == "circuit" else (no_update,) * 2


def _register_bars(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output("circuit-bars", "figure"),
        Output("circuit-bars-box", "hidden"),
        Output("circuit-bars-text", "children"),
        Input("circuit-shown", "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def draw(shown, page):
        state = state_of(page)
        if state.view != "circuit":
            return (no_update,) * 3
        found, _ = recall(workbench, circuit_request(state), (shown or {}).get("job"))
        return show_contributions(found.record, state.theme)


def show_lens(workbench: Any, state: PageState, width: int | None = None) -> tuple:
    """Figure, whether it is hidden, and the sentences (or why there is nothing)."""
    try:
        asked, circuit = aside(workbench, state)
        clean = ask(workbench, lens_request(asked))
        shown = _lens_of(workbench, state, asked, circuit, clean)
    except AttentionVizError as error:
        return no_update, True, explain(error)
    drawn = draw_narrow(shown, state.theme, width_of(width, _ROOM))
    return drawn, False, observe(clean, measure_ablated(workbench, asked, clean))


def _lens_of(
    workbench: Any,
    state: PageState,
    asked: PageState,
    circuit: Circuit | None,
    clean: LogitLens,
) -> LogitLens:
    """The lens of the run chosen. Raises BadInput where there is no such run."""
    if state.side_lens == "clean":
        return clean
    if not asked.heads:
        raise BadInput("No heads are ablated.", "Pick heads, or choose the clean run.")
    if state.side_lens == "ablated":
        found = measure_ablated(workbench, asked, clean)
        if found is None:
            raise BadInput("These heads can't be ablated so.", "Choose another intervention.")
        return found
    if circuit is None or not circuit.edge_ids:
        raise BadInput(
            "Circuit only is for circuits of edges.",
            "Choose Edge scores or Import above the graph, or another run here.",
        )
    return ask(workbench, CircuitLensRequest(circuit_only_request(state, circuit)))


def draw_narrow(lens: LogitLens, theme: str, width: int) -> go.Figure:
    """The lens without its colour bar, whose room the tokens need here; the hover has numbers."""
    drawn = draw_lens(lens, theme, width=width + _BAR)
    drawn.update_traces(showscale=False, selector={"type": "heatmap"})
    saved = drawn.layout.margin.r - _EDGE
    return drawn.update_layout(width=drawn.layout.width - saved, margin_r=_EDGE)


def show_top(workbench: Any, state: PageState) -> tuple:
    """The next tokens: clean, with the heads ablated, and of a cut circuit alone."""
    try:
        asked, circuit = aside(workbench, state)
        if not asked.heads:
            return draw_top(ask(workbench, prediction_request(asked))), "clean run"
        result: AblationResult = ask(workbench, ablation_request(asked))
        alone = None
        if circuit is not None and circuit.edge_ids:
            alone = ask(workbench, circuit_only_request(state, circuit))
    except AttentionVizError as error:
        return explain(error), ""
    note = f"KL {number(result.kl, 2)} nats, {result.request.ablation.label} ablation of all"
    if circuit is not None:
        which = "first pair; " if circuit.pairs > 1 else ""
        note = f"{which}{result.request.ablation.label}"
    return draw_top(result.clean, result.ablated, alone), note


def draw_top(
    clean: Prediction, ablated: Prediction | None = None, alone: Prediction | None = None
) -> html.Div:
    columns = [html.Div([html.H4("clean"), ranking(clean.top, _TOP)])]
    if ablated is not None:
        title = "ablated" if alone is None else "its heads ablated"
        columns.append(html.Div([html.H4(title), ranking(ablated.top, _TOP, "ablated")]))
    if alone is not None:
        columns.append(html.Div([html.H4("circuit only"), ranking(alone.top, _TOP)]))
    return html.Div(columns, className="two-rankings")


def show_contributions(circuit: Any, theme: str) -> tuple:
    """Figure, whether it is hidden, and what it says."""
    if not isinstance(circuit, Circuit):
        return no_update, True, empty("Measured with the circuit.")
    if not circuit.contributions:
        return no_update, True, empty("Of one prompt only, not of a family of pairs.")
    told = (
        "What each component writes straight to the logits, the final norm's scale held fixed. "
        "All of them and the unembedding bias add up to the clean logit difference."
    )
    return draw_contributions(circuit, theme, _MOST_BARS), False, html.P(told, className="note")
