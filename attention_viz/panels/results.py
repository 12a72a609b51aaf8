"""Results of background work as the views show them: what there is, how far it is, how it ended."""

import json
from dataclasses import dataclass
from typing import Any

from dash import ctx, html

from attention_viz.panels.common import explain, number
from attention_viz.panels.ids import CANCEL_ASKED, JOB_NEWS
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.job import JobStatus


@dataclass(frozen=True)
class Found:
    """The record of a request, perhaps partial, and the newest job that made or makes it."""

    record: Any = None
    job: JobStatus | None = None

    @property
    def is_whole(self) -> bool:
        return self.record is not None and (self.job is None or self.job.state == "done")

    @property
    def is_active(self) -> bool:
        return self.job is not None and not self.job.is_over


def find(workbench: Any, request: Any) -> Found:
    """What there is of a request, without computing anything."""
    known, job = workbench.cached(request), workbench.jobs.find(request)
    if known is None:
        return of_job(job)
    # A job that was cancelled or failed says nothing of a result measured since.
    return Found(known, job if job is not None and job.state == "done" else None)


def of_job(job: JobStatus | None) -> Found:
    if job is None:
        return Found()
    return Found(job.partial if job.result is None else job.result, job)


def recall(workbench: Any, request: Any, shown: str | None) -> tuple[Found, bool]:
    """What there is of a request; where that is nothing, what was shown last, and True for stale.

    `shown` is the id of the job whose result the page showed last.
    """
    found = find(workbench, request)
    if found.record is not None or found.job is not None or not isinstance(shown, str):
        return found, False
    old = of_job(workbench.jobs.status(shown))
    return (old, True) if old.record is not None else (Found(), False)


def is_only_news() -> bool:
    """Whether nothing but the poll called the callback."""
    return {name.partition(".")[0] for name in ctx.triggered_prop_ids} == {JOB_NEWS}


def is_about(news: dict[str, Any] | None, job: JobStatus | None) -> bool:
    """Whether what the poll brought is about this job."""
    if not news or job is None:
        return False
    names = {job["id"] for job in news.get("jobs", [])} | set(news.get("over", []))
    return job.id in names | {(news.get("sent") or {}).get("job")}


def progress(job: JobStatus) -> html.Div:
    """How far a queued or running job is, with a button that stops it."""
    share = job.done / job.total if job.total else 0
    bar = html.Div(html.Div(style={"width": f"{share:.1%}"}), className="progress-line")
    cancel = event_button("Cancel", CANCEL_ASKED, {"job": job.id}, className="btn btn-sm")
    text = html.Span(progress_text(job), className="progress-text")
    return html.Div([bar, text, cancel], className="job-progress", role="status")


def progress_text(job: JobStatus) -> str:
    if job.state == "queued":
        before = "1 job" if job.queued_before == 1 else f"{job.queued_before} jobs"
        return f"waiting, {before} before it" if job.queued_before else "about to start"
    if not job.total:
        return "starting…"
    return f"{job.done:,} of {job.total:,} runs · {number(job.seconds, 1)} s"


def ending(job: JobStatus | None) -> Any:
    """How a job ended, where that was not its result."""
    if job is None or job.state in ("queued", "running", "done"):
        return None
    if job.state == "failed":
        return explain(_said(job.error))
    share = f" after {job.done:,} of {job.total:,} runs" if job.total else ""
    return html.Div(f"Cancelled{share}: this is what was measured until then.", className="partial")


def _said(error: Exception | None) -> AttentionVizError:
    if isinstance(error, AttentionVizError):
        return error
    return AttentionVizError("The measurement failed.", "Try it again.")


def event_button(
    text: Any, store: str, payload: dict[str, Any] | None = None, **props: Any
) -> html.Button:
    """A button that writes an event ({…, at: ms}) to a store, in the browser."""
    return html.Button(
        text,
        type="button",
        **{"data-event": store, "data-payload": json.dumps(payload or {})},
        **props,
    )
