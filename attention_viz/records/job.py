"""Background work as it is shown."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class JobStatus:
    """A snapshot of one job; `request` is what was submitted and finds the job again."""

    id: str
    request: Any
    state: str  # "queued", "running", "done", "cancelled", "failed"
    done: int = 0
    total: int = 0
    queued_before: int = 0  # jobs ahead of this one
    partial: Any = None  # the record so far, also kept after a cancel
    result: Any = None  # the record, when done
    error: Exception | None = None
    seconds: float = 0.0  # since it started

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "cancelled", "failed")
