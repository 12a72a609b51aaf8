"""What the page and the command line need of a workbench, without importing one.

`attention_viz.workbench.Workbench` is the real one, which a test holds to this; tests of the page
make do with less.
"""

from typing import Any, Protocol, runtime_checkable

from attention_viz.records.job import JobStatus
from attention_viz.records.model import ModelEntry, ModelStatus
from attention_viz.records.pace import Pace
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token


@runtime_checkable
class Request(Protocol):
    """A frozen record that says what to measure; equal requests have the same answer."""

    @property
    def question(self) -> Question:
        """What is asked of which model."""


@runtime_checkable
class JobBoard(Protocol):
    """Background work, as it is looked at."""

    def status(self, job_id: str) -> JobStatus | None:
        """How a job stands; None for one that never was or was forgotten."""

    def find(self, request: Request) -> JobStatus | None:
        """The newest job of that request, running or over."""

    def active(self) -> tuple[JobStatus, ...]:
        """Running and queued jobs, in order."""

    def cancel(self, job_id: str) -> None:
        """A queued job is dropped at once, a running one stops at its next report."""


@runtime_checkable
class ModelList(Protocol):
    """The models a server offers, the default first."""

    @property
    def entries(self) -> tuple[ModelEntry, ...]:
        """In the order of the menu."""

    def entry(self, name: str) -> ModelEntry:
        """The model of that name. Raises BadInput for a name that is not on the list."""


@runtime_checkable
class Bench(Protocol):
    """Loads models, answers requests, remembers the answers.

    The record that answers a request is the one its type promises (SweepRequest: HeadSweep), which
    Python's types can't say of a registry; hence `Any`.
    """

    @property
    def catalogue(self) -> ModelList:
        """The models on offer."""

    @property
    def jobs(self) -> JobBoard:
        """What was submitted."""

    def load(self, name: str) -> ModelStatus:
        """Start loading, and return at once. Raises BadInput for an unknown name."""

    def status(self, name: str) -> ModelStatus:
        """Where a model stands; never blocks. Raises BadInput for an unknown name."""

    def wait(self, name: str) -> ModelStatus:
        """Block until the model is ready. Raises ModelUnavailable, or BadInput for its name."""

    def measure(self, request: Request, pace: Pace | None = None) -> Any:
        """The record, computed unless it is known. Raises AttentionVizError for people."""

    def cached(self, request: Request) -> Any | None:
        """The record if it is known; never computes."""

    def submit(self, request: Request) -> JobStatus:
        """Measure in the background, behind people's clicks; the result joins the cache."""

    def close(self) -> None:
        """Stop the background work."""

    def find_tokens(self, model: str, text: str, limit: int = 50) -> list[Token]:
        """Entries of the vocabulary that match `text`, best first."""

    def token(self, model: str, token_id: int) -> Token:
        """The entry with this id. Raises BadInput where there is none."""

    def token_id(self, model: str, text: str) -> int:
        """The id of the one token " John" (or "␣John"). Raises BadInput for several tokens."""
