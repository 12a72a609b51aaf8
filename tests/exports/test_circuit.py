"""Every format is read back and compared with the record."""

import csv
import io
import json
import re
import shutil
import subprocess
import time
import warnings
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import matplotlib
import networkx as nx
import numpy as np
import pytest

from attention_viz.exports import picture
from attention_viz.exports.circuit import (
    FORMATS,
    PICTURES,
    SUFFIXES,
    export_circuit,
    graph_of,
    suffix_of,
)
from attention_viz.figures.circuits.circuit_layout import edge_label, node_label
from attention_viz.figures.escape import visible
from attention_viz.records.circuits.attribution import (
    Attribution,
    AttributionRequest,
    Direction,
    Method,
)
from attention_viz.records.circuits.circuit import CircuitEdge, CircuitNode, CutRequest
from attention_viz.records.circuits.circuit_file import EAP_IG_SIGN, HEADS_SHARING, HELPS
from attention_viz.records.circuits.circuit_view import CircuitView
from attention_viz.records.circuits.edge import EdgeId, Via
from attention_viz.records.circuits.faithfulness import Faithfulness, Interval
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.circuits.pairs import PairSet, PairsRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from tests.builders import NASTY, circuit_of, proof_of, tokens_of

GRAPH = Graph(layers=4, heads=8, key_value_heads=8, is_parallel=False)
SVG = "{http://www.w3.org/2000/svg}"


def nasty_circuit():
    """Tokens, prompt, counterfactual, model and caption full of what formats choke on."""
    circuit = circuit_of(tokens_of(("x", "y", *NASTY)))
    everything = "".join(NASTY) + "\u202e\r\t\ud800"
    question = replace(
        circuit.request.question, prompt=everything, counterfactual=everything, model='m"<&$'
    )
    request = replace(circuit.request, question=question)
    tokens = tuple(
        CircuitNode(f"token:{at}", "token", label, position=at)
        for at, label in enumerate(circuit.tokens.labels)
    )
    others = tuple(node for node in circuit.nodes if node.kind != "token")
    nodes = (*tokens, *others)
    return replace(circuit, request=request, nodes=nodes, patched_with="$x$ <&>\x00")


@pytest.fixture(params=["plain", "nasty"])
def circuit(request):
    return circuit_of() if request.param == "plain" else nasty_circuit()


def svg_texts(content):
    return ["".join(e.itertext()) for e in ET.fromstring(content).iter(f"{SVG}text")]


def test_svg_holds_every_label_and_every_score_as_text(circuit):
    texts = svg_texts(export_circuit(circuit, "svg"))
    for node in circuit.nodes:
        assert all(line in texts for line in node_label(node).split("\n"))
    for edge in circuit.edges:
        assert texts.count(edge_label(edge)) >= sum(
            edge_label(other) == edge_label(edge) for other in circuit.edges
        )


def test_svg_marks_nodes_and_edges_with_their_ids():
    root = ET.fromstring(export_circuit(circuit_of(), "svg"))
    ids = {e.get("id") for e in root.iter() if e.get("id")}
    assert {
        "node:L2H3",
        "node:token:4",
        "edge:L2H3→L3H1:Q",
        "edge:token:2→L3H1:attention@14",
    } <= ids


def test_svg_caption_and_legend_name_what_was_done():
    text = " ".join(svg_texts(export_circuit(circuit_of(), "svg")))
    for part in ("embedded", "mean ablation", "drink to", "+4.13", "direct path patching", "0.70"):
        assert part in text


@pytest.mark.parametrize("suffix, magic", [("png", b"\x89PNG\r\n"), ("pdf", b"%PDF-")])
def test_png_and_pdf_are_what_they_say(circuit, suffix, magic):
    content = export_circuit(circuit, suffix, theme="dark")
    assert content.startswith(magic) and len(content) > 10_000


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_warning_and_the_same_bytes_twice(suffix):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, other = (export_circuit(nasty_circuit(), suffix, graph=GRAPH) for _ in range(2))
        assert one == other


def test_exports_at_the_same_time_wait_for_each_other(monkeypatch):
    """matplotlib's settings are global: one export at a time may have changed them."""
    inside, most = [], []

    def save(figure, suffix, circuit, size):
        inside.append(suffix)
        time.sleep(0.02)
        most.append(len(inside))
        inside.pop()
        assert matplotlib.rcParams["svg.fonttype"] == "none"
        return b""

    monkeypatch.setattr(picture, "_save", save)
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(export_circuit, circuit_of(), suffix) for suffix in PICTURES]
        assert [job.result() for job in jobs] == [b""] * 3
    assert max(most) == 1
    assert matplotlib.rcParams["svg.fonttype"] != "none"


