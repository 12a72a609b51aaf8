"""The layer × head grid, coloured by each head's effect, and the selection it holds.

Picking heads happens in the browser (assets/20_heads.js writes `HEADS_PICKED`); the colours come
from the sweep that belongs to the page's question, intervention and metric, and from no other.
"""

from dataclasses import dataclass
from typing import Any

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from attention_viz.figures.sweep import cell_colours, cell_gradient, colour_limit
from attention_viz.panels.common import (
    NotReady,
    ask,
    card,
    explain,
    loading,
    number,
    state_of,
    toast,
)
from attention_viz.panels.ids import (
    ABLATION,
    CANCEL_ASKED,
    HEADS,
    HEADS_PICKED,
    MODEL_STATUS,
    PAGE,
    QUESTION,
    STUDY,
    SUBMITTED,
    SWEEP_ASKED,
    SWEEP_MARK,
    THEME,
    TOAST,
)
from attention_viz.panels.mirror import mirror
from attention_viz.panels.news import submitted
from attention_viz.panels.requests import sweep_request
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.job import JobStatus
from attention_viz.records.metrics import Metric
from attention_viz.records.model import ModelInfo
from attention_viz.records.page import PageState
from attention_viz.records.question import TokensRequest
from attention_viz.records.sweep import HeadSweep

METRIC = "metric"
DROPDOWN = "heads-dropdown"
_WIDEST_WITH_VALUES = 12  # heads a layer; more and the numbers don't fit
# heads × tokens × parameters of a sweep that runs by itself: a second or two on two cores
_SMALL_SWEEP = 4e11


def layout() -> html.Div:
    metric = dcc.Dropdown(
        id=METRIC,
        options=[{"label": metric.title, "value": metric.value} for metric in Metric],
        value=PageState().metric,
        clearable=False,
        searchable=False,
        className="small-menu",
    )
    return card(
        "Heads",
        html.Div(loading("waiting for the model…"), id="head-grid", className="head-grid-box"),
        html.Div(_sweep_line(), className="sweep-line"),
        html.Div(
            [
                html.Div(id="head-pills", className="pills"),
                dcc.Dropdown(
                    id=DROPDOWN,
                    options=[],
                    value=[],
                    multi=True,
                    placeholder="layer-head…",
                    className="heads-menu",
                    closeOnSelect=False,
                ),
                html.Button("clear", id="clear-heads", className="link", type="button"),
            ],
            className="pill-row",
        ),
        dcc.Store(id="grid-drawn"),
        note="effect on",
        tools=metric,
        className="heads-card",
    )


def _sweep_line() -> list[Any]:
    return [
        html.Div(id="sweep-state", className="sweep-state"),
        html.Button(
            "Cancel", id="cancel-sweep", className="btn btn-sm", type="button", hidden=True
        ),
    ]


@dataclass(frozen=True)
class SweepView:
    """What is known of the page's sweep: its record (perhaps partial), its job, or an error."""

    sweep: HeadSweep | None
    job: JobStatus | None

    @property
    def is_under_way(self) -> bool:
        return self.job is not None and not self.job.is_over

    @property
    def mark(self) -> str:
        """Changes when the grid has to be drawn anew."""
        job = self.job
        progress = f"{job.id} {job.state} {job.done} {job.queued_before}" if job else ""
        return f"{id(self.sweep)} {progress}"


def find_sweep(workbench: Any, state: PageState) -> SweepView:
    """The sweep for exactly what the page shows, without computing anything."""
    request = sweep_request(state)
    job = workbench.jobs.find(request)
    known = workbench.cached(request)
    if known is None and job is not None:
        known = job.result if job.result is not None else job.partial
    return SweepView(known, job)


def is_small(info: ModelInfo, tokens: int) -> bool:
    """Whether a sweep takes so little that nobody needs to ask for it."""
    return info.layers * info.heads * tokens * info.parameters <= _SMALL_SWEEP


def start_sweep(workbench: Any, state: PageState, *, by_hand: bool) -> JobStatus | None:
    """Submit the page's sweep where it is missing; by itself only a small one, and only once.

    Raises AttentionVizError for a question that can't be asked.
    """
    tokens = ask(workbench, TokensRequest(state.question)).tokens
    request = sweep_request(state)
    if not by_hand:
        is_known = workbench.cached(request) is not None or workbench.jobs.find(request) is not None
        if is_known or not is_small(workbench.status(state.model).info, len(tokens)):
            return None
    return workbench.submit(request)


