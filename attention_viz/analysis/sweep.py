"""Every head ablated alone, in one pass. Effect = metric(ablated) − metric(clean)."""

import time

import numpy as np

from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.metrics import read_metric
from attention_viz.analysis.one_pass import Candidate, evaluate
from attention_viz.analysis.question import Asked, ask
from attention_viz.models.loading import LoadedModel
from attention_viz.records.ids import HeadId
from attention_viz.records.pace import Pace
from attention_viz.records.sweep import HeadSweep, SweepRequest


def sweep_heads(model: LoadedModel, request: SweepRequest, pace: Pace | None = None) -> HeadSweep:
    """The effect of each head `[layer, head]`. Raises BadInput where it can't be asked."""
    started = time.perf_counter()
    asked = ask(model, request.question, pace)
    heads = all_heads(asked)
    edit = edit_of(asked, request.ablation)
    baseline = read_metric(asked, request.metric, asked.logits[None]).item()
    effect = np.full((asked.decoder.layers, asked.decoder.heads), np.nan)
    top = [[None] * asked.decoder.heads for _ in range(asked.decoder.layers)]

    def record(done: int) -> HeadSweep:
        return HeadSweep(
            request=request,
            tokens=asked.tokens,
            position=asked.position,
            answer=asked.answer_token,
            distractor=asked.distractor_token,
            baseline=baseline,
            effect=effect.copy(),
            top=tuple(tuple(row) for row in top),
            evaluations=done,
            seconds=time.perf_counter() - started,
        )

    done = 0
    candidates = [Candidate((head,), edit) for head in heads]
    for indices, (values, tops) in evaluate(asked, candidates, _measure(asked, request)):
        for index, value, id in zip(indices, values, tops, strict=True):
            head = heads[index]
            effect[head.layer, head.head] = value - baseline
            top[head.layer][head.head] = asked.token(id)
        done += len(indices)
        asked.pace.report(done, len(heads), record(done))
    return record(done)


def all_heads(asked: Asked) -> list[HeadId]:
    """Layer by layer."""
    decoder = asked.decoder
    return [HeadId(layer, head) for layer in range(decoder.layers) for head in range(decoder.heads)]


def _measure(asked: Asked, request: SweepRequest):
    def measure(logits) -> tuple[list[float], list[int]]:
        values = read_metric(asked, request.metric, logits)
        return values.tolist(), logits.argmax(-1).tolist()

    return measure
