"""The order in which a circuit takes edges, and how many of them make one of a size.

Greedy (Hanna et al. 2024): from the logits, always the edge with the greatest |score| whose reader
is already there. Top: the greatest |scores| anywhere.
"""

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from jaxtyping import Bool, Float

from attention_viz.analysis.circuits.pruning import columns_of, prune
from attention_viz.records.circuits.circuit import Cut
from attention_viz.records.circuits.edge import OUTPUT
from attention_viz.records.circuits.graph import Graph

Mask = Bool[np.ndarray, "writer reader"]


class Ranked:
    """Edges in order, found as far as somebody looks: a small circuit needs few of them."""

    def __init__(self, edges: Iterable[int]):
        self._rest = iter(edges)
        self._found: list[int] = []

    def first(self, count: int) -> list[int]:
        """So many of the first; all where there are fewer."""
        self._found += islice(self._rest, max(0, count - len(self._found)))
        return self._found[:count]


def rank_edges(
    graph: Graph,
    scores: Float[np.ndarray, "writer reader"],
    way: Cut,
    *,
    with_mlps: bool = True,
) -> Ranked:
    """Edges (flat indices of the score matrix) in the order in which a circuit takes them."""
    allowed = graph.edges if with_mlps else graph.edges & ~graph.touches_mlp()
    strength = np.where(allowed, np.abs(np.nan_to_num(scores)), -1.0)
    if way is Cut.GREEDY:
        return Ranked(_greedy(graph, strength))
    return Ranked(np.argsort(-strength, axis=None, kind="stable")[: int(allowed.sum())].tolist())


def take(graph: Graph, ranked: Ranked, size: int) -> Mask:
    """As many edges from the front as leave at most `size` when dead ends are pruned."""

    def pruned(count: int) -> Mask:
        mask = np.zeros(graph.edges.shape, dtype=bool)
        mask.flat[ranked.first(count)] = True
        return prune(graph, mask)

    def fits(count: int) -> bool:
        return len(ranked.first(count)) == count and int(pruned(count).sum()) <= size

    low, step = len(ranked.first(size)), 1  # so many always fit; more never prune to fewer
    while fits(low + step):
        low, step = low + step, 2 * step
    while step > 1:
        step //= 2
        if fits(low + step):
            low += step
    return pruned(low)


def _greedy(graph: Graph, strength: Float[np.ndarray, "writer reader"]) -> Iterator[int]:
    readers = columns_of(graph)
    width = strength.shape[1]
    # By reader: its edges, the strongest last, as (strength, writer); only its first one waits.
    left: dict[int, list[tuple[float, int]]] = {}
    waiting: list[tuple[float, int]] = []

    def wait(reader: int) -> None:
        if left[reader]:
            size, writer = left[reader].pop()
            heapq.heappush(waiting, (-size, writer * width + reader))

    def add(node: str) -> None:
        for reader in readers[node]:
            if reader not in left:
                column = strength[:, reader]
                writers = np.flatnonzero(column >= 0)
                # Of equally strong edges the lower writer goes first, as in the heap.
                order = writers[np.lexsort((-writers, column[writers]))]
                left[reader] = list(zip(column[order].tolist(), order.tolist(), strict=True))
                wait(reader)

    add(OUTPUT)
    while waiting:
        _, index = heapq.heappop(waiting)
        wait(index % width)
        yield index
        add(graph.writers[index // width])
