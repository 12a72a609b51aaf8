"""Circuits that people bring are read, and everything else is refused with a reason."""

import json
from dataclasses import replace

import pytest

from attention_viz.exports.circuit import export_circuit
from attention_viz.records.circuits import circuit_file
from attention_viz.records.circuits.circuit import CircuitEdge
from attention_viz.records.circuits.circuit_file import parse_circuit
from attention_viz.records.circuits.edge import EdgeId, Via
from attention_viz.records.circuits.fit import fit_edges, widened_edges
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId, parse_heads
from tests.builders import circuit_of, cut_of

GRAPH = Graph(layers=4, heads=8, key_value_heads=8, is_parallel=False)
EAP_IG = {
    "cfg": {"n_layers": 3, "n_heads": 2, "parallel_attn_mlp": False, "d_model": 8},
    "nodes": {"input": {"in_graph": True}, "a0.h1": {"in_graph": True}},
    "edges": {
        "input->a0.h1<q>": {"score": 0.5, "in_graph": True},
        "a0.h1->a2.h0<k>": {"score": -1.5, "in_graph": True},
        "a0.h1->a1.h0<v>": {"score": 9.0, "in_graph": False},
        "a0.h1->m0": {"score": None, "in_graph": True},
        "m0->logits": {"score": 2, "in_graph": True},
    },
}


@pytest.mark.parametrize(
    "text",
    ["9.9, 10.0", "L9H9 L10H0", "9.9\n10.0\n", "l9h9;L10H0", "\ufeffa9.h9,\t10.0, 9.9"],
)
def test_lists_of_heads(text):
    found = parse_circuit(text, "heads.txt")
    assert found.heads == (HeadId(9, 9), HeadId(10, 0))
    assert found.edges == () and found.label == "heads.txt"


def test_node_link_json_comes_back_as_it_was_saved():
    circuit = circuit_of()
    found = parse_circuit(export_circuit(circuit, "json").decode(), "file.json")
    assert dict(zip(found.edges, found.scores, strict=True)) == {
        edge.id: edge.value for edge in circuit.causal_edges
    }
    assert set(found.heads) == set(circuit.heads)
    assert found.label == circuit.request.label


def test_a_head_without_edges_is_not_lost():
    data = {"nodes": [{"id": "L1H2"}, {"id": "token:3"}, {"id": "logits"}, 7], "links": []}
    found = parse_circuit(json.dumps(data))
    assert found.heads == (HeadId(1, 2),) and found.edges == ()


def test_eap_ig_json_gives_the_edges_in_the_graph():
    found = parse_circuit(json.dumps(EAP_IG), "g.json")
    assert [str(edge) for edge in found.edges] == [
        "input->L0H1.Q",
        "L0H1->L2H0.K",
        "L0H1->L0MLP",
        "L0MLP->logits",
    ]
    assert found.scores == (-0.5, 1.5, None, -2.0)  # positive there: the edge helps
    assert found.heads == parse_heads("L0H1 L2H0")


@pytest.mark.parametrize("suffix", ["json", "eapig.json"])
def test_a_cut_circuit_survives_both_formats(suffix):
    circuit = cut_of(200)
    graph = Graph(layers=4, heads=4, key_value_heads=4, is_parallel=False)
    found = parse_circuit(export_circuit(circuit, suffix, graph=graph).decode())
    assert dict(zip(found.edges, found.scores, strict=True)) == {
        edge.id: edge.value for edge in circuit.edges
    }
    assert len(found.edges) == 200 and set(found.heads) == set(circuit.heads)
    assert set(fit_edges(found.edges, graph)) == set(found.edges)


def test_older_eap_ig_files_have_plain_nodes():
    older = EAP_IG | {"nodes": {"input": True, "a0.h1": False}}
    assert parse_circuit(json.dumps(older)) == parse_circuit(json.dumps(EAP_IG))


def test_eap_ig_json_comes_back_as_it_was_saved():
    circuit = circuit_of()
    text = export_circuit(circuit, "eapig.json", graph=GRAPH).decode()
    found = parse_circuit(text)
    assert dict(zip(found.edges, found.scores, strict=True)) == {
        edge.id: edge.value for edge in circuit.causal_edges
    }


def test_eap_ig_json_without_our_field_is_read_with_the_authors_signs():
    said = EAP_IG | {circuit_file.EAP_IG_SIGN: circuit_file.HELPS}
    assert parse_circuit(json.dumps(said)) == parse_circuit(json.dumps(EAP_IG))
    with pytest.raises(BadInput, match="score_sign"):
        parse_circuit(json.dumps(EAP_IG | {circuit_file.EAP_IG_SIGN: "negative: it helps"}))


@pytest.mark.parametrize("suffix", ["json", "eapig.json"])
def test_shared_keys_and_values_come_back_as_they_were_saved(suffix):
    """Drawn and saved at each head of the circuit, read as the one edge that it was."""
    grouped = Graph(layers=4, heads=8, key_value_heads=2, is_parallel=False)
    edges = (
        CircuitEdge("L0H1", "L2H1", Via.K, -3.0),
        CircuitEdge("L0H1", "L2H3", Via.K, -3.0),
        CircuitEdge("L0H1", "L2H3", Via.Q, 0.5),
        CircuitEdge("L2H3", "logits", Via.LOGITS, 2.0),
    )
    circuit = replace(circuit_of(), edges=edges, graph=grouped)
    found = parse_circuit(export_circuit(circuit, suffix, graph=grouped).decode())
    assert dict(zip(map(str, found.edges), found.scores, strict=True)) == {
        "L0H1->L2KV0.K": -3.0,
        "L0H1->L2H3.Q": 0.5,
        "L2H3->logits": 2.0,
    }
    assert widened_edges(found.edges, grouped) == ()


