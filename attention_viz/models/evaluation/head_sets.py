"""Which sets of heads turn " Mary" into " John" when zero-ablated: all singles, pairs and triples.

Plain Hugging Face forwards with a pre-hook on each layer's output projection; a candidate is a
row of
the batch whose heads' outputs z are set to 0 at all positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations

import torch
from torch import Tensor

from attention_viz.models.evaluation.scoring import Subject

PROMPT = "When Mary and John went to the store, John gave a drink to"
FLIP_TO = " John"
CHUNK = 512  # candidates per forward
Head = tuple[int, int]  # layer, head


@contextmanager
def silencing(model, keep: Tensor) -> Iterator[None]:
    """While open, multiplies z by ``keep`` [row, layer, head]."""

    def hook_for(layer: int):
        def silence(module, arguments):
            z = arguments[0]
            rows, positions, width = z.shape
            by_head = z.view(rows, positions, keep.shape[2], -1)
            return ((by_head * keep[:, layer, None, :, None]).reshape(rows, positions, width),)

        return silence

    blocks = model.transformer.h
    handles = [
        block.attn.c_proj.register_forward_pre_hook(hook_for(layer))
        for layer, block in enumerate(blocks)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.inference_mode()
def read_ablated(subject: Subject, prompt: str, sets: list[tuple[Head, ...]]) -> Tensor:
    """[set, token] logits after the prompt, with each set of heads zero-ablated."""
    config = subject.model.config
    ids = torch.tensor([subject.encode(prompt)])
    logits = []
    for start in range(0, len(sets), CHUNK):
        chunk = sets[start : start + CHUNK]
        keep = torch.ones(len(chunk), config.n_layer, config.n_head)
        for row, heads in enumerate(chunk):
            for layer, head in heads:
                keep[row, layer, head] = 0.0
        with silencing(subject.model, keep):
            hidden = subject.model.transformer(ids.expand(len(chunk), -1), use_cache=False)
        logits.append(subject.model.lm_head(hidden.last_hidden_state[:, -1]))
    return torch.cat(logits)


def list_heads(subject: Subject) -> list[Head]:
    """All heads as (layer, head)."""
    config = subject.model.config
    return [(layer, head) for layer in range(config.n_layer) for head in range(config.n_head)]


def find_flips(subject: Subject, size: int) -> tuple[list[tuple[Head, ...]], int]:
    """The sets of this size that make " John" top-1, and how many sets there are."""
    sets = list(combinations(list_heads(subject), size))
    top = read_ablated(subject, PROMPT, sets).argmax(-1)
    wanted = subject.token(FLIP_TO)
    flips = [heads for heads, token in zip(sets, top.tolist(), strict=True) if token == wanted]
    return flips, len(sets)


def name_set(heads: tuple[Head, ...]) -> list[str]:
    """ "L2H3" and so on."""
    return [f"L{layer}H{head}" for layer, head in heads]


def count_flips(subject: Subject) -> list[dict]:
    """For sets of one, two and three heads: how many flip, of how many, and the first few."""
    counts = []
    for size in (1, 2, 3):
        flips, total = find_flips(subject, size)
        counts.append({"size": size, "flips": len(flips), "sets": total,
                       "examples": [name_set(heads) for heads in flips[:6]]})  # fmt: skip
    return counts
