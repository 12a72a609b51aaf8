"""A set of heads scaled from −1 (reversed) over 0 (ablated) and 1 (clean) to 2 (doubled)."""

import time

import numpy as np
import torch

from attention_viz.analysis.edits import Scale
from attention_viz.analysis.metrics import read_metric
from attention_viz.analysis.one_pass import Candidate, evaluate
from attention_viz.analysis.question import Asked, ask
from attention_viz.models.loading import LoadedModel
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.looks.dose import LEAST, MOST, Dose, DoseRequest, Flip
from attention_viz.records.metrics import Metric
from attention_viz.records.pace import Pace

BISECTIONS = 12  # the flip point is then known to a 4,096th of a step


def respond_to_dose(model: LoadedModel, request: DoseRequest, pace: Pace | None = None) -> Dose:
    """Raises BadInput: no heads, unknown heads, fewer than two steps."""
    began = time.perf_counter()
    asked = ask(model, request.question, pace)
    heads = asked.need_heads(request.heads)
    if request.steps < 2:
        raise BadInput(f"{request.steps} step shows no response.", "Ask for 2 steps or more.")
    scale = np.linspace(LEAST, MOST, request.steps)
    values = _run(asked, heads, scale)
    asked.pace.report(request.steps, request.steps)
    tops = values.pop("top").astype(int)
    changes = np.flatnonzero(tops[1:] != tops[:-1])
    flips = [_bisect(asked, heads, scale[i], scale[i + 1], int(tops[i])) for i in changes]
    return Dose(
        request=request,
        tokens=asked.tokens,
        position=asked.position,
        answer=asked.answer_token,
        distractor=asked.distractor_token,
        scale=scale,
        **values,
        flips=tuple(flips),
        evaluations=request.steps + BISECTIONS * len(flips),
        seconds=time.perf_counter() - began,
    )


def _run(asked: Asked, heads: tuple[HeadId, ...], scale: np.ndarray) -> dict[str, np.ndarray]:
    """What is read at each factor, [step] each."""
    candidates = [Candidate(heads, Scale(None, float(factor))) for factor in scale]
    found: dict[str, np.ndarray] = {}

    def read(logits) -> dict[str, torch.Tensor]:
        chances = logits.softmax(-1)
        return {
            "logit_diff": read_metric(asked, Metric.LOGIT_DIFF, logits),
            "answer_probability": chances[:, asked.answer],
            "distractor_probability": chances[:, asked.distractor],
            "kl": read_metric(asked, Metric.KL, logits),
            "top": logits.argmax(-1),
        }

    for indices, values in evaluate(asked, candidates, read):
        for name, value in values.items():
            row = found.setdefault(name, np.full(len(scale), np.nan))
            row[indices] = value.cpu().numpy()
    return found


def _bisect(asked: Asked, heads: tuple[HeadId, ...], low: float, high: float, top: int) -> Flip:
    """The factor at which the top-1 stops being `top`; the first change, should there be more."""
    after = top
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        found = int(_run(asked, heads, np.array([middle]))["top"][0])
        low, high = (middle, high) if found == top else (low, middle)
        after = after if found == top else found
    if after == top:  # every middle was below the change: it lies at the upper end
        after = int(_run(asked, heads, np.array([high]))["top"][0])
    return Flip(float(high), asked.token(top), asked.token(after))
