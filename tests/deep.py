"""A circuit as edge scores give it of a deep model: few heads, many MLPs, long chains of them."""

from dataclasses import replace
from functools import cache

import numpy as np

from attention_viz.records.circuits.circuit import (
    Circuit,
    CircuitEdge,
    CircuitNode,
    CircuitRequest,
)
from attention_viz.records.circuits.edge import INPUT, OUTPUT
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.ids import HeadId
from tests.builders import cut_of, node_of


@cache
def deep_cut_of(
    edges: int = 100, layers: int = 30, heads: int = 9, seed: int = 0, few: int = 10
) -> Circuit:
    """So many edges between the input, `few` heads, two thirds of the MLPs, and the logits.

    The heads stand in the upper half of the model, the first MLP reads most of the input, and sizes
    fall off as measured ones do.
    """
    graph = Graph(layers, heads, heads, is_parallel=False)
    random = np.random.default_rng(seed)
    upper = random.choice(np.arange(layers // 2, layers), size=few)
    chosen = {str(HeadId(int(layer), int(random.integers(heads)))) for layer in upper}
    mlps = random.choice(np.arange(1, layers), size=2 * layers // 3 - 1, replace=False)
    names = {INPUT, OUTPUT, "L0MLP", *chosen, *(f"L{layer}MLP" for layer in mlps)}
    writers = [number for number, name in enumerate(graph.writers) if name in names]
    readers = [number for number, (name, _) in enumerate(graph.readers) if name in names]
    places = [graph.edge(w, r) for w in writers for r in readers if graph.edges[w, r]]
    first = {(INPUT, "L0MLP")}
    way = [edge for edge in places if edge.writer == "L0MLP" or edge.reader == OUTPUT]
    needed = {(e.writer, e.reader): e for e in way}  # one edge into each, and one out of each
    ids = [edge for edge in places if (edge.writer, edge.reader) in first]
    ids += list(needed.values())
    rest = [edge for edge in places if edge not in ids]
    more = random.permutation(len(rest))[: max(edges - len(ids), 0)]
    ids += [rest[number] for number in more]
    sizes = 6.0 / (1 + np.arange(len(ids))) ** 0.8
    signs = random.choice([-1.0, 1.0], size=len(ids))
    values = [float(size * sign) for size, sign in zip(sizes, signs, strict=True)]
    drawn = tuple(
        CircuitEdge(id.writer, id.reader, id.via, value, is_exact=False)
        for id, value in zip(ids[:edges], values, strict=False)
    )
    used = {end for edge in drawn for end in (edge.source, edge.target)}
    nodes = [
        replace(node_of(name), contribution=float(random.normal()))
        for name in graph.writers
        if name in used
    ]
    plain = cut_of()
    output = CircuitNode(OUTPUT, "output", f"{plain.answer.shown} − {plain.distractor.shown}")
    request = replace(plain.request, edges=edges, exact_top=0)
    return replace(plain, request=request, nodes=(*nodes, output), edges=drawn, graph=graph)


def deep_chosen_of(request: CircuitRequest, **more: int) -> Circuit:
    """The same drawn as of chosen heads, every edge measured: the page then asks for no proof."""
    circuit = deep_cut_of(**more)
    edges = tuple(replace(edge, is_exact=True) for edge in circuit.edges)
    return replace(circuit, request=request, edges=edges, graph=None, pairs=1, ablated=0.5)
