"""Find heads: a search in the background, its progress, and what it found into the selection."""

from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button
from attention_viz.panels.kit.common import ask, toast
from attention_viz.panels.kit.controls import menu, number_box, shown_if
from attention_viz.panels.kit.found import draw_found, draw_so_far, found_so_far
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.requests import prediction_request, search_request
from attention_viz.panels.kit.results import progress
from attention_viz.panels.rail import targets
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.job import JobStatus
from attention_viz.records.page import PageState
from attention_viz.records.search import Objective, SearchResult


def layout() -> html.Node:
    find = act_button("Find heads", "find", id="find", className="btn btn-primary wide")
    sweep = act_button("Sweep all heads", "sweep", id="sweep", className="btn wide")
    return html.Div(
        [
            targets.layout(),
            _goal_row(),
            html.Div([find, sweep], className="button-row"),
            place("search-state", className="search-state"),
        ],
        className="search",
    )


def _goal_row() -> html.Node:
    objective = menu(
        "shared.objective",
        {Objective.FLIP.value: "flip to", Objective.KL.value: "max KL"},
        id="objective",
        className="objective-menu",
        **{"aria-label": "What a search looks for"},
    )
    flip = html.Div(
        targets.picker("flip_to"),
        className="flip-row",
        id="flip-row",
        **shown_if("shared.objective", Objective.FLIP.value),
    )
    most = number_box("shared.max_heads", 1, 64, id="max-heads")
    return html.Div(
        [objective, flip, html.Label("at most", htmlFor="max-heads", title="heads"), most],
        className="token-row goal",
        title="What a search looks for: a set of heads whose ablation makes a token top-1, or "
        "moves the next token the most",
    )


def targeted(bench: Bench, state: PageState) -> PageState:
    """The page with a flip-to token: the runner-up, where a targeted search was given none."""
    if Objective(state.objective) is not Objective.FLIP or state.flip_to is not None:
        return state
    return state.change(flip_to=ask(bench, prediction_request(state)).distractor.id)


def start_search(bench: Bench, state: PageState) -> JobStatus:
    """Submit the page's search. Raises AttentionVizError for what can't be searched."""
    clean = ask(bench, prediction_request(state))
    if Objective(state.objective) is Objective.FLIP and clean.top[0].token.id == state.flip_to:
        raise BadInput(
            f"{clean.top[0].token.shown} is the top-1 already.",
            "Choose another token to win, or search for the greatest change (KL).",
        )
    return bench.submit(search_request(state))


def show_search(bench: Bench, state: PageState) -> Any:
    """The newest search for exactly what the page describes."""
    try:
        job = bench.jobs.find(search_request(state))
    except BadInput:
        job = None
    return draw_search(job)


def draw_search(job: JobStatus | None) -> Any:
    """The line below the buttons."""
    if job is None:
        return None
    if job.state == "failed":
        return html.Span(str(job.error), className="problem")
    result = found_so_far(job)
    if not job.is_over:
        return [draw_so_far(result), progress(job, "Searching", "sets", id="cancel-search")]
    return draw_found(result, was_cancelled=job.state == "cancelled")


def adopt(bench: Bench, state: PageState, followed: list[str]) -> Outcome:
    """What ended among the searches followed: its heads are selected, and a toast says so."""
    outcome, still = Outcome(), list(followed)
    for job_id in followed:
        job = bench.jobs.status(job_id)
        if job is not None and not job.is_over:
            continue
        still.remove(job_id)
        if job is not None:
            outcome = _outcome(job, state)
    if still == followed:
        return Outcome()
    return Outcome(page=outcome.page, says=outcome.says, followed=tuple(still))


def _outcome(job: JobStatus, state: PageState) -> Outcome:
    if job.state == "failed":
        return Outcome(says=toast(job.error))
    if job.request.question != state.question:
        return Outcome(
            says=toast(
                "A search for an earlier prompt ended.", "Its heads were not taken over.", "info"
            )
        )
    result = found_so_far(job)
    if result is None or not result.heads:
        remedy = "Allow more heads, or choose another token."
        return Outcome(says=toast("The search found no heads.", remedy, "warning"))
    heads = tuple(str(head) for head in sorted(result.heads))
    return Outcome(page=state.change(heads=heads), says=_told(job, result, ", ".join(heads)))


def _told(job: JobStatus, result: SearchResult, names: str) -> tuple:
    if job.state == "cancelled":
        return toast(f"Cancelled; {names} found so far are selected.", "", "info")
    if job.request.objective is Objective.FLIP and not result.flipped:
        return toast(
            f"No set of at most {job.request.max_heads} heads was found that flips it; the best, "
            f"{names}, is selected.",
            "Allow more heads, or choose another token or kind of ablation.",
            "warning",
        )
    return toast(f"Found and selected {names}.", "", "success")


def _find(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    asked = targeted(bench, state)
    job = start_search(bench, asked)
    return Outcome(page=asked, submitted=(job,), followed=(job.id,))


def under_way(bench: Bench, state: PageState) -> tuple[str, ...] | None:
    """The search that goes on for this page, after a reload or in a second tab."""
    try:
        job = bench.jobs.find(search_request(state))
    except AttentionVizError:
        return None
    return None if job is None or job.is_over else (job.id,)


PARTS = (Part("search-state", show_search),)
ACTS: dict[str, Act] = {"find": _find}
