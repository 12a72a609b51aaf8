"""Single flight: what several ask for at the same time is computed once.

A *flight* is one computation; its *pilot* is the caller who computes, all others wait for it to
land. A measurement that recalls another one (`Pace.recall`) does so as the same pilot, on a flight
of its own, so that a click, a job and the parts of either share whatever they have in common.

Waiting must not end in everybody waiting. So a pilot computes for itself, beside the flight, where
that flight is its own or waits for it in the end, and where the pilot holds the device that the
flight needs. What stopped one caller (a cancel, a bug) need not stop another: it takes off
again. A job that a click waits for takes its turns on the device as a click.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from attention_viz.jobs.device import DeviceLock
from attention_viz.jobs.results import Results
from attention_viz.records.errors import AttentionVizError, Cancelled
from attention_viz.records.pace import Pace

_LOOK_AGAIN = 0.1  # seconds between looks at the cancel flag while waiting for something else


@dataclass(eq=False)
class _Pilot:
    """A caller and all that it recalls; touched under the guard of its Flights only."""

    pace: Pace
    waits_for: "_Flight | None" = None
    followers: set["_Pilot"] = field(default_factory=set)  # who waits for a flight of this one

    @property
    def is_urgent(self) -> bool:
        """Whether a person waits for it, by way of another computation or not."""
        return any(not each.pace.is_background or each.is_urgent for each in self.followers)


@dataclass(eq=False)
class _Flight:
    """One computation others may wait for."""

    pilot: _Pilot
    result: Any = None
    error: Exception | None = None
    is_over: threading.Event = field(default_factory=threading.Event)

    def needs(self, pilot: _Pilot) -> bool:
        """Whether it can't land before `pilot` goes on."""
        flight: _Flight | None = self
        while flight is not None:
            if flight.pilot is pilot:
                return True
            flight = flight.pilot.waits_for
        return False


class Flights:
    """The computations under way, in front of the results that are known."""

    def __init__(self, results: Results, lock: DeviceLock):
        self._results = results
        self._lock = lock
        self._guard = threading.Lock()
        self._flights: dict[Any, _Flight] = {}

    def once(self, request: Any, compute: Callable[[Pace], Any], pace: Pace) -> Any:
        """The record of `request`: known, or awaited, or else computed by `compute(pace)`.

        The pace that `compute` is handed recalls in the same way. Raises what `compute` raises;
        an error for people reaches everybody who waited.
        """
        pilot = _Pilot(pace)
        return self.share(request, lambda: compute(_Recalling(self, pilot)), pilot)

    def share(self, request: Any, compute: Callable[[], Any], pilot: _Pilot) -> Any:
        """As `once`, for a caller who is under way already."""
        while True:
            known = self._results.get(request)
            if known is not None:
                return known
            flight = self._board(request, pilot)
            if flight is None:
                return self._compute(request, compute, pilot)
            if flight.pilot is pilot:
                return self._fly(flight, request, compute)
            self._follow(flight, pilot)
            if flight.result is not None:
                return flight.result
            if isinstance(flight.error, AttentionVizError):
                raise flight.error.again()

    def waiting(self, request: Any) -> int:
        """How many callers wait for that request's pilot."""
        with self._guard:
            flight = self._flights.get(request)
            return 0 if flight is None else len(flight.pilot.followers)

    def is_urgent(self, pilot: _Pilot) -> bool:
        """Whether a person waits for what `pilot` computes."""
        with self._guard:
            return pilot.is_urgent

    def _board(self, request: Any, pilot: _Pilot) -> _Flight | None:
        """A new flight of this pilot, or one that it may wait for; None: neither."""
        with self._guard:
            flight = self._flights.get(request)
            if flight is None:
                flight = self._flights[request] = _Flight(pilot)
            elif flight.needs(pilot) or self._lock.is_mine:
                return None
            else:
                # Noted under the same guard as it was looked at: two can't start waiting for
                # each other at the same moment.
                pilot.waits_for = flight
                flight.pilot.followers.add(pilot)
            return flight

    def _follow(self, flight: _Flight, pilot: _Pilot) -> None:
        try:
            wait_for(flight.is_over, pilot.pace)
        finally:
            with self._guard:
                pilot.waits_for = None
                flight.pilot.followers.discard(pilot)

    def _fly(self, flight: _Flight, request: Any, compute: Callable[[], Any]) -> Any:
        try:
            # Another flight may have landed between our look at the results and boarding.
            known = self._results.get(request)
            result = self._compute(request, compute, flight.pilot) if known is None else known
            # A search that was cancelled returns what it had: true, but not the answer.
            if known is not None or not flight.pilot.pace.is_cancelled:
                flight.result = result
            return result
        except Exception as error:
            flight.error = None if isinstance(error, Cancelled) else error
            raise
        finally:
            with self._guard:
                del self._flights[request]
            flight.is_over.set()

    def _compute(self, request: Any, compute: Callable[[], Any], pilot: _Pilot) -> Any:
        result = compute()
        if not pilot.pace.is_cancelled:
            self._results.put(request, result)
        return result


class _Recalling(Pace):
    """The pace of a computation under way: what it recalls is computed once, as it is itself."""

    def __init__(self, flights: Flights, pilot: _Pilot):
        self._flights = flights
        self._pilot = pilot

    def turn(self) -> AbstractContextManager[None]:
        pace = self._pilot.pace
        return (pace.hurried() if self._flights.is_urgent(self._pilot) else pace).turn()

    def report(self, done: int, total: int, partial: Any = None) -> None:
        self._pilot.pace.report(done, total, partial)

    def recall(self, request: Any, compute: Callable[[], Any]) -> Any:
        return self._flights.share(request, compute, self._pilot)

    @property
    def is_cancelled(self) -> bool:
        return self._pilot.pace.is_cancelled

    @property
    def is_background(self) -> bool:
        return self._pilot.pace.is_background


def wait_for(event: threading.Event, pace: Pace) -> None:
    """Wait as long as it takes. Raises Cancelled after a cancel."""
    while not event.wait(_LOOK_AGAIN):
        if pace.is_cancelled:
            raise Cancelled("Cancelled.")
