"""Faithfulness over circuit size as the MIB benchmark measures it (Mueller et al. 2025).

The rule is that of the benchmark's public code (MIB-circuit-track, `evaluate_area_under_curve`;
EAP-IG, `Graph.apply_topn` and `Graph.prune`): of E edges the n = ⌊share · E⌋ with the greatest
scores are taken anywhere in the model, positive scores being those of edges that help, or the
greatest |scores|. Nodes without an edge into them or out of them are dropped, until none is left
that has to be; nothing is taken in their place, so that a circuit may be empty, and counts as any
other. CPR is the area under faithfulness and CMD the area under |1 − faithfulness|, by trapezes
over the ten shares, from the first of them on.

Edges are counted as there: every head has keys and values of its own. Where heads share them, an
edge into a key/value head counts once for each head, with an equal part of its score, and is in the
circuit when all its parts are among the n.
"""

from dataclasses import dataclass
from enum import StrEnum

from attention_viz.records.circuits.attribution import AttributionRequest
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.question import Question

SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of all edges


class Ranking(StrEnum):
    """What makes an edge strong."""

    SIGNED = "signed"  # the edges that help most first, those that work against last
    ABSOLUTE = "absolute"  # the strongest first, either way


@dataclass(frozen=True)
class MibRequest:
    """Circuits of MIB's sizes, cut from the same scores, by both rankings."""

    attribution: AttributionRequest

    @property
    def question(self) -> Question:
        return self.attribution.question

    @property
    def pairs(self) -> PairsRequest:
        return self.attribution.pairs


@dataclass(frozen=True)
class MibPoint:
    """One circuit; edges are counted with each head's own K and V."""

    share: float
    wanted: int  # n
    size: int  # what pruning left of them
    metric: float  # logits, mean over pairs
    faithfulness: float


@dataclass(frozen=True)
class MibAreas:
    """The circuits of one ranking, and the areas over all shares."""

    ranking: Ranking
    points: tuple[MibPoint, ...]
    cpr: float
    cmd: float


@dataclass(frozen=True)
class MibCurve:
    """The answer to a MibRequest."""

    request: MibRequest
    signed: MibAreas
    absolute: MibAreas
    full: float  # logit difference of the untouched model
    empty: float  # with everything replaced
    pairs: int
    total: int  # edges, with each head's own K and V
    replaced: str  # by what
    seconds: float

    @property
    def rankings(self) -> tuple[MibAreas, MibAreas]:
        return self.signed, self.absolute