def draw_grid(info: ModelInfo, sweep: HeadSweep | None, theme: str) -> html.Div:
    """Buttons, the last layer on top; arrows, clicks and drags are handled in the browser."""
    colours = cell_colours(sweep, theme) if sweep is not None else None
    is_wide = info.heads > _WIDEST_WITH_VALUES
    cells: list[Any] = []
    for layer in reversed(range(info.layers)):
        cells.append(html.Span(f"L{layer}", className="axis"))
        for head in range(info.heads):
            cells.append(_cell(layer, head, sweep, colours, is_wide))
    cells.append(html.Span(className="axis"))
    for head in range(info.heads):
        name = f"H{head}" if not is_wide or head % 4 == 0 else ""
        cells.append(html.Span(name, className="axis bottom"))
    return html.Div(
        cells,
        className="head-grid wide" if is_wide else "head-grid",
        role="group",
        style={"--heads": info.heads, "--row": f"{_row_height(info)}px"},
        **{"aria-label": "Layers and heads: arrow keys move, Enter or Space selects"},
    )


def _row_height(info: ModelInfo) -> int:
    if info.heads > _WIDEST_WITH_VALUES:
        return 11
    return 27 if info.layers <= 6 else 23


def _cell(layer: int, head: int, sweep: HeadSweep | None, colours: Any, is_wide: bool) -> Any:
    style = None
    text = ""
    if colours is not None:
        background, ink = colours[layer][head]
        style = {"background": background, "color": ink}
        text = "" if is_wide else short_effect(sweep, layer, head)
    return html.Button(
        text,
        type="button",
        tabIndex=-1,
        className="cell" if _is_measured(sweep, layer, head) else "cell unmeasured",
        title=cell_title(sweep, layer, head),
        style=style,
        **{"data-head": f"L{layer}H{head}"},
    )


def _is_measured(sweep: HeadSweep | None, layer: int, head: int) -> bool:
    return sweep is not None and bool(sweep.effect[layer, head] == sweep.effect[layer, head])


def short_effect(sweep: HeadSweep, layer: int, head: int) -> str:
    """The effect in few characters: "+4.4", "−.03", "0"; nothing where it was not measured."""
    value = float(sweep.effect[layer, head])
    if value != value:
        return ""
    limit = colour_limit(sweep)
    digits = 0 if limit >= 10 else 1 if limit >= 1 else 2 if limit >= 0.1 else 3
    text = number(value, digits, sign=sweep.request.metric.is_signed)
    if float(text.replace("−", "-")) == 0:
        return "0"
    return text if digits < 2 else text.replace("0.", ".", 1)


def cell_title(sweep: HeadSweep | None, layer: int, head: int) -> str:
    """The exact effect with its unit, and the top-1 token without the head."""
    name = f"L{layer}H{head}"
    if not _is_measured(sweep, layer, head):
        return f"{name}: effect not measured"
    metric = sweep.request.metric
    value = number(float(sweep.effect[layer, head]), 4, sign=metric.is_signed)
    top = sweep.top[layer][head]
    then = f"; top-1 without it: {top.shown}" if top is not None else ""
    return f"{name}: {metric.title} {value} {metric.unit}, {sweep.request.ablation.label}{then}"


def draw_state(view: SweepView, theme: str, model_note: str = "") -> Any:
    """The line below the grid: colour bar with unit, progress, or how to get the colours."""
    job = view.job
    if view.is_under_way:
        return _draw_progress(job)
    if view.sweep is not None:
        cut = job is not None and job.state == "cancelled" and job.result is None
        return draw_bar(view.sweep, theme, " · cancelled" if cut else "")
    if job is not None and job.state == "failed":
        return html.Span(str(job.error), className="problem")
    if job is not None and job.state == "cancelled":
        return html.Span("Cancelled. Sweep all heads starts it again.", className="muted")
    return html.Span(model_note or "Not swept yet: press Sweep all heads.", className="muted")


def _draw_progress(job: JobStatus) -> Any:
    if job.state == "queued":
        return html.Span(f"sweep waiting: {before_text(job.queued_before)}", className="muted")
    done = f"{job.done} of {job.total}" if job.total else "starting"
    return html.Div(
        [html.Span(f"sweeping · {done}"), progress_bar(job)], className="sweep-progress"
    )


def before_text(count: int) -> str:
    """ "2 jobs before yours"."""
    return f"{count} {'job' if count == 1 else 'jobs'} before yours"


def progress_bar(job: JobStatus) -> html.Div:
    """How far a job is, as a bar."""
    share = job.done / job.total if job.total else 0.0
    return html.Div(
        html.I(style={"width": f"{100 * share:.1f}%"}),
        className="progress-line",
        role="progressbar",
        **{"aria-valuenow": str(job.done), "aria-valuemax": str(job.total)},
    )


