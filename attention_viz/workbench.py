"""The one stateful object: models, results and background work, behind one question.

`measure(request) -> record` is what the page and the command line both call. The registry says
which function answers which request; it is imported when first needed, so importing this module
loads neither torch nor transformers. Results are kept under their frozen request, the device is
shared by turns (see `jobs.DeviceLock`), and what two callers ask at once is computed once.
"""

import importlib
import sys
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attention_viz.jobs import DeviceLock, JobPace, Jobs
from attention_viz.records.ablation import AblationRequest, PredictionRequest
from attention_viz.records.attention import AttentionRequest, TokenRequest
from attention_viz.records.circuits.attribution import AttributionRequest, EdgePositionsRequest
from attention_viz.records.circuits.circuit import CircuitRequest, CutRequest, EdgesRequest
from attention_viz.records.circuits.counterfactual import CounterfactualRequest
from attention_viz.records.circuits.faithfulness import (
    CircuitLensRequest,
    CircuitOnlyRequest,
    CurveRequest,
    FaithfulnessRequest,
)
from attention_viz.records.circuits.node import NodeRequest
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.roles import RolesRequest
from attention_viz.records.errors import (
    AttentionVizError,
    BadInput,
    Cancelled,
    ModelUnavailable,
)
from attention_viz.records.job import JobStatus
from attention_viz.records.lens import LensRequest
from attention_viz.records.looks.agreement import AgreementRequest
from attention_viz.records.looks.control import ControlRequest
from attention_viz.records.looks.cost import CostRequest
from attention_viz.records.looks.dose import DoseRequest
from attention_viz.records.looks.positions import PositionsRequest
from attention_viz.records.looks.redundancy import RedundancyRequest
from attention_viz.records.model import ModelEntry, ModelStatus
from attention_viz.records.pace import Pace
from attention_viz.records.question import TokensRequest
from attention_viz.records.search import EstimateRequest, SearchRequest
from attention_viz.records.sweep import SweepRequest
from attention_viz.records.tokens import Token, unshow

if TYPE_CHECKING:
    from attention_viz.models.catalogue import Catalogue

# Each is f(model, request, pace) -> record.
REGISTRY: dict[type, str] = {
    TokensRequest: "attention_viz.analysis.question:read_question",
    PredictionRequest: "attention_viz.analysis.ablation:predict",
    AblationRequest: "attention_viz.analysis.ablation:ablate",
    SweepRequest: "attention_viz.analysis.sweep:sweep_heads",
    SearchRequest: "attention_viz.analysis.search:search_heads",
    EstimateRequest: "attention_viz.analysis.search:estimate_search",
    AgreementRequest: "attention_viz.analysis.looks.agreement:compare_kinds",
    ControlRequest: "attention_viz.analysis.looks.control:compare_with_random_sets",
    CostRequest: "attention_viz.analysis.looks.cost:cost_to_flip",
    DoseRequest: "attention_viz.analysis.looks.dose:respond_to_dose",
    PositionsRequest: "attention_viz.analysis.looks.positions:map_positions",
    RedundancyRequest: "attention_viz.analysis.looks.redundancy:map_redundancy",
    AttentionRequest: "attention_viz.analysis.attention:attention_maps",
    TokenRequest: "attention_viz.analysis.attention:token_facts",
    LensRequest: "attention_viz.analysis.lens:logit_lens",
    CircuitRequest: "attention_viz.analysis.circuits.circuit:measure_circuit",
    CutRequest: "attention_viz.analysis.circuits.cut:measure_cut",
    EdgesRequest: "attention_viz.analysis.circuits.cut:measure_edges",
    AttributionRequest: "attention_viz.analysis.circuits.attribution:attribute_edges",
    EdgePositionsRequest: "attention_viz.analysis.circuits.attribution:attribute_positions",
    FaithfulnessRequest: "attention_viz.analysis.circuits.faithfulness:measure_faithfulness",
    CircuitOnlyRequest: "attention_viz.analysis.circuits.faithfulness:predict_circuit_only",
    CircuitLensRequest: "attention_viz.analysis.circuits.faithfulness:read_circuit_lens",
    CurveRequest: "attention_viz.analysis.circuits.faithfulness:measure_curve",
    RolesRequest: "attention_viz.analysis.roles.roles:head_roles",
    NodeRequest: "attention_viz.analysis.circuits.node:node_detail",
    PairsRequest: "attention_viz.analysis.circuits.pairs:read_pairs",
    CounterfactualRequest: "attention_viz.analysis.circuits.counterfactual:build_counterfactual",
}
LOADER = "attention_viz.models.loading:load_model"

CACHE_BYTES = 256 * 2**20
_LOOK_AGAIN = 0.1  # seconds between looks at the cancel flag while waiting for something else

Measure = Callable[[Any, Any, Pace], Any]


