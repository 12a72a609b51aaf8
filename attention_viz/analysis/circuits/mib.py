"""The MIB benchmark's cut: the top n edges anywhere, pruned and not refilled.

See `records/circuits/mib` for the rule and its source.
"""

import numpy as np
from jaxtyping import Float, Int

from attention_viz.analysis.circuits.pruning import Mask, prune
from attention_viz.records.circuits.edge import OUTPUT
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.circuits.mib import Ranking
from attention_viz.records.metrics import Sense


def cut_top(
    graph: Graph,
    scores: Float[np.ndarray, "writer reader"],
    size: int,
    ranking: Ranking,
    sense: Sense,
) -> Mask:
    """What pruning leaves of the top `size` edges, each head's own K and V counted.

    `sense` says which sign of the scores helps.
    """
    helps = np.nan_to_num(scores) * (1 if sense is Sense.HELPS_ABOVE else -1)
    strength = np.abs(helps) if ranking is Ranking.ABSOLUTE else helps
    weights = np.broadcast_to(_readers_behind(graph), strength.shape)
    strength = np.where(graph.edges, strength / weights, -np.inf)
    ranked = np.argsort(-strength, axis=None, kind="stable")[: graph.count]
    counts = np.cumsum(weights.flat[ranked])
    mask = np.zeros(graph.edges.shape, dtype=bool)
    mask.flat[ranked[: np.searchsorted(counts, size, side="right")]] = True
    return prune(graph, mask)


def count_all(graph: Graph) -> int:
    """All edges of the model, each head having K and V of its own."""
    return int((graph.edges * _readers_behind(graph)).sum())


def count_kept(graph: Graph, mask: Mask) -> int:
    """Edges of a pruned circuit; one into a key/value head counts for its heads in the circuit."""
    writes = dict(zip(graph.writers, mask.any(1), strict=True)) | {OUTPUT: True}
    alive = [sum(writes[node] for node in graph.heads_behind(name)) for name, _ in graph.readers]
    return int((mask * np.array(alive)).sum())


def _readers_behind(graph: Graph) -> Int[np.ndarray, " reader"]:
    """How many heads read through each reader: several where they share keys and values."""
    return np.array([len(graph.heads_behind(name)) for name, _ in graph.readers])
