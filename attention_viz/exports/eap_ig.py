"""A circuit in the JSON of the EAP-IG package: what its `Graph.to_json` writes.

Names there: "input", "a0.h1" (head), "m0" (MLP), "logits"; an edge is "a0.h1->a2.h3<q>" or
"a0.h1->m2". Each node has `in_graph`, each edge `in_graph` and `score`, in logits. Signs are as the
authors' notebooks and MIB read them: positive where the edge helps, which is what replacing it
takes away. Theirs has no key/value heads that heads share: the edges stand at each of these heads,
with an equal part of the score, so that they sum to it. Both is said in fields of the file, which
EAP-IG's reader passes over.
(https://github.com/hannamw/EAP-IG; Hanna et al. 2024, "Have Faith in Faithfulness")
"""

import json
import math
from collections.abc import Iterator
from typing import Any

from attention_viz.records.circuits.attribution import Attribution
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.circuit_file import EAP_IG_SIGN, HEADS_SHARING, HELPS
from attention_viz.records.circuits.edge import OUTPUT, EdgeId, Via
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Sense


def eap_ig_bytes(
    circuit: Circuit,
    graph: Graph,
    *,
    attribution: Attribution | None = None,
    d_model: int | None = None,
) -> bytes:
    """All nodes; the circuit's edges, or with an attribution all edges and its scores.

    EAP-IG's newer versions read a file only with `d_model` (width of the residual stream).
    """
    inside = dict(_circuit_edges(circuit, graph))
    written = {} if attribution is None else dict(_scored_edges(attribution))
    sign = 1 if circuit.sense is Sense.HELPS_ABOVE else -1
    edges = {_edge_name(edge): sign * score or 0.0 for edge, score in (written or inside).items()}
    names = {_edge_name(edge) for edge in inside}
    used = {node.id for node in circuit.nodes} | {OUTPUT}
    data = {
        "cfg": _sizes(graph, d_model),
        EAP_IG_SIGN: HELPS,
        **_parts(graph),
        "made_of": circuit.request.label,
        "nodes": {_node_name(n): {"in_graph": n in used} for n in (*graph.writers, OUTPUT)},
        "edges": {n: {"score": score, "in_graph": n in names} for n, score in edges.items()},
    }
    return json.dumps(data, allow_nan=False).encode("ascii")


def _parts(graph: Graph) -> dict[str, Any]:
    """How many heads share keys and values, and what a score of theirs is then."""
    group = graph.heads // graph.key_value_heads
    if group == 1:
        return {}
    parts = f"of an edge into K or V: 1/{group} of what it is of all {group} heads that share them"
    return {HEADS_SHARING: group, "shared_scores": parts}


def _sizes(graph: Graph, d_model: int | None) -> dict[str, Any]:
    sizes = {
        "n_layers": graph.layers,
        "n_heads": graph.heads,
        "parallel_attn_mlp": graph.is_parallel,
    }
    return sizes if d_model is None else sizes | {"d_model": d_model}


def _circuit_edges(circuit: Circuit, graph: Graph) -> Iterator[tuple[EdgeId, float]]:
    """Drawn edges: those into a key/value head stand at each head of it in the circuit already."""
    group = graph.heads // graph.key_value_heads
    for edge in circuit.causal_edges:
        parts = group if edge.via in (Via.K, Via.V) else 1
        yield edge.id, float(edge.value) / parts


def _scored_edges(attribution: Attribution) -> Iterator[tuple[EdgeId, float]]:
    """Every edge with its score, those of key/value heads at each head with its part."""
    graph = attribution.graph
    for writer, reader in zip(*graph.edges.nonzero(), strict=True):
        edge, score = graph.edge(writer, reader), float(attribution.scores[writer, reader])
        heads = graph.heads_behind(edge.reader)
        for head in heads:
            part = score / len(heads) if math.isfinite(score) else 0.0
            yield EdgeId(edge.writer, head, edge.via), part


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
