"""A circuit as a graph for other programs: GraphML, GEXF, DOT and node-link JSON.

All edges are there, those too weak for the picture too. Edge values: signed change of the logit
difference in logits, exact or estimated as `exact` says, or an attention weight; `unit` says which.
"""

import io
import json
from collections.abc import Mapping
from typing import Any

import networkx as nx
from networkx.readwrite.gexf import GEXFWriter

from attention_viz.figures.circuits.circuit_layout import edge_names
from attention_viz.figures.escape import visible
from attention_viz.records.circuits.circuit import Circuit, CircuitEdge, CircuitNode, CircuitRequest
from attention_viz.records.circuits.circuit_file import HEADS_SHARING
from attention_viz.records.circuits.faithfulness import Faithfulness

Positions = Mapping[str, tuple[float, float]]

_STYLES = {"exact": "solid", "estimated": "dotted", "attention": "dashed"}


def graph_of(
    circuit: Circuit,
    positions: Positions | None = None,
    *,
    names: Mapping[str, str] | None = None,
    faithfulness: Faithfulness | None = None,
) -> nx.MultiDiGraph:
    """Nodes and edges with every attribute that was measured; what was not is left out.

    Edge keys are unique names such as "L2H3→L3H1:Q"; x and y are px, y downward. `names` are the
    labels of renamed nodes, by node id; the node's own label is then in `original_label`.
    """
    graph = nx.MultiDiGraph(**_about(circuit), **_faithfulness_values(faithfulness))
    for node in circuit.nodes:
        values = _node_values(node) | _place(node.id, positions) | _name(node, names)
        graph.add_node(node.id, **values)
    for name, edge in zip(edge_names(circuit.edges), circuit.edges, strict=True):
        graph.add_edge(edge.source, edge.target, key=name, **_edge_values(edge))
    return graph


def graphml_bytes(graph: nx.MultiDiGraph) -> bytes:
    """GraphML; characters that XML 1.0 forbids are written as their pictures (␀, ␇, …)."""
    out = io.BytesIO()
    nx.write_graphml_xml(_drawable(graph), out, named_key_ids=True)
    return out.getvalue()


def gexf_bytes(graph: nx.MultiDiGraph) -> bytes:
    """GEXF 1.2 for Gephi, with the nodes' places; y grows upward there.

    GEXF's graph has no attributes: what circuit it is stands in <meta>'s description, as JSON.
    """
    drawn = _drawable(graph)
    for _, values in drawn.nodes(data=True):
        if "x" in values:
            values["viz"] = {"position": {"x": values["x"], "y": -values["y"], "z": 0.0}}
    for _, _, key, values in drawn.edges(keys=True, data=True):
        values["id"] = key
    writer = GEXFWriter(drawn)
    meta = writer.xml.find("meta")
    meta.attrib.clear()  # the date: the same circuit gives the same bytes
    made = meta.makeelement("description", {})
    made.text = json.dumps(drawn.graph, allow_nan=False)
    meta.append(made)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{writer}'.encode()


def json_bytes(graph: nx.MultiDiGraph) -> bytes:
    """networkx' node-link format, with texts exact."""
    data = nx.node_link_data(graph, edges="edges")
    return json.dumps(data, indent=1, allow_nan=False).encode("ascii")


def dot_bytes(graph: nx.MultiDiGraph) -> bytes:
    """Graphviz; positions are kept as "pos", for `neato -n` (points, y upward)."""
    lines = ["digraph circuit {", "  rankdir=BT;", f"  graph {_attributes(graph.graph)};"]
    for node, values in graph.nodes(data=True):
        extra = {"shape": "box", "style": "rounded" if values["kind"] == "head" else "solid"}
        if "x" in values:
            extra["pos"] = f"{values['x']:g},{-values['y']:g}"
        lines.append(f"  {_quoted(node)} {_attributes(values | extra)};")
    for source, target, key, values in graph.edges(keys=True, data=True):
        style = _STYLES[values["how"]]
        extra = {"id": key, "label": f"{values['via']} {values['value']:.3g}", "style": style}
        lines.append(f"  {_quoted(source)} -> {_quoted(target)} {_attributes(values | extra)};")
    return "\n".join([*lines, "}", ""]).encode("utf-8")


