"""A circuit in the JSON of the EAP-IG package: what its `Graph.to_json` writes.

Names there: "input", "a0.h1" (head), "m0" (MLP), "logits"; an edge is "a0.h1->a2.h3<q>" or
"a0.h1->m2". Each node has `in_graph`, each edge `in_graph` and `score`. Scores are logits: the
signed change of the logit difference when the edge is patched.
(https://github.com/hannamw/EAP-IG; Hanna et al. 2024, "Have Faith in Faithfulness")
"""

import json
import math
from collections.abc import Iterator
from typing import Any

from attention_viz.records.circuits.attribution import Attribution
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.edge import OUTPUT, EdgeId, Via
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.ids import HeadId


def eap_ig_bytes(
    circuit: Circuit,
    graph: Graph,
    *,
    attribution: Attribution | None = None,
    d_model: int | None = None,
) -> bytes:
    """All nodes; the circuit's edges, or with an attribution all edges and its scores.

    EAP-IG's newer versions read a file only with `d_model` (width of the residual stream). It
    knows no key/value heads: their edges stand at each head they serve, with the same score.
    """
    inside = {edge.id: float(edge.value) for edge in circuit.causal_edges}
    written = {} if attribution is None else dict(_scored_edges(attribution))
    edges = {_edge_name(edge): score for edge, score in (written or inside).items()}
    names = {_edge_name(edge) for edge in inside}
    used = {node.id for node in circuit.nodes} | {OUTPUT}
    data = {
        "cfg": _sizes(graph, d_model),
        "nodes": {_node_name(n): {"in_graph": n in used} for n in (*graph.writers, OUTPUT)},
        "edges": {n: {"score": score, "in_graph": n in names} for n, score in edges.items()},
    }
    return json.dumps(data, allow_nan=False).encode("ascii")


def _sizes(graph: Graph, d_model: int | None) -> dict[str, Any]:
    sizes = {
        "n_layers": graph.layers,
        "n_heads": graph.heads,
        "parallel_attn_mlp": graph.is_parallel,
    }
    return sizes if d_model is None else sizes | {"d_model": d_model}


def _scored_edges(attribution: Attribution) -> Iterator[tuple[EdgeId, float]]:
    """Every edge with its score, those of key/value heads once for each head."""
    graph = attribution.graph
    for writer, reader in zip(*graph.edges.nonzero(), strict=True):
        edge, score = graph.edge(writer, reader), float(attribution.scores[writer, reader])
        for head in graph.heads_behind(edge.reader):
            yield EdgeId(edge.writer, head, edge.via), score if math.isfinite(score) else 0.0


def _edge_name(edge: EdgeId) -> str:
    slot = f"<{edge.via.value.lower()}>" if edge.via in (Via.Q, Via.K, Via.V) else ""
    return f"{_node_name(edge.writer)}->{_node_name(edge.reader)}{slot}"


def _node_name(name: str) -> str:
    """ "L0H1" → "a0.h1", "L2MLP" → "m2"; the input and the logits are called alike."""
    if name.endswith("MLP"):
        return "m" + name.removesuffix("MLP")[1:]
    if name.startswith("L"):
        head = HeadId.parse(name)
        return f"a{head.layer}.h{head.head}"
    return name
