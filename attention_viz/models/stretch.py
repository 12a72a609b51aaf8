"""A stretch of a run: the positions between the first changed one and the last that is read.

By causality nothing before the first changed position differs from the clean run, and nothing after
the read-out reaches it. So rows carry only the positions between; the attention function puts the
clean run's keys and values in front of theirs and uses the clean run's own mask, cut. The blocks'
other arguments (rotary positions …) are cut where they have the prompt's length; that this gives
what a call with all positions gives is tested on every model that is loaded (`self_test.py`), and
where it does not, rows carry all positions.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from attention_viz.models.attention import Attended, Earlier, Listener, causal_mask, listening
from attention_viz.models.decoder import Decoder, Run


def cut_run(run: Run, start: int, stop: int) -> Run:
    """The run's positions from `start` to `stop`, with what is needed to call blocks on them."""
    length = run.residual[0].shape[1]
    if (start, stop) == (0, length):
        return run
    span = slice(start, stop)
    masks: dict[int, Tensor] = {}  # most layers share one
    return replace(
        run,
        residual=[each[:, span] for each in run.residual],
        z=[each[:, span] for each in run.z],
        attended=[],
        pattern=[],
        calls=[_cut(call, run.residual[0].shape[:2], span) for call in run.calls],
        start=start,
        earlier=[_earlier_of(attended, span, masks) for attended in run.attended],
    )


@torch.no_grad()
def run_from(decoder: Decoder, clean: Run, ids: Int[Tensor, "batch pos"], start: int) -> Run:
    """The run of prompts with the clean ones' tokens before `start`: only the rest is computed."""
    part = cut_run(clean, start, ids.shape[1])
    own = Run(residual=[decoder.embed(ids)[:, start:]], calls=clean.calls)

    def keep(layer: int, z: Tensor, attended: Attended) -> Tensor:
        own.z.append(z)
        whole = clean.attended[layer]
        own.attended.append(replace(attended, mask=whole.mask, queries=whole.queries))
        return z

    with listening(Listener(output=keep)):
        for layer in range(decoder.layers):
            own.residual.append(decoder.call_block(layer, own.residual[layer], part))
    own.residual = _continue(clean.residual, own.residual, start)
    own.z = _continue(clean.z, own.z, start)
    return own


def _continue(clean: list[Tensor], own: list[Tensor], start: int) -> list[Tensor]:
    return [
        torch.cat([before[:, :start], after], 1) for before, after in zip(clean, own, strict=True)
    ]


def _earlier_of(attended: Attended, span: slice, masks: dict[int, Tensor]) -> Earlier:
    known = id(attended.mask)
    if known not in masks:
        masks[known] = _mask_of(attended, span)
    before = slice(None, span.start)
    return Earlier(attended.key[:, :, before], attended.value[:, :, before], masks[known])


def _mask_of(attended: Attended, span: slice) -> Tensor:
    """The mask of the stretch's queries: all rows have the same."""
    if attended.mask is None:
        return causal_mask(span.stop - span.start, span.stop, attended.key.device)
    return attended.mask[:1, :, span, : span.stop]


def _cut(value, shape: tuple[int, int], span: slice):
    """Arguments of a block in a run of `shape`, cut where they have an axis of positions.

    Prompts of one run have one length, so what there is for each of them is the same.
    """
    if isinstance(value, Tensor):
        batch, length = shape
        axis = _axis_of(value.shape, length)
        if axis is None:
            return value
        value = value.narrow(axis, span.start, span.stop - span.start)
        return value[:1] if axis and len(value) == batch else value
    if isinstance(value, dict):
        return {name: _cut(each, shape, span) for name, each in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_cut(each, shape, span) for each in value)
    return value


def _axis_of(shape: Sequence[int], length: int) -> int | None:
    """Where an argument has its positions, by convention rather than by any axis of that size.

    `[batch, head, query, key]`, `[batch, pos, …]`, `[pos, …]`.
    """
    axes = [2] if len(shape) == 4 else [1, 0] if len(shape) in (2, 3) else [0]
    return next((axis for axis in axes if axis < len(shape) and shape[axis] == length), None)


@torch.no_grad()
def stretch_error(decoder: Decoder, run: Run) -> float:
    """How far stretches are from calls with all positions, relative: several rows and stretches.

    Rows differ from the clean run and from each other from the stretch's first position on.
    """
    length = run.residual[0].shape[1]
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for start, stop in ((1, length), (length // 2, length - 1), (length - 1, length)):
        part = cut_run(run, start, stop)
        rows = run.residual[0].repeat(3, 1, 1)
        noise = torch.randn(rows[1:, start:].shape, generator=generator, dtype=torch.float32)
        rows[1:, start:] += noise.to(rows) * rows.std()
        own = rows[:, start:stop]
        for layer in range(decoder.layers - 1):
            rows = decoder.call_block(layer, rows, run)
            own = decoder.call_block(layer, own, part)
            worst = max(worst, _difference(own, rows[:, start:stop]))
        whole = decoder.call_block(decoder.layers - 1, rows, run)[:, start:stop]
        last = decoder.call_last_block(own, part, stop - start - 1)
        worst = max(
            worst,
            _difference(decoder.call_block(decoder.layers - 1, own, part), whole),
            _difference(last, whole[:, -1]),
        )
    return worst


def _difference(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()
