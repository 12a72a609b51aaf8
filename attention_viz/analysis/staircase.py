"""Which rows go up the blocks: candidates share one row for as long as they are the same.

Below its first ablated layer a candidate is the clean run, so it has no row of its own there. Two
candidates that ablate the same heads up to some layer are one run up to there: they share a row,
which forks at the first layer where they differ. So the pairs of a head with all heads above it
cost hardly more than those heads alone.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from attention_viz.records.ids import HeadId

CLEAN = -1  # in place of a row: the clean run

Ablated = tuple[Hashable, Sequence[HeadId]]  # what is done, and to which heads


@dataclass
class Staircase:
    """The rows of some candidates; a row keeps its number on its way up."""

    ends: list[int]  # by candidate: its row at the top, or CLEAN
    joins: dict[int, list[int]] = field(default_factory=dict)  # by layer: what new rows copy
    # By layer: (row, head, a candidate whose edit it is)
    edited: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    rows: int = 0  # at the top

    @property
    def first(self) -> int | None:
        """The lowest layer that has rows; None where nothing is ablated."""
        return min(self.joins, default=None)


def build(candidates: Sequence[Ablated]) -> Staircase:
    """Rows that fork where their candidates part."""
    stairs = Staircase([CLEAN] * len(candidates))
    members = defaultdict(int)  # by row: how many candidates are on it
    for layer, there in sorted(_by_layer(candidates).items()):
        parting: dict[int, dict[Hashable, list[int]]] = defaultdict(lambda: defaultdict(list))
        for index, heads in there.items():
            parting[stairs.ends[index]][candidates[index][0], tuple(sorted(heads))].append(index)
        for row, groups in parting.items():
            members[row] -= sum(map(len, groups.values()))
            is_free = row != CLEAN and not members[row]  # nobody stays: the first group takes it
            for (_, heads), group in groups.items():
                own = row
                if not is_free:
                    own, stairs.rows = stairs.rows, stairs.rows + 1
                    stairs.joins.setdefault(layer, []).append(row)
                is_free = False
                members[own] += len(group)
                edits = stairs.edited.setdefault(layer, [])
                edits += [(own, head, group[0]) for head in heads]
                for index in group:
                    stairs.ends[index] = own
    return stairs


def _by_layer(candidates: Sequence[Ablated]) -> dict[int, dict[int, list[int]]]:
    """By layer and candidate: the heads ablated there."""
    found: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, (_, heads) in enumerate(candidates):
        for head in heads:
            found[head.layer][index].append(head.head)
    return found


def in_order(candidates: Sequence[Ablated], indices: Iterable[int], layers: int) -> list[int]:
    """Candidates that have much in common side by side, those of low layers first."""
    numbers: dict[Hashable, int] = {}
    for index in indices:
        numbers.setdefault(candidates[index][0], len(numbers))
    top = (HeadId(layers, 0),)  # the clean run comes last

    def place(index: int) -> tuple:
        done, heads = candidates[index]
        return tuple(sorted(heads)) or top, numbers[done]

    return sorted(indices, key=place)


def costs_of(candidates: Sequence[Ablated], order: Sequence[int], layers: int) -> list[int]:
    """Blocks that each goes through on a row of its own, beside the one before it; at least 1."""
    costs, before = [], (None, frozenset())
    for index in order:
        done, heads = candidates[index][0], frozenset(candidates[index][1])
        apart = heads ^ before[1] if done == before[0] else heads
        parts, joins = (min((h.layer for h in each), default=layers) for each in (apart, heads))
        costs.append(layers - max(parts, joins) + 1)
        before = (done, heads)
    return costs
