"""A search for every likely token: how many heads must go until it is the top-1."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from attention_viz.analysis.question import Asked, ask, rank_tokens
from attention_viz.analysis.search import begin_search
from attention_viz.models.loading import LoadedModel
from attention_viz.records.ablation import RankedToken
from attention_viz.records.errors import BadInput
from attention_viz.records.looks.cost import Cost, CostRequest, CostTable
from attention_viz.records.pace import Pace
from attention_viz.records.search import Objective, SearchRequest


def cost_to_flip(model: LoadedModel, request: CostRequest, pace: Pace | None = None) -> CostTable:
    """Raises BadInput: fewer than two tokens asked for, max_heads below 1."""
    began = time.perf_counter()
    if request.top < 2:
        raise BadInput("The top-1 costs nothing.", "Ask for 2 tokens or more.")
    asked = ask(model, request.question, pace)
    others = asked.logits.topk(min(request.top, len(asked.logits))).indices.tolist()[1:]
    ranked = rank_tokens(asked.vocabulary, asked.logits, tuple(others))
    quiet = replace(asked, pace=_Quiet(asked.pace))
    rows: list[Cost] = []
    runs = 0

    def record() -> CostTable:
        seconds = time.perf_counter() - began
        return CostTable(request, asked.tokens, asked.position, tuple(rows), runs, seconds)

    for number, token in enumerate(others, start=1):
        cost, count = _search(quiet, request, ranked[token])
        rows.append(cost)
        runs += count
        asked.pace.report(number, len(others), record())
    return record()


def _search(asked: Asked, request: CostRequest, token: RankedToken) -> tuple[Cost, int]:
    """The cost of one token, and the runs it took to find."""
    search = begin_search(
        asked,
        SearchRequest(
            request.question,
            Objective.FLIP,
            token.token.id,
            request.max_heads,
            request.ablation,
            strategy=request.strategy,
            alternatives=0,
        ),
    )
    search.run()
    found = search.result()
    cost = Cost(token, found.heads, found.score, bool(found.flipped), found.smallest)
    return cost, found.evaluations


class _Quiet(Pace):
    """Takes turns and stops as the other does; what a part reports is not the whole's progress."""

    def __init__(self, pace: Pace):
        self._pace = pace

    def turn(self) -> AbstractContextManager[None]:
        return self._pace.turn()

    def report(self, done: int, total: int, partial=None) -> None:
        pass

    def recall(self, request: Any, compute: Callable[[], Any]) -> Any:
        return self._pace.recall(request, compute)

    @property
    def is_cancelled(self) -> bool:
        return self._pace.is_cancelled