def test_the_picture_takes_the_page_s_places():
    places = {"L2H3": (-150.0, -200.0), "token:2": (float("nan"), 0.0), "guide:L2": (0.0, 0.0)}
    here, there = (
        middles(export_circuit(circuit_of(), "svg", {**places, "L3H1": at}))
        for at in ((150.0, -354.0), (190.0, -334.0))
    )
    moved = (there["L3H1"][0] - here["L3H1"][0], there["L3H1"][1] - here["L3H1"][1])
    rest = (there["L2H3"][0] - here["L2H3"][0], there["L2H3"][1] - here["L2H3"][1])
    # 40 px and 20 px relative to what stayed, at 72 points per 96 px
    assert moved[0] - rest[0] == pytest.approx(30, abs=0.1)
    assert moved[1] - rest[1] == pytest.approx(15, abs=0.1)


def middles(svg):
    """Middle of each node's box in the SVG's units."""
    found = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        if group.get("id", "").startswith("node:"):
            path = group.find(f"{SVG}path").get("d")
            numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", path)]
            xs, ys = numbers[0::2], numbers[1::2]
            middle = ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2)
            found[group.get("id").removeprefix("node:")] = middle
    return found


def test_a_node_dragged_far_away_does_not_make_a_huge_picture():
    content = export_circuit(circuit_of(), "png", {"L2H3": (15_000.0, -15_000.0)})
    width, height = (int.from_bytes(content[i : i + 4], "big") for i in (16, 20))
    assert max(width, height) <= 6000


def test_weak_edges_are_left_out_of_pictures_only():
    weak = edge_label(circuit_of().edges[10])
    assert weak == "+0.002"
    assert weak in svg_texts(export_circuit(circuit_of(), "svg"))
    assert weak not in svg_texts(export_circuit(circuit_of(), "svg", smallest=0.1))
    assert len(json.loads(export_circuit(circuit_of(), "json", smallest=0.1))["edges"]) == 17


def test_graph_has_what_was_measured(circuit):
    graph = graph_of(circuit)
    assert set(graph) == {node.id for node in circuit.nodes}
    assert graph.nodes["L3H1"]["contribution"] == 2.29
    assert graph.nodes["L3H1"]["role"] == "attends to the answer"
    assert "contribution" not in graph.nodes["logits"]
    assert edges_of(graph) == recorded(circuit)
    assert graph.graph["prompt"] == circuit.request.question.prompt


def test_every_attribute_of_the_graph_is_what_was_measured():
    """Numbers all differ, so that none can stand in for another."""
    found = Faithfulness(3, 0.003, 2.5, 0.875, Interval(0.75, 1.0), 0.125)
    circuit = circuit_of()
    head = next(node for node in circuit.nodes if node.id == "L3H1")
    head = replace(head, position=14, role=replace(head.role, score=0.625))
    token = CircuitNode("token:4", "token", "␣John", position=4)
    edges = (
        CircuitEdge("L3H1", "logits", Via.LOGITS, -2.25, is_exact=True, estimate=-2.0),
        CircuitEdge("token:4", "L3H1", Via.ATTENTION, 0.5, position=11),
    )
    circuit = replace(circuit, nodes=(head, token), edges=edges)
    names = {"L3H1": "mover"}
    graph = graph_of(circuit, {"L3H1": (1.5, -2.0)}, names=names, faithfulness=found)
    assert graph.nodes["L3H1"] == {
        "kind": "head",
        "label": "mover",
        "original_label": "L3H1",
        "layer": 3,
        "head": 1,
        "position": 14,
        "contribution": 2.29,
        "role": "attends to the answer",
        "role_score": 0.625,
        "x": 1.5,
        "y": -2.0,
    }
    assert graph.nodes["token:4"] == {"kind": "token", "label": "␣John", "position": 4}
    assert graph.edges["L3H1", "logits", "L3H1→logits:logits"] == {
        "via": "logits",
        "value": -2.25,
        "unit": "logits",
        "how": "exact",
        "exact": True,
        "estimate": -2.0,
    }
    assert graph.edges["token:4", "L3H1", "token:4→L3H1:attention@11"] == {
        "via": "attention",
        "value": 0.5,
        "unit": "attention weight",
        "how": "attention",
        "row_position": 11,
    }
    question = circuit.request.question
    assert graph.graph == {
        "label": circuit.request.label,
        "model": "embedded",
        "prompt": question.prompt,
        "pair_count": 1,
        "bos": circuit.tokens.bos,
        "readout_position": 14,
        "answer": " Mary",
        "distractor": " John",
        "ablation": "mean",
        "patched_with": "the heads' mean over the prompt",
        "baseline": 4.13,
        "ablated": -1.2,
        "unit": "logits",
        "faithfulness": 0.875,
        "faithfulness_low": 0.75,
        "faithfulness_high": 1.0,
        "circuit_metric": 2.5,
        "faithfulness_without": 0.125,
    }


