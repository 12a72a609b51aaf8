"""Find heads: a search in the background, its progress, and what it found into the selection."""

import time
from typing import Any

from dash import Dash, Input, Output, Patch, State, dcc, html, no_update

from attention_viz.panels import targets
from attention_viz.panels.common import (
    ask,
    head_chip,
    number,
    state_of,
    toast,
    token_text,
)
from attention_viz.panels.heads import before_text, progress_bar
from attention_viz.panels.ids import (
    ABLATION,
    CANCEL_ASKED,
    ENDED,
    FOLLOWED,
    PAGE,
    QUESTION,
    RESTORED,
    SEARCH_ASKED,
    SEARCH_MARK,
    STUDY,
    SUBMITTED,
    TOAST,
)
from attention_viz.panels.link import OPENED
from attention_viz.panels.mirror import mirror
from attention_viz.panels.news import submitted
from attention_viz.panels.requests import prediction_request, search_request
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.job import JobStatus
from attention_viz.records.page import PageState
from attention_viz.records.search import Objective, SearchResult


def layout() -> html.Div:
    return html.Div(
        [
            targets.layout(),
            _goal_row(PageState()),
            html.Div(
                [
                    html.Button(
                        "Find heads", id="find", className="btn btn-primary wide", type="button"
                    ),
                    html.Button("Sweep all heads", id="sweep", className="btn wide", type="button"),
                ],
                className="button-row",
            ),
            html.Div(
                [
                    html.Div(id="search-state", className="search-state"),
                    html.Button(
                        "Cancel",
                        id="cancel-search",
                        className="btn btn-sm",
                        type="button",
                        hidden=True,
                    ),
                ],
                className="search-line",
            ),
        ],
        className="search",
    )


def _goal_row(first: PageState) -> html.Div:
    objective = dcc.Dropdown(
        id="objective",
        options=[
            {"label": "flip to", "value": Objective.FLIP.value},
            {"label": "max KL", "value": Objective.KL.value},
        ],
        value=first.objective,
        clearable=False,
        searchable=False,
        className="objective-menu",
    )
    most = dcc.Input(id="max-heads", type="number", min=1, max=64, step=1, value=first.max_heads)
    return html.Div(
        [
            objective,
            html.Div(targets.picker("flip_to"), id="flip-row", className="flip-row"),
            html.Label("at most", htmlFor="max-heads", title="heads"),
            most,
        ],
        className="token-row goal",
        title="What a search looks for: a set of heads whose ablation makes a token top-1, or "
        "moves the next token the most",
    )


def targeted(workbench: Any, state: PageState) -> PageState:
    """The page with a flip-to token: the runner-up, where a targeted search was given none."""
    if Objective(state.objective) is not Objective.FLIP or state.flip_to is not None:
        return state
    return state.change(flip_to=ask(workbench, prediction_request(state)).distractor.id)


def start_search(workbench: Any, state: PageState) -> JobStatus:
    """Submit the page's search. Raises AttentionVizError for what can't be searched."""
    clean = ask(workbench, prediction_request(state))
    if Objective(state.objective) is Objective.FLIP and clean.top[0].token.id == state.flip_to:
        raise BadInput(
            f"{clean.top[0].token.shown} is the top-1 already.",
            "Choose another token to win, or search for the greatest change (KL).",
        )
    return workbench.submit(search_request(state))


def find_search(workbench: Any, state: PageState) -> JobStatus | None:
    """The newest job for exactly the search the page describes."""
    try:
        return workbench.jobs.find(search_request(state))
    except BadInput:
        return None


def found_so_far(job: JobStatus) -> SearchResult | None:
    return job.result if job.result is not None else job.partial


def draw_search(job: JobStatus | None, state: PageState) -> Any:
    """The line below the buttons."""
    if job is None:
        return html.Span(_hint(state), className="muted")
    if job.state == "queued":
        return html.Span(f"Waiting: {before_text(job.queued_before)}.", className="muted")
    if job.state == "failed":
        return html.Span(str(job.error), className="problem")
    result = found_so_far(job)
    if job.state == "running":
        return _draw_running(job, result)
    return draw_found(result, was_cancelled=job.state == "cancelled")


def _hint(state: PageState) -> str:
    if state.objective == Objective.FLIP.value:
        return "Looks for a small set of heads without which that token is top-1."
    return "Looks for a set of heads whose ablation moves the next token the most."


def _draw_running(job: JobStatus, result: SearchResult | None) -> html.Div:
    done = f"{job.done} of about {job.total} sets" if job.total else "starting"
    line = [html.Span(f"Searching · {done} · {job.seconds:.0f} s")]
    if result is not None and result.heads:
        line += [html.Span(" · so far "), *(head_chip(head) for head in result.heads)]
    return html.Div([html.Div(line), progress_bar(job)])


def draw_found(result: SearchResult | None, *, was_cancelled: bool) -> html.Div:
    """What was found, in words that were earned."""
    start = "Cancelled. " if was_cancelled else ""
    if result is None or not result.heads:
        count = f" {result.evaluations} sets tried." if result is not None else ""
        return html.Div(f"{start}Nothing found.{count}")
    chips: list[Any] = []
    for head in result.heads:
        chips.append(head_chip(head))
    kept = "Kept " if was_cancelled else "Found "
    return html.Div([start, kept, *chips, *_verdict(result), html.Div(_cost(result))])


