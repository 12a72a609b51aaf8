"""Searches for small sets of heads that matter together, on the one-pass engine.

A strategy proposes sets (see `strategies`); this module scores them, remembers every score, tells
the steps, keeps to the budget, and checks what was found: heads that are not needed are dropped, so
the set is minimal, and other minimal sets are looked for.

Score: KL(clean ‖ ablated) in nats, or the flip-to token's logit minus the greatest other logit
(above 0, it is top-1).
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import comb

from attention_viz.analysis import strategies
from attention_viz.analysis.edits import Edit, edit_of
from attention_viz.analysis.head_estimates import estimate_effects
from attention_viz.analysis.metrics import margin, read_metric
from attention_viz.analysis.one_pass import Candidate, evaluate
from attention_viz.analysis.question import Asked, ask
from attention_viz.analysis.strategies import HeadSet, Scored, best_first
from attention_viz.analysis.sweep import all_heads
from attention_viz.models.loading import LoadedModel
from attention_viz.records.errors import BadInput, Cancelled
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.pace import Pace
from attention_viz.records.search import (
    Estimate,
    EstimateRequest,
    Objective,
    SearchRequest,
    SearchResult,
    SearchStep,
    Strategy,
)

BACKWARD = 3  # runs that take as long as one there and back
EXHAUSTIVE_RUNS = 300_000  # an exhaustive search without a budget stops before more


class OutOfBudget(Exception):
    """The budget is used up."""


def search_heads(
    model: LoadedModel, request: SearchRequest, pace: Pace | None = None
) -> SearchResult:
    """Search as requested. When cancelled or out of budget, what was found so far is returned.

    Raises BadInput: no flip-to token, or one that is top-1 already; max_heads below 1; a budget
    that is not greater than 0.
    """
    search = begin_search(ask(model, request.question, pace), request)
    try:
        search.run()
    except Cancelled:
        search.give_up("cancelled")
    except OutOfBudget:
        search.give_up("budget")
    return search.result()


def estimate_search(
    model: LoadedModel, request: EstimateRequest, pace: Pace | None = None
) -> Estimate:
    """Runs and seconds the search may take. Raises BadInput as the search would."""
    search = begin_search(ask(model, request.question, pace), request.search)
    strategy, slope = request.search.strategy, search.has_slope
    sizes = strategies.count_runs(strategy, len(search.pool), search.most, has_slope=slope)
    blocks = sum(count * _blocks(search.asked, size) for size, count in sizes.items())
    backward = strategies.count_gradients(strategy, search.most, has_slope=slope)
    blocks += backward * BACKWARD * search.asked.decoder.layers
    runs, seconds = sum(sizes.values()), blocks * search.asked.seconds_per_block
    allowed = search.allowed_runs
    if allowed is not None and runs > allowed:
        runs, seconds = allowed, seconds * allowed / runs
    longest = request.search.budget_seconds
    return Estimate(runs, seconds if longest is None else min(seconds, longest))


def _blocks(asked: Asked, size: int) -> float:
    """Blocks that a set of this size goes through, on average: it joins at its lowest head."""
    return asked.decoder.layers * size / (size + 1) + 1


def begin_search(asked: Asked, request: SearchRequest) -> "Search":
    if request.max_heads < 1:
        raise BadInput(f"A set of at most {request.max_heads} heads is empty.", "Allow 1 or more.")
    for budget in (request.budget_seconds, request.budget_evaluations):
        if budget is not None and not budget > 0:
            raise BadInput(f"A budget of {budget:g} allows nothing.", "Give more than 0.")
    if request.objective is Objective.FLIP:
        if request.flip_to is None:
            raise BadInput("No flip-to token is chosen.", "Choose the token to make top-1.")
        asked.vocabulary.need_id(request.flip_to, "flip-to token")
        if asked.logits.argmax().item() == request.flip_to:
            shown = asked.token(request.flip_to).shown
            raise BadInput(f"'{shown}' is the top-1 token already.", "Choose another token.")
    return Search(asked, request, edit_of(asked, request.ablation), all_heads(asked))


@dataclass
class Search:
    """The state of one search."""

    asked: Asked
    request: SearchRequest
    edit: Edit
    pool: list[HeadId]
    found: Scored | None = None
    steps: list[SearchStep] = field(default_factory=list)
    best: Scored | None = None  # of all that was run
    known: dict[HeadSet, Scored] = field(default_factory=dict)  # by sorted heads
    expected: int = 0
    minimal: bool | None = None
    smallest: bool | None = None
    alternatives: list[HeadSet] = field(default_factory=list)
    stopped: str = "running"
    gradients: int = 0
    first_flip: int | None = None
    started: float = field(default_factory=time.perf_counter)

    def run(self) -> None:
        strategy = self.request.strategy
        runs = strategies.count_runs(strategy, len(self.pool), self.most, has_slope=self.has_slope)
        self.expected = sum(runs.values())
        strategies.RUN[strategy](self, self.pool, tell=self.take)
        self.stopped = self._why()
        self._drop_unneeded()
        if self.stopped == "flipped" and self._tried_all_smaller():
            self.smallest = True
        if self.stopped == "flipped":
            self._find_alternatives()

    @property
    def most(self) -> int:
        return min(self.request.max_heads, len(self.pool))

    @property
    def allowed_runs(self) -> int | None:
        if self.request.budget_evaluations is not None:
            return self.request.budget_evaluations
        has_limit = self.request.budget_seconds is not None
        is_exhaustive = self.request.strategy is Strategy.EXHAUSTIVE
        return EXHAUSTIVE_RUNS if is_exhaustive and not has_limit else None

    def need_room_for(self, count: int, size: int) -> None:
        """Raises OutOfBudget where so many sets of a size would go beyond the budget."""
        allowed, longest = self.allowed_runs, self.request.budget_seconds
        seconds = count * _blocks(self.asked, size) * self.asked.seconds_per_block
        is_too_many = allowed is not None and self.evaluations + count > allowed
        if is_too_many or (longest is not None and self.seconds + seconds > longest):
            raise OutOfBudget

    # Scoring

    def score(self, sets: Iterable[Sequence[HeadId]]) -> list[Scored]:
        """Scores of sets, best first; those known already are not run again.

        Raises OutOfBudget, after as many runs as the budget allows.
        """
        wanted = list(dict.fromkeys(tuple(sorted(heads)) for heads in sets))
        new = [heads for heads in wanted if heads not in self.known]
        allowed = self.allowed_runs
        room = len(new) if allowed is None else max(0, allowed - self.evaluations)
        self._run(new[:room])
        if room < len(new):
            raise OutOfBudget
        return best_first(self.known[heads] for heads in wanted)

    def _run(self, sets: list[HeadSet]) -> None:
        """Evaluate sets, reporting between chunks."""
        self.expected = max(self.expected, self.evaluations + len(sets))
        candidates = [Candidate(heads, self.edit) for heads in sets]
        for indices, (scores, tops) in evaluate(self.asked, candidates, self._measure):
            for index, score, top in zip(indices, scores, tops, strict=True):
                self._remember(Scored(sets[index], score, top))
            if not self.steps:
                self.found = self.best
            self.report()
            self._check_time()

    @property
    def has_slope(self) -> bool:
        return self.request.objective is Objective.FLIP

    def guess(self, sets: Sequence[HeadSet]) -> list[dict[HeadId, float]]:
        """Margins with one head more beside each set, to first order. Raises OutOfBudget."""
        known = [self.known[heads].score if heads else self.start for heads in sets]
        effects = estimate_effects(
            self.asked, sets, self.edit, lambda logits: margin(logits, self.request.flip_to)
        )
        self.gradients += len(sets)
        self._check_time()
        return [
            {head: score + own[head.layer, head.head].item() for head in self.pool}
            for score, own in zip(known, effects, strict=True)
        ]

    @cached_property
    def start(self) -> float:
        """The score where nothing is ablated."""
        if not self.has_slope:
            return 0.0  # KL
        return margin(self.asked.logits[None], self.request.flip_to).item()

    def _check_time(self) -> None:
        longest = self.request.budget_seconds
        if longest is not None and self.seconds > longest:
            raise OutOfBudget

    def _measure(self, logits) -> tuple[list[float], list[int]]:
        if self.request.objective is Objective.KL:
            scores = read_metric(self.asked, Metric.KL, logits)
        else:
            scores = margin(logits, self.request.flip_to)
        return scores.tolist(), logits.argmax(-1).tolist()

    def is_done(self, scored: Scored) -> bool:
        """Whether the flip is reached; a search for KL is never done before its last head."""
        return self.request.objective is Objective.FLIP and scored.top == self.request.flip_to

    def _remember(self, scored: Scored) -> None:
        """Keep a score, and the best of all: a flip with few heads, else the greatest score."""
        self.known[scored.heads] = scored
        if self.first_flip is None and self.is_done(scored):
            self.first_flip = self.evaluations
        if self.best is None or self._rank(scored) < self._rank(self.best):
            self.best = scored

    def _rank(self, scored: Scored) -> tuple:
        is_done = self.is_done(scored)
        return not is_done, len(scored.heads) if is_done else 0, -scored.score, scored.heads

    # Telling

    def take(self, scored: Scored, *, dropped: HeadId | None = None) -> None:
        """Make it the set found, tell the step or steps that lead there, and report."""
        if dropped is None:
            self._tell_path(scored)
        else:
            self._tell(scored, dropped)
        self.report()

    def _tell_path(self, scored: Scored) -> None:
        for part in self._path_to(scored):
            self._tell(part, None)

    def _path_to(self, scored: Scored) -> list[Scored]:
        """The sets from the one found last to this one, a head at a time, best first.

        A strategy may reach several heads at once; sets on the way that were never run are left
        out, and the step is told with the heads that were added together.
        """
        path, have = [], set(self.steps[-1].heads) if self.steps else set()
        if not have <= set(scored.heads):
            self.steps.clear()  # another branch turned out better: its story is told from the start
            have = set()
        while have != set(scored.heads):
            missing = [head for head in scored.heads if head not in have]
            tried = (self.known.get(tuple(sorted({*have, head}))) for head in missing)
            ranked = best_first(each for each in tried if each is not None)
            step = ranked[0] if ranked else scored
            path.append(step)
            have = set(step.heads)
        return path

    def _tell(self, scored: Scored, dropped: HeadId | None) -> None:
        before = self.steps[-1].heads if self.steps else ()
        added = [head for head in scored.heads if head not in before]
        rival = self._rival(scored, before, dropped)
        heads = scored.heads if dropped else (*before, *added)
        self.found = Scored(heads, scored.score, scored.top)
        self.steps.append(
            SearchStep(
                action="add" if dropped is None else "drop",
                head=dropped or added[0],
                heads=heads,
                score=scored.score,
                runner_up=_difference(rival, before, dropped),
                runner_up_score=rival.score if rival else None,
                top=self.asked.token(scored.top),
            )
        )

    def _rival(self, scored: Scored, before: HeadSet, dropped: HeadId | None) -> Scored | None:
        """The best set that could have been taken instead, among those that were run."""
        if dropped is None:
            sets = ({*before, head} for head in self.pool if head not in before)
        else:
            sets = (set(before) - {head} for head in before)
        tried = (self.known.get(tuple(sorted(heads))) for heads in sets)
        others = (each for each in tried if each and set(each.heads) != set(scored.heads))
        return next(iter(best_first(others)), None)

    def _why(self) -> str:
        if self.is_done(self.found):
            return "flipped"
        return "max heads" if len(self.found.heads) >= self.most else "no gain"

    def give_up(self, why: str) -> None:
        """End early: the best of what was run is what was found."""
        self.stopped = why
        if self._has_better():
            self._tell_path(self.best)

    def _has_better(self) -> bool:
        """Whether the best of what was run is not the set told last."""
        if self.best is None:
            return False
        return not self.steps or self._rank(self.best) < self._rank(self.found)

    # What was found, checked

    def _drop_unneeded(self) -> None:
        """Leave out, one by one, heads without which the set does as well."""
        if self.request.objective is Objective.FLIP and not self.is_done(self.found):
            return  # nothing was reached that a smaller set could keep
        while len(self.found.heads) > 1:
            best = self.score(strategies.without_one(self.found.heads))[0]
            if not self._is_as_good(best):
                break
            dropped = next(head for head in self.found.heads if head not in best.heads)
            self.take(best, dropped=dropped)
        self.minimal = True

    def _tried_all_smaller(self) -> bool:
        """Whether every set of fewer heads was run; none of them flips, or it would be found."""
        tried = Counter(len(heads) for heads in self.known)
        sizes = range(1, len(self.found.heads))
        return all(tried[size] == comb(len(self.pool), size) for size in sizes)

    def _is_as_good(self, smaller: Scored) -> bool:
        if self.request.objective is Objective.FLIP:
            return self.is_done(smaller)
        return smaller.score >= self.found.score

    def _find_alternatives(self) -> None:
        """Other minimal sets that flip: among the sets run, then by leaving out a member.

        Without one head of the set found, the search is done again (by gradients where it was
        guided by them, else by pairs and growth): where it still flips, other heads can do that
        head's work.
        """
        again = strategies.by_pairs
        if self.request.strategy is Strategy.GUIDED:
            again = strategies.by_slope
        done = {tuple(sorted(self.found.heads))}
        flips = [each for each in self.known.values() if self.is_done(each)]
        for flip in sorted(flips, key=lambda each: (len(each.heads), -each.score, each.heads)):
            self._keep_alternative(flip, done)
        for head in self.found.heads:
            pool = [other for other in self.pool if other != head]
            if len(self.alternatives) < self.request.alternatives and pool:
                self._keep_alternative(again(self, pool), done)
        self.alternatives.sort(key=len)
        if any(len(heads) < len(self.found.heads) for heads in self.alternatives):
            self.smallest = False

    def _keep_alternative(self, scored: Scored, done: set[HeadSet]) -> None:
        if len(self.alternatives) >= self.request.alternatives or not self.is_done(scored):
            return
        heads = tuple(sorted(strategies.trim(self, scored).heads))
        if heads not in done:
            done.add(heads)
            self.alternatives.append(heads)
            self.report()

    # Reporting

    @property
    def evaluations(self) -> int:
        return len(self.known)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def report(self) -> None:
        self.expected = max(self.expected, self.evaluations)
        self.asked.pace.report(self.evaluations, self.expected, self.result())

    def result(self) -> SearchResult:
        # While it runs, the best set there is, told or not yet.
        found = self.best if self.stopped == "running" and self._has_better() else self.found
        return SearchResult(
            request=self.request,
            tokens=self.asked.tokens,
            position=self.asked.position,
            heads=found.heads if found else (),
            steps=tuple(self.steps),
            score=found.score if found else None,
            top=self.asked.token(found.top) if found else None,
            flipped=self._flipped(found),
            minimal=self.minimal,
            smallest=self.smallest,
            alternatives=tuple(self.alternatives),
            evaluations=self.evaluations,
            seconds=self.seconds,
            stopped=self.stopped,
            gradients=self.gradients,
            first_flip=self.first_flip,
        )

    def _flipped(self, found: Scored | None) -> bool | None:
        if found is None:
            return None
        if self.request.objective is Objective.FLIP:
            return found.top == self.request.flip_to
        return found.top != self.asked.logits.argmax().item()


def _difference(rival: Scored | None, before: HeadSet, dropped: HeadId | None) -> HeadId | None:
    """The head by which a rival set differs: the one it adds, or the one it leaves out."""
    if rival is None:
        return None
    if dropped is None:
        return next((head for head in rival.heads if head not in before), None)
    return next(head for head in before if head not in rival.heads)
