"""The circuit of chosen heads: what they write to the logits and to each other, measured.

Edges between heads, and from heads to the logits, are measured by direct path patching
(Goldowsky-Dill et al. 2023, "Localizing Model Behavior with Path Patching"): the writer's result
is replaced in that one reader's input only, and the rest is run. Edges from tokens are attention
weights, and are labelled so.
"""

from dataclasses import dataclass
from enum import StrEnum

from attention_viz.records.ablation import Ablation
from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from attention_viz.records.roles import HeadRole
from attention_viz.records.tokens import Token, Tokens


@dataclass(frozen=True)
class CircuitRequest:
    """Raises BadInput where `heads` is empty."""

    question: Question
    heads: tuple[HeadId, ...]
    ablation: Ablation = Ablation()
    tokens_per_head: int = 2  # at most, by weight; the strongest one always, others from 0.05


class Via(StrEnum):
    """Where an edge enters its reader."""

    Q = "Q"
    K = "K"
    V = "V"
    LOGITS = "logits"
    ATTENTION = "attention"  # a token edge: attention weight, not an intervention

    @property
    def is_measured(self) -> bool:
        """Whether an intervention was run on the edge."""
        return self is not Via.ATTENTION

    @property
    def unit(self) -> str:
        return "logits" if self.is_measured else "attention weight"


@dataclass(frozen=True)
class CircuitNode:
    """A token of the prompt, a head, or the output."""

    id: str  # "token:4", "L2H3", "logits"
    kind: str  # "token", "head", "output"
    label: str  # "␣John", "L2H3", "␣Mary − ␣John"
    head: HeadId | None = None
    position: int | None = None  # of a token node
    contribution: float | None = None  # head: direct contribution to the logit difference, logits
    role: HeadRole | None = None


@dataclass(frozen=True)
class CircuitEdge:
    """Information flows from source to target."""

    source: str
    target: str
    via: Via
    value: float  # signed change of the logit difference (logits), or an attention weight
    position: int | None = None  # of a token edge: the row of the pattern it was read from


@dataclass(frozen=True)
class Contribution:
    """What one component writes directly to the logit difference."""

    component: str  # "embed", "L0H3", "L0 attention bias", "L2 MLP", "unembedding bias", …
    value: float  # logits


@dataclass(frozen=True)
class Circuit:
    """Nodes and edges with what was measured of them."""

    request: CircuitRequest
    tokens: Tokens
    position: int
    answer: Token
    distractor: Token
    baseline: float  # clean logit difference, logits
    ablated: float  # logit difference with all the heads ablated, logits
    nodes: tuple[CircuitNode, ...]
    edges: tuple[CircuitEdge, ...]
    contributions: tuple[Contribution, ...]  # all components; they sum to `baseline`
    patched_with: str  # what the writers' results were replaced by
    evaluations: int
    seconds: float
