"""Parts: the places of the page that are drawn anew, each exactly when it has to be.

While a part is drawn, what it reads is noted: fields of the page, jobs it looked for, a model that
was not ready. The browser asks for a part again when, and only when, one of these has changed.
So no panel lists its inputs, and none can forget one.
"""

import hashlib
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import NotReady, explain
from attention_viz.records.ablation import SETTINGS
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.job import JobStatus
from attention_viz.records.page import VIEWS, PageState
from attention_viz.records.page.state import OWN_SETTINGS, SHARED

_VIEW_NAMES = frozenset(view.name for view in VIEWS)


@dataclass(frozen=True)
class Part:
    """A place of the page: the id of its element, and `draw(bench, state)` that fills it.

    Parts of a view are asked for together; those of wave 1 behind the others, in a request of
    their own: what takes long goes there.
    """

    name: str
    draw: Callable[[Bench, PageState], Any]
    wave: int = 0


def place(name: str, **props: Any) -> html.Node:
    """The element of the skeleton that the part of this name fills."""
    return html.Div(id=name, **{"data-part": name}, **props)


class Reading:
    """A page's state that notes which of its fields are read, as "SECTION.FIELD".

    What is changed while drawing is no longer the page's, and is not noted.
    """

    def __init__(
        self,
        state: PageState,
        local: dict[str, Any] | None = None,
        notes: "_Notes | None" = None,
    ):
        self._state = state
        self._local = local or {}
        self._notes = notes or _Notes(set())

    @property
    def read(self) -> set[str]:
        return self._notes.read

    def __getattr__(self, name: str) -> Any:
        known = getattr(PageState, name, None)
        if isinstance(known, property):  # what it derives from is read through this
            return known.fget(self)
        if isinstance(known, FunctionType):
            return known.__get__(self)
        value = getattr(self._state, name)
        if name in ("settings", "views"):
            self._notes.add(*_all_of(self._state, name))
            return value
        if name in _VIEW_NAMES:
            return _ReadingView(value, name, self._notes)
        self._notes.add(f"{SHARED}.{name}")
        return value

    def local(self, name: str) -> Any:
        """What a person chose on the page that is not in its link, such as the node clicked."""
        self._notes.add(f"local.{name}")
        return self._local.get(name)

    def setting(self, name: str) -> Any:
        """The value of one setting of ablation kinds."""
        self._notes.add(f"{OWN_SETTINGS}.{name}")
        return dict(self._state.settings)[name]

    def change(self, **values: Any) -> "Reading":
        names = (f"{OWN_SETTINGS if n in SETTINGS else SHARED}.{n}" for n in values)
        return self._with(self._state.change(**values), names)

    def put(self, view: str, **values: Any) -> "Reading":
        return self._with(self._state.put(view, **values), (f"{view}.{name}" for name in values))

    def _with(self, state: PageState, changed: Iterable[str]) -> "Reading":
        return Reading(state, self._local, self._notes.without(changed))

    def to_fragment(self) -> str:
        return self.whole().to_fragment()

    def whole(self) -> PageState:
        """The state itself; all of it counts as read."""
        for what in ("shared", "settings", "views"):
            self._notes.add(*_all_of(self._state, what))
        return self._state


@dataclass(frozen=True)
class _Notes:
    """The addresses read of one page; those in `changed` stand for values that are not its own."""

    read: set[str]
    changed: frozenset[str] = frozenset()

    def add(self, *addresses: str) -> None:
        self.read.update(address for address in addresses if address not in self.changed)

    def without(self, changed: Iterable[str]) -> "_Notes":
        return _Notes(self.read, self.changed.union(changed))


class _ReadingView:
    """One view's record that notes which of its fields are read."""

    def __init__(self, record: Any, view: str, notes: _Notes):
        self._record = record
        self._view = view
        self._notes = notes

    def __getattr__(self, name: str) -> Any:
        known = getattr(type(self._record), name, None)
        if isinstance(known, property):
            return known.fget(self)
        if isinstance(known, FunctionType):
            return known.__get__(self)
        value = getattr(self._record, name)
        self._notes.add(f"{self._view}.{name}")
        return value

    def change(self, **values: Any) -> Any:
        self._notes.add(*(f"{self._view}.{name}" for name in self._record.__dataclass_fields__))
        return self._record.change(**values)


