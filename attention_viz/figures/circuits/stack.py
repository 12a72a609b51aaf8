"""A chain of MLPs drawn as one node, and the sums of their edges.

Nothing here was measured anew: direct contributions add up by definition, and a sum of edges is
called one wherever it is shown, with the number of its parts, and the sum of either sign where both
occur.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from attention_viz.records.circuits.circuit import CircuitEdge, CircuitNode


@dataclass(frozen=True)
class StackNode(CircuitNode):
    """Several MLPs; `contribution` is the sum of theirs, None where one was not measured."""

    members: tuple[CircuitNode, ...] = ()  # from below
    inside: tuple[CircuitEdge, ...] = ()  # edges between the members: not drawn


@dataclass(frozen=True)
class SummedEdge(CircuitEdge):
    """Edges into or out of a stack; `value` is their sum, `is_exact` where all were measured."""

    parts: tuple[CircuitEdge, ...] = ()

    @property
    def both_sums(self) -> tuple[float, float]:
        """(sum of the positive parts, sum of the negative ones), logits."""
        return sum_of(self.parts, +1), sum_of(self.parts, -1)

    @property
    def is_mixed(self) -> bool:
        """Whether parts of either sign were added up."""
        positive, negative = self.both_sums
        return positive > 0 > negative


def sum_of(edges: Iterable[CircuitEdge], sign: int = 0) -> float:
    """Of all values, or of those of one sign only."""
    return float(sum(edge.value for edge in edges if sign == 0 or edge.value * sign > 0))


def size_of_edge(edge: CircuitEdge) -> float:
    """How much is there, logits: of a sum the greater of its two sides, though they cancel."""
    if isinstance(edge, SummedEdge):
        return max(abs(value) for value in edge.both_sums)
    return abs(edge.value)