def test_graphml_read_by_networkx_is_the_record(circuit):
    content = export_circuit(circuit, "graphml", {"L2H3": (1.5, -2.0)})
    graph = nx.read_graphml(io.BytesIO(content), force_multigraph=True)
    assert edges_of(graph) == recorded(circuit)
    labels = {name: values["label"] for name, values in graph.nodes(data=True)}
    assert labels == {node.id: visible(node.label) for node in circuit.nodes}
    assert (graph.nodes["L2H3"]["x"], graph.nodes["L2H3"]["y"]) == (1.5, -2.0)
    assert graph.nodes["L2H3"]["contribution"] == 0.12
    assert graph.graph["baseline"] == 4.13 and graph.graph["model"]


def test_json_is_node_link_data_with_exact_texts(circuit):
    data = json.loads(export_circuit(circuit, "json"))
    graph = nx.node_link_graph(data, edges="edges")
    assert graph.is_multigraph() and graph.is_directed()
    assert edges_of(graph) == recorded(circuit)
    assert graph.graph["prompt"] == circuit.request.question.prompt


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
def test_dot_read_by_graphviz_is_the_record(circuit):
    content = export_circuit(circuit, "dot", {"L2H3": (1.5, -2.0)})
    run = subprocess.run(["dot", "-Tjson"], input=content, capture_output=True, check=True)
    assert run.stderr == b""
    data = json.loads(run.stdout)
    names = [node["name"] for node in data["objects"]]
    edges = sorted(
        (names[e["tail"]], names[e["head"]], e["via"], float(e["value"])) for e in data["edges"]
    )
    assert edges == recorded(circuit)
    assert set(names) == {node.id for node in circuit.nodes}


def test_dot_says_places_numbers_and_how_they_were_found():
    circuit = cut_circuit()
    text = export_circuit(circuit, "dot", {"L2H3": (1.5, -2.0)}).decode()
    assert 'pos="1.5,2"' in text, "upward in Graphviz"
    lines = {line.split(" [")[0].strip(): line for line in text.splitlines() if "->" in line}
    exact, estimated = lines['"L0MLP" -> "L2H3"'], lines['"input" -> "L0MLP"']
    assert 'label="K -1.5"' in exact and 'style="solid"' in exact
    assert 'style="dotted"' in estimated
    assert 'style="dashed"' in export_circuit(circuit_of(), "dot").decode()


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
def test_dot_draws_labels_as_they_are():
    circuit = nasty_circuit()
    run = subprocess.run(
        ["dot", "-Tsvg"], input=export_circuit(circuit, "dot"), capture_output=True, check=True
    )
    texts = {text.replace("\xa0", " ") for text in svg_texts(run.stdout)}
    assert {visible(node.label) for node in circuit.nodes} <= texts


def test_gexf_read_by_networkx_is_the_record(circuit):
    content = export_circuit(circuit, "gexf", {"L2H3": (1.5, -2.0)})
    graph = nx.read_gexf(io.BytesIO(content))
    assert edges_of(graph) == recorded(circuit)
    labels = {name: values["label"] for name, values in graph.nodes(data=True)}
    assert labels == {node.id: visible(node.label) for node in circuit.nodes}
    place = graph.nodes["L2H3"]["viz"]["position"]
    assert (place["x"], place["y"]) == (1.5, 2.0)  # upward in Gephi
    about = next(e for e in ET.fromstring(content).iter() if e.tag.endswith("description"))
    assert json.loads(about.text)["baseline"] == 4.13


def cut_circuit():
    """Input, an MLP, estimates, and an edge that was measured after it was estimated."""
    circuit = circuit_of()
    nodes = (
        CircuitNode("input", "input", "input", contribution=0.1),
        CircuitNode("L0MLP", "mlp", "L0 MLP", contribution=-0.2),
        CircuitNode("L2H3", "head", "L2H3", HeadId(2, 3)),
        CircuitNode("logits", "output", "␣Mary − ␣John"),
    )
    edges = (
        CircuitEdge("input", "L0MLP", Via.MLP, 0.5, is_exact=False),
        CircuitEdge("L0MLP", "L2H3", Via.K, -1.5, is_exact=True, estimate=-1.25),
        CircuitEdge("L2H3", "logits", Via.LOGITS, 2.0, is_exact=False),
    )
    return replace(circuit, nodes=nodes, edges=edges, contributions=(), ablated=None)


