"""How much of a behaviour a circuit explains: everything outside it is ablated, and measured.

Faithfulness = (m(circuit) − m(empty)) / (m(full) − m(empty)), m the logit difference. CPR is the
area under it over circuit size, CMD the area under |1 − faithfulness| (MIB, Mueller et al. 2025).
"""

from dataclasses import dataclass

from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import AttributionRequest
from attention_viz.records.circuits.circuit import CutRequest
from attention_viz.records.circuits.edge import EdgeId
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.replacing import Replacing
from attention_viz.records.question import Question
from attention_viz.records.statistics import Interval

SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of all edges, as in MIB


@dataclass(frozen=True)
class FaithfulnessRequest:
    """One circuit, given by its edges; `leave_out` also measures it without each edge."""

    pairs: PairsRequest
    edges: tuple[EdgeId, ...]
    ablation: AblationKind = AblationKind.RESAMPLE
    keeps_mlps: bool = False  # edges of MLPs all stay, and don't count
    leave_out: bool = False  # minimality: measure again without each edge
    random_circuits: int = 0  # control: circuits of as many edges, by random scores
    seed: int = 0
    replacing: Replacing = Replacing()

    @property
    def question(self) -> Question:
        return self.pairs.question


@dataclass(frozen=True)
class Faithfulness:
    """What was measured of a circuit of `size` edges."""

    size: int
    share: float  # of all edges
    metric: float  # m(circuit), logits, mean over pairs
    faithfulness: float
    interval: Interval | None  # bootstrap over the pairs; None where there is one
    without: float  # completeness: the same measure of everything but the circuit; near 0 is good


@dataclass(frozen=True)
class RandomCircuits:
    """Faithfulness of circuits of the same size, cut from random scores in the same way."""

    size: int
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.values)


@dataclass(frozen=True)
class Minimality:
    """What the circuit loses without one of its edges."""

    edge: EdgeId
    loss: float  # faithfulness(circuit) − faithfulness(circuit without the edge)


@dataclass(frozen=True)
class FaithfulnessResult:
    """The answer to a FaithfulnessRequest."""

    request: FaithfulnessRequest
    measured: Faithfulness
    full: float  # m of the untouched model
    empty: float  # m with everything ablated
    pairs: int
    random: RandomCircuits | None
    minimality: tuple[Minimality, ...]
    seconds: float
    replaced: str = ""  # by what, in full: "zero, position embeddings too"


@dataclass(frozen=True)
class CurveRequest:
    """Faithfulness over circuit size; `cut` says how circuits are cut (its `edges` is ignored)."""

    cut: CutRequest
    shares: tuple[float, ...] = SHARES
    random_circuits: int = 5  # per size; 0: no control
    seed: int = 0

    @property
    def question(self) -> Question:
        return self.cut.question

    @property
    def attribution(self) -> AttributionRequest:
        return self.cut.attribution


@dataclass(frozen=True)
class Curve:
    """Faithfulness at growing sizes, with its areas."""

    request: CurveRequest
    points: tuple[Faithfulness, ...]  # by size, from the empty circuit to the full one
    random: tuple[RandomCircuits, ...]
    cpr: float  # area under faithfulness over the share of edges
    cmd: float  # area under |1 − faithfulness|
    random_cpr: float | None
    random_cmd: float | None
    full: float
    empty: float
    pairs: int
    total: int  # edges of the model that count
    seconds: float
    replaced: str = ""  # by what, in full


@dataclass(frozen=True)
class CircuitOnlyRequest:
    """What the model says next about the first pair where only these edges are left.

    The answer is a Prediction.
    """

    pairs: PairsRequest
    edges: tuple[EdgeId, ...]
    ablation: AblationKind = AblationKind.RESAMPLE
    keeps_mlps: bool = False
    top: int = 10
    replacing: Replacing = Replacing()

    @property
    def question(self) -> Question:
        return self.pairs.question


@dataclass(frozen=True)
class CircuitLensRequest:
    """The logit lens of that run; the answer is a LogitLens."""

    circuit: CircuitOnlyRequest
    top: int = 5

    @property
    def question(self) -> Question:
        return self.circuit.question

    @property
    def pairs(self) -> PairsRequest:
        return self.circuit.pairs
