"""Two circuits side by side: what they share, and what only one of them has.

Compared are heads and MLPs, and causal edges; edges from tokens are attention weights of one
prompt. Jaccard: shared ÷ all that either has; 1 where both have the same, None where neither has
any. The correlation is Pearson's, of the scores of shared edges.

Scores of the directions noise and denoise have opposite signs: what replacing an edge takes away,
and what restoring it gives back. Where the circuits differ in that, the right one's are turned
round, and `is_turned` says so.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.edge import EdgeId
from attention_viz.records.metrics import Sense

SIDES = ("shared", "only-left", "only-right")
LEAST_SHARED = 3  # edges, for a correlation

Item = TypeVar("Item", bound=Hashable)


@dataclass(frozen=True)
class Parts(Generic[Item]):
    """The items of two sets, each in the order of its own circuit."""

    shared: tuple[Item, ...]
    only_left: tuple[Item, ...]
    only_right: tuple[Item, ...]

    @property
    def jaccard(self) -> float | None:
        """Shared ÷ all; None where both are empty."""
        total = len(self.shared) + len(self.only_left) + len(self.only_right)
        return len(self.shared) / total if total else None

    @property
    def sides(self) -> dict[Item, str]:
        """Each item's name from SIDES."""
        parts = zip(SIDES, (self.shared, self.only_left, self.only_right), strict=True)
        return {item: side for side, items in parts for item in items}


@dataclass(frozen=True)
class SharedScore:
    """An edge of both circuits, with what each says of it, in logits."""

    edge: EdgeId
    left: float
    right: float


@dataclass(frozen=True)
class CircuitComparison:
    """What two circuits have in common."""

    left: Circuit
    right: Circuit
    nodes: Parts[str]  # heads and MLPs, by name
    heads: Parts[str]
    edges: Parts[EdgeId]
    scores: tuple[SharedScore, ...]  # of the shared edges
    correlation: float | None  # of `scores`; None below 3 edges, or where one side is constant
    is_turned: bool = False  # whether the right circuit's values have the left one's sign now


def compare_circuits(left: Circuit, right: Circuit) -> CircuitComparison:
    """Compare by name; the circuits may be of other prompts, sizes, or models."""
    is_turned = left.sense is not right.sense
    right = _turn(right) if is_turned else right
    mine, theirs = ({e.id: float(e.value) for e in c.causal_edges} for c in (left, right))
    edges = _parts(mine, theirs)
    scores = tuple(SharedScore(edge, mine[edge], theirs[edge]) for edge in edges.shared)
    return CircuitComparison(
        left=left,
        right=right,
        nodes=_parts(_named(left, "head", "mlp"), _named(right, "head", "mlp")),
        heads=_parts(_named(left, "head"), _named(right, "head")),
        edges=edges,
        scores=scores,
        correlation=_correlate(scores),
        is_turned=is_turned,
    )


def tell_turned(comparison: CircuitComparison) -> str:
    """What was done to the right circuit's signs, for people; "" for nothing."""
    if not comparison.is_turned:
        return ""
    names = {Sense.HELPS_BELOW: "noise", Sense.HELPS_ABOVE: "denoise"}
    left, right = names[comparison.left.sense], names[comparison.right.sense]
    return (
        f"Scored in opposite directions, the left one by {left}, the right one by {right}: the "
        f"right one's signs are turned round to mean the same."
    )


def _turn(circuit: Circuit) -> Circuit:
    """Causal edges with the opposite sign; attention weights have none."""
    edges = (
        replace(edge, value=-edge.value) if edge.via.is_causal else edge for edge in circuit.edges
    )
    return replace(circuit, edges=tuple(edges))


def _named(circuit: Circuit, *kinds: str) -> list[str]:
    return [node.id for node in circuit.nodes if node.kind in kinds]


def _parts(left: Iterable[Item], right: Iterable[Item]) -> Parts[Item]:
    mine, theirs = dict.fromkeys(left), dict.fromkeys(right)
    return Parts(
        shared=tuple(item for item in mine if item in theirs),
        only_left=tuple(item for item in mine if item not in theirs),
        only_right=tuple(item for item in theirs if item not in mine),
    )


def _correlate(scores: tuple[SharedScore, ...]) -> float | None:
    if len(scores) < LEAST_SHARED:
        return None
    left = np.array([score.left for score in scores])
    right = np.array([score.right for score in scores])
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        return None
    return float(np.corrcoef(left, right)[0, 1])
