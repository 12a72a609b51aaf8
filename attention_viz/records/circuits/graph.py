"""The computation of a decoder as a graph: who writes to the residual stream, who reads it.

Writers are the input (embeddings), every head and every MLP; readers are the Q, K and V of every
head, every MLP, and the logits. With grouped queries K and V belong to a key/value head. Blocks
whose attention and MLP run in parallel have no edge from a layer's heads to its own MLP.
(Syed et al. 2023, "Attribution Patching Outperforms Automated Circuit Discovery")
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import SupportsIndex

import numpy as np
from jaxtyping import Bool

from attention_viz.records.circuits.edge import INPUT, OUTPUT, EdgeId, Via
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId


@dataclass(frozen=True)
class Graph:
    """Writers and readers of one model, in the order of every score matrix."""

    layers: int
    heads: int
    key_value_heads: int
    is_parallel: bool  # attention and MLP of a block read the same stream

    @cached_property
    def writers(self) -> tuple[str, ...]:
        """ "input", then per layer its heads and its MLP."""
        names = [INPUT]
        for layer in range(self.layers):
            names += [str(HeadId(layer, head)) for head in range(self.heads)]
            names.append(mlp_name(layer))
        return tuple(names)

    @cached_property
    def readers(self) -> tuple[tuple[str, Via], ...]:
        """Per layer Q of its heads, K and V of its key/value heads, its MLP; then the logits."""
        found: list[tuple[str, Via]] = []
        for layer in range(self.layers):
            found += [(str(HeadId(layer, head)), Via.Q) for head in range(self.heads)]
            for via in (Via.K, Via.V):
                shared = range(self.key_value_heads)
                found += [(self.key_value_name(layer, head), via) for head in shared]
            found.append((mlp_name(layer), Via.MLP))
        return (*found, (OUTPUT, Via.LOGITS))

    @cached_property
    def edges(self) -> Bool[np.ndarray, "writer reader"]:
        """Where a writer comes before a reader."""
        allowed = np.zeros((len(self.writers), len(self.readers)), dtype=bool)
        for layer in range(self.layers):
            reads = self.attention_readers(layer)
            allowed[: self.written_before(layer), reads] = True
            seen = self.written_before(layer) + (0 if self.is_parallel else self.heads)
            allowed[:seen, reads.stop] = True
        allowed[:, -1] = True
        return allowed

    @property
    def count(self) -> int:
        """How many edges there are."""
        return int(self.edges.sum())

    @property
    def readers_per_layer(self) -> int:
        return self.heads + 2 * self.key_value_heads + 1

    def written_before(self, layer: int) -> int:
        """How many writers come before a layer."""
        return 1 + layer * (self.heads + 1)

    def attention_readers(self, layer: int) -> slice:
        """Columns of a layer's Q, K and V; the layer's MLP is the column after them."""
        start = layer * self.readers_per_layer
        return slice(start, start + self.readers_per_layer - 1)

    def key_value_name(self, layer: int, head: int) -> str:
        """ "L2H3", or "L2KV1" where several heads share it."""
        if self.key_value_heads == self.heads:
            return str(HeadId(layer, head))
        return f"L{layer}KV{head}"

    def heads_behind(self, reader: str) -> tuple[str, ...]:
        """The writers that a reader feeds: the heads on a key/value head, else itself."""
        layer, shared, index = reader.partition("KV")
        if not shared:
            return (reader,)
        group = self.heads // self.key_value_heads
        first = int(index) * group
        return tuple(f"{layer}H{head}" for head in range(first, first + group))

    def index(self, edge: EdgeId) -> tuple[int, int]:
        """Row and column of an edge. Raises BadInput for one the model does not have."""
        place = (
            self._writer_index.get(edge.writer),
            self._reader_index.get((edge.reader, edge.via)),
        )
        if None in place or not self.edges[place]:
            raise BadInput(
                f"There is no edge {edge} in this model.",
                f"It has {self.layers} layers of {self.heads} heads; edges go upward.",
            )
        return place

    def edge(self, writer: SupportsIndex, reader: SupportsIndex) -> EdgeId:
        return EdgeId(self.writers[writer], *self.readers[reader])

    def mask(self, edges: Iterable[EdgeId]) -> Bool[np.ndarray, "writer reader"]:
        """True at these edges. Raises BadInput for one the model does not have."""
        chosen = np.zeros_like(self.edges)
        for edge in edges:
            chosen[self.index(edge)] = True
        return chosen

    def touches_mlp(self) -> Bool[np.ndarray, "writer reader"]:
        """Edges from or into an MLP."""
        writers = np.array([name.endswith("MLP") for name in self.writers])
        readers = np.array([via is Via.MLP for _, via in self.readers])
        return (writers[:, None] | readers[None, :]) & self.edges

    @cached_property
    def _writer_index(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.writers)}

    @cached_property
    def _reader_index(self) -> dict[tuple[str, Via], int]:
        return {reader: index for index, reader in enumerate(self.readers)}


def mlp_name(layer: int) -> str:
    return f"L{layer}MLP"
