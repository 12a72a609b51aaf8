"""All heads: each one ablated on its own, and what that does to the metric chosen in the rail."""

from typing import Any

from attention_viz.exports.tables import sweep_table
from attention_viz.figures.palette import BOTH
from attention_viz.figures.sweep import draw_bars, ranked_heads
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import card, empty, number
from attention_viz.panels.kit.drawn import plot
from attention_viz.panels.kit.files import csv_act, csv_button
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.results import Found, ending
from attention_viz.panels.kit.tables import fold, table
from attention_viz.panels.rail.heads import known_sweep
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.metrics import Metric
from attention_viz.records.page import PageState
from attention_viz.records.sweep import HeadSweep


def layout() -> html.Node:
    return card(
        "All heads",
        place("sweep-bars"),
        place("sweep-note", className="note"),
        fold("Table: all heads, ranked", place("sweep-table"), name="sweep-fold"),
        note="each ablated on its own; a click selects",
        tools=csv_button("sweep"),
    )


def show_bars(bench: Bench, state: PageState) -> Any:
    """The bars measured so far; where there are none, how to get them."""
    found = known_sweep(bench, state)
    if found.record is None:
        return _missing(found, state)
    bars = draw_bars(found.record, state.head_ids, theme=BOTH.name)
    return [None if found.is_active else ending(found.job), plot(bars, "sweep-plot")]


def _missing(found: Found, state: PageState) -> html.Node:
    if found.is_active:
        return empty("These settings are being swept.", "The rail says how far it is.")
    about = Metric(state.metric).about
    teach = empty("These settings were not swept yet.", f"Press Sweep all heads. Measures {about}.")
    return ending(found.job) or teach


def show_note(bench: Bench, state: PageState) -> str | None:
    sweep = _so_far(bench, state)
    return None if sweep is None else describe(sweep)


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


def show_table(bench: Bench, state: PageState) -> html.Node | None:
    sweep = _so_far(bench, state)
    return None if sweep is None else tabulate(sweep)


def _so_far(bench: Bench, state: PageState) -> HeadSweep | None:
    try:
        return known_sweep(bench, state).record
    except AttentionVizError:
        return None  # the bars say why


def tabulate(sweep: HeadSweep) -> html.Node:
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


def _to_save(bench: Bench, state: PageState) -> Any:
    sweep = known_sweep(bench, state).record
    if sweep is None:
        raise BadInput("These settings were not swept yet.", "Press Sweep all heads first.")
    return sweep_table(sweep)


PARTS = (
    Part("sweep-bars", show_bars),
    Part("sweep-note", show_note),
    Part("sweep-table", show_table),
)
ACTS = csv_act("sweep", _to_save)