class Workbench:
    """Loads models, answers requests, remembers the answers.

    Parameters: `registry` maps a request type to a function, or to "module:function"; `loader`
    is `f(entry, *, device, threads, memory, report) -> model`. Both are arguments for tests' sake.
    `memory`: bytes a batch of runs may take; None: half of what is free.
    """

    def __init__(
        self,
        catalogue: "Catalogue",
        device: str = "auto",
        threads: int | None = None,
        cache_bytes: int = CACHE_BYTES,
        *,
        registry: Mapping[type, str | Measure] = REGISTRY,
        loader: Callable[..., Any] | None = None,
        memory: int | None = None,
    ):
        self.catalogue = catalogue
        self._settings = {"device": device, "threads": threads, "memory": memory}
        self._registry = registry
        self._loader = loader
        self._lock = DeviceLock()
        self.jobs = Jobs(self._lock)
        self._results = _Results(cache_bytes)
        self._guard = threading.Lock()
        self._shelf: dict[str, _Shelf] = {}  # models, by name
        self._flights: dict[Any, _Flight] = {}  # requests being computed right now

    # Models

    def load(self, name: str) -> ModelStatus:
        """Start loading in a thread, and return at once; a failed load is tried again.

        Raises BadInput for a name that is not in the catalogue.
        """
        entry = self.catalogue.entry(name)
        with self._guard:
            shelf = self._shelf.get(name)
            if shelf is None or shelf.state == "failed":
                shelf = self._shelf[name] = _Shelf(entry)
                threading.Thread(
                    target=self._fill, args=(shelf,), name=f"load {name}", daemon=True
                ).start()
        return shelf.status()

    def status(self, name: str) -> ModelStatus:
        """Where a model stands; never blocks. Raises BadInput for an unknown name."""
        entry = self.catalogue.entry(name)
        shelf = self._shelf.get(name)
        return ModelStatus(entry, "not loaded") if shelf is None else shelf.status()

    def wait(self, name: str) -> ModelStatus:
        """Block until the model is ready, loading it where nobody did.

        Raises ModelUnavailable where loading fails or has failed (`load` tries again), and
        BadInput for an unknown name.
        """
        return self._ready(name, Pace()).status()

    def _ready(self, name: str, pace: Pace) -> "_Shelf":
        if name not in self._shelf:
            self.load(name)
        shelf = self._shelf[name]
        _wait_for(shelf.is_over, pace)
        if shelf.error is not None:
            raise _again(shelf.error)
        return shelf

    def _fill(self, shelf: "_Shelf") -> None:
        try:
            loader = self._loader or _imported(LOADER)
            shelf.model = loader(shelf.entry, report=shelf.tell, **self._settings)
        except AttentionVizError as error:
            shelf.error = error
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            shelf.error = _failed_load(shelf.entry, error)
        finally:
            shelf.is_over.set()

    # Measurements

    def measure(self, request: Any, pace: Pace | None = None) -> Any:
        """The record that answers `request`, computed unless it is known already.

        Without a pace it is a click: it goes before searches. Raises AttentionVizError for what
        people can put right; anything else is a bug of ours.
        """
        pace = pace or JobPace(self._lock)
        while True:
            known = self.cached(request)
            if known is not None:
                return known
            flight, is_pilot = self._board(request)
            if is_pilot:
                return self._fly(flight, request, pace)
            _wait_for(flight.is_over, pace)
            if flight.result is not None:
                return flight.result
            if isinstance(flight.error, AttentionVizError):
                raise _again(flight.error)
            # Cancelled, or failed by a bug: what stopped the other caller need not stop us.

    def cached(self, request: Any) -> Any | None:
        """The record if it is known; never computes."""
        return self._results.get(request)

    def submit(self, request: Any) -> JobStatus:
        """Measure in the background, behind people's clicks; the result joins the cache."""
        self.catalogue.entry(_model_of(request))
        known = self.cached(request)
        if known is not None:
            return self.jobs.submit_done(request, known)
        return self.jobs.submit(request, lambda pace: self.measure(request, pace))

    def close(self) -> None:
        """Stop the background work."""
        self.jobs.close()

    def _board(self, request: Any) -> tuple["_Flight", bool]:
        with self._guard:
            flight = self._flights.get(request)
            if flight is not None:
                return flight, False
            flight = self._flights[request] = _Flight()
            return flight, True

    def _fly(self, flight: "_Flight", request: Any, pace: Pace) -> Any:
        try:
            # Another flight may have landed between our look at the cache and boarding.
            flight.result = self.cached(request)
            if flight.result is not None:
                return flight.result
            result = self._compute(request, pace)
            # A search that was cancelled returns what it had: true, but not the answer.
            if not pace.is_cancelled:
                flight.result = result
                self._results.put(request, result)
            return result
        except Exception as error:
            flight.error = None if isinstance(error, Cancelled) else error
            raise
        finally:
            with self._guard:
                del self._flights[request]
            flight.is_over.set()

    def _compute(self, request: Any, pace: Pace) -> Any:
        function = self._registry[type(request)]
        model = self._ready(_model_of(request), pace).model
        if isinstance(function, str):
            function = _imported(function)
        return function(model, request, _Remembering(pace, self._results))

    # Tokens

    def find_tokens(self, model: str, text: str, limit: int = 50) -> list[Token]:
        """Entries of the vocabulary that match `text`, best first."""
        return self._vocabulary(model).matching(unshow(text), limit)

    def token(self, model: str, token_id: int) -> Token:
        """The entry with this id. Raises BadInput where there is none."""
        vocabulary = self._vocabulary(model)
        if not 0 <= token_id < vocabulary.size:
            raise BadInput(
                f"There is no token {token_id} in {model}.",
                f"Its tokens are 0 to {vocabulary.size - 1}.",
            )
        return vocabulary.token(token_id)

    def token_id(self, model: str, text: str) -> int:
        """The id of the one token " John" (or "␣John"). Raises BadInput for several tokens."""
        return self._vocabulary(model).find(unshow(text))

    def _vocabulary(self, model: str) -> Any:
        return self._ready(model, Pace()).model.vocabulary


