"""The device, shared by turns: work takes it for one chunk of at most about 250 ms."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum


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

    @property
    def is_mine(self) -> bool:
        """Whether the thread that asks holds the device."""
        with self._guard:
            return self._owner == threading.get_ident()

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