def test_every_format_says_what_is_exact_and_what_is_estimated():
    circuit = cut_circuit()
    graph = nx.read_graphml(io.BytesIO(export_circuit(circuit, "graphml")), force_multigraph=True)
    found = {(s, t): v for s, t, v in graph.edges(data=True)}
    assert found["L0MLP", "L2H3"]["how"] == "exact"
    assert found["L0MLP", "L2H3"]["exact"] is True
    assert found["L0MLP", "L2H3"]["estimate"] == -1.25
    assert found["input", "L0MLP"]["how"] == "estimated"
    assert "estimate" not in found["L2H3", "logits"]
    assert "ablated" not in graph.graph
    assert b'style="dotted"' in export_circuit(circuit, "dot")
    header, *lines = csv.reader(io.StringIO(export_circuit(circuit, "csv").decode(), newline=""))
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    assert [row["exact"] for row in rows] == ["false", "true", "false"]
    assert [float(row["estimate"]) for row in rows] == [0.5, -1.25, 2.0]


def test_attention_weights_are_neither_exact_nor_estimated():
    graph = graph_of(circuit_of())
    weights = [v for *_, v in graph.edges(data=True) if v["via"] == "attention"]
    assert len(weights) == 6
    assert all(v["how"] == "attention" and "exact" not in v for v in weights)


@pytest.mark.parametrize("suffix", ["graphml", "gexf", "dot", "json"])
def test_graphs_hold_faithfulness_names_and_pinned_places(suffix):
    found = Faithfulness(3, 0.003, 2.5, 0.875, Interval(0.75, 1.0), 0.125)
    view = CircuitView(positions=(("L2H3", 12.0, -34.0),), names=(("L2H3", 'mover "A"'),))
    content = export_circuit(cut_circuit(), suffix, view=view, faithfulness=found).decode()
    for part in ("0.875", "0.75", "0.125", "mover", "12", "34"):
        assert part in content
    assert "original_label" in content


def test_a_hidden_node_is_left_out_of_pictures_only():
    data = json.loads(export_circuit(cut_circuit(), "json", view=CircuitView(hidden=("L2H3",))))
    assert "L2H3" in {node["id"] for node in data["nodes"]} and len(data["edges"]) == 3
    for hidden, is_there in (((), True), (("L2H3",), False)):
        svg = export_circuit(cut_circuit(), "svg", view=CircuitView(hidden=hidden)).decode()
        assert ('id="node:L2H3"' in svg) is is_there


def test_graphs_take_the_whole_proof_as_well_as_its_faithfulness():
    proof = proof_of()
    one, other = (
        export_circuit(cut_circuit(), "json", faithfulness=each) for each in (proof, proof.measured)
    )
    assert one == other and json.loads(one)["graph"]["faithfulness"] == 0.87


def test_what_is_nan_is_left_out():
    circuit = cut_circuit()
    nan = float("nan")
    found = Faithfulness(3, 0.003, nan, nan, None, nan)
    nodes = tuple(replace(node, contribution=nan) for node in circuit.nodes)
    broken = replace(circuit, nodes=nodes, ablated=nan)
    text = export_circuit(broken, "json", faithfulness=found).decode()
    assert "NaN" not in text and "null" not in text
    assert export_circuit(broken, "gexf", faithfulness=found)


def eap_ig(circuit, graph=GRAPH, **more):
    return json.loads(export_circuit(circuit, "eapig.json", graph=graph, **more))


def test_eap_ig_json_is_as_the_package_writes_it():
    data = eap_ig(cut_circuit(), d_model=32)
    sizes = {"n_layers": 4, "n_heads": 8, "parallel_attn_mlp": False, "d_model": 32}
    assert data["cfg"] == sizes
    assert len(data["nodes"]) == 1 + 4 * 9 + 1
    inside = {name for name, node in data["nodes"].items() if node["in_graph"]}
    assert inside == {"input", "m0", "a2.h3", "logits"}
    assert data["edges"] == {
        "input->m0": {"score": -0.5, "in_graph": True},
        "m0->a2.h3<k>": {"score": 1.5, "in_graph": True},
        "a2.h3->logits": {"score": -2.0, "in_graph": True},
    }
    assert data[EAP_IG_SIGN] == HELPS and HEADS_SHARING not in data


