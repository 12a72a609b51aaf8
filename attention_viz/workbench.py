"""The one stateful object: models, results and background work, behind one question.

`measure(request) -> record` is what the page and the command line both call. The registry says
which function answers which request; it is imported when first needed, so importing this module
loads neither torch nor transformers. Results are kept under their frozen request, the device is
shared by turns (see `jobs.DeviceLock`), and what several ask at once is computed once, also where
one measurement is part of another (see `jobs.Flights`).
"""

import importlib
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attention_viz.jobs import DeviceLock, Flights, JobPace, Jobs, Results, wait_for
from attention_viz.records.ablation import AblationRequest, PredictionRequest
from attention_viz.records.attention import AttentionRequest, TokenRequest
from attention_viz.records.bench import Request
from attention_viz.records.circuits.attribution import AttributionRequest, EdgePositionsRequest
from attention_viz.records.circuits.circuit import CircuitRequest, CutRequest, EdgesRequest
from attention_viz.records.circuits.counterfactual import CounterfactualRequest
from attention_viz.records.circuits.faithfulness import (
    CircuitLensRequest,
    CircuitOnlyRequest,
    CurveRequest,
    FaithfulnessRequest,
)
from attention_viz.records.circuits.mib import MibRequest
from attention_viz.records.circuits.node import NodeRequest
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.roles import RolesRequest
from attention_viz.records.duration import DurationRequest
from attention_viz.records.errors import (
    AttentionVizError,
    BadInput,
    ModelUnavailable,
)
from attention_viz.records.family_search import FamilyEstimateRequest, FamilySearchRequest
from attention_viz.records.job import JobStatus
from attention_viz.records.lens import LensRequest
from attention_viz.records.looks.agreement import AgreementRequest
from attention_viz.records.looks.control import ControlRequest
from attention_viz.records.looks.cost import CostRequest
from attention_viz.records.looks.dose import DoseRequest
from attention_viz.records.looks.family import FamilyRequest
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
    DurationRequest: "attention_viz.analysis.duration:estimate_duration",
    FamilySearchRequest: "attention_viz.analysis.family_search:search_family",
    FamilyEstimateRequest: "attention_viz.analysis.family_search:estimate_family_search",
    AgreementRequest: "attention_viz.analysis.looks.agreement:compare_kinds",
    ControlRequest: "attention_viz.analysis.looks.control:compare_with_random_sets",
    CostRequest: "attention_viz.analysis.looks.cost:cost_to_flip",
    DoseRequest: "attention_viz.analysis.looks.dose:respond_to_dose",
    FamilyRequest: "attention_viz.analysis.looks.family:measure_family",
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
    MibRequest: "attention_viz.analysis.circuits.mib_curve:measure_mib",
    RolesRequest: "attention_viz.analysis.roles.roles:head_roles",
    NodeRequest: "attention_viz.analysis.circuits.node:node_detail",
    PairsRequest: "attention_viz.analysis.circuits.pairs:read_pairs",
    CounterfactualRequest: "attention_viz.analysis.circuits.counterfactual:build_counterfactual",
}
LOADER = "attention_viz.models.loading:load_model"

CACHE_BYTES = 256 * 2**20

Measure = Callable[[Any, Any, Pace], Any]


class Workbench:
    """Loads models, answers requests, remembers the answers.

    Parameters: `registry` maps a request type to a function, or to "module:function"; `loader`
    is `f(entry, *, device, threads, memory, padding, report) -> model`. Both are arguments for
    tests' sake.
    `memory`: bytes a batch of runs may take; None: half of what is free. `padding`: "keep" counts
    rows of the unembedding that no token has in the softmax.
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
        padding: str = "drop",
    ):
        self.catalogue = catalogue
        self._settings = {
            "device": device,
            "threads": threads,
            "memory": memory,
            "padding": padding,
        }
        self._registry = registry
        self._loader = loader
        self._lock = DeviceLock()
        self.jobs = Jobs(self._lock)
        self._results = Results(cache_bytes)
        self._flights = Flights(self._results, self._lock)
        self._guard = threading.Lock()
        self._shelf: dict[str, _Shelf] = {}  # models, by name

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
        wait_for(shelf.is_over, pace)
        if shelf.error is not None:
            raise shelf.error.again()
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

    def measure(self, request: Request, pace: Pace | None = None) -> Any:
        """The record that answers `request`, computed unless it is known already.

        Without a pace it is a click: it goes before searches. Raises AttentionVizError for what
        people can put right; anything else is a bug of ours.
        """
        pace = pace or JobPace(self._lock)
        return self._flights.once(request, lambda pace: self._compute(request, pace), pace)

    def cached(self, request: Request) -> Any | None:
        """The record if it is known; never computes."""
        return self._results.get(request)

    def submit(self, request: Request) -> JobStatus:
        """Measure in the background, behind people's clicks; the result joins the cache."""
        self.catalogue.entry(_model_of(request))
        known = self.cached(request)
        if known is not None:
            return self.jobs.submit_done(request, known)
        return self.jobs.submit(request, lambda pace: self.measure(request, pace))

    def close(self) -> None:
        """Stop the background work."""
        self.jobs.close()

    def _compute(self, request: Request, pace: Pace) -> Any:
        function = self._registry[type(request)]
        model = self._ready(_model_of(request), pace).model
        if isinstance(function, str):
            function = _imported(function)
        return function(model, request, pace)

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


def _model_of(request: Request) -> str:
    return request.question.model


# torch and transformers fill in parts of themselves lazily: one thread at a time.
_importing = threading.Lock()


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    with _importing:
        return getattr(importlib.import_module(module), name)


def _failed_load(entry: ModelEntry, error: Exception) -> ModelUnavailable:
    first_line = (str(error).strip().splitlines() or [""])[0]
    return ModelUnavailable(
        f"{entry.name} could not be loaded ({type(error).__name__}: {first_line}).",
        "The server's log says more.",
    )
