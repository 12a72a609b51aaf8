"""How a measurement of the server takes its turns, tells how far it is, and stops."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from attention_viz.jobs.device import DeviceLock, Priority
from attention_viz.records.pace import Pace


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

    @property
    def is_background(self) -> bool:
        return self._priority is Priority.SEARCH

    def hurried(self) -> "JobPace":
        return JobPace(self._lock, cancelled=self._cancelled, listener=self._listener)