class _Remembering(Pace):
    """A pace whose analyses find what others have measured, and leave what they measure."""

    def __init__(self, pace: Pace, results: "_Results"):
        self._pace = pace
        self._results = results

    def turn(self):
        return self._pace.turn()

    def report(self, done: int, total: int, partial: Any = None) -> None:
        self._pace.report(done, total, partial)

    @property
    def is_cancelled(self) -> bool:
        return self._pace.is_cancelled

    def recall(self, request: Any, compute: Callable[[], Any]) -> Any:
        known = self._results.get(request)
        if known is None:
            known = compute()
            if not self.is_cancelled:
                self._results.put(request, known)
        return known


@dataclass(eq=False)
class _Shelf:
    """The place of one model: being loaded, there, or failed."""

    entry: ModelEntry
    model: Any = None
    error: AttentionVizError | None = None
    message: str = ""
    is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def state(self) -> str:
        if not self.is_over.is_set():
            return "loading"
        return "ready" if self.error is None else "failed"

    def tell(self, message: str) -> None:
        self.message = message

    def status(self) -> ModelStatus:
        state = self.state
        if state == "ready":
            return ModelStatus(self.entry, state, info=self.model.info)
        message = str(self.error) if state == "failed" else self.message
        return ModelStatus(self.entry, state, message=message)


@dataclass(eq=False)
class _Flight:
    """One computation others may wait for."""

    result: Any = None
    error: Exception | None = None
    is_over: threading.Event = field(default_factory=threading.Event)


class _Results:
    """Results by request, the least recently used forgotten first, bounded in bytes."""

    def __init__(self, most_bytes: int):
        self._most = most_bytes
        self._guard = threading.Lock()
        self._kept: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def get(self, request: Any) -> Any | None:
        with self._guard:
            if request not in self._kept:
                return None
            self._kept.move_to_end(request)
            return self._kept[request][0]

    def put(self, request: Any, result: Any) -> None:
        size = size_of(result)
        with self._guard:
            if request in self._kept:
                self._bytes -= self._kept.pop(request)[1]
            self._kept[request] = (result, size)
            self._bytes += size
            # The newest stays even where it is too big alone: somebody is looking at it.
            while self._bytes > self._most and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1][1]


_OBJECT_BYTES = 64  # what a small Python object costs, roughly


def size_of(record: Any) -> int:
    """About how many bytes a record holds on to; arrays and texts exactly, the rest roughly."""
    seen: set[int] = set()
    todo, size = [record], 0
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        size += _OBJECT_BYTES
        if isinstance(item, np.ndarray):
            size += item.nbytes
        elif isinstance(item, str | bytes):
            size += len(item)
        elif isinstance(item, dict):
            todo += [*item.keys(), *item.values()]
        elif isinstance(item, tuple | list | set | frozenset):
            todo += item
        elif is_dataclass(item):
            todo += [getattr(item, part.name) for part in fields(item)]
    return size


def _model_of(request: Any) -> str:
    return request.question.model


def _wait_for(event: threading.Event, pace: Pace) -> None:
    """Wait as long as it takes, but not after a cancel."""
    while not event.wait(_LOOK_AGAIN):
        if pace.is_cancelled:
            raise Cancelled("Cancelled.")


# torch and transformers fill in parts of themselves lazily: one thread at a time.
_importing = threading.Lock()


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    with _importing:
        return getattr(importlib.import_module(module), name)


def _again(error: AttentionVizError) -> AttentionVizError:
    """A copy to raise: one exception raised by many threads would gather their tracebacks."""
    copy = type(error)(error.message, error.remedy)
    copy.__cause__ = error
    return copy


def _failed_load(entry: ModelEntry, error: Exception) -> ModelUnavailable:
    first_line = (str(error).strip().splitlines() or [""])[0]
    return ModelUnavailable(
        f"{entry.name} could not be loaded ({type(error).__name__}: {first_line}).",
        "The server's log says more.",
    )
