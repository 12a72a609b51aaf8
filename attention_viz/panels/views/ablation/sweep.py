"""All heads: each one ablated on its own, and what that does to the metric chosen."""

from typing import Any

from attention_viz.exports.tables import sweep_table
from attention_viz.figures.sweep import draw_bars, ranked_heads
from attention_viz.panels import ids
from attention_viz.panels.frame.clicks import pick_heads
from attention_viz.panels.frame.mirror import mirror
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import card, empty, number, stale, state_of
from attention_viz.panels.kit.files import csv_button, offer_csv
from attention_viz.panels.kit.requests import sweep_request
from attention_viz.panels.kit.results import (
    Found,
    ending,
    event_button,
    find,
    progress,
    recall,
)
from attention_viz.panels.kit.tables import figure, fold, table
from attention_viz.records.errors import BadInput
from attention_viz.records.metrics import Metric
from attention_viz.records.page import PageState
from attention_viz.records.sweep import HeadSweep

_METRICS = {metric.value: metric.title for metric in Metric}
_STALE = "Of an older prompt, metric or intervention. Sweep again to bring it up to date."


def layout() -> html.Div:
    metric = dcc.Dropdown(_METRICS, id="sweep-metric", clearable=False, className="small-dropdown")
    sweep = event_button("Sweep all heads", ids.SWEEP_ASKED, className="btn primary small")
    return card(
        "All heads",
        html.Div(
            [html.Label(["effect on", metric], className="control"), sweep], className="controls"
        ),
        html.Div(id="sweep-status"),
        html.Div(figure("sweep-bars", 250), id="sweep-figure", hidden=True),
        html.Div(id="sweep-note", className="note"),
        html.Div(
            fold("Table: every head", html.Div(id="sweep-table")), id="sweep-fold", hidden=True
        ),
        dcc.Store(id="sweep-shown"),
        note="each ablated alone",
        tools=csv_button("sweep"),
    )


def register(app: Dash, workbench: Any) -> None:
    mirror(app, "sweep-metric", "metric")
    pick_heads(app, "sweep-bars")
    offer_csv(app, "sweep", lambda state: sweep_table(_known(workbench, state)))

    @app.callback(
        Output("sweep-status", "children"),
        Output("sweep-bars", "figure"),
        Output("sweep-figure", "hidden"),
        Output("sweep-note", "children"),
        Output("sweep-table", "children"),
        Output("sweep-fold", "hidden"),
        Output("sweep-shown", "data"),
        *[Input(name, "data") for name in _CALLED_BY],
        State("sweep-shown", "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def draw(view, _question, _heads, _ablation, _study, _theme, _mark, shown, page):
        if view != "ablation":
            return (no_update,) * 7
        state = state_of(page)
        found, is_stale = recall(workbench, sweep_request(state), shown)
        return show_sweep(found, is_stale, state)


_CALLED_BY = (
    ids.VIEW,
    ids.QUESTION,
    ids.HEADS,
    ids.ABLATION,
    ids.STUDY,
    ids.THEME,
    ids.SWEEP_MARK,
)


def show_sweep(found: Found, is_stale: bool, state: PageState) -> tuple:
    """Status, figure, whether it is hidden, note, table, whether that is hidden, job shown."""
    job = found.job
    shown = no_update if job is None else job.id
    status = progress(job) if found.is_active else ending(job)
    sweep: HeadSweep | None = found.record
    if sweep is None:
        return status or _teach(state), no_update, True, "", None, True, shown
    if is_stale:
        status = stale(None, _STALE)
    bars = draw_bars(sweep, state.head_ids, theme=state.theme)
    return status, bars, False, describe(sweep), tabulate(sweep), False, shown


def _teach(state: PageState) -> html.Div:
    about = Metric(state.metric).about
    return empty("These settings were not swept yet.", f"Press Sweep all heads. Measures {about}.")


def describe(sweep: HeadSweep) -> str:
    """What the bars mean, and what it took."""
    metric = sweep.request.metric
    strongest = next(iter(ranked_heads(sweep)), None)
    first = "" if strongest is None else f"Strongest: {strongest}. "
    return (
        f"{first}Effect on {metric.title} ({metric.unit}): ablated − clean; "
        f"clean {number(sweep.baseline)}. {metric.about[0].upper()}{metric.about[1:]}. "
        f"{sweep.request.ablation.label} ablation · {sweep.evaluations:,} runs "
        f"in {number(sweep.seconds, 2)} s."
    )


def tabulate(sweep: HeadSweep) -> html.Div:
    metric = sweep.request.metric
    headers = ["#", "head", f"effect ({metric.unit})", "top-1 then"]
    rows = [
        [
            rank,
            head,
            number(float(sweep.effect[head.layer, head.head]), sign=True),
            sweep.top[head.layer][head.head],
        ]
        for rank, head in enumerate(ranked_heads(sweep), start=1)
    ]
    return table(headers, rows, f"Effect of each head on {metric.title}")


def _known(workbench: Any, state: PageState) -> HeadSweep:
    sweep = find(workbench, sweep_request(state)).record
    if sweep is None:
        raise BadInput("These settings were not swept yet.", "Press Sweep all heads first.")
    return sweep
