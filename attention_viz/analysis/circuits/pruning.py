"""What of chosen edges is a circuit: those on a way from the input to the logits."""

from collections import defaultdict

import numpy as np
from jaxtyping import Bool

from attention_viz.records.circuits.edge import INPUT, OUTPUT
from attention_viz.records.circuits.graph import Graph

Mask = Bool[np.ndarray, "writer reader"]


def columns_of(graph: Graph) -> dict[str, list[int]]:
    """Columns of the inputs of each node: a head's Q, K and V (shared or its own), an MLP's."""
    columns: dict[str, list[int]] = defaultdict(list)
    for column, (reader, _) in enumerate(graph.readers):
        for node in graph.heads_behind(reader):
            columns[node].append(column)
    return columns


def prune(graph: Graph, mask: Mask) -> Mask:
    """Without edges that lie on no way from the input to the logits."""
    columns = columns_of(graph)
    reached = np.zeros(len(graph.writers), dtype=bool)  # from the input
    for row, name in enumerate(graph.writers):  # writers come after all that they read
        reached[row] = name == INPUT or mask[reached][:, columns[name]].any()
    leads = np.zeros(len(graph.readers), dtype=bool)  # to the logits
    leads[columns[OUTPUT]] = True
    for row, name in reversed(list(enumerate(graph.writers))):
        if name != INPUT and mask[row, leads].any():
            leads[columns[name]] = True
    return mask & reached[:, None] & leads
