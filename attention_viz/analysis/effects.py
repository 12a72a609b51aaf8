"""Effects of many candidates at once: metric(ablated) − metric(clean), told as they come in."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from attention_viz.analysis.edits import Edit
from attention_viz.analysis.metrics import read_metric
from attention_viz.analysis.one_pass import Candidate, evaluate
from attention_viz.analysis.question import Asked
from attention_viz.analysis.sweep import all_heads
from attention_viz.records.ids import HeadId
from attention_viz.records.looks.heads import MOST_HEADS, HeadsRequest
from attention_viz.records.metrics import Metric


@dataclass
class Effects:
    """Measures effects for one record, counting runs and reporting the record so far."""

    asked: Asked
    metric: Metric
    record: Callable[[], Any]  # the record as far as it is measured
    expected: int = 0
    done: int = 0
    started: float = field(default_factory=time.perf_counter)

    def measure(self, candidates: Sequence[Candidate], into: np.ndarray) -> np.ndarray:
        """Fill `into` [candidate] chunk by chunk, and return it."""
        self.expected = max(self.expected, self.done + len(candidates))
        clean = read_metric(self.asked, self.metric, self.asked.logits[None]).item()

        def read(logits) -> list[float]:
            return (read_metric(self.asked, self.metric, logits) - clean).tolist()

        for indices, effects in evaluate(self.asked, candidates, read):
            into[indices] = effects
            self.done += len(indices)
            self.asked.pace.report(self.done, self.expected, self.record())
        return into

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started


def heads_of(
    effects: Effects, request: HeadsRequest, edit: Edit, *, least: int = 1
) -> tuple[HeadId, ...]:
    """The heads of the request; of fewer than `least`, the strongest. Raises BadInput."""
    chosen = effects.asked.need_heads(request.heads) if request.heads else ()
    return chosen if len(chosen) >= least else strongest_heads(effects, edit, MOST_HEADS)


def strongest_heads(effects: Effects, edit: Edit, most: int) -> tuple[HeadId, ...]:
    """The heads of the greatest effect when ablated alone, in the order of layers and heads."""
    heads = all_heads(effects.asked)
    sizes = np.abs(
        effects.measure([Candidate((head,), edit) for head in heads], np.full(len(heads), np.nan))
    )
    ranked = sorted(range(len(heads)), key=lambda i: -sizes[i])
    return tuple(sorted(heads[i] for i in ranked[:most]))
