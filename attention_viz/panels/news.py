"""The page's one timer: how models load and jobs go, asked while anything is under way."""

import time
from collections.abc import Callable
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update

from attention_viz.panels.common import state_of
from attention_viz.panels.ids import (
    CANCEL_ASKED,
    ENDED,
    FOLLOWED,
    JOB_NEWS,
    LOOK_MARK,
    MODEL_NEWS,
    MODEL_STATUS,
    PAGE,
    POLL,
    QUESTION,
    SEARCH_MARK,
    SUBMITTED,
    SWEEP_MARK,
)
from attention_viz.panels.model import WANTED
from attention_viz.panels.requests import look_request, search_request, sweep_request
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.job import JobStatus
from attention_viz.records.page import PageState
from attention_viz.records.search import SearchRequest
from attention_viz.records.sweep import SweepRequest

_INTERVAL = 350  # ms
_TICK, _ANSWERED = "poll-tick", "poll-answered"
_NEWS = (JOB_NEWS, MODEL_STATUS, MODEL_NEWS, SWEEP_MARK, SEARCH_MARK, LOOK_MARK, ENDED)
_LABELS = {SearchRequest: "search", SweepRequest: "sweep"}


def layout() -> html.Div:
    names = (*_NEWS, _TICK, _ANSWERED, SUBMITTED, CANCEL_ASKED)
    stores = [dcc.Store(id=name) for name in names]
    stores.append(dcc.Store(id=FOLLOWED, data={}))
    return html.Div([*stores, dcc.Interval(id=POLL, interval=_INTERVAL, disabled=False)])


def submitted(job: JobStatus) -> dict[str, Any]:
    """What to write to `SUBMITTED` after workbench.submit."""
    return {"job": job.id, "at": time.time()}


def model_news(workbench: Any, name: str) -> dict[str, Any]:
    """Where a model stands, as plain JSON."""
    try:
        status = workbench.status(name)
    except BadInput as error:
        return {"name": name, "state": "failed", "message": str(error)}
    news = {"name": name, "state": status.state, "message": status.message}
    if status.info is not None:
        news |= {"layers": status.info.layers, "heads": status.info.heads}
    return news


def job_news(job: JobStatus) -> dict[str, Any]:
    """A job as other people may see it: its kind, not what it asks."""
    return {
        "id": job.id,
        "label": _LABELS.get(type(job.request), "measurement"),
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "queued_before": job.queued_before,
        "seconds": round(job.seconds, 1),
    }


def read_news(workbench: Any, model: str, wanted: str | None, before: dict | None) -> dict:
    """All that is under way, and which jobs ended since `before`."""
    jobs = [job_news(job) for job in workbench.jobs.active()]
    were = {job["id"] for job in (before or {}).get("jobs", [])}
    return {
        "model": model_news(workbench, model),
        "wanted": model_news(workbench, wanted) if wanted else None,
        "jobs": jobs,
        "over": sorted(were - {job["id"] for job in jobs}),
    }


def is_busy(news: dict[str, Any]) -> bool:
    """Whether there will be more news."""
    models = [news["model"], news["wanted"] or {}]
    return bool(news["jobs"]) or any(model.get("state") == "loading" for model in models)


def job_mark(workbench: Any, page: dict, request_of: Callable[[PageState], Any]) -> str:
    """How far the newest job for the page's own request is; "" where there is none."""
    try:
        job = workbench.jobs.find(request_of(state_of(page)))
    except AttentionVizError:
        return ""
    return f"{job.id} {job.state} {job.done} {job.queued_before}" if job else ""


def ended_jobs(workbench: Any, followed: dict[str, bool]) -> list[str]:
    """Those followed that are over, or were forgotten."""
    statuses = {job_id: workbench.jobs.status(job_id) for job_id in followed}
    return [job_id for job_id, job in statuses.items() if job is None or job.is_over]


# A tick is passed on when the one before it was answered: a slow server is not asked again and
# again. After ten seconds without an answer it is asked anew.
_GATE = """(count, tick, answered) => {
  const isWaiting = tick && tick.count !== answered && Date.now() - tick.at < 10000;
  return isWaiting ? dash_clientside.no_update : { count, at: Date.now() };
}"""


def register(app: Dash, workbench: Any) -> None:
    app.clientside_callback(
        _GATE,
        Output(_TICK, "data"),
        Input(POLL, "n_intervals"),
        State(_TICK, "data"),
        State(_ANSWERED, "data"),
    )

    @app.callback(
        *(Output(name, "data") for name in _NEWS),
        Output(_ANSWERED, "data"),
        Output(POLL, "disabled"),
        Input(_TICK, "data"),
        Input(QUESTION, "data"),
        Input(WANTED, "data"),
        Input(SUBMITTED, "data"),
        *(State(name, "data") for name in _NEWS),
        State(FOLLOWED, "data"),
        State(PAGE, "data"),
    )
    def tell(tick, _question, wanted, sent, *rest) -> tuple:
        *before, followed, page = rest
        news = read_news(workbench, page["model"], (wanted or {}).get("name"), before[0])
        # A job can be over before it was ever seen under way: whoever waits for it must hear.
        news["sent"] = sent
        parts = [
            news,
            news["model"],
            [news["model"], news["wanted"]],
            job_mark(workbench, page, sweep_request),
            job_mark(workbench, page, search_request),
            job_mark(workbench, page, look_request),
            ended_jobs(workbench, followed),
        ]
        changed = [
            no_update if part == old else part for part, old in zip(parts, before, strict=True)
        ]
        return *changed, (tick or {}).get("count"), not is_busy(news)

    @app.callback(
        Output(SUBMITTED, "data", allow_duplicate=True),
        Input(CANCEL_ASKED, "data"),
        prevent_initial_call=True,
    )
    def cancel(asked: dict | None) -> Any:
        if not asked or not asked.get("job"):
            return no_update
        workbench.jobs.cancel(asked["job"])
        return {"job": asked["job"], "at": time.time()}
