"""Searches for small sets of heads that matter together, on the one-pass engine.

Pair-seeded greedy search: ablate every head alone; keep the best 20 %; ablate all their pairs;
grow the best pair head by head. A targeted search stops as soon as the flip-to token is top-1. Then
every head that is not needed is dropped, so the set is minimal: no member can be left out.

Score: KL(clean ‖ ablated) in nats, or the flip-to token's logit minus the greatest other logit
(above 0, it is top-1).
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import combinations

from attention_viz.analysis.edits import Edit, edit_of
from attention_viz.analysis.metrics import margin, read_metric
from attention_viz.analysis.one_pass import Candidate, evaluate
from attention_viz.analysis.question import Asked, ask
from attention_viz.analysis.sweep import all_heads
from attention_viz.models.loading import LoadedModel
from attention_viz.records.errors import BadInput, Cancelled
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.pace import Pace
from attention_viz.records.search import Objective, SearchRequest, SearchResult, SearchStep

SHORTLIST = 0.2  # of all heads
_LEAST_SHORTLIST = 8

HeadSet = tuple[HeadId, ...]


@dataclass(frozen=True)
class Scored:
    """A set that was evaluated."""

    heads: HeadSet
    score: float
    top: int  # token id


def search_heads(
    model: LoadedModel, request: SearchRequest, pace: Pace | None = None
) -> SearchResult:
    """Search as requested. When cancelled, what was found so far is returned, marked so.

    Raises BadInput: no flip-to token, or one that is top-1 already; max_heads below 1.
    """
    search = _begin(ask(model, request.question, pace), request)
    try:
        search.run()
    except Cancelled:
        search.stopped = "cancelled"
    return search.result()


def _begin(asked: Asked, request: SearchRequest) -> "_Search":
    if request.max_heads < 1:
        raise BadInput(f"A set of at most {request.max_heads} heads is empty.", "Allow 1 or more.")
    if request.objective is Objective.FLIP:
        if request.flip_to is None:
            raise BadInput("No flip-to token is chosen.", "Choose the token to make top-1.")
        asked.vocabulary.need_id(request.flip_to, "flip-to token")
        if asked.logits.argmax().item() == request.flip_to:
            shown = asked.token(request.flip_to).shown
            raise BadInput(f"'{shown}' is the top-1 token already.", "Choose another token.")
    return _Search(asked, request, edit_of(asked, request.ablation), all_heads(asked))


@dataclass
class _Search:
    """The state of one search; `run` goes through its phases."""

    asked: Asked
    request: SearchRequest
    edit: Edit
    pool: list[HeadId]
    found: Scored | None = None
    steps: list[SearchStep] = field(default_factory=list)
    evaluations: int = 0
    expected: int = 0
    minimal: bool | None = None
    stopped: str = "running"
    started: float = field(default_factory=time.perf_counter)

    def run(self) -> None:
        most = min(self.request.max_heads, len(self.pool))
        self.expected = len(self.pool)
        singles = _best_first(self._score([(head,) for head in self.pool]))
        size = min(len(self.pool), max(_LEAST_SHORTLIST, int(SHORTLIST * len(self.pool))))
        shortlist = [single.heads[0] for single in singles[:size]]
        self.found = singles[0]
        if most == 1 or self._is_done(singles[0]):
            self._take(singles[0], singles[1:])
        else:
            self._seed(singles, shortlist)
            self._grow(shortlist, most)
        self._finish(most)
        self._drop_unneeded()

    def _seed(self, singles: list[Scored], shortlist: list[HeadId]) -> None:
        """The best pair of the shortlist, told as two steps; or the best head if no pair is
        better."""
        pairs = _best_first(self._score(list(combinations(shortlist, 2))))
        if not pairs or pairs[0].score <= singles[0].score:
            self._take(singles[0], singles[1:])
            return
        by_head = {single.heads[0]: single for single in singles}
        lead, other = sorted(pairs[0].heads, key=lambda head: -by_head[head].score)
        self._take(by_head[lead], [single for single in singles if single.heads != (lead,)])
        rivals = [pair for pair in pairs[1:] if lead in pair.heads]
        self._take(replace(pairs[0], heads=(lead, other)), rivals)

    def _grow(self, shortlist: list[HeadId], most: int) -> None:
        """Add the head that helps most, from the shortlist or, if none there helps, from all."""
        while len(self.found.heads) < most and not self._is_done(self.found):
            ranked = self._extensions(shortlist)
            if not ranked or ranked[0].score <= self.found.score:
                ranked = self._extensions([head for head in self.pool if head not in shortlist])
            if not ranked or ranked[0].score <= self.found.score:
                return
            self._take(ranked[0], ranked[1:])

    def _extensions(self, heads: Iterable[HeadId]) -> list[Scored]:
        own = self.found.heads
        return _best_first(self._score([(*own, head) for head in heads if head not in own]))

    def _drop_unneeded(self) -> None:
        """Leave out, one by one, heads without which the set does as well."""
        if self.request.objective is Objective.FLIP and not self._is_done(self.found):
            return  # nothing was reached that a smaller set could keep
        while len(self.found.heads) > 1:
            ranked = _best_first(self._score(list(_without_one(self.found.heads))))
            if not self._is_as_good(ranked[0]):
                break
            dropped = next(head for head in self.found.heads if head not in ranked[0].heads)
            self._take(ranked[0], ranked[1:], dropped=dropped)
        self.minimal = True

    def _is_done(self, scored: Scored) -> bool:
        return self.request.objective is Objective.FLIP and scored.top == self.request.flip_to

    def _is_as_good(self, smaller: Scored) -> bool:
        if self.request.objective is Objective.FLIP:
            return self._is_done(smaller)
        return smaller.score >= self.found.score

    def _finish(self, most: int) -> None:
        if self._is_done(self.found):
            self.stopped = "flipped"
        else:
            self.stopped = "max heads" if len(self.found.heads) >= most else "no gain"

    def _take(self, scored: Scored, rivals: list[Scored], *, dropped: HeadId | None = None) -> None:
        """Make it the set found and tell the step; `rivals` are sorted, best first."""
        before = self.found.heads if self.steps else ()
        rival = rivals[0] if rivals else None
        self.found = scored
        self.steps.append(
            SearchStep(
                action="add" if dropped is None else "drop",
                head=dropped or next(head for head in scored.heads if head not in before),
                heads=scored.heads,
                score=scored.score,
                runner_up=_other(rival, before, dropped),
                runner_up_score=rival.score if rival else None,
                top=self.asked.token(scored.top),
            )
        )
        self._report()

    def _score(self, sets: list[HeadSet]) -> list[Scored]:
        """Evaluate sets, reporting between chunks."""
        scored: list[Scored] = []
        self.expected = max(self.expected, self.evaluations + len(sets))
        candidates = [Candidate(heads, self.edit) for heads in sets]
        for indices, (scores, tops) in evaluate(self.asked, candidates, self._measure):
            for index, score, top in zip(indices, scores, tops, strict=True):
                scored.append(Scored(sets[index], score, top))
            self.evaluations += len(indices)
            if len(sets[0]) == 1 and not self.steps:
                self.found = max(scored, key=lambda each: each.score)
            self._report()
        return scored

    def _measure(self, logits) -> tuple[list[float], list[int]]:
        if self.request.objective is Objective.KL:
            scores = read_metric(self.asked, Metric.KL, logits)
        else:
            scores = margin(logits, self.request.flip_to)
        return scores.tolist(), logits.argmax(-1).tolist()

    def _report(self) -> None:
        self.asked.pace.report(self.evaluations, self.expected, self.result())

    def result(self) -> SearchResult:
        found = self.found
        return SearchResult(
            request=self.request,
            tokens=self.asked.tokens,
            position=self.asked.position,
            heads=found.heads if found else (),
            steps=tuple(self.steps),
            score=found.score if found else None,
            top=self.asked.token(found.top) if found else None,
            flipped=self._flipped(),
            minimal=self.minimal,
            evaluations=self.evaluations,
            seconds=time.perf_counter() - self.started,
            stopped=self.stopped,
        )

    def _flipped(self) -> bool | None:
        if self.found is None:
            return None
        if self.request.objective is Objective.FLIP:
            return self.found.top == self.request.flip_to
        return self.found.top != self.asked.logits.argmax().item()


def _best_first(scored: list[Scored]) -> list[Scored]:
    """Greatest score first; ties in the order of layers and heads, so that runs agree."""
    return sorted(scored, key=lambda each: (-each.score, each.heads))


def _without_one(heads: HeadSet) -> Iterable[HeadSet]:
    return (tuple(head for head in heads if head != out) for out in heads)


def _other(rival: Scored | None, before: HeadSet, dropped: HeadId | None) -> HeadId | None:
    """The head by which a rival set differs: the one it adds, or the one it leaves out."""
    if rival is None:
        return None
    if dropped is None:
        return next((head for head in rival.heads if head not in before), None)
    return next(head for head in before if head not in rival.heads)
