"""Searches for a small set of heads that flips a family of prompt pairs, by pair-seeded greed.

Every head alone, all pairs of the best, then the best set grows head by head; heads that turn out
not to be needed are dropped. Score: the mean over training pairs of min(margin, 0), in logits (see
`FamilySearchResult`): what a pair has beyond its flip does not make up for one that stays.

Most sets are hopeless, and a few pairs show it. So sets race: all are tried on the first training
pairs, the best third of them on twice as many, and so on; only sets tried on all training pairs are
taken. What was found is then measured on the pairs held out, beside random sets.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import ceil, comb
from random import Random

import numpy as np

from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.analysis.looks.control import draw_sets
from attention_viz.analysis.many_pairs import HeadSet, ManyPairs
from attention_viz.analysis.question import ask_pair
from attention_viz.models.loading import LoadedModel
from attention_viz.records.circuits.pairs import PairSet
from attention_viz.records.errors import BadInput, Cancelled
from attention_viz.records.family_search import (
    FamilyEstimateRequest,
    FamilySearchRequest,
    FamilySearchResult,
    FamilyStep,
    is_reached,
)
from attention_viz.records.ids import HeadId
from attention_viz.records.looks.family import PairFlip
from attention_viz.records.pace import Pace
from attention_viz.records.search import Estimate
from attention_viz.records.statistics import Rate

SHORTLIST = 16  # of the best heads are tried in pairs
FIRST_PAIRS = 4  # that every set is tried on
_KEPT_SHARE = 3  # one in so many goes on to twice as many pairs
_KEPT_LEAST = 4  # sets that a race ends with, at least


class OutOfBudget(Exception):
    """The budget is used up."""


def search_family(
    model: LoadedModel, request: FamilySearchRequest, pace: Pace | None = None
) -> FamilySearchResult:
    """Search as requested. When cancelled or out of budget, what was found so far is returned.

    Raises BadInput: settings that allow nothing, no pairs (see `read_pairs`), or none that the
    clean model answers right.
    """
    pace = pace or Pace()
    _check(request)
    search = FamilySearch(model, request, read_pairs(model, request.pairs, pace), pace)
    try:
        search.run()
    except Cancelled:
        search.give_up("cancelled")
    except OutOfBudget:
        search.give_up("budget")
    return search.result()


def estimate_family_search(
    model: LoadedModel, request: FamilyEstimateRequest, pace: Pace | None = None
) -> Estimate:
    """Runs and seconds it may take at most, were all pairs answered right. Raises BadInput."""
    search, pace = request.search, pace or Pace()
    _check(search)
    pairs = read_pairs(model, search.pairs, pace).pairs
    asked = ask_pair(model, search.question, pairs[0], pace)
    train, held_out = _split(range(len(pairs)), search)
    heads = model.decoder.layers * model.decoder.heads
    runs = _runs_to_find(heads, search.max_heads, len(train))
    runs += (1 + search.random_sets) * len(held_out or train)
    seconds = runs * asked.seconds_per_block * (model.decoder.layers / 2 + 1)
    longest = search.budget_seconds
    return Estimate(runs, seconds if longest is None else min(seconds, longest))


def _check(request: FamilySearchRequest) -> None:
    if request.max_heads < 1:
        raise BadInput(f"A set of at most {request.max_heads} heads is empty.", "Allow 1 or more.")
    if not 0 < request.share <= 1:
        raise BadInput(f"A share of {request.share:g} can't be flipped.", "Ask for 0 to 1.")
    if not 0 <= request.hold_out < 1:
        raise BadInput(f"{request.hold_out:g} can't be held out.", "Hold out 0 to less than 1.")
    if request.random_sets < 0:
        raise BadInput(f"{request.random_sets} random sets can't be drawn.", "Ask for 0 or more.")
    if request.budget_seconds is not None and not request.budget_seconds > 0:
        raise BadInput(f"A budget of {request.budget_seconds:g} allows nothing.", "Give more.")


def _split(indices: Sequence[int], request: FamilySearchRequest) -> tuple[list[int], list[int]]:
    """Training and held-out pairs by a seeded shuffle, at least one of each where there are two."""
    drawn = list(indices)
    Random(request.seed).shuffle(drawn)
    held = round(request.hold_out * len(drawn))
    if request.hold_out > 0 and len(drawn) > 1:
        held = min(max(held, 1), len(drawn) - 1)
    return drawn[held:], sorted(drawn[:held])


def _stages(pairs: int) -> Iterator[int]:
    """Of how many training pairs a race's heats are: 4, 8, 16 … and all."""
    stop = FIRST_PAIRS
    while stop < pairs:
        yield stop
        stop *= 2
    yield pairs


