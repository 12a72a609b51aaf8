"""A set of heads against random sets of the same size in the same layers."""

from collections import Counter
from itertools import combinations, product
from math import comb, prod
from random import Random

import numpy as np

from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.effects import Effects
from attention_viz.analysis.one_pass import Candidate
from attention_viz.analysis.question import ask
from attention_viz.models.loading import LoadedModel
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.looks.control import Control, ControlRequest
from attention_viz.records.pace import Pace

LEAST_SETS = 200


def compare_with_random_sets(
    model: LoadedModel, request: ControlRequest, pace: Pace | None = None
) -> Control:
    """Raises BadInput: no heads, unknown heads, fewer than LEAST_SETS sets asked for."""
    asked = ask(model, request.question, pace)
    heads = asked.need_heads(request.heads)
    if request.sets < LEAST_SETS:
        raise BadInput(
            f"{request.sets} random sets say too little.", f"Compare with {LEAST_SETS} or more."
        )
    edit = edit_of(asked, request.ablation)
    sets = draw_sets(heads, asked.decoder.heads, request.sets, Random(request.seed))
    found = np.full(1 + len(sets), np.nan)

    def record() -> Control:
        return Control(
            request=request,
            tokens=asked.tokens,
            position=asked.position,
            effect=float(found[0]),
            random=found[1:].copy(),
            possible=count_sets(heads, asked.decoder.heads) - 1,
            evaluations=effects.done,
            seconds=effects.seconds,
        )

    effects = Effects(asked, request.metric, record)
    effects.measure([Candidate(each, edit) for each in (heads, *sets)], found)
    return record()


def count_sets(heads: tuple[HeadId, ...], per_layer: int) -> int:
    """How many sets have as many heads in each layer, the set itself among them."""
    return prod(comb(per_layer, count) for count in Counter(h.layer for h in heads).values())


def draw_sets(
    heads: tuple[HeadId, ...], per_layer: int, count: int, rng: Random
) -> list[tuple[HeadId, ...]]:
    """Different sets with as many heads in each layer, never `heads`; all of them if so few."""
    layers = sorted(Counter(head.layer for head in heads).items())
    own = tuple(sorted(heads))
    if count_sets(heads, per_layer) - 1 <= count:
        options = [
            combinations([HeadId(layer, head) for head in range(per_layer)], n)
            for layer, n in layers
        ]
        every = (tuple(head for part in parts for head in part) for parts in product(*options))
        return [each for each in every if each != own]
    drawn: dict[tuple[HeadId, ...], None] = {}
    while len(drawn) < count:
        parts = [(layer, sorted(rng.sample(range(per_layer), n))) for layer, n in layers]
        each = tuple(HeadId(layer, head) for layer, part in parts for head in part)
        if each != own:
            drawn[each] = None
    return list(drawn)
