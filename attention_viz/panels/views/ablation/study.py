"""The study: how heads that matter together are searched for, and how they were found.

What is looked for, and the search itself, stand in the rail; only what belongs to exactly these
settings is shown.
"""

from typing import Any

from attention_viz.exports.tables import search_table
from attention_viz.figures.palette import BOTH
from attention_viz.figures.search import draw_steps
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import pick_button
from attention_viz.panels.kit.common import about_seconds, ask, card, empty, head_chip, number
from attention_viz.panels.kit.controls import menu, number_box
from attention_viz.panels.kit.drawn import plot
from attention_viz.panels.kit.files import csv_act, csv_button
from attention_viz.panels.kit.found import draw_found, draw_so_far
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.requests import search_request
from attention_viz.panels.kit.results import Found, ending, find
from attention_viz.panels.kit.tables import fold, table
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import PageState
from attention_viz.records.search import EstimateRequest, SearchResult, SearchStep, Strategy

_STRATEGIES = {
    Strategy.GUIDED: "gradients, greedy, smaller",
    Strategy.GREEDY: "greedy",
    Strategy.PAIRS: "pairs, then greedy",
    Strategy.BEAM: "beam",
    Strategy.EXHAUSTIVE: "exhaustive",
}
_STOPPED = {
    "flipped": "the token is top-1",
    "max heads": "the greatest number of heads allowed was reached",
    "no gain": "no other head improves the score",
    "budget": "the next size has more sets than the budget allows",
    "cancelled": "it was cancelled",
    "running": "it is still running",
}


def layout() -> html.Node:
    return card(
        "Study",
        _choices(),
        place("study-estimate", className="note"),
        place("study-result"),
        place("study-steps"),
        fold("Table: step by step", place("study-table"), name="study-fold"),
        note="which heads matter together?",
        tools=csv_button("search"),
        className="study-card",
    )


def _choices() -> html.Node:
    options = [
        html.Option(text, value=strategy.value, title=strategy.about)
        for strategy, text in _STRATEGIES.items()
    ]
    strategy = menu("shared.strategy", options, id="study-strategy")
    most = number_box("shared.max_heads", 1, 64, id="study-most", className="few")
    choices = [
        html.Label(["by", strategy], className="control"),
        html.Label(["at most", most, "heads"], className="control"),
    ]
    return html.Div(choices, className="controls")


def show_estimate(bench: Bench, state: PageState) -> str:
    """What the strategy does, and what it would take."""
    about = f"{Strategy(state.strategy).about[0].upper()}{Strategy(state.strategy).about[1:]}."
    try:
        estimate = ask(bench, EstimateRequest(search_request(state)))
    except AttentionVizError:  # no target yet, or one that can't be flipped to: the rail says so
        return about
    runs = "1 run" if estimate.evaluations == 1 else f"{estimate.evaluations:,} runs"
    seconds = about_seconds(estimate.seconds)
    return f"{about} At most {runs}, {seconds}; then what was found is checked."


def find_study(bench: Bench, state: PageState) -> Found:
    try:
        return find(bench, search_request(state))
    except BadInput:  # no token to flip to yet: Find heads takes one
        return Found()


def show_result(bench: Bench, state: PageState) -> html.Node:
    """What was found with these settings, why the search stopped there, and what it took."""
    found = find_study(bench, state)
    if found.is_active:
        words = draw_so_far(found.record) or "Searching: the rail says how far it is."
        return html.Div(words, className="study-story")
    if found.record is None:
        return ending(found.job) or empty(
            "These settings were not searched yet: press Find heads.",
        )
    cut = ending(found.job)
    return html.Div(
        [cut, *tell(found.record, was_cancelled=cut is not None)], className="study-story"
    )


def tell(result: SearchResult, *, was_cancelled: bool = False) -> list[html.Node]:
    """The set in the rail's words, the ways to select it, other sets, and the cost."""
    names = [str(head) for head in result.heads]
    parts = [html.Div(draw_found(result, was_cancelled=was_cancelled), className="verdict")]
    if names:
        parts.append(html.Div(_picks(names), className="chip-line"))
    if result.alternatives:
        parts.append(_others(result))
    return [*parts, html.P(describe(result), className="note")]


def _picks(names: list[str]) -> list[html.Node]:
    return [
        pick_button("Select these", names, className="btn btn-sm"),
        pick_button("Add to the selection", names, "add", className="btn btn-sm"),
    ]


def _others(result: SearchResult) -> html.Node:
    """Other minimal sets, each with what it shares with the set found."""
    title = "Other minimal sets that do it: other heads can do the same work"
    rows = [_other(heads, set(result.heads)) for heads in result.alternatives]
    return html.Div([html.P(title, className="note"), *rows], className="alternatives")


def _other(heads: Any, own: set) -> html.Node:
    shares = f"shares {len(own & set(heads))} of {len(own)}"
    pick = pick_button("Select", [str(head) for head in heads], className="btn btn-sm")
    chips = [head_chip(head) for head in heads]
    return html.Div([*chips, html.Span(shares, className="mut"), pick], className="chip-line")


def describe(result: SearchResult) -> str:
    """Why the search stopped, how far the set was checked, and what that took."""
    stopped = _STOPPED.get(result.stopped, result.stopped)
    back = f" and {result.gradients} backward passes" if result.gradients else ""
    cost = f"{result.evaluations:,} runs{back} in {number(result.seconds, 2)} s"
    told = [f"Stopped because {stopped}.", checked(result)]
    return " ".join([*filter(None, told), f"{cost}, {result.request.ablation.label} ablation."])


def checked(result: SearchResult) -> str:
    """What the verdict leaves open: whether it is minimal where it isn't, and the smallest."""
    if not result.heads:
        return ""
    if result.minimal is None:
        return "Whether a head can be dropped was not tried."
    if not result.minimal:
        return "Not minimal: a head can be dropped."
    smallest = {True: "Smallest: every smaller set was tried.", False: "Not the smallest."}
    return smallest.get(result.smallest, "")


def show_steps(bench: Bench, state: PageState) -> html.Node | None:
    """The score after each step; nothing while there is none."""
    result = find_study(bench, state).record
    if result is None or not result.steps:
        return None
    return plot(draw_steps(result, BOTH.name), "study-plot")


def show_table(bench: Bench, state: PageState) -> html.Node | None:
    result = find_study(bench, state).record
    return None if result is None else tabulate(result)


def tabulate(result: SearchResult) -> html.Node:
    headers = ["step", "head", "set then", f"score ({result.request.objective.unit})"]
    headers += ["runner-up", "its score", "top-1"]
    rows = [_row(number_, step) for number_, step in enumerate(result.steps, start=1)]
    return table(headers, rows, result.request.objective.score_title)


def _row(place_: int, step: SearchStep) -> list[Any]:
    return [
        f"{place_} {step.action}",
        step.head,
        " ".join(str(head) for head in step.heads),
        number(step.score, sign=True),
        step.runner_up if step.runner_up is not None else "none",
        "" if step.runner_up_score is None else number(step.runner_up_score, sign=True),
        step.top,
    ]


def _to_save(bench: Bench, state: PageState) -> Any:
    result = find_study(bench, state).record
    if result is None:
        raise BadInput("These settings were not searched yet.", "Press Find heads first.")
    return search_table(result)


PARTS = (
    Part("study-estimate", show_estimate),
    Part("study-result", show_result),
    Part("study-steps", show_steps),
    Part("study-table", show_table),
)
ACTS = csv_act("search", _to_save)