def _all_of(state: PageState, what: str) -> set[str]:
    data = state.to_json()
    if what == "views":
        names = set(data) - {SHARED, OWN_SETTINGS}
    else:
        names = {SHARED if what == "shared" else OWN_SETTINGS}
    return {f"{section}.{field}" for section in names for field in data[section]}


class Looking:
    """A workbench that notes which jobs and results were looked for, and models not ready."""

    def __init__(self, bench: Bench):
        self._bench = bench
        self._marks: dict[str, str] = {}  # by key of the request: how its job stood, "" for none
        self._known: set[str] = set()  # keys of requests whose result was there
        self.waits = False

    @property
    def marks(self) -> dict[str, str]:
        """What may change what was drawn: a result that is there stays, whatever its jobs did."""
        over = {key for key in self._known if not is_active(self._marks.get(key, ""))}
        return {key: mark for key, mark in self._marks.items() if key not in over}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bench, name)

    @property
    def jobs(self) -> "_LookingJobs":
        return _LookingJobs(self._bench.jobs, self._marks)

    def cached(self, request: Any) -> Any:
        known = self._bench.cached(request)
        if known is None:
            self._marks.setdefault(key_of(request), mark_of(self._bench.jobs.find(request)))
        else:
            self._known.add(key_of(request))
        return known

    def submit(self, request: Any) -> JobStatus:
        job = self._bench.submit(request)
        self._marks[key_of(request)] = mark_of(job)
        return job

    def only_its_end(self, request: Any, job: JobStatus) -> None:
        """What is drawn shows nothing of the job's progress: it is drawn anew when that is over."""
        self._marks[key_of(request)] = end_of(job)

    def status(self, model: str) -> Any:
        status = self._bench.status(model)
        self.waits = self.waits or status.state == "loading"
        return status


class _LookingJobs:
    """The jobs of a workbench, noting how those looked for stood."""

    def __init__(self, jobs: Any, marks: dict[str, str]):
        self._jobs = jobs
        self._marks = marks

    def find(self, request: Any) -> JobStatus | None:
        job = self._jobs.find(request)
        self._marks[key_of(request)] = mark_of(job)
        return job


def key_of(request: Any) -> str:
    """A short name of a request, the same in every process."""
    return hashlib.blake2s(repr(request).encode("utf-8", "replace"), digest_size=9).hexdigest()


def mark_of(job: JobStatus | None) -> str:
    """How far a job is; it changes whenever there is something else to show. "" for no job."""
    return "" if job is None else f"{job.id} {job.state} {job.done} {job.queued_before}"


_END = " end"


def end_of(job: JobStatus | None) -> str:
    """A mark that changes only when the job is over."""
    if job is None:
        return ""
    return f"{job.id} {job.state if job.is_over else 'running'}{_END}"


def mark_now(job: JobStatus | None, mark: str) -> str:
    """What a mark of this job would be now."""
    return end_of(job) if mark.endswith(_END) else mark_of(job)


def is_active(mark: str) -> bool:
    """Whether the job of this mark goes on."""
    return " queued " in mark or " running " in mark


def draw_part(
    bench: Bench, part: Part, state: PageState, local: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What the browser is told of a part: its markup, and what it depends on."""
    reading, looking = Reading(state, local), Looking(bench)
    try:
        drawn = part.draw(looking, reading)
    except AttentionVizError as error:
        looking.waits = looking.waits or isinstance(error, NotReady)
        drawn = explain(error)
    except Exception:
        traceback.print_exc(file=sys.stderr)
        drawn = explain(AttentionVizError("This could not be drawn.", "The server's log says why."))
    return {
        "html": html.to_html(drawn),
        "reads": sorted(reading.read),
        "marks": looking.marks,
        "waits": looking.waits,
    }
