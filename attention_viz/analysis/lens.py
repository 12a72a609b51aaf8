"""The logit lens: the residual stream after each layer, read by the final norm and unembedding.

Source: nostalgebraist (2020). The model's own modules are used, so an ablated run is read the
same way as a clean one.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.one_pass import run_ablated
from attention_viz.analysis.question import Asked, ask, entropy_of
from attention_viz.models.loading import LoadedModel
from attention_viz.records.errors import BadInput
from attention_viz.records.lens import LensRequest, LogitLens
from attention_viz.records.pace import Pace


@torch.no_grad()
def logit_lens(model: LoadedModel, request: LensRequest, pace: Pace | None = None) -> LogitLens:
    """Top tokens at every layer and position. Raises BadInput where it can't be asked."""
    if request.top < 1:
        raise BadInput(f"The top {request.top} tokens are none.", "Ask for 1 or more.")
    asked = ask(model, request.question, pace)
    run = asked.run
    if request.ablation is not None:
        heads = asked.need_heads(request.heads)
        run = run_ablated(asked, heads, edit_of(asked, request.ablation))
    return read_lens(asked, request, [residual[0] for residual in run.residual])


@torch.no_grad()
def read_lens(
    asked: Asked, request: LensRequest, residuals: Sequence[Float[Tensor, "pos d_model"]]
) -> LogitLens:
    """The lens of residual streams: what enters each layer, and what leaves the last."""
    rows = [_read_row(asked, residual, request.top) for residual in residuals]
    ids, probability, entropy, answer_probability, answer_rank = map(
        np.stack, zip(*rows, strict=True)
    )
    return LogitLens(
        request=request,
        tokens=asked.tokens,
        position=asked.position,
        rows=("embed", *(f"L{layer}" for layer in range(asked.decoder.layers))),
        top=tuple(tuple(tuple(map(asked.token, cell)) for cell in row) for row in ids.tolist()),
        probability=probability,
        entropy=entropy,
        answer=asked.answer_token,
        distractor=asked.distractor_token,
        answer_probability=answer_probability,
        answer_rank=answer_rank,
        settles=_settles(ids[:, asked.position, 0]),
    )


def _read_row(asked: Asked, residual, top: int) -> tuple[np.ndarray, ...]:
    """One layer `[pos, d_model]`: ids and probabilities `[pos, k]`, and numbers `[pos]`."""
    with asked.turn():
        logits = asked.decoder.read_out(residual)[:, : asked.vocabulary.size]
        best = logits.softmax(-1).topk(min(top, logits.shape[-1]))
        answer = logits[:, asked.answer, None]
        parts = (
            best.indices,
            best.values,
            entropy_of(logits),
            logits.softmax(-1)[:, asked.answer],
            (logits > answer).sum(-1) + 1,
        )
        return tuple(part.cpu().numpy() for part in parts)


def _settles(top: np.ndarray) -> int:
    """The first row from which on the top-1 is the final one."""
    differs = np.flatnonzero(top != top[-1])
    return 0 if differs.size == 0 else int(differs[-1]) + 1
