"""What the tests of the views share: a page to show, and how to read what was drawn."""

from collections.abc import Iterator
from typing import Any

from dash import Dash
from dash.development.base_component import Component

from attention_viz.records.page import PageState

MARY = PageState(
    prompt="When Mary and John went to the store, John gave a drink to",
    counterfactual="When Mary and John went to the store, Mary gave a drink to",
    heads=("L2H3", "L3H1", "L0H5"),
)


class StubWorkbench:
    """Knows some records by request, computes nothing, and has no jobs of its own."""

    def __init__(self, *jobs: Any, known: dict[Any, Any] | None = None):
        self.known = known or {}
        self.jobs = StubJobs(jobs)

    def cached(self, request: Any) -> Any:
        return self.known.get(request)


class StubJobs:
    def __init__(self, jobs: tuple):
        self._jobs = jobs

    def find(self, request: Any) -> Any:
        return next((job for job in reversed(self._jobs) if job.request == request), None)

    def status(self, job_id: str) -> Any:
        return next((job for job in self._jobs if job.id == job_id), None)


def text_of(part: Any) -> str:
    """All the text in a component, as a reader meets it."""
    return " ".join("".join(_texts(part)).split())


def _texts(part: Any) -> Iterator[str]:
    if part is None or isinstance(part, bool):
        return
    if isinstance(part, list | tuple):
        for child in part:
            yield from _texts(child)
    elif isinstance(part, Component):
        yield from _texts(getattr(part, "children", None))
        yield " "
    else:
        yield str(part)


def find_all(part: Any, kind: str) -> list[Component]:
    """All components of a type, such as "Button", in reading order."""
    if isinstance(part, list | tuple):
        return [found for child in part for found in find_all(child, kind)]
    if not isinstance(part, Component):
        return []
    own = [part] if type(part).__name__ == kind else []
    return own + find_all(getattr(part, "children", None), kind)


def callback_named(app: Dash, name: str) -> Any:
    """The function of a registered callback, as it was written."""
    found = [
        entry["callback"].__wrapped__
        for entry in app.callback_map.values()
        if "callback" in entry and entry["callback"].__name__ == name
    ]
    assert len(found) == 1, name
    return found[0]