def _race_runs(sets: int, pairs: int, keep: int) -> int:
    runs, before = 0, 0
    for stop in _stages(pairs):
        runs += sets * (stop - before)
        before, sets = stop, min(sets, max(keep, sets // _KEPT_SHARE))
    return runs


def _runs_to_find(heads: int, most: int, pairs: int) -> int:
    """Runs until a set is found, at most."""
    short = min(SHORTLIST, heads)
    runs = _race_runs(heads, pairs, short)
    if most > 1:
        runs += _race_runs(comb(short, 2), pairs, _KEPT_LEAST)
    return runs + max(0, most - 2) * _race_runs(heads, pairs, _KEPT_LEAST)


@dataclass(frozen=True)
class Tried:
    """A set, and its margins on the first of the training pairs."""

    heads: HeadSet
    margins: tuple[float, ...]

    @property
    def score(self) -> float:
        return sum(min(margin, 0.0) for margin in self.margins) / len(self.margins)

    @property
    def rate(self) -> Rate:
        return Rate(sum(margin > 0 for margin in self.margins), len(self.margins))


@dataclass
class FamilySearch:
    """The state of one search."""

    model: LoadedModel
    request: FamilySearchRequest
    read: PairSet
    pace: Pace
    many: ManyPairs = field(init=False)
    train: list[int] = field(default_factory=list)  # indices of pairs, in the order of a race
    held: list[int] = field(default_factory=list)
    apart: int = 0
    tried: dict[HeadSet, Tried] = field(default_factory=dict)
    best: Tried | None = None  # of all that was run
    found: Tried | None = None  # by the last step
    steps: list[FamilyStep] = field(default_factory=list)
    held_out: Rate | None = None
    random: tuple[Rate, ...] = ()
    minimal: bool | None = None
    smallest: bool | None = None
    evaluations: int = 0
    expected: int = 0
    stopped: str = "running"
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self):
        request = self.request
        self.many = ManyPairs(
            self.model, self.read.pairs, request.question, request.ablation, self.pace
        )

    def run(self) -> None:
        self._choose_pairs()
        decoder = self.model.decoder
        pool = [HeadId(layer, h) for layer in range(decoder.layers) for h in range(decoder.heads)]
        control = (1 + self.request.random_sets) * len(self.held or self.train)
        self.expected = _runs_to_find(len(pool), self.request.max_heads, len(self.train)) + control
        self._find(pool)
        self._drop_unneeded()
        self._try_smaller(pool)
        self.stopped = self._why()
        self._measure_held_out()
        self._compare_with_random_sets()
        self.report()

    def _choose_pairs(self) -> None:
        """Split the pairs that can flip."""
        flip, counted = self.request.flip, []
        for indices, clean in self.many.clean():
            can = clean.difference > 0 if flip is PairFlip.SIGN else clean.top == clean.answer_id
            counted += [index for index, counts in zip(indices, can, strict=True) if counts]
        self.apart = len(self.read.pairs) - len(counted)
        if not counted:
            raise BadInput(
                f"The clean model answers none of the {self.apart} pairs right: there is nothing "
                "to flip.",
                f"Choose another family or kind of flip: {flip.value} is of {flip.counts}.",
            )
        self.train, self.held = _split(sorted(counted), self.request)

    # Finding

    def _find(self, pool: list[HeadId]) -> None:
        """One head, two, and then one more at a time, until enough pairs flip."""
        most = min(self.request.max_heads, len(pool))
        singles = self.race(((head,) for head in pool), keep=min(SHORTLIST, len(pool)))
        self.take(singles[0])
        if most > 1 and not self.is_done(self.found):
            short = [single.heads[0] for single in singles[:SHORTLIST]]
            self._take_if_better(self.race(combinations(short, 2))[0])
        while len(self.found.heads) < most and not self.is_done(self.found):
            have = self.found.heads
            grown = self.race((*have, head) for head in pool if head not in have)
            if not self._take_if_better(grown[0]):
                break

    def race(self, sets: Iterable[HeadSet], keep: int = _KEPT_LEAST) -> list[Tried]:
        """The sets, best first: those tried on all training pairs before the others."""
        wanted = list(dict.fromkeys(tuple(sorted(heads)) for heads in sets))
        live = wanted
        for stop in _stages(len(self.train)):
            self._try(live, stop)
            ranked = sorted((self.tried[heads] for heads in live), key=self._rank)
            live = [each.heads for each in ranked[: max(keep, len(live) // _KEPT_SHARE)]]
        return sorted((self.tried[heads] for heads in wanted), key=self._rank)

    def is_done(self, tried: Tried) -> bool:
        is_whole = len(tried.margins) == len(self.train)
        return is_whole and is_reached(tried.rate, self.request.share)

    def _rank(self, tried: Tried) -> tuple:
        """Best first; ties go to the lower layer and head, so that two searches agree."""
        return -len(tried.margins), not self.is_done(tried), -tried.score, tried.heads

    def _try(self, sets: Sequence[HeadSet], stop: int) -> None:
        """Measure sets on the first `stop` training pairs, on those they were not tried on yet."""
        by_start: dict[int, list[HeadSet]] = {}
        for heads in sets:
            tried = self.tried.get(heads)
            by_start.setdefault(0 if tried is None else len(tried.margins), []).append(heads)
        for start, these in by_start.items():
            if start < stop:
                self._extend(these, start, stop)

    def _extend(self, sets: list[HeadSet], start: int, stop: int) -> None:
        places = {index: place for place, index in enumerate(self.train[start:stop])}
        margins = np.full((len(sets), len(places)), np.nan)
        for rows, found in self._evaluate(sets, list(places)):
            for (number, index), margin in zip(rows, found, strict=True):
                margins[number, places[index]] = margin
            for number in {number for number, _ in rows}:
                if not np.isnan(margins[number]).any():
                    self._remember(sets[number], margins[number])
            self._look_at_heat(sets, margins)
            self.report()

    def _remember(self, heads: HeadSet, margins: np.ndarray) -> None:
        tried = self.tried[heads] = self._with(heads, margins)
        self._keep_best(tried)

    def _with(self, heads: HeadSet, margins: np.ndarray) -> Tried:
        before = self.tried[heads].margins if heads in self.tried else ()
        return Tried(heads, (*before, *margins.tolist()))

    def _keep_best(self, tried: Tried) -> None:
        if self.best is None or self._rank(tried) < self._rank(self.best):
            self.best = tried

    def _look_at_heat(self, sets: list[HeadSet], margins: np.ndarray) -> None:
        """The best set so far, amid a heat: as soon as all sets were tried on as many pairs.

        Before all were tried on the first pair, those that were.
        """
        done = np.isfinite(margins).sum(1)
        level = max(1, int(done.min()))
        if level == margins.shape[1]:
            return  # all of them are remembered
        for number in np.flatnonzero(done == level):
            own = margins[number]
            self._keep_best(self._with(sets[number], own[np.isfinite(own)]))

    def _evaluate(self, sets: Sequence[HeadSet], indices: Sequence[int]):
        """(rows, their margins), counting runs and keeping to the budget."""
        for rows, readings in self.many.evaluate(sets, indices):
            self.evaluations += len(rows)
            yield rows, readings.margin(self.request.flip).tolist()
            longest = self.request.budget_seconds
            if longest is not None and self.seconds > longest:
                raise OutOfBudget

    # Telling

    def take(self, tried: Tried, action: str = "add") -> None:
        """Make it the set found, and tell the step that leads there."""
        before = set(self.steps[-1].then) if self.steps else set()
        if action == "add" and not before < set(tried.heads):
            self.steps.clear()  # another branch turned out better: its story is told from the start
            before = set()
        changed = tuple(sorted(before ^ set(tried.heads)))
        self.found = tried
        self.steps.append(FamilyStep(action, changed, tried.heads, tried.score, tried.rate))
        self.report()

    def _take_if_better(self, tried: Tried) -> bool:
        is_better = self._rank(tried) < self._rank(self.found)
        if is_better:
            self.take(tried)
        return is_better

    def _why(self) -> str:
        if self.is_done(self.found):
            return "reached"
        return "max heads" if len(self.found.heads) >= self.request.max_heads else "no gain"

    def give_up(self, why: str) -> None:
        """End early: the best of what was run is what was found."""
        self.stopped = why
        if self.best is not None and (
            self.found is None or self._rank(self.best) < self._rank(self.found)
        ):
            self.take_quietly(self.best)

    def take_quietly(self, tried: Tried) -> None:
        """As `take`, without a report: those of a cancelled search raise."""
        self.found = tried
        self.steps = [FamilyStep("add", tried.heads, tried.heads, tried.score, tried.rate)]

    # What was found, checked

    def _drop_unneeded(self) -> None:
        """Leave out, one by one, heads without which enough pairs still flip."""
        if not self.is_done(self.found):
            return
        while len(self.found.heads) > 1:
            smaller = [tuple(h for h in self.found.heads if h != out) for out in self.found.heads]
            self._try(smaller, len(self.train))
            best = min((self.tried[heads] for heads in smaller), key=self._rank)
            if not self.is_done(best):
                break
            self.take(best, "drop")
        self.minimal = True

    def _try_smaller(self, pool: list[HeadId]) -> None:
        """Whether one head would do where two were found: each is tried until it can't any more.

        Of larger sets there are too many smaller ones to tell.
        """
        if not self.is_done(self.found) or len(self.found.heads) > 2:
            return
        if len(self.found.heads) == 2:
            single = self._single_that_does(pool)
            if single is not None:
                self.take(single)
        self.smallest = True

    def _single_that_does(self, pool: list[HeadId]) -> Tried | None:
        need = ceil(self.request.share * len(self.train) - 1e-9)
        for stop in range(FIRST_PAIRS, len(self.train) + FIRST_PAIRS, FIRST_PAIRS):
            stop = min(stop, len(self.train))
            singles = [self.tried[(head,)] for head in pool]
            can = [s.heads for s in singles if s.rate.count + len(self.train) - s.rate.of >= need]
            self._try(can, stop)
        singles = [self.tried[(head,)] for head in pool]
        return min(filter(self.is_done, singles), key=self._rank, default=None)

    def _measure_held_out(self) -> None:
        if self.held:
            [self.held_out] = self._rates([self.found.heads], self.held)

    def _compare_with_random_sets(self) -> None:
        """Sets with as many heads in the same layers, on the held-out pairs (or training's)."""
        drawn = draw_sets(
            self.found.heads,
            self.model.decoder.heads,
            self.request.random_sets,
            Random(self.request.seed),
        )
        if self.request.random_sets and drawn:
            self.random = tuple(self._rates(drawn, self.held or self.train))

    def _rates(self, sets: Sequence[HeadSet], indices: Sequence[int]) -> list[Rate]:
        flips = [0] * len(sets)
        for rows, margins in self._evaluate(sets, indices):
            for (number, _), margin in zip(rows, margins, strict=True):
                flips[number] += margin > 0
            self.report()
        return [Rate(count, len(indices)) for count in flips]

    # Reporting

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def report(self) -> None:
        self.expected = max(self.expected, self.evaluations)
        self.pace.report(self.evaluations, self.expected, self.result())

    def result(self) -> FamilySearchResult:
        found = self.found or self.best
        return FamilySearchResult(
            request=self.request,
            heads=found.heads if found else (),
            steps=tuple(self.steps),
            score=found.score if found else None,
            train=found.rate if found else None,
            held_out=self.held_out,
            random=self.random,
            minimal=self.minimal,
            smallest=self.smallest,
            usable=len(self.train) + len(self.held),
            apart=self.apart,
            refused=self.read.refused,
            evaluations=self.evaluations,
            seconds=self.seconds,
            stopped=self.stopped,
        )
