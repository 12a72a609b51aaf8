"""What the tests of the views share: a page to show, and how to read what was drawn."""

from collections.abc import Iterator
from typing import Any

from attention_viz.panels.kit.html import Node
from attention_viz.panels.kit.parts import Part, draw_part
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


def part_of(module: Any, name: str) -> Part:
    """The part of a module that fills the element of this id."""
    (found,) = [part for part in module.PARTS if part.name == name]
    return found


def draw(module: Any, name: str, bench: Any, state: PageState) -> Any:
    """What is drawn into an element; what a person can put right is raised."""
    return part_of(module, name).draw(bench, state)


def answer(module: Any, name: str, bench: Any, state: PageState, **local: Any) -> dict[str, Any]:
    """What the browser is told of a part: html, reads, marks, waits."""
    return draw_part(bench, part_of(module, name), state, local)


def text_of(part: Any) -> str:
    """All the text in an element, as a reader meets it."""
    return " ".join("".join(_texts(part)).split())


def _texts(part: Any) -> Iterator[str]:
    if part is None or isinstance(part, bool):
        return
    if isinstance(part, list | tuple):
        for child in part:
            yield from _texts(child)
    elif isinstance(part, Node):
        yield from _texts(part.children)
        yield " "
    else:
        yield str(part)


def find_all(part: Any, kind: str) -> list[Node]:
    """All elements of a kind, such as "Button", in reading order."""
    if isinstance(part, list | tuple):
        return [found for child in part for found in find_all(child, kind)]
    if not isinstance(part, Node):
        return []
    own = [part] if part.tag == kind.lower() else []
    return own + find_all(part.children, kind)


def by_id(part: Any, name: str) -> Node | None:
    """The element of this id."""
    if isinstance(part, list | tuple):
        return next((found for child in part if (found := by_id(child, name))), None)
    if not isinstance(part, Node):
        return None
    return part if part.id == name else by_id(part.children, name)
