"""Background work in a thread of the server's own process, found again by what was asked."""

import secrets
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from attention_viz.jobs.device import DeviceLock, Priority
from attention_viz.jobs.pace import JobPace
from attention_viz.records.errors import AttentionVizError, Cancelled
from attention_viz.records.job import JobStatus
from attention_viz.records.pace import Pace

Work = Callable[[Pace], Any]


@dataclass(eq=False)
class _Job:
    """The mutable side of a JobStatus; touched under the guard of its Jobs only."""

    id: str
    request: Any
    work: Work | None
    state: str = "queued"
    done: int = 0
    total: int = 0
    partial: Any = None
    result: Any = None
    error: Exception | None = None
    started: float | None = None
    ended: float | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def seconds(self) -> float:
        if self.started is None:
            return 0.0
        return (self.ended or time.monotonic()) - self.started

    def note(self, done: int, total: int, partial: Any) -> None:
        self.done, self.total = done, total
        if partial is not None:  # a report without a record leaves the last one
            self.partial = partial

    def end(self, state: str) -> None:
        self.state, self.ended, self.work = state, time.monotonic(), None


class Jobs:
    """Submits, follows, finds and cancels background work; one job runs at a time.

    The newest `remembered` jobs that are over are kept, with their results.
    """

    def __init__(self, lock: DeviceLock | None = None, *, remembered: int = 100):
        self._lock = lock or DeviceLock()
        self._remembered = remembered
        self._guard = threading.Condition()
        self._jobs: dict[str, _Job] = {}  # every job known, oldest first
        self._active: list[_Job] = []  # running, then queued, in order
        self._worker: threading.Thread | None = None
        self._is_closed = False

    def submit(self, request: Any, work: Work) -> JobStatus:
        """Queue `work(pace)`; a request that is queued or running already gives that job."""
        with self._guard:
            if self._is_closed:
                raise AttentionVizError("The server is stopping.", "Start it again.")
            job = next((job for job in self._active if self._can_join(job, request)), None)
            if job is None:
                job = self._add(request, work)
                self._active.append(job)
                self._start_worker()
                self._guard.notify_all()
            return self._snapshot(job)

    def submit_done(self, request: Any, result: Any) -> JobStatus:
        """A job that is over before it starts, because its result is known already."""
        with self._guard:
            newest = self._newest(request)
            if newest is not None and newest.state == "done":
                return self._snapshot(newest)
            job = self._add(request, None)
            job.result = result
            job.end("done")
            self._forget_old()
            return self._snapshot(job)

    def status(self, job_id: str) -> JobStatus | None:
        """How a job stands; None for one that never was or was forgotten."""
        with self._guard:
            job = self._jobs.get(job_id)
            return None if job is None else self._snapshot(job)

    def find(self, request: Any) -> JobStatus | None:
        """The newest job of that request, running or over."""
        with self._guard:
            job = self._newest(request)
            return None if job is None else self._snapshot(job)

    def cancel(self, job_id: str) -> None:
        """A queued job is dropped at once, a running one stops at its next report."""
        with self._guard:
            job = self._jobs.get(job_id)
            if job is None or job not in self._active:
                return
            job.cancelled.set()
            if job.state == "queued":
                self._active.remove(job)
                job.end("cancelled")
                self._forget_old()

    def active(self) -> tuple[JobStatus, ...]:
        """Running and queued jobs, in order."""
        with self._guard:
            return tuple(self._snapshot(job) for job in self._active)

    def close(self, *, patience: float = 2.0) -> None:
        """Cancel everything and wait up to `patience` seconds for the running job to stop."""
        with self._guard:
            self._is_closed = True
            for job in tuple(self._active):
                self.cancel(job.id)
            self._guard.notify_all()
            worker = self._worker
        if worker is not None and worker is not threading.current_thread():
            worker.join(patience)

    @staticmethod
    def _can_join(job: _Job, request: Any) -> bool:
        return not job.cancelled.is_set() and job.request == request

    def _add(self, request: Any, work: Work | None) -> _Job:
        # Not a number: a tab left open from an earlier server must not mean a job of this one.
        job = _Job(secrets.token_hex(6), request, work)
        self._jobs[job.id] = job
        return job

    def _newest(self, request: Any) -> _Job | None:
        jobs = reversed(self._jobs.values())
        return next((job for job in jobs if job.request == request), None)

    def _snapshot(self, job: _Job) -> JobStatus:
        return JobStatus(
            id=job.id,
            request=job.request,
            state=job.state,
            done=job.done,
            total=job.total,
            queued_before=self._active.index(job) if job.state == "queued" else 0,
            partial=job.partial,
            result=job.result,
            error=job.error,
            seconds=job.seconds,
        )

    def _forget_old(self) -> None:
        over = [job for job in self._jobs.values() if job not in self._active]
        for job in over[: max(0, len(over) - self._remembered)]:
            del self._jobs[job.id]

    def _start_worker(self) -> None:
        if self._worker is None:
            self._worker = threading.Thread(target=self._serve, name="jobs", daemon=True)
            self._worker.start()

    def _serve(self) -> None:
        while True:
            with self._guard:
                self._guard.wait_for(lambda: self._active or self._is_closed)
                if not self._active:
                    return
                job = self._active[0]
                job.state, job.started = "running", time.monotonic()
            self._run(job)

    def _run(self, job: _Job) -> None:
        pace = JobPace(
            self._lock,
            Priority.SEARCH,
            cancelled=job.cancelled,
            listener=lambda *news: self._note(job, *news),
        )
        try:
            result = job.work(pace)
        except Cancelled:
            self._end(job, "cancelled")
        except AttentionVizError as error:
            self._end(job, "failed", error=error)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self._end(job, "failed", error=_unexpected(error))
        else:
            # What comes back after a cancel may be cut short: it is a partial record.
            if job.cancelled.is_set():
                self._end(job, "cancelled", partial=result)
            else:
                self._end(job, "done", result=result)

    def _note(self, job: _Job, done: int, total: int, partial: Any) -> None:
        with self._guard:
            job.note(done, total, partial)

    def _end(
        self,
        job: _Job,
        state: str,
        *,
        partial: Any = None,
        result: Any = None,
        error: Exception | None = None,
    ) -> None:
        with self._guard:
            job.note(job.done, job.total, partial)
            job.result, job.error = result, error
            job.end(state)
            self._active.remove(job)
            self._forget_old()


def _unexpected(error: Exception) -> AttentionVizError:
    kind = type(error).__name__
    return AttentionVizError(f"The measurement failed ({kind}).", "The server's log says more.")
