"""Background work in threads of the server's own process, without Dash and without torch.

The model lives in this process, so its work does too. Jobs are found again by what was asked:
submitting a request that is queued or running already gives that job, so a reload or a second tab
looks at the same work. One job runs at a time; the others queue in order, visibly.

`DeviceLock` shares the device between that job and people's clicks: work takes it for one chunk
(a *turn*, at most about 250 ms), and clicks go before searches.
"""

import secrets
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from attention_viz.records.errors import AttentionVizError, Cancelled
from attention_viz.records.job import JobStatus
from attention_viz.records.pace import Pace

Work = Callable[[Pace], Any]


class Priority(IntEnum):
    """Who goes first when several wait for the device."""

    CLICK = 0  # a person waits for it
    SEARCH = 1  # background work


@dataclass(eq=False)
class _Ticket:
    """A thread's place in the queue for the device."""

    thread: int
    is_called: threading.Event = field(default_factory=threading.Event)


class DeviceLock:
    """A lock handed from turn to turn: clicks before searches, in order within a priority.

    A search that waits is overtaken by at most `patience` clicks, so that a busy page can't
    starve it. A thread that has the turn may take it again.
    """

    def __init__(self, *, patience: int = 4):
        self._patience = patience
        self._guard = threading.Lock()
        self._queues: dict[Priority, deque[_Ticket]] = {p: deque() for p in Priority}
        self._owner: int | None = None
        self._depth = 0
        self._overtaken = 0  # clicks that went before the search now first in its queue

    @contextmanager
    def turn(self, priority: Priority = Priority.CLICK) -> Iterator[None]:
        """Hold the device; blocks until it is this thread's turn."""
        self._take(priority)
        try:
            yield
        finally:
            self._give_back()

    def waiting(self, priority: Priority) -> int:
        """How many threads wait with this priority."""
        with self._guard:
            return len(self._queues[priority])

    def _take(self, priority: Priority) -> None:
        me = threading.get_ident()
        with self._guard:
            if self._owner in (None, me):
                self._owner = me
                self._depth += 1
                return
            ticket = _Ticket(me)
            self._queues[priority].append(ticket)
        try:
            ticket.is_called.wait()
        except BaseException:  # Ctrl-C: a place nobody waits in would block all behind it
            self._leave(ticket, priority)
            raise

    def _leave(self, ticket: _Ticket, priority: Priority) -> None:
        with self._guard:
            if ticket in self._queues[priority]:
                self._queues[priority].remove(ticket)
                return
        self._give_back()

    def _give_back(self) -> None:
        with self._guard:
            self._depth -= 1
            if self._depth:
                return
            ticket = self._next()
            if ticket is None:
                self._owner = None
                return
            # Handed over rather than freed: a newcomer can't slip in before those who wait.
            self._owner, self._depth = ticket.thread, 1
            ticket.is_called.set()

    def _next(self) -> _Ticket | None:
        clicks, searches = self._queues[Priority.CLICK], self._queues[Priority.SEARCH]
        if clicks and (not searches or self._overtaken < self._patience):
            self._overtaken = self._overtaken + 1 if searches else 0
            return clicks.popleft()
        self._overtaken = 0
        return searches.popleft() if searches else None


class JobPace(Pace):
    """A pace that takes turns on a device, tells how far it is, and stops when asked to.

    Parameters: `listener(done, total, partial)` hears every report; `cancelled` is the flag.
    """

    def __init__(
        self,
        lock: DeviceLock,
        priority: Priority = Priority.CLICK,
        *,
        cancelled: threading.Event | None = None,
        listener: Callable[[int, int, Any], None] | None = None,
    ):
        self._lock = lock
        self._priority = priority
        self._cancelled = cancelled or threading.Event()
        self._listener = listener

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._lock.turn(self._priority):
            yield

    def report(self, done: int, total: int, partial: Any = None) -> None:
        if self._listener is not None:
            self._listener(done, total, partial)
        super().report(done, total, partial)

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()


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
