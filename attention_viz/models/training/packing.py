"""Packs whole documents into rows of 128 tokens that cannot see each other.

Each document keeps its own positions, counted from 0 (or, for 30 % of them, from a random
offset, so
that late positions are trained too), and attention is block-diagonal: a row gives the same
predictions as its documents run one by one; a test holds this equality.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np

from attention_viz.models.training.corpus import Document

ROW = 128
POOL = 96  # documents waiting for a row with room
OFFSET_SHARE = 0.3


@dataclass(frozen=True)
class Batch:
    """Arrays of shape [row, position]; ``owner`` numbers the document within the row, -1 =
    empty."""

    ids: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    positions: np.ndarray
    owner: np.ndarray


def fill_row(pool: list[Document], room: int = ROW) -> list[Document]:
    """Takes documents from the pool: the oldest while they fit, then the longest that fits."""
    row: list[Document] = []
    while True:
        fitting = [document for document in pool if len(document.ids) <= room]
        if not fitting:
            return row
        oldest = pool[0]
        chosen = oldest if len(oldest.ids) <= room else max(fitting, key=lambda one: len(one.ids))
        pool.remove(chosen)
        row.append(chosen)
        room -= len(chosen.ids)


def pack_row(documents: list[Document], offsets: list[int]) -> Batch:
    """One row; ``offsets`` are the position numbers that the documents start from."""
    ids, targets, positions = (np.zeros(ROW, dtype=np.int64) for _ in range(3))
    weights, owner = np.zeros(ROW, dtype=np.float32), np.full(ROW, -1, dtype=np.int64)
    start = 0
    for number, (document, offset) in enumerate(zip(documents, offsets, strict=True)):
        size = len(document.ids)
        span = slice(start, start + size)
        ids[span] = document.ids
        targets[start : start + size - 1] = document.ids[1:]
        weights[start : start + size - 1] = document.weights[1:]
        positions[span] = np.arange(offset, offset + size)
        owner[span] = number
        start += size
    return Batch(ids, targets, weights, positions, owner)


def draw_offset(rng: Random, size: int) -> int:
    """0, or for some documents any start that leaves room for the rest."""
    return rng.randint(0, ROW - size) if rng.random() < OFFSET_SHARE else 0


def pack_batches(documents: Iterator[Document], rows: int, *, seed: int) -> Iterator[Batch]:
    """Batches of ``rows`` rows, for ever."""
    rng = Random(seed)
    pool: list[Document] = []
    while True:
        packed = []
        for _ in range(rows):
            while len(pool) < POOL:
                pool.append(next(documents))
            row = fill_row(pool)
            packed.append(pack_row(row, [draw_offset(rng, len(one.ids)) for one in row]))
        fields = ("ids", "targets", "weights", "positions", "owner")
        yield Batch(*(np.stack([getattr(one, field) for one in packed]) for field in fields))


def block_mask(owner: np.ndarray) -> np.ndarray:
    """[row, 1, query, key] booleans: key in the same document and not later than the query."""
    same = owner[:, :, None] == owner[:, None, :]
    return np.tril(same)[:, None]
