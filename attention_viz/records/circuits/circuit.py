"""Circuits: heads and MLPs, and the edges through which they work together.

Of chosen heads (`CircuitRequest`) every edge is measured by direct path patching (Goldowsky-Dill et
al. 2023, "Localizing Model Behavior with Path Patching"): the writer's result is replaced in that
one reader's input only, and the rest is run. Edges from tokens are attention weights, and are
labelled so. A circuit cut from edge scores (`CutRequest`) has gradient estimates on its edges until
they are measured, and says which they are. The edges of an imported circuit (`EdgesRequest`) are
measured here. Roles are measured by themselves (`RolesRequest`) and joined where they are shown.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.attribution import AttributionRequest
from attention_viz.records.circuits.edge import EdgeId, Via
from attention_viz.records.circuits.fit import widened_edges
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.circuits.mib import Ranking
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.replacing import Replacing
from attention_viz.records.circuits.roles import HeadRole, HeadRoles
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Sense
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token, Tokens

LEAST_GAP = 1e-4  # logits between full and empty, below which there is nothing to explain


@dataclass(frozen=True)
class CircuitRequest:
    """The circuit of chosen heads, measured exactly. Raises BadInput where `heads` is empty."""

    question: Question
    heads: tuple[HeadId, ...]
    ablation: Ablation = Ablation()
    tokens_per_head: int = 2  # at most, by weight; the strongest one always, others from 0.05

    @property
    def label(self) -> str:
        """How the circuit was made."""
        return f"chosen heads, {self.ablation.label} ablation"


class Cut(StrEnum):
    """How edges are taken from the scores, the greatest size first; dead ends are pruned."""

    GREEDY = "greedy"  # from the logits: only edges whose reader is already there
    TOP = "top"  # any edges; those on no way from the input to the logits are dropped
    # As the MIB benchmark cuts (`mib.py`): so many edges are taken, what pruning drops is not
    # made up for, and every head's own K and V count
    MIB = "mib"  # the edges that help most
    MIB_ABSOLUTE = "mib-absolute"  # the strongest edges

    @property
    def ranking(self) -> Ranking | None:
        """MIB's; None of our own ways."""
        found = {Cut.MIB: Ranking.SIGNED, Cut.MIB_ABSOLUTE: Ranking.ABSOLUTE}
        return found.get(self)


@dataclass(frozen=True)
class CutRequest:
    """The circuit of so many edges, cut from the scores."""

    attribution: AttributionRequest
    edges: int = 20
    way: Cut = Cut.GREEDY
    with_mlps: bool = True  # False: only edges between input, heads and logits
    exact_top: int = 0  # so many of its edges, the strongest, are measured by path patching
    exact: tuple[EdgeId, ...] = ()  # and these, where they are in the circuit

    @property
    def question(self) -> Question:
        return self.attribution.question

    @property
    def pairs(self) -> PairsRequest:
        return self.attribution.pairs

    @property
    def ablation(self) -> Ablation:
        return Ablation(self.attribution.ablation)

    @property
    def replacing(self) -> Replacing:
        return self.attribution.replacing

    @property
    def label(self) -> str:
        kind = "" if self.with_mlps else ", heads only"
        size = f"{'top' if self.way.ranking else 'at most'} {self.edges} edges"
        return f"{size}, {self.way.value}{kind}; scores: {self.attribution.label}"


@dataclass(frozen=True)
class EdgesRequest:
    """The circuit of given edges, each measured exactly."""

    pairs: PairsRequest
    edges: tuple[EdgeId, ...]
    kind: AblationKind = AblationKind.RESAMPLE
    replacing: Replacing = Replacing()

    @property
    def question(self) -> Question:
        return self.pairs.question

    @property
    def ablation(self) -> Ablation:
        return Ablation(self.kind)

    @property
    def label(self) -> str:
        return f"{len(self.edges)} given edges, {self.replacing.label(self.kind)}"


@dataclass(frozen=True)
class CircuitNode:
    """A token of the prompt, the input as a whole, a head, an MLP, or the output."""

    id: str  # "token:4", "input", "L2H3", "L2MLP", "logits"
    kind: str  # "token", "input", "head", "mlp", "output"
    label: str  # "␣John", "input", "L2H3", "L2 MLP", "␣Mary − ␣John"
    head: HeadId | None = None
    position: int | None = None  # of a token; of a head: where it matters most, where measured
    contribution: float | None = None  # head: direct contribution to the logit difference, logits
    role: HeadRole | None = None  # None until roles are measured and joined (`with_roles`)