def draw_bar(sweep: HeadSweep, theme: str, note: str = "") -> html.Div:
    """The colour bar with both ends and the unit."""
    metric, limit = sweep.request.metric, colour_limit(sweep)
    size = f"{limit:.1f}" if limit >= 1 else f"{limit:.3f}" if limit >= 0.001 else f"{limit:.0e}"
    low = f"−{size}" if metric.is_signed else "0"
    high = f"{'+' if metric.is_signed else ''}{size} {metric.unit}"
    return html.Div(
        [html.Span(low), html.I(style={"background": cell_gradient(sweep, theme)}), high + note],
        className="colour-bar",
        title=f"{metric.title}: {metric.about}; {sweep.request.ablation.label} ablation, "
        f"{sweep.evaluations} evaluations in {sweep.seconds:.2f} s",
    )


def draw_heads(workbench: Any, state: PageState, drawn: str | None, theme: str) -> tuple:
    """Grid, line below it, whether Cancel is hidden, and the mark; nothing where none changed."""
    try:
        ask(workbench, TokensRequest(state.question))
    except NotReady as wait:
        return _unless_drawn(str(wait), drawn, explain(wait))
    except AttentionVizError as error:
        return _unless_drawn(str(error), drawn, explain(error))
    view = find_sweep(workbench, state)
    mark = f"{state.model} {theme} {hash(sweep_request(state))} {view.mark}"
    if mark == drawn:
        return (no_update,) * 4
    info = workbench.status(state.model).info
    grid = draw_grid(info, view.sweep, theme)
    return grid, draw_state(view, theme), not view.is_under_way, mark


def _unless_drawn(mark: str, drawn: str | None, content: Any) -> tuple:
    return (no_update,) * 4 if mark == drawn else (content, "", True, mark)


def register(app: Dash, workbench: Any) -> None:
    mirror(app, METRIC, "metric")
    _register_selection(app)
    _register_sweep(app, workbench)

    @app.callback(
        Output("head-grid", "children"),
        Output("sweep-state", "children"),
        Output("cancel-sweep", "hidden"),
        Output("grid-drawn", "data"),
        Input(QUESTION, "data"),
        Input(ABLATION, "data"),
        Input(STUDY, "data"),
        Input(THEME, "data"),
        Input(SWEEP_MARK, "data"),
        State("grid-drawn", "data"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def draw(_question, _ablation, _study, theme, _mark, drawn, page) -> tuple:
        if not page["prompt"]:
            return (no_update,) * 4
        return draw_heads(workbench, state_of(page), drawn, theme or "light")


def _register_sweep(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output(SUBMITTED, "data", allow_duplicate=True),
        Output(TOAST, "data", allow_duplicate=True),
        Input("sweep", "n_clicks"),
        Input(SWEEP_ASKED, "data"),
        Input(QUESTION, "data"),
        Input(ABLATION, "data"),
        Input(STUDY, "data"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def sweep(_clicks, _asked, _question, _ablation, _study, page) -> tuple:
        by_hand = ctx.triggered_id in ("sweep", SWEEP_ASKED)
        try:
            job = start_sweep(workbench, state_of(page), by_hand=by_hand)
        except AttentionVizError as error:
            return no_update, toast(error) if by_hand else no_update
        return submitted(job) if job else no_update, no_update

    @app.callback(
        Output(CANCEL_ASKED, "data", allow_duplicate=True),
        Input("cancel-sweep", "n_clicks"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def cancel(clicks: int | None, page: dict) -> Any:
        job = workbench.jobs.find(sweep_request(state_of(page)))
        return {"job": job.id, "at": clicks} if clicks and job else no_update


def _register_selection(app: Dash) -> None:
    """The selection lives in the browser: a click must answer at once."""
    browser = "function(...all) { return dash_clientside.heads.%s(...all); }"
    app.clientside_callback(
        browser % "pick",
        Output(PAGE, "data", allow_duplicate=True),
        Input(HEADS_PICKED, "data"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        browser % "choose",
        Output(PAGE, "data", allow_duplicate=True),
        Input(DROPDOWN, "value"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        browser % "clear",
        Output(PAGE, "data", allow_duplicate=True),
        Input("clear-heads", "n_clicks"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        browser % "follow",
        Output(DROPDOWN, "options"),
        Output(DROPDOWN, "value"),
        Output("head-pills", "children"),
        Input(HEADS, "data"),
        Input(MODEL_STATUS, "data"),
        State(PAGE, "data"),
    )
