"""Closer looks: what it costs to flip, dose and response, pairs, positions, chance, agreement.

One look at a time, measured when asked for. Each has a caption that says what it means.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from attention_viz.exports import tables
from attention_viz.figures.looks.agreement import draw_agreement
from attention_viz.figures.looks.control import draw_control
from attention_viz.figures.looks.dose import draw_dose
from attention_viz.figures.looks.positions import draw_positions
from attention_viz.figures.looks.redundancy import draw_redundancy
from attention_viz.panels import ids
from attention_viz.panels.frame.clicks import pick_heads
from attention_viz.panels.frame.mirror import mirror, watch
from attention_viz.panels.frame.news import submitted
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import (
    card,
    empty,
    explain,
    head_chip,
    number,
    stale,
    state_of,
    toast,
)
from attention_viz.panels.kit.controls import segments
from attention_viz.panels.kit.files import csv_button, offer_csv
from attention_viz.panels.kit.requests import look_request
from attention_viz.panels.kit.results import (
    Found,
    ending,
    event_button,
    find,
    progress,
    recall,
)
from attention_viz.panels.kit.tables import figure, fold, table
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.looks.agreement import Agreement
from attention_viz.records.looks.control import Control
from attention_viz.records.looks.cost import CostTable
from attention_viz.records.looks.dose import Dose
from attention_viz.records.looks.positions import PositionMap
from attention_viz.records.looks.redundancy import Redundancy
from attention_viz.records.page import LOOKS, PageState
from attention_viz.records.search import Strategy

_HEAD = re.compile(r"L\d+H\d+")
_SEEN = "look-seen"  # the look chosen, as the page has it
_STALE = "Of an older prompt, selection or intervention. Measure again to bring it up to date."


@dataclass(frozen=True)
class Look:
    """One closer look: its names, what it means, and how its record is shown."""

    name: str
    about: str
    tell: Callable[[Any], str]  # the record in a sentence or two
    tabulate: Callable[[Any], tables.Table]
    draw: Callable[[Any, str], Any] | None = None  # (record, theme) → figure; None: a table only


def layout() -> html.Div:
    choices = {name: _LOOKS[name].name for name in LOOKS}
    measure = event_button("Measure", ids.LOOK_ASKED, className="btn primary small", id="measure")
    return card(
        "A closer look",
        html.Div([segments("look", choices, LOOKS[0]), measure], className="controls"),
        html.P(id="look-about", className="note"),
        html.Div(id="look-status"),
        html.Div(id="look-told", className="verdict"),
        html.Div(id="look-shown-table"),
        html.Div(figure("look-figure"), id="look-drawn", className="look-figure", hidden=True),
        html.Div(fold("Table", html.Div(id="look-table")), id="look-fold", hidden=True),
        dcc.Store(id="look-shown"),
        dcc.Store(id=_SEEN),
        note="of this prompt, with the intervention and metric chosen",
        tools=csv_button("look"),
    )


def register(app: Dash, workbench: Any) -> None:
    mirror(app, "look", "look")
    pick_heads(app, "look-figure")
    watch(app, _SEEN, "look")
    offer_csv(app, "look", lambda state: _known(workbench, state))

    @app.callback(
        Output(ids.SUBMITTED, "data", allow_duplicate=True),
        Output(ids.TOAST, "data", allow_duplicate=True),
        Input(ids.LOOK_ASKED, "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def measure(asked, page):
        try:
            return submitted(workbench.submit(look_request(state_of(page)))), no_update
        except AttentionVizError as error:
            return no_update, toast(error)

    @app.callback(
        Output("look-about", "children"),
        Output("look-status", "children"),
        Output("look-told", "children"),
        Output("look-shown-table", "children"),
        Output("look-figure", "figure"),
        Output("look-drawn", "hidden"),
        Output("look-table", "children"),
        Output("look-fold", "hidden"),
        Output("look-shown", "data"),
        *[Input(name, "data") for name in _CALLED_BY],
        State("look-shown", "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def draw(view, *rest):
        *_, shown, page = rest
        if view != "ablation":
            return (no_update,) * 9
        return show_look(workbench, state_of(page), shown)


_CALLED_BY = (
    ids.VIEW,
    _SEEN,
    ids.QUESTION,
    ids.HEADS,
    ids.ABLATION,
    ids.STUDY,
    ids.THEME,
    ids.LOOK_MARK,
)


def show_look(workbench: Any, state: PageState, shown: dict | None) -> tuple:
    """About, status, told, shown, figure, its hidden, table, its hidden, the job shown."""
    look = _LOOKS[state.look]
    nothing = ("", None, no_update, True, None, True)
    try:
        before = (shown or {}).get(state.look)
        found, is_stale = recall(workbench, look_request(state), before)
    except BadInput as error:
        return look.about, explain(error), *nothing, no_update
    kept = no_update if found.job is None else (shown or {}) | {state.look: found.job.id}
    status = progress(found.job) if found.is_active else ending(found.job)
    if found.record is None:
        teach = empty("Not measured yet.", "Press Measure.")
        return look.about, status or teach, *nothing, kept
    if is_stale:
        status = stale(None, _STALE)
    return look.about, status, *_show_record(look, found, state.theme), kept


def _show_record(look: Look, found: Found, theme: str) -> tuple:
    record = found.record
    headers, rows = look.tabulate(record)
    listed = table(headers, [[_cell(value) for value in row] for row in rows], look.name)
    cost = f" {record.evaluations:,} runs in {number(record.seconds, 2)} s."
    told = look.tell(record) + ("" if found.is_active else cost)
    if look.draw is None:
        return told, listed, no_update, True, None, True
    return told, None, look.draw(record, theme), False, listed, False


def _cell(value: Any) -> Any:
    """A value of the table; names of heads become chips."""
    names = value.split() if isinstance(value, str) else []
    if names and all(_HEAD.fullmatch(name) for name in names):
        return html.Span([head_chip(name) for name in names], className="chip-line")
    return value


def _known(workbench: Any, state: PageState) -> tables.Table:
    found = find(workbench, look_request(state)).record
    if found is None:
        raise BadInput("This was not measured yet.", "Press Measure first.")
    return _LOOKS[state.look].tabulate(found)


def _tell_cost(found: CostTable) -> str:
    flips = [row for row in found.rows if row.flipped]
    if not flips:
        return f"None of {len(found.rows)} tokens was made the top-1."
    least = min(flips, key=lambda row: len(row.heads))
    heads = "1 head" if len(least.heads) == 1 else f"{len(least.heads)} heads"
    word = "smallest" if found.request.strategy is Strategy.EXHAUSTIVE else "minimal"
    return (
        f"{len(flips)} of {len(found.rows)} tokens can be made the top-1; cheapest is "
        f"{least.token.token.shown} with {heads}. Sets are {word}; "
        f"{found.request.ablation.label} ablation."
    )


def _tell_dose(found: Dose) -> str:
    heads = ", ".join(map(str, found.request.heads))
    if not found.flips:
        return f"The top-1 is the same at every factor on z of {heads}."
    flips = "; ".join(
        f"at {number(flip.scale, 2)} from {flip.before.shown} to {flip.after.shown}"
        for flip in found.flips
    )
    return f"With z of {heads} scaled together, the top-1 changes {flips}."


def _tell_redundancy(found: Redundancy) -> str:
    _, rows = tables.redundancy_table(found)
    measured = [row for row in rows if row[4] is not None]
    if not measured:
        return ""
    one, other, _, _, excess = max(measured, key=lambda row: abs(row[4]))
    metric = found.request.metric
    return (
        f"{len(found.heads)} heads. The pair furthest from additive is {one} + {other}: "
        f"{number(excess, 2, sign=True)} {metric.unit} beyond the sum of the two; "
        f"{metric.title}, {found.request.ablation.label} ablation."
    )


def _tell_positions(found: PositionMap) -> str:
    metric = found.request.metric
    return (
        f"{len(found.heads)} heads at {found.effect.shape[1]} positions: effect on {metric.title} "
        f"({metric.unit}), {found.request.ablation.label} ablation."
    )


def _tell_control(found: Control) -> str:
    metric, percentile = found.request.metric, found.percentile
    if percentile is None:
        return "There is no other set with as many heads in the same layers."
    compared = (
        f"all {len(found.random):,} other sets there are"
        if found.is_complete
        else f"{len(found.random):,} random sets"
    )
    return (
        f"Effect {number(found.effect, 3, sign=True)} {metric.unit} on {metric.title}, greater in "
        f"size than {number(percentile, 1)} % of {compared} with as many heads in the same "
        f"layers; {found.request.ablation.label} ablation."
    )


def _tell_agreement(found: Agreement) -> str:
    metric = found.request.metric
    kinds = ", ".join(kind.value for kind in found.kinds)
    return f"Effects on {metric.title} of every head, ranked by each of {kinds}."


_LOOKS = {
    "cost": Look(
        "cost to flip",
        "For each of the likeliest other tokens: how few heads must be ablated until it is the "
        "top-1. A token that costs many heads is defended by many.",
        _tell_cost,
        tables.cost_table,
    ),
    "dose": Look(
        "dose and response",
        "z of the selected heads, all scaled by one factor: −1 reverses it, 0 ablates it, 1 is the "
        "clean run, 2 doubles it. Dotted lines are where the top-1 changes, found by bisection.",
        _tell_dose,
        tables.dose_table,
        draw_dose,
    ),
    "redundancy": Look(
        "redundancy",
        "Effect of ablating two heads together minus the sum of each alone, for the selected heads "
        "(or the 20 strongest). 0: they add up. Same sign as the effects: together they do more "
        "than alone, as heads do that stand in for each other. Other sign: they do the same work.",
        _tell_redundancy,
        tables.redundancy_table,
        draw_redundancy,
    ),
    "positions": Look(
        "position × head",
        "Effect of ablating each selected head (or the 20 strongest) at one position only: where "
        "it does its work.",
        _tell_positions,
        tables.positions_table,
        draw_positions,
    ),
    "control": Look(
        "random control",
        "The selected set against random sets with as many heads in the same layers: a set is "
        "special only if sets like it do less.",
        _tell_control,
        tables.control_table,
        draw_control,
    ),
    "agreement": Look(
        "agreement of kinds",
        "Spearman's rank correlation of the heads' effects between kinds of ablation. Where kinds "
        'disagree, what a head "does" depends on what its output is replaced with.',
        _tell_agreement,
        tables.agreement_table,
        draw_agreement,
    ),
}