@dataclass(frozen=True)
class CircuitEdge:
    """Information flows from source to target."""

    source: str
    target: str  # a key/value head's edge is drawn to each of its heads in the circuit
    via: Via
    value: float  # signed change of the logit difference (logits), or an attention weight
    position: int | None = None  # of a token edge: the row of the pattern it was read from
    is_exact: bool = True  # False: a gradient estimate
    estimate: float | None = None  # of an edge measured exactly that was estimated before

    @property
    def id(self) -> EdgeId:
        return EdgeId(self.source, self.target, self.via)


@dataclass(frozen=True)
class Contribution:
    """What one component writes directly to the logit difference."""

    component: str  # "embed", "L0H3", "L0 attention bias", "L2 MLP", "unembedding bias", …
    value: float  # logits


@dataclass(frozen=True)
class Circuit:
    """Nodes and edges with what was measured of them. Of several pairs, numbers are means."""

    request: CircuitRequest | CutRequest | EdgesRequest
    tokens: Tokens  # of the prompt, or of the first pair
    position: int
    answer: Token
    distractor: Token
    baseline: float  # clean logit difference, logits
    ablated: float | None  # with all the circuit's heads ablated, logits; None: not measured
    nodes: tuple[CircuitNode, ...]
    edges: tuple[CircuitEdge, ...]
    # All components, summing to `baseline` (before a soft cap, where there is one); () of families
    contributions: tuple[Contribution, ...]
    patched_with: str  # what the writers' results were replaced by
    evaluations: int
    seconds: float
    pairs: int = 1
    graph: Graph | None = None  # the whole computation it is a part of
    # Of chosen heads: the logit difference with all other heads ablated, and with all heads
    alone: float | None = None
    none: float | None = None
    about: Question | None = None  # whose roles its heads have: the question, or the first pair
    is_capped: bool = False  # contributions are of logits before the family's soft cap
    is_plain: bool = True  # readers and writers as TransformerLens hooks them

    def with_roles(self, found: HeadRoles | None) -> "Circuit":
        """The same circuit, its heads with their roles; as it is where none were measured."""
        if found is None:
            return self
        roles = {each.head: each for each in found.roles}
        nodes = (replace(n, role=roles.get(n.head)) if n.head else n for n in self.nodes)
        return replace(self, nodes=tuple(nodes))

    @property
    def contributed_to(self) -> str:
        """What direct contributions sum to."""
        return "the logit difference" + (" before the soft cap" if self.is_capped else "")

    @property
    def sense(self) -> Sense:
        """Which sign of a causal edge's value helps: patched it takes away, restored it gives."""
        is_cut = isinstance(self.request, CutRequest)
        return self.request.attribution.direction.sense if is_cut else Sense.HELPS_BELOW

    @property
    def widened(self) -> tuple[EdgeId, ...]:
        """Edges of an imported circuit that entered some of the heads sharing keys and values.

        Here they enter all of them: the model can't tell those heads' keys and values apart.
        """
        if not isinstance(self.request, EdgesRequest) or self.graph is None:
            return ()
        return widened_edges(self.request.edges, self.graph)

    @property
    def heads(self) -> tuple[HeadId, ...]:
        """The heads in it."""
        return tuple(node.head for node in self.nodes if node.head is not None)

    @property
    def heads_faithfulness(self) -> float | None:
        """The share of the logit difference that chosen heads keep, all others ablated.

        MLPs stay. None where it was not measured, or ablating all heads changes nothing.
        """
        if self.alone is None or self.none is None or abs(self.baseline - self.none) < LEAST_GAP:
            return None
        return (self.alone - self.none) / (self.baseline - self.none)

    @property
    def edge_ids(self) -> tuple[EdgeId, ...]:
        """Its edges in the whole computation, each once; needs `graph`."""
        return tuple(dict.fromkeys(self.edge_id(edge) for edge in self.causal_edges))

    def edge_id(self, edge: CircuitEdge) -> EdgeId:
        """A drawn edge's name: K and V belong to the key/value head that heads share."""
        if edge.via not in (Via.K, Via.V):
            return edge.id
        head = HeadId.parse(edge.target)
        group = self.graph.heads // self.graph.key_value_heads
        return EdgeId(
            edge.source, self.graph.key_value_name(head.layer, head.head // group), edge.via
        )

    @property
    def causal_edges(self) -> tuple[CircuitEdge, ...]:
        """Edges that are about interventions: all but those from tokens."""
        return tuple(edge for edge in self.edges if edge.via.is_causal)