def _verdict(result: SearchResult) -> list[Any]:
    unit = result.request.objective.unit
    score = f"{number(result.score, 2, sign=result.request.objective is Objective.FLIP)} {unit}"
    words: list[Any] = [": "]
    if result.top is not None:
        words += ["top-1 is ", token_text(result.top)]
    if result.request.objective is Objective.FLIP and not result.flipped:
        words.append(", not flipped")
    words.append(f" ({'margin' if result.request.objective is Objective.FLIP else 'KL'} {score}).")
    if result.minimal:
        words.append(" Minimal: no head can be dropped.")
    return words


def _cost(result: SearchResult) -> str:
    return f"{result.evaluations} sets tried in {result.seconds:.1f} s; {result.stopped}."


def adopt(workbench: Any, followed: dict[str, bool], state: PageState) -> tuple:
    """What ended among the searches followed: (heads or None, still followed, toast or None)."""
    heads, says, still = None, None, dict(followed)
    for job_id in followed:
        job = workbench.jobs.status(job_id)
        if job is not None and not job.is_over:
            continue
        del still[job_id]
        if job is None:
            continue
        heads, says = _outcome(job, state)
    return heads, still, says


def _outcome(job: JobStatus, state: PageState) -> tuple[tuple[str, ...] | None, list | None]:
    if job.state == "failed":
        return None, toast(job.error)
    if job.request.question != state.question:
        return None, toast(
            "A search for an earlier prompt ended.", "Its heads were not taken over.", "info"
        )
    result = found_so_far(job)
    if result is None or not result.heads:
        return None, toast(
            "The search found no heads.", "Allow more heads, or choose another token.", "warning"
        )
    names = tuple(str(head) for head in sorted(result.heads))
    if job.state == "cancelled":
        return names, toast(f"Cancelled; {', '.join(names)} found so far are selected.", "", "info")
    if job.request.objective is Objective.FLIP and not result.flipped:
        return names, toast(
            f"No set of at most {job.request.max_heads} heads was found that flips it; the best, "
            f"{', '.join(names)}, is selected.",
            "Allow more heads, or choose another token or kind of ablation.",
            "warning",
        )
    return names, toast(f"Found and selected {', '.join(names)}.", "", "success")


def newly_followed(workbench: Any, state: PageState, followed: dict[str, bool]) -> dict | None:
    """A search found under way for this page, after a reload or in a second tab."""
    job = find_search(workbench, state)
    if job is None or job.is_over or job.id in followed:
        return None
    return followed | {job.id: True}


def register(app: Dash, workbench: Any) -> None:
    mirror(app, "objective", "objective")
    mirror(app, "max-heads", "max_heads")
    targets.register(app, workbench)
    _register_start(app, workbench)
    _register_end(app, workbench)

    @app.callback(
        Output("search-state", "children"),
        Output("cancel-search", "hidden"),
        Output("find", "disabled"),
        Output("flip-row", "hidden"),
        Input(SEARCH_MARK, "data"),
        Input(QUESTION, "data"),
        Input(ABLATION, "data"),
        Input(STUDY, "data"),
        State(PAGE, "data"),
    )
    def draw(_mark, _question, _ablation, _study, page) -> tuple:
        state = state_of(page)
        job = find_search(workbench, state)
        is_on = job is not None and not job.is_over
        return draw_search(job, state), not is_on, is_on, state.objective != Objective.FLIP.value


def _register_start(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output(SUBMITTED, "data", allow_duplicate=True),
        Output(FOLLOWED, "data", allow_duplicate=True),
        Output(PAGE, "data", allow_duplicate=True),
        Output(TOAST, "data", allow_duplicate=True),
        Input("find", "n_clicks"),
        Input(SEARCH_ASKED, "data"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def find(_clicks: int, _asked: dict, page: dict) -> tuple:
        try:
            before = state_of(page)
            state = targeted(workbench, before)
            job = start_search(workbench, state)
        except AttentionVizError as error:
            return no_update, no_update, no_update, toast(error)
        followed, chosen = Patch(), Patch()
        followed[job.id] = True
        chosen["flip_to"] = state.flip_to
        is_chosen = state.flip_to != before.flip_to
        return submitted(job), followed, chosen if is_chosen else no_update, no_update

    @app.callback(
        Output(CANCEL_ASKED, "data", allow_duplicate=True),
        Input("cancel-search", "n_clicks"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def cancel(clicks: int | None, page: dict) -> Any:
        job = find_search(workbench, state_of(page))
        return {"job": job.id, "at": time.time()} if clicks and job else no_update


def _register_end(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output(PAGE, "data", allow_duplicate=True),
        Output(FOLLOWED, "data", allow_duplicate=True),
        Output(TOAST, "data", allow_duplicate=True),
        Input(ENDED, "data"),
        State(FOLLOWED, "data"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def end(_ended: list, followed: dict, page: dict) -> tuple:
        heads, still, says = adopt(workbench, followed, state_of(page))
        if still == followed:
            return no_update, no_update, no_update
        patch = Patch()
        patch["heads"] = list(heads or ())
        return patch if heads else no_update, still, says or no_update

    @app.callback(
        Output(FOLLOWED, "data", allow_duplicate=True),
        Input(RESTORED, "data"),
        State(OPENED, "data"),
        State(FOLLOWED, "data"),
        prevent_initial_call=True,
    )
    def find_again(page: dict, opened: dict | None, followed: dict) -> Any:
        # A newcomer without a link looks on; only who comes back to a page takes part.
        if not (opened or {}).get("fragment"):
            return no_update
        return newly_followed(workbench, state_of(page), followed) or no_update