def _about(circuit: Circuit) -> dict[str, Any]:
    request, question = circuit.request, circuit.request.question
    is_single = isinstance(request, CircuitRequest) or circuit.pairs == 1
    values = {
        "label": request.label,
        "model": question.model,
        "prompt": question.prompt or circuit.tokens.text,  # of pairs, the first
        "counterfactual": question.counterfactual,
        "pairs": None if is_single else request.pairs.label,
        "pair_count": circuit.pairs,
        "bos": circuit.tokens.bos,
        "readout_position": circuit.position,
        "answer": circuit.answer.text,
        "distractor": circuit.distractor.text,
        "ablation": request.ablation.label,
        "patched_with": circuit.patched_with,
        "baseline": float(circuit.baseline),
        "ablated": _number(circuit.ablated),
        "unit": "logits",
        HEADS_SHARING: _heads_sharing(circuit),
    }
    return _known(values)


def _heads_sharing(circuit: Circuit) -> int | None:
    """How many heads share keys and values; None where each has its own."""
    graph = circuit.graph
    group = 1 if graph is None else graph.heads // graph.key_value_heads
    return group if group > 1 else None


def _faithfulness_values(found: Faithfulness | None) -> dict[str, Any]:
    if found is None:
        return {}
    interval = found.interval
    values = {
        "faithfulness": _number(found.faithfulness),
        "faithfulness_low": None if interval is None else _number(interval.low),
        "faithfulness_high": None if interval is None else _number(interval.high),
        "circuit_metric": _number(found.metric),
        "faithfulness_without": _number(found.without),
    }
    return _known(values)


def _node_values(node: CircuitNode) -> dict[str, Any]:
    role = node.role
    values = {
        "kind": node.kind,
        "label": node.label,
        "layer": None if node.head is None else node.head.layer,
        "head": None if node.head is None else node.head.head,
        "position": node.position,
        "contribution": _number(node.contribution),
        "role": None if role is None else role.role.value,
        "role_score": None if role is None else _number(role.score),
    }
    return _known(values)


def _edge_values(edge: CircuitEdge) -> dict[str, Any]:
    """`how`: "exact", "estimated" (by gradients) or "attention"; `exact` only of the first two."""
    is_causal = edge.via.is_causal
    values = {
        "via": edge.via.value,
        "value": float(edge.value),
        "unit": edge.via.unit,
        "how": ("exact" if edge.is_exact else "estimated") if is_causal else "attention",
        "exact": bool(edge.is_exact) if is_causal else None,
        "estimate": _number(edge.estimate),
        "row_position": edge.position,
    }
    return _known(values)


def _place(node: str, positions: Positions | None) -> dict[str, float]:
    if not positions or node not in positions:
        return {}
    x, y = positions[node]
    return {"x": float(x), "y": float(y)}


def _name(node: CircuitNode, names: Mapping[str, str] | None) -> dict[str, str]:
    if not names or node.id not in names:
        return {}
    return {"label": names[node.id], "original_label": node.label}


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _known(values: dict[str, Any]) -> dict[str, Any]:
    """Without what was not measured: neither None nor nan can be written everywhere."""
    return {n: v for n, v in values.items() if v is not None and v == v}


def _drawable(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """A copy with XML-safe texts; line breaks are kept, XML can hold them."""
    graph = graph.copy()
    groups = [graph.graph, *(v for _, v in graph.nodes(data=True))]
    for values in groups:
        values.update({n: _xml_text(v) for n, v in values.items() if isinstance(v, str)})
    return graph


def _xml_text(text: str) -> str:
    # A carriage return is allowed, but every reader turns it into a line feed.
    return "".join(c if c in "\n\t" else visible(c) for c in text)


def _attributes(values: dict[str, Any]) -> str:
    pairs = (f"{name}={_quoted(_word(v), name == 'label')}" for name, v in values.items())
    return "[" + ", ".join(pairs) + "]"


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str, is_label: bool = False) -> str:
    r"""A DOT string: \" and \\ never end it. Only labels read HTML entities, and \\ as \."""
    text = "".join(c if c in "\n\t" else visible(c) for c in text)
    text = text.replace("&", "&amp;") if is_label else text
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("\n", "\\n") + '"'
