"""The layer × head grid, coloured by each head's effect, and the selection it holds.

Picking heads happens in the browser (assets/20_heads.js); the colours come from the sweep that
belongs to the page's question, intervention and metric, and from no other.
"""

from typing import Any

from attention_viz.figures.palette import BOTH
from attention_viz.figures.sweep import cell_colours, cell_gradient, colour_limit
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome
from attention_viz.panels.kit.common import about_seconds, ask, card, number
from attention_viz.panels.kit.controls import menu
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.requests import sweep_request
from attention_viz.panels.kit.results import Found, find, progress
from attention_viz.records.bench import Bench
from attention_viz.records.duration import Duration, DurationRequest
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.job import JobStatus
from attention_viz.records.metrics import Metric
from attention_viz.records.model import ModelInfo
from attention_viz.records.page import PageState
from attention_viz.records.question import TokensRequest
from attention_viz.records.sweep import HeadSweep

_WIDEST_WITH_VALUES = 12  # heads a layer; more and the numbers don't fit
_MOST_ROWS = 16  # layers; more would have to be scrolled
# heads × tokens × parameters of a sweep that takes a tenth of a second (two cores): made at once
_INSTANT_SWEEP = 4e9


def layout() -> html.Node:
    metric = menu(
        "shared.metric",
        {metric.value: metric.title for metric in Metric},
        id="metric",
        className="small-menu",
        **{"aria-label": "Effect on"},
    )
    pills = html.Div(
        [
            html.Div(id="head-pills", className="pills"),
            html.Input(
                id="heads-menu",
                type="text",
                role="combobox",
                placeholder="add layer-head…",
                autoComplete="off",
                spellCheck="false",
                className="form-control combo heads-menu",
                **{
                    "aria-expanded": "false",
                    "aria-label": "Add a head by its name",
                    "data-combo-heads": "true",
                },
            ),
            html.Button("clear", id="clear-heads", className="link", type="button"),
        ],
        className="pill-row",
    )
    return card(
        "Heads",
        place("head-grid", className="head-grid-box"),
        place("sweep-state", className="sweep-state"),
        pills,
        note="effect on",
        tools=metric,
        className="heads-card",
    )


def known_sweep(bench: Bench, state: PageState) -> Found:
    """The sweep for exactly what the page shows; a short one is started, the smallest made.

    Raises AttentionVizError for a question that can't be asked.
    """
    tokens = len(ask(bench, TokensRequest(state.question)).tokens)
    request = sweep_request(state)
    found = find(bench, request)
    if found.record is not None or found.job is not None:
        return found
    if size_of(bench.status(state.model).info, tokens) <= _INSTANT_SWEEP:
        return Found(ask(bench, request))
    return Found(job=bench.submit(request)) if takes(bench, state).is_short else found


def takes(bench: Bench, state: PageState) -> Duration:
    """What the sweep would take."""
    return ask(bench, DurationRequest(sweep_request(state)))


def size_of(info: ModelInfo, tokens: int) -> float:
    """How much work a sweep is: it grows with heads, tokens and parameters."""
    return info.layers * info.heads * tokens * info.parameters


def show_grid(bench: Bench, state: PageState) -> html.Node:
    """Heads can be picked whatever their effects; the line below says why those aren't known."""
    try:
        record = known_sweep(bench, state).record
    except AttentionVizError:
        if bench.status(state.model).info is None:
            raise
        record = None
    return draw_grid(bench.status(state.model).info, record)


def show_state(bench: Bench, state: PageState) -> Any:
    found = known_sweep(bench, state)
    if found.record is None and found.job is None:
        return html.Span(_not_swept(takes(bench, state)), className="muted")
    return draw_state(found)


