"""How a long measurement shares the device, tells how far it is, and can be stopped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from attention_viz.records.errors import Cancelled


class Pace:
    """Handed to every analysis; this base class neither waits, reports nor stops.

    `turn` wraps each chunk of device work (at most about 250 ms); `report` is called between
    chunks and raises Cancelled where the work was asked to stop. `partial` is the record so far.
    """

    @contextmanager
    def turn(self) -> Iterator[None]:
        yield

    def report(self, done: int, total: int, partial: Any = None) -> None:
        if self.is_cancelled:
            raise Cancelled("Cancelled.")

    def recall(self, request: Any, compute: Callable[[], Any]) -> Any:
        """The record of another request, computed unless it is known already."""
        return compute()

    @property
    def is_cancelled(self) -> bool:
        return False

    @property
    def is_background(self) -> bool:
        """Whether nobody waits for it: clicks go first."""
        return False

    def hurried(self) -> "Pace":
        """The same pace for work that somebody waits for now."""
        return self
