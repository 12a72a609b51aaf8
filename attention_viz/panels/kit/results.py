"""Results of background work as the views show them: what there is, how far it is, how it ended."""

from dataclasses import dataclass
from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Outcome, act_button
from attention_viz.panels.kit.common import explain, number
from attention_viz.panels.kit.parts import Looking
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.job import JobStatus

CANCEL = "cancel"


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


def find(bench: Bench, request: Any) -> Found:
    """What there is of a request, without computing anything."""
    known, job = bench.cached(request), bench.jobs.find(request)
    if known is None:
        return of_job(job)
    # A job that was cancelled or failed says nothing of a result measured since.
    return Found(known, job if job is not None and job.state == "done" else None)


def of_job(job: JobStatus | None) -> Found:
    if job is None:
        return Found()
    return Found(job.partial if job.result is None else job.result, job)


def behind(bench: Bench, request: Any) -> Any | None:
    """The record of what comes behind what is drawn; it is started where nobody did.

    Nothing waits for it: the part that asks is drawn anew once, when it is there.
    """
    known = bench.cached(request)
    if known is None:
        job = bench.jobs.find(request) or bench.submit(request)
        if isinstance(bench, Looking):
            bench.only_its_end(request, job)
    return known


def submit(bench: Bench, *requests: Any) -> Outcome:
    """Measure these in the background, in order."""
    return Outcome(submitted=tuple(bench.submit(request) for request in requests))


def cancel(bench: Bench, state: Any, payload: dict[str, Any]) -> Outcome:
    """The act behind every Cancel button; what was measured so far is kept."""
    job_id = str(payload.get("job"))
    bench.jobs.cancel(job_id)
    job = bench.jobs.status(job_id)
    return Outcome(submitted=() if job is None else (job,))


def progress(job: JobStatus, what: str = "", unit: str = "runs", **props: Any) -> html.Node:
    """How far a queued or running job is, with a button that stops it."""
    stop = act_button("Cancel", CANCEL, {"job": job.id}, className="btn btn-sm", **props)
    text = html.Span(progress_text(job, what, unit), className="progress-text")
    return html.Div([_bar(job), text, stop], className="job-progress", role="status")


def _bar(job: JobStatus) -> html.Node:
    share = job.done / job.total if job.total else 0.0
    return html.Div(
        html.I(style={"width": f"{100 * share:.1f}%"}),
        className="progress-line",
        role="progressbar",
        **{"aria-valuenow": job.done, "aria-valuemax": job.total, "aria-label": "done"},
    )


def progress_text(job: JobStatus, what: str = "", unit: str = "runs") -> str:
    """ "Searching · 120 of 514 sets · 0.4 s", or how many jobs are before it."""
    start = f"{what} · " if what else ""
    if job.state == "queued":
        count = job.queued_before
        before = f"{count} {'job' if count == 1 else 'jobs'} before yours"
        return f"{start}waiting, {before}" if count else f"{start}about to start"
    if not job.total:
        return f"{start}starting…"
    return f"{start}{job.done:,} of {job.total:,} {unit} · {number(job.seconds, 1)} s"


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