def node_link(**edge):
    return json.dumps({"nodes": [], "edges": [edge]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "nine.nine",
        "9.9 and 10.0",
        "9,9",
        "{",
        "[" * 100_000,
        "[1, 2]",
        "{}",
        '{"nodes": {}, "edges": []}',
        '{"nodes": 1, "edges": {}}',
        '{"nodes": {}, "edges": {"m0->logits": {"in_graph": "yes"}}}',
        '{"nodes": {}, "edges": {"m0->logits": true}}',
        '{"nodes": {}, "edges": {"m0=>logits": {"in_graph": true}}}',
        '{"nodes": {}, "edges": {"a0.h0->a1.h0": {"in_graph": true}}}',
        '{"nodes": {}, "edges": {"a0.h0->m0<q>": {"in_graph": true}}}',
        node_link(source="L0H1", target="L2H3"),
        node_link(source="L0H1", target="L2H3", via="MLP"),
        node_link(source="L0H1", target="L2H3", via=["Q"]),
        node_link(source=1, target="L2H3", via="Q"),
        node_link(source="L0KV1", target="L2H3", via="Q"),
        node_link(source="L0H1", target="L2KV0", via="Q"),
        node_link(source="<img>", target="logits", via="logits"),
        json.dumps({"nodes": [], "edges": ["x"]}),
    ],
)
def test_what_is_no_circuit_is_refused_with_what_would_be(text):
    with pytest.raises(BadInput) as error:
        parse_circuit(text)
    assert "9.9" in error.value.remedy and "EAP-IG" in error.value.remedy
    assert len(error.value.message) < 250


@pytest.mark.parametrize(
    "edge",
    [
        ("L2H3", "L2H3", "Q"),
        ("L2H3", "L1H0", "K"),
        ("L2MLP", "L2H0", "V"),
        ("L2MLP", "L2MLP", "MLP"),
    ]
    + [("logits", "L0H0", "Q"), ("logits", "logits", "logits")],
)
def test_edges_do_not_go_downward(edge):
    source, target, via = edge
    with pytest.raises(BadInput, match="upward"):
        parse_circuit(node_link(source=source, target=target, via=via))


def test_an_empty_circuit_and_a_huge_file_are_refused(monkeypatch):
    with pytest.raises(BadInput, match="empty"):
        parse_circuit('{"nodes": [], "edges": []}')
    monkeypatch.setattr(circuit_file, "MOST_BYTES", 1_000_000)
    assert parse_circuit("9.9 " * 250_000).heads == (HeadId(9, 9),)
    for text in ("9.9 " * 250_001, "␣" * 400_000):
        with pytest.raises(BadInput, match="larger than 1 MB"):
            parse_circuit(text)


def test_scores_that_are_no_numbers_are_none():
    text = (
        '{"nodes": {}, "edges": {"m0->logits": {"in_graph": true, "score": NaN},'
        ' "m1->logits": {"in_graph": true, "score": true},'
        f' "m2->logits": {{"in_graph": true, "score": 1{"0" * 400}}}}}}}'
    )
    assert parse_circuit(text).scores == (None, None, None)


def test_a_long_label_is_cut():
    data = {"graph": {"label": "x" * 10_000}, "nodes": [{"id": "L0H0"}], "edges": []}
    assert len(parse_circuit(json.dumps(data)).label) == 200


def test_edges_are_fitted_to_shared_keys_and_values():
    grouped = Graph(layers=3, heads=4, key_value_heads=2, is_parallel=False)
    edges = [
        EdgeId("L0H1", "L2H3", Via.K),
        EdgeId("L0H1", "L2H2", Via.K),
        EdgeId("L0H1", "L2H3", Via.Q),
        EdgeId("L0H1", "L1MLP", Via.MLP),
    ]
    assert [str(edge) for edge in fit_edges(edges, grouped)] == [
        "L0H1->L2KV1.K",
        "L0H1->L2H3.Q",
        "L0H1->L1MLP",
    ]
    assert fit_edges(edges, GRAPH) == tuple(edges)


def test_an_edge_into_one_head_of_several_is_widened_to_all():
    grouped = Graph(layers=3, heads=4, key_value_heads=2, is_parallel=False)
    into_one = EdgeId("L0H1", "L2H3", Via.K)
    into_both = [EdgeId("L0H1", f"L2H{head}", Via.V) for head in (0, 1)]
    others = [EdgeId("L0H1", "L2KV0", Via.K), EdgeId("L0H1", "L2H3", Via.Q)]
    found = widened_edges([into_one, *into_both, *others], grouped)
    assert [str(edge) for edge in found] == ["L0H1->L2KV1.K"]
    assert widened_edges([into_one], GRAPH) == ()


def test_edges_that_the_model_lacks_are_refused():
    with pytest.raises(BadInput, match="no edge L9H0->logits"):
        fit_edges([EdgeId("L9H0", "logits", Via.LOGITS)], GRAPH)
    parallel = Graph(layers=4, heads=8, key_value_heads=8, is_parallel=True)
    edge = EdgeId("L1H0", "L1MLP", Via.MLP)
    assert fit_edges([edge], GRAPH) == (edge,)
    with pytest.raises(BadInput, match="no edge"):
        fit_edges([edge], parallel)
