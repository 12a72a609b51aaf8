"""Ways through the sets of heads. Each returns the best set it met; `tell` hears of every decision.

A search for a flip ends with the first set that flips. Ties go to the lower layer and head, so
that two runs agree.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Protocol, runtime_checkable

from attention_viz.records.ids import HeadId
from attention_viz.records.search import Strategy

SHORTLIST = 0.2  # of all heads
_LEAST_SHORTLIST = 8
BEAM_WIDTH = 48  # sets of each size that are grown

HeadSet = tuple[HeadId, ...]


@dataclass(frozen=True)
class Scored:
    """A set that was evaluated."""

    heads: HeadSet
    score: float
    top: int  # token id


@runtime_checkable
class Scorer(Protocol):
    """What a strategy needs of a search."""

    most: int

    def score(self, sets: Iterable[Sequence[HeadId]]) -> list[Scored]:
        """Scores, best first."""

    def is_done(self, scored: Scored) -> bool:
        """Whether this set is what is looked for."""

    def need_room_for(self, count: int, size: int) -> None:
        """Raises where the budget has no room for so many sets of a size."""


Tell = Callable[[Scored], None]


def best_first(scored: Iterable[Scored]) -> list[Scored]:
    """Greatest score first; ties in the order of layers and heads."""
    return sorted(scored, key=lambda each: (-each.score, each.heads))


def _say_nothing(scored: Scored) -> None:
    pass


def by_greed(search: Scorer, pool: list[HeadId], tell: Tell = _say_nothing) -> Scored:
    """The best head; then the head that adds most, as long as one adds anything."""
    found = search.score((head,) for head in pool)[0]
    tell(found)
    return _grow(search, found, pool, pool, tell)


def by_pairs(search: Scorer, pool: list[HeadId], tell: Tell = _say_nothing) -> Scored:
    """Sweep, keep the best 20 %, try all their pairs, grow the best pair."""
    singles = search.score((head,) for head in pool)
    shortlist = [single.heads[0] for single in singles[: shortlist_size(len(pool))]]
    found = singles[0]
    if search.most > 1 and not search.is_done(found):
        pairs = search.score(combinations(shortlist, 2))
        found = max([found, *pairs[:1]], key=lambda each: each.score)
    tell(found)
    return _grow(search, found, shortlist, pool, tell)


def by_beam(search: Scorer, pool: list[HeadId], tell: Tell = _say_nothing) -> Scored:
    """All heads; then the best BEAM_WIDTH sets of each size, grown by every head."""
    level = search.score((head,) for head in pool)
    best = _best(search, level)
    for _ in range(1, search.most):
        if search.is_done(best):
            break
        kept = [each.heads for each in level[:BEAM_WIDTH]]
        level = search.score((*heads, head) for heads in kept for head in pool if head not in heads)
        best = max(best, _best(search, level), key=_worth(search))
    tell(best)
    return best


def by_exhaustion(search: Scorer, pool: list[HeadId], tell: Tell = _say_nothing) -> Scored:
    """Every set of one head, of two, of three …, while a whole size fits the budget."""
    best = None
    for size in range(1, search.most + 1):
        search.need_room_for(comb(len(pool), size), size)
        level = search.score(combinations(pool, size))
        candidates = [_best(search, level)] if best is None else [best, _best(search, level)]
        best = max(candidates, key=_worth(search))
        if search.is_done(best):
            break
    tell(best)
    return best


def _best(search: Scorer, level: list[Scored]) -> Scored:
    """The best set of a size: one that is looked for, if there is one."""
    return next((each for each in level if search.is_done(each)), level[0])


def _worth(search: Scorer) -> Callable[[Scored], tuple]:
    return lambda each: (search.is_done(each), each.score)


def _grow(
    search: Scorer, found: Scored, first: list[HeadId], pool: list[HeadId], tell: Tell
) -> Scored:
    """Add the head that helps most, from `first` or, if none there helps, from all."""
    while len(found.heads) < search.most and not search.is_done(found):
        better = _extend(search, found, first) or _extend(search, found, pool)
        if better is None:
            break
        found = better
        tell(found)
    return found


def _extend(search: Scorer, found: Scored, heads: list[HeadId]) -> Scored | None:
    """The best set with one head more, if it is better."""
    sets = [(*found.heads, head) for head in heads if head not in found.heads]
    ranked = search.score(sets)
    return ranked[0] if ranked and ranked[0].score > found.score else None


RUN: dict[Strategy, Callable[..., Scored]] = {
    Strategy.GREEDY: by_greed,
    Strategy.PAIRS: by_pairs,
    Strategy.BEAM: by_beam,
    Strategy.EXHAUSTIVE: by_exhaustion,
}


def shortlist_size(heads: int) -> int:
    """How many of the best heads are tried in pairs."""
    return min(heads, max(_LEAST_SHORTLIST, int(SHORTLIST * heads)))


def count_runs(strategy: Strategy, heads: int, most: int) -> dict[int, int]:
    """Sets that a strategy runs at most, by size."""
    runs = {1: heads}
    for size in range(2, most + 1):
        grown = heads - size + 1
        if strategy is Strategy.GREEDY:
            runs[size] = grown
        elif strategy is Strategy.PAIRS:
            short = shortlist_size(heads)
            runs[size] = comb(short, 2) if size == 2 else max(1, short - size + 1)
        elif strategy is Strategy.BEAM:
            runs[size] = min(BEAM_WIDTH * grown, comb(heads, size))
        else:
            runs[size] = comb(heads, size)
    return runs
