"""A circuit as a graph for other programs: GraphML, DOT, node-link JSON, and CSV of its edges.

All edges are there, those too weak for the picture too. Edge values: signed change of the logit
difference in logits (measured), or an attention weight; `unit` says which.
"""

import io
import json
from typing import Any

import networkx as nx

from attention_viz.exports.tables import edges_table, to_csv
from attention_viz.figures.circuit_layout import edge_names
from attention_viz.figures.escape import visible
from attention_viz.records.circuit import Circuit, CircuitNode

Positions = dict[str, tuple[float, float]]


def graph_of(circuit: Circuit, positions: Positions | None = None) -> nx.MultiDiGraph:
    """Nodes and edges with every attribute that was measured; what was not is left out.

    Edge keys are unique names such as "L2H3→L3H1:Q"; x and y are px, y downward.
    """
    graph = nx.MultiDiGraph(**_about(circuit))
    for node in circuit.nodes:
        graph.add_node(node.id, **_node_values(node), **_place(node.id, positions))
    for name, edge in zip(edge_names(circuit.edges), circuit.edges, strict=True):
        values = {
            "via": edge.via.value,
            "value": float(edge.value),
            "unit": edge.via.unit,
            "measured": edge.via.is_measured,
            "row_position": edge.position,
        }
        graph.add_edge(edge.source, edge.target, key=name, **_known(values))
    return graph


def graphml_bytes(circuit: Circuit, positions: Positions | None = None) -> bytes:
    """GraphML; characters that XML 1.0 forbids are written as their pictures (␀, ␇, …)."""
    out = io.BytesIO()
    nx.write_graphml_xml(_drawable(graph_of(circuit, positions)), out, named_key_ids=True)
    return out.getvalue()


def json_bytes(circuit: Circuit, positions: Positions | None = None) -> bytes:
    """networkx' node-link format, with texts exact."""
    data = nx.node_link_data(graph_of(circuit, positions), edges="edges")
    return json.dumps(data, indent=1, allow_nan=False).encode("ascii")


def csv_bytes(circuit: Circuit, positions: Positions | None = None) -> bytes:
    """The edges, a line each; a table has no place for positions."""
    return to_csv(*edges_table(circuit))


def dot_bytes(circuit: Circuit, positions: Positions | None = None) -> bytes:
    """Graphviz; positions are kept as "pos", for `neato -n` (points, y upward)."""
    graph = graph_of(circuit, positions)
    lines = ["digraph circuit {", "  rankdir=BT;", f"  graph {_attributes(graph.graph)};"]
    for node, values in graph.nodes(data=True):
        extra = {"shape": "box", "style": "rounded" if values["kind"] == "head" else "solid"}
        if "x" in values:
            extra["pos"] = f"{values['x']:g},{-values['y']:g}"
        lines.append(f"  {_quoted(node)} {_attributes(values | extra)};")
    for source, target, key, values in graph.edges(keys=True, data=True):
        style = "solid" if values["measured"] else "dashed"
        extra = {"id": key, "label": f"{values['via']} {values['value']:.3g}", "style": style}
        lines.append(f"  {_quoted(source)} -> {_quoted(target)} {_attributes(values | extra)};")
    return "\n".join([*lines, "}", ""]).encode("utf-8")


def _about(circuit: Circuit) -> dict[str, Any]:
    question = circuit.request.question
    values = {
        "model": question.model,
        "prompt": question.prompt,
        "counterfactual": question.counterfactual,
        "bos": circuit.tokens.bos,
        "readout_position": circuit.position,
        "answer": circuit.answer.text,
        "distractor": circuit.distractor.text,
        "ablation": circuit.request.ablation.label,
        "patched_with": circuit.patched_with,
        "baseline": float(circuit.baseline),
        "ablated": float(circuit.ablated),
        "unit": "logits",
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
        "contribution": None if node.contribution is None else float(node.contribution),
        "role": None if role is None else role.role.value,
        "role_score": None if role is None else float(role.score),
    }
    return _known(values)


def _place(node: str, positions: Positions | None) -> dict[str, float]:
    if not positions or node not in positions:
        return {}
    x, y = positions[node]
    return {"x": float(x), "y": float(y)}


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _drawable(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """The graph with XML-safe texts; line breaks are kept, XML can hold them."""
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
