"""Ways through the sets of heads. Each returns the best set it met; `tell` hears of every decision.

A search for a flip ends with the first set that flips; the guided one goes on to a smaller one.
Ties go to the lower layer and head, so that two runs agree.
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
# Of the guided search: shares of all heads, and the least of them
_LIKELY, _LEAST_LIKELY = 1 / 16, 4  # heads that are run of those a gradient ranks
HOPE = 2  # how much better than the best head so far the next ones may turn out
GUIDED_WIDTH = 16  # sets of each size from which gradients are taken
_PROPOSED, _LEAST_PROPOSED = 1 / 2, 16  # sets of each size that are run of those ranked

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

    @property
    def has_slope(self) -> bool:
        """Whether gradients say anything of the score where nothing is ablated yet."""

    @property
    def start(self) -> float:
        """The score where nothing is ablated."""

    def guess(self, sets: Sequence[HeadSet]) -> list[dict[HeadId, float]]:
        """For each set, the score with one head more, to first order, by that head."""

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


def by_guide(search: Scorer, pool: list[HeadId], tell: Tell = _say_nothing) -> Scored:
    """The likeliest heads by gradients, for a first flip; greedy; then smaller sets, by gradients.

    Never more heads than greedy finds: its way is gone as well. A score without a slope (KL, which
    is least where nothing is ablated) is searched greedily and by pairs, the better one counts.
    """
    if not search.has_slope:
        found = max(by_greed(search, pool), by_pairs(search, pool), key=_worth(search))
        tell(found)
        return found
    best = trim(search, by_slope(search, pool))
    tell(best)
    singles = search.score((head,) for head in pool)
    if len(best.heads) > 1 or not search.is_done(best):
        best = _take_better(search, best, _best(search, singles), tell)
    if len(best.heads) > 2 or not search.is_done(best):
        best = _take_better(search, best, trim(search, by_greed(search, pool)), tell)
    while len(best.heads) > 2 or (not search.is_done(best) and search.most > 1):
        size = len(best.heads) - 1 if search.is_done(best) else search.most
        smaller = trim(search, _propose(search, singles, pool, size))
        if not search.is_done(smaller):
            break
        best = _take_better(search, best, smaller, tell)
    return best


def by_slope(search: Scorer, pool: list[HeadId], tell: Tell = _say_nothing) -> Scored:
    """Of the heads a gradient ranks first, the best one; then the same beside it, and so on.

    It ends where so many more heads, each twice as good as the best so far, would not do: then
    something else is going on than single heads adding up.
    """
    found: Scored | None = None
    reached, gain = search.start, 0.0
    while found is None or (len(found.heads) < search.most and not search.is_done(found)):
        heads = () if found is None else found.heads
        [guesses] = search.guess([heads])
        likely = sorted(set(pool) - set(heads), key=lambda head: (-guesses[head], head))
        ranked = search.score((*heads, head) for head in likely[: likely_size(len(pool))])
        if found is not None and (not ranked or ranked[0].score <= found.score):
            break
        found = ranked[0]
        tell(found)
        reached, gain = found.score, max(gain, found.score - reached)
        if reached + HOPE * gain * (search.most - len(found.heads)) < 0:
            break
    return found


def _propose(search: Scorer, singles: list[Scored], pool: list[HeadId], size: int) -> Scored:
    """A set of at most that size: of each size those run that gradients beside smaller ones name.

    The first that is looked for; else the best.
    """
    level, best = singles, _best(search, singles)
    for _ in range(1, size):
        kept = level[:GUIDED_WIDTH]
        guessed: dict[HeadSet, float] = {}
        for each, guesses in zip(kept, search.guess([one.heads for one in kept]), strict=True):
            for head in set(pool) - set(each.heads):
                heads = tuple(sorted((*each.heads, head)))
                guessed[heads] = max(guesses[head], guessed.get(heads, guesses[head]))
        ranked = sorted(guessed, key=lambda heads: (-guessed[heads], heads))
        level = search.score(ranked[: proposed_size(len(pool))])
        best = _best(search, level)
        if search.is_done(best):
            break
    return best


def trim(search: Scorer, found: Scored) -> Scored:
    """Without members that a flip does not need, one after the other; others are left whole."""
    while search.is_done(found) and len(found.heads) > 1:
        smaller = search.score(without_one(found.heads))[0]
        if not search.is_done(smaller):
            break
        found = smaller
    return found


def without_one(heads: HeadSet) -> list[HeadSet]:
    return [tuple(head for head in heads if head != out) for out in heads]


def _take_better(search: Scorer, best: Scored, other: Scored, tell: Tell) -> Scored:
    """A flip before none, then fewer heads, then the greater score."""

    def worth(each: Scored) -> tuple:
        is_done = search.is_done(each)
        return is_done, -len(each.heads) if is_done else 0, each.score

    if worth(other) <= worth(best):
        return best
    tell(other)
    return other


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
    Strategy.GUIDED: by_guide,
    Strategy.GREEDY: by_greed,
    Strategy.PAIRS: by_pairs,
    Strategy.BEAM: by_beam,
    Strategy.EXHAUSTIVE: by_exhaustion,
}


def shortlist_size(heads: int) -> int:
    """How many of the best heads are tried in pairs."""
    return min(heads, max(_LEAST_SHORTLIST, int(SHORTLIST * heads)))


def likely_size(heads: int) -> int:
    """How many of the heads that a gradient ranks are run."""
    return min(heads, max(_LEAST_LIKELY, int(_LIKELY * heads)))


def proposed_size(heads: int) -> int:
    """How many of the sets that gradients propose are run, of each size."""
    return max(_LEAST_PROPOSED, int(_PROPOSED * heads))


def count_gradients(strategy: Strategy, most: int, *, has_slope: bool) -> int:
    """Runs that a strategy goes back through at most."""
    return most + GUIDED_WIDTH * max(0, most - 2) if _is_guided(strategy, has_slope) else 0


def _is_guided(strategy: Strategy, has_slope: bool) -> bool:
    return strategy is Strategy.GUIDED and has_slope


def count_runs(
    strategy: Strategy, heads: int, most: int, *, has_slope: bool = True
) -> dict[int, int]:
    """Sets that a strategy runs at most, by size."""
    if strategy is Strategy.GUIDED and not has_slope:
        both = (count_runs(each, heads, most) for each in (Strategy.GREEDY, Strategy.PAIRS))
        greedy, pairs = both
        return {size: greedy[size] + (pairs[size] if size > 1 else 0) for size in greedy}
    runs = {1: heads}
    for size in range(2, most + 1):
        grown = heads - size + 1
        if strategy is Strategy.GREEDY:
            runs[size] = grown
        elif strategy is Strategy.GUIDED:
            proposed = proposed_size(heads) if size < most else 0
            runs[size] = min(likely_size(heads) + grown + proposed, comb(heads, size))
        elif strategy is Strategy.PAIRS:
            short = shortlist_size(heads)
            runs[size] = comb(short, 2) if size == 2 else max(1, short - size + 1)
        elif strategy is Strategy.BEAM:
            runs[size] = min(BEAM_WIDTH * grown, comb(heads, size))
        else:
            runs[size] = comb(heads, size)
    return runs