def draw_grid(info: ModelInfo, sweep: HeadSweep | None) -> html.Node:
    """Buttons; arrows, clicks and drags are handled in the browser.

    A row per layer, the last on top. A model of many layers and few heads lies down, a column per
    layer, so that all of it is seen at once.
    """
    colours = cell_colours(sweep, BOTH.name) if sweep is not None else None
    is_wide = info.heads > _WIDEST_WITH_VALUES
    lies = not is_wide and info.layers > _MOST_ROWS
    layers, heads = range(info.layers), range(info.heads)
    cells: list[Any] = []
    if lies:
        for head in reversed(heads):
            cells.append(_axis(f"H{head}", "row"))
            cells += [_cell(layer, head, sweep, colours, has_value=False) for layer in layers]
        below = [(f"L{at}", min(5, info.layers - at)) for at in layers[::5]]
    else:
        for layer in reversed(layers):
            cells.append(_axis(f"L{layer}", "row"))
            cells += [_cell(layer, head, sweep, colours, not is_wide) for head in heads]
        below = [(f"H{head}" if not is_wide or head % 4 == 0 else "", 1) for head in heads]
    cells.append(html.Span(className="axis axis-corner"))
    cells += [_axis(name, "bottom", span) for name, span in below]
    return html.Div(
        cells,
        className=f"head-grid{' wide' if is_wide else ''}{' lies' if lies else ''}",
        role="group",
        style={
            "--columns": info.layers if lies else info.heads,
            "--rows": info.heads if lies else info.layers,
            "--row": f"{_row_height(info)}px",
        },
        **{"aria-label": "Layers and heads: arrow keys move, Enter or Space selects"},
    )


def _axis(name: str, side: str, span: int = 1) -> html.Node:
    """The name of a row, or of so many columns."""
    style = {"grid-column": f"span {span}"} if span > 1 else None
    return html.Span(name, className=f"axis axis-{side}", style=style)


def _row_height(info: ModelInfo) -> int:
    if info.heads > _WIDEST_WITH_VALUES:
        return 18  # the box scrolls: a cell one can hit is worth more than all at once
    return 24 if info.layers <= 6 else 21


def _cell(
    layer: int, head: int, sweep: HeadSweep | None, colours: Any, has_value: bool
) -> html.Node:
    style = None
    text = ""
    if colours is not None:
        background, ink = colours[layer][head]
        style = {"background": background, "color": ink}
        text = short_effect(sweep, layer, head) if has_value else ""
    name = cell_title(sweep, layer, head)
    return html.Button(
        text,
        type="button",
        tabIndex=-1,
        className="cell" if _is_measured(sweep, layer, head) else "cell unmeasured",
        title=name,
        style=style,
        **{"data-head": f"L{layer}H{head}", "aria-label": name},
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


def draw_state(found: Found) -> Any:
    """The line below the grid: colour bar with unit, progress, or how to get the colours."""
    job: JobStatus | None = found.job
    if found.is_active:
        return progress(job, "sweep", "heads", id="cancel-sweep")
    if found.record is not None:
        cut = job is not None and job.state == "cancelled" and job.result is None
        return draw_bar(found.record, " · cancelled" if cut else "")
    if job is not None and job.state == "failed":
        return html.Span(str(job.error), className="problem")
    if job is not None and job.state == "cancelled":
        return html.Span("Cancelled. Sweep all heads starts it again.", className="muted")
    return html.Span("Not swept yet: press Sweep all heads.", className="muted")


def _not_swept(duration: Duration) -> str:
    return f"Not swept yet: press Sweep all heads ({about_seconds(duration.seconds)})."


def draw_bar(sweep: HeadSweep, note: str = "") -> html.Node:
    """The colour bar with both ends and the unit."""
    metric, limit = sweep.request.metric, colour_limit(sweep)
    size = f"{limit:.1f}" if limit >= 1 else f"{limit:.3f}" if limit >= 0.001 else f"{limit:.0e}"
    low = f"−{size}" if metric.is_signed else "0"
    high = f"{'+' if metric.is_signed else ''}{size} {metric.unit}"
    bar = html.I(style={"background": cell_gradient(sweep, BOTH.name)})
    return html.Div(
        [html.Span(low), bar, html.Span(high + note)],
        className="colour-bar",
        title=f"{metric.title}: {metric.about}; {sweep.request.ablation.label} ablation, "
        f"{sweep.evaluations} evaluations in {sweep.seconds:.2f} s",
    )


def _sweep(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    ask(bench, TokensRequest(state.question))
    return Outcome(submitted=(bench.submit(sweep_request(state)),))


PARTS = (Part("head-grid", show_grid), Part("sweep-state", show_state))
ACTS: dict[str, Act] = {"sweep": _sweep}
