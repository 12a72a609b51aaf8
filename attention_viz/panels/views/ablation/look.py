"""Closer looks: cost to flip, dose and response, pairs, positions, chance, agreement, families.

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
from attention_viz.figures.looks.family import draw_family
from attention_viz.figures.looks.positions import draw_positions
from attention_viz.figures.looks.redundancy import draw_redundancy
from attention_viz.figures.palette import BOTH
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button
from attention_viz.panels.kit.common import card, empty, explain, head_chip, number
from attention_viz.panels.kit.controls import segments, shown_if
from attention_viz.panels.kit.drawn import matrix, plot
from attention_viz.panels.kit.files import csv_act, csv_button
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.results import Found, ending, find, progress, submit
from attention_viz.panels.kit.tables import fold, table
from attention_viz.panels.views.ablation import family
from attention_viz.panels.views.ablation.requests import look_request
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.looks.agreement import Agreement
from attention_viz.records.looks.control import Control
from attention_viz.records.looks.cost import CostTable
from attention_viz.records.looks.dose import Dose
from attention_viz.records.looks.positions import PositionMap
from attention_viz.records.looks.redundancy import Redundancy
from attention_viz.records.page import PageState
from attention_viz.records.search import Strategy

_HEAD = re.compile(r"L\d+H\d+")


@dataclass(frozen=True)
class Look:
    """One closer look: its names, what it means, and how its record is shown."""

    name: str
    about: str
    tell: Callable[[Any], str]  # the record in a sentence or two
    tabulate: Callable[[Any], tables.Table]
    draw: Callable[[Any, str], Any] | None = None  # (record, theme) → figure; None: a table only
    # The table as the page shows it, where that is not the file's
    listed: Callable[[Any], tables.Table] | None = None


def layout() -> html.Node:
    choices = {name: look.name for name, look in _LOOKS.items()}
    shows = segments("ablation.look", choices, "Which look", id="look")
    measure = act_button("Measure", "look-measure", className="btn btn-sm primary", id="measure")
    return card(
        "A closer look",
        html.Div([shows, measure], className="controls"),
        html.Div(family.layout(), **shown_if("ablation.look", "family")),
        place("look-result"),
        html.Div(
            fold("Table", place("look-table"), name="look-fold"),
            **shown_if("ablation.look", *(name for name, look in _LOOKS.items() if look.draw)),
        ),
        note="with the intervention and metric chosen",
        tools=csv_button("look"),
        className="look-card",
    )


def show_look(bench: Bench, state: PageState) -> list[Any]:
    """What the look means, how far it is, and what was measured."""
    look = _LOOKS[state.ablation.look]
    about = html.P(look.about, id="look-about", className="note")
    try:
        found = find(bench, look_request(state))
    except BadInput as error:
        return [about, explain(error)]
    status = progress(found.job) if found.is_active else ending(found.job)
    if found.record is None:
        return [about, status or empty("Not measured yet.", "Press Measure.")]
    return [about, status, *_show_record(state.ablation.look, found)]


def _show_record(name: str, found: Found) -> list[html.Node]:
    look, record = _LOOKS[name], found.record
    told = look.tell(record) + ("" if found.is_active else _cost(record))
    shown = tabulate(look, record) if look.draw is None else _figure(name, record)
    return [html.Div(told, id="look-told", className="verdict"), shown]


def _cost(record: Any) -> str:
    return f" {record.evaluations:,} runs in {number(record.seconds, 2)} s."


def _figure(name: str, record: Any) -> html.Node:
    """Named by its look: one look's figure must not become another's, only be replaced by it."""
    drawn = _LOOKS[name].draw(record, BOTH.name)
    draw = matrix if isinstance(drawn, dict) else plot
    return html.Div(draw(drawn, f"look-{name}"), id="look-figure", className="look-figure")


def show_table(bench: Bench, state: PageState) -> html.Node | None:
    try:
        record = find(bench, look_request(state)).record
    except AttentionVizError:
        return None  # the look says why
    return None if record is None else tabulate(_LOOKS[state.ablation.look], record)


def tabulate(look: Look, record: Any) -> html.Node:
    headers, rows = (look.listed or look.tabulate)(record)
    return table(headers, [[_cell(value) for value in row] for row in rows], look.name)


def _cell(value: Any) -> Any:
    """A value of the table; names of heads become chips."""
    names = value.split() if isinstance(value, str) else []
    if names and all(_HEAD.fullmatch(name) for name in names):
        return html.Span([head_chip(name) for name in names], className="chip-line")
    return value


def _to_save(bench: Bench, state: PageState) -> tables.Table:
    found = find(bench, look_request(state)).record
    if found is None:
        raise BadInput("This was not measured yet.", "Press Measure first.")
    return _LOOKS[state.ablation.look].tabulate(found)


def _measure(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    return submit(bench, look_request(state))


def _list_costs(found: CostTable) -> tables.Table:
    """With tokens whose blanks can be seen: a file has their text as it is."""
    headers, rows = tables.cost_table(found)
    pairs = zip(found.rows, rows, strict=True)
    return headers, [[cost.token.token, *row[1:]] for cost, row in pairs]


def _list_doses(found: Dose) -> tables.Table:
    headers, rows = tables.dose_table(found)
    shown = [f"probability of {token.shown}" for token in (found.answer, found.distractor)]
    return [*headers[:2], *shown, *headers[4:]], rows


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
        listed=_list_costs,
    ),
    "dose": Look(
        "dose and response",
        "z of the selected heads, all scaled by one factor: −1 reverses it, 0 ablates it, 1 is the "
        "clean run, 2 doubles it. Dotted lines are where the top-1 changes, found by bisection.",
        _tell_dose,
        tables.dose_table,
        draw_dose,
        listed=_list_doses,
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
    "family": Look(
        "over a family",
        family.ABOUT,
        family.tell,
        tables.family_table,
        draw_family,
        listed=family.list_pairs,
    ),
}

PARTS = (Part("look-result", show_look), Part("look-table", show_table), *family.PARTS)
ACTS: dict[str, Act] = {"look-measure": _measure} | csv_act("look", _to_save) | family.ACTS