def test_eap_ig_json_is_positive_where_an_edge_helps():
    """Of patched edges that is minus what is shown, of restored ones what is shown."""
    circuit = cut_circuit()
    pairs = PairsRequest(circuit.request.question)
    restored = AttributionRequest(pairs, Method.EAP, direction=Direction.DENOISE)
    data = eap_ig(replace(circuit, request=CutRequest(restored)))
    assert {name: edge["score"] for name, edge in data["edges"].items()} == {
        "input->m0": 0.5,
        "m0->a2.h3<k>": -1.5,
        "a2.h3->logits": 2.0,
    }


def attribution_of(graph):
    scores = np.where(graph.edges, np.arange(graph.edges.size).reshape(graph.edges.shape), np.nan)
    pairs = PairsRequest(circuit_of().request.question)
    return Attribution(AttributionRequest(pairs), PairSet(pairs, ()), graph, scores, 1.0, 0.0, 0.1)


def test_eap_ig_json_holds_all_scores_where_they_are_known():
    attribution = attribution_of(GRAPH)
    data = eap_ig(cut_circuit(), None, attribution=attribution)
    assert len(data["edges"]) == GRAPH.count
    inside = {name for name, edge in data["edges"].items() if edge["in_graph"]}
    assert inside == {"input->m0", "m0->a2.h3<k>", "a2.h3->logits"}
    index = GRAPH.index(EdgeId("L1H4", "L3H7", Via.V))
    assert data["edges"]["a1.h4->a3.h7<v>"]["score"] == -attribution.scores[index]


def test_eap_ig_json_of_grouped_queries_has_an_edge_for_each_head():
    grouped = Graph(layers=2, heads=4, key_value_heads=2, is_parallel=True)
    attribution = attribution_of(grouped)
    data = eap_ig(replace(cut_circuit(), nodes=(), edges=()), grouped, attribution=attribution)
    score = attribution.scores[grouped.index(EdgeId("L0H1", "L1KV1", Via.K))]
    assert [data["edges"][f"a0.h1->a1.h{head}<k>"]["score"] for head in (2, 3)] == [-score / 2] * 2
    assert data[HEADS_SHARING] == 2 and data["shared_scores"].count("1/2") == 1
    query = attribution.scores[grouped.index(EdgeId("L0H1", "L1H2", Via.Q))]
    assert data["edges"]["a0.h1->a1.h2<q>"]["score"] == -query
    assert "a0.h1->m0" not in data["edges"] and data["cfg"]["parallel_attn_mlp"] is True


def test_eap_ig_json_needs_the_model_s_sizes():
    with pytest.raises(BadInput, match="sizes"):
        export_circuit(cut_circuit(), "eapig.json")


def test_the_longest_suffix_counts():
    assert suffix_of("a/b.EAPIG.json") == "eapig.json"
    assert suffix_of("circuit.json") == "json"
    assert suffix_of("x.nodes.csv") == "nodes.csv"
    assert all(suffix_of(f"circuit.{suffix}") == suffix for suffix in FORMATS)
    for name in ("circuit", "json", "circuit.gif", ""):
        with pytest.raises(BadInput, match="no known suffix"):
            suffix_of(name)


def test_nodes_csv_has_every_node(circuit):
    content = export_circuit(circuit, "nodes.csv").decode()
    lines = list(csv.reader(io.StringIO(content, newline="")))
    assert [line[0] for line in lines[1:]] == [node.id for node in circuit.nodes]


def test_csv_has_every_edge(circuit):
    lines = list(csv.reader(io.StringIO(export_circuit(circuit, "csv").decode(), newline="")))
    edges = sorted((line[0], line[1], line[2], float(line[3])) for line in lines[1:])
    assert edges == recorded(circuit)


@pytest.mark.parametrize("suffix", ["gif", "", "svgz", "../png"])
def test_unknown_suffixes_are_refused_with_the_list(suffix):
    with pytest.raises(BadInput) as error:
        export_circuit(circuit_of(), suffix)
    assert all(known in error.value.remedy for known in SUFFIXES)


def test_a_suffix_may_have_its_dot():
    assert export_circuit(circuit_of(), ".CSV") == export_circuit(circuit_of(), "csv")


def test_a_circuit_of_one_head_and_nothing_else():
    circuit = circuit_of()
    head = next(node for node in circuit.nodes if node.kind == "head")
    lone = replace(circuit, nodes=(head,), edges=(), contributions=())
    for suffix in SUFFIXES:
        assert export_circuit(lone, suffix, graph=GRAPH)


def edges_of(graph):
    return sorted((s, t, v["via"], v["value"]) for s, t, v in graph.edges(data=True))


def recorded(circuit):
    return sorted((e.source, e.target, e.via.value, e.value) for e in circuit.edges)
