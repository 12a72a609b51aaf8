"""`circuit` of prompt pairs: families, files, imports; what is printed, written and refused."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from dataclasses import asdict, astuple

import networkx as nx
import pytest
from PIL import Image

from attention_viz.cli import main, make_parser
from attention_viz.commands import circuit_options
from attention_viz.commands.circuit import _finish
from attention_viz.commands.circuit_output import MeasuredCircuit
from attention_viz.exports.circuit import SUFFIXES
from attention_viz.records.circuits import pair_file
from attention_viz.records.circuits.attribution import AttributionRequest
from attention_viz.records.circuits.circuit import CutRequest
from attention_viz.records.circuits.circuit_file import parse_circuit
from attention_viz.records.circuits.faithfulness import CurveRequest, FaithfulnessRequest
from attention_viz.records.circuits.mib import SHARES
from attention_viz.records.page import PageState
from attention_viz.workbench import Workbench
from tests.analysis.pairs_for_tests import RANDOM_PAIRS
from tests.deep import deep_cut_of
from tests.models_for_tests import save_random_model

MARY = "When Mary and John went to the store, John gave a drink to"
SWAPPED = "When Mary and John went to the store, Mary gave a drink to"
OWN = ("--prompt", MARY, "--counterfactual", SWAPPED, "--answer", " Mary", "--distractor", " John")
ABBA = "indirect object ABBA"
FAMILY = ("--family", ABBA, "--pairs", 4)
TOTAL = 1519  # edges of 4 layers of 8 heads; see the graph's tests


@pytest.fixture
def run(workbench, capsys):
    """run("--family", …) → (exit code, stdout, stderr), on the embedded model."""

    def run_command(*argv, make_workbench=lambda *args, **options: workbench):
        code = main(["circuit", *map(str, argv)], make_workbench)
        out, err = capsys.readouterr()
        return code, out, err

    return run_command


@pytest.fixture
def ask(run):
    """ask("--family", …) → the JSON object, with nothing else said."""

    def ask_for_json(*argv):
        code, out, err = run(*argv, "--json")
        assert (code, err) == (0, ""), err
        assert out.count("\n") == 1
        return json.loads(out, parse_constant=pytest.fail)

    return ask_for_json


def ids_of(found):
    return {(edge["source"], edge["target"], edge["via"]) for edge in found["edges"]}


def scores_of(found):
    return {(e["source"], e["target"], e["via"]): e["score"] for e in found["edges"]}


# What is measured


def test_a_family_asks_what_the_page_asks(ask, workbench):
    found = ask(*FAMILY, "--edges", 12)
    assert (found["model"], found["family"], found["seed"]) == ("embedded", ABBA, 0)
    assert (found["pairs"], found["refused"]) == (4, [])
    names = ("method", "steps", "ablation", "direction", "cut", "heads_only")
    assert [found[name] for name in names] == ["eap-ig", 5, "resample", "noise", "greedy", False]

    page = PageState().put("circuit", pairs=ABBA, pair_count=4).pairs_request
    circuit = workbench.cached(CutRequest(AttributionRequest(page), 12))
    proof = workbench.cached(
        FaithfulnessRequest(page, tuple(e.id for e in circuit.edges), random_circuits=5)
    )
    assert circuit is not None and proof is not None, "the page would have asked something else"
    assert [edge["score"] for edge in found["edges"]] == [edge.value for edge in circuit.edges]
    assert found["label"] == circuit.request.label
    assert found["baseline"] == circuit.baseline == pytest.approx(found["full"], abs=1e-4)
    assert found["empty"] == proof.empty < 0 < found["baseline"]


def test_the_circuit_joins_its_nodes(ask):
    found = ask(*FAMILY, "--edges", 12)
    nodes = {node["id"]: node for node in found["nodes"]}
    assert 1 <= len(found["edges"]) <= 12 and found["size"] == len(found["edges"])
    assert {source for source, _, _ in ids_of(found)} | {"logits"} == set(nodes)
    assert {target for _, target, _ in ids_of(found)} | {"input"} == set(nodes)
    assert nodes["L3H2"]["role"]["name"] and nodes["input"]["role"] is None
    assert found["share"] == pytest.approx(found["size"] / TOTAL)
    for edge in found["edges"]:
        assert edge["exact"] is False and edge["estimate"] == edge["score"]


def test_roles_can_be_left_out(ask):
    """Nothing else is changed by that."""
    found, bare = ask(*FAMILY, "--edges", 12), ask(*FAMILY, "--edges", 12, "--no-roles")
    assert all(node["role"] is None for node in bare["nodes"])
    for node in (*found["nodes"], *bare["nodes"]):
        del node["role"]
    for each in (found, bare):
        del each["seconds"]
    assert found == bare


def test_faithfulness_is_the_share_of_the_difference(ask):
    found = ask(*FAMILY, "--edges", 12, "--random", 3)
    share = (found["metric"] - found["empty"]) / (found["full"] - found["empty"])
    assert found["faithfulness"] == pytest.approx(share)
    low, high = found["interval"]
    assert low <= found["faithfulness"] <= high
    assert len(found["random"]) == 3 and max(found["random"]) < found["faithfulness"]
    assert found["cpr"] is found["cmd"] is found["curve"] is None


def test_all_edges_are_the_whole_model(ask):
    found = ask(*FAMILY, "--edges", TOTAL, "--random", 0)
    assert found["faithfulness"] == pytest.approx(1, abs=1e-4)
    assert (found["size"], found["share"], found["random"]) == (TOTAL, 1, [])
    assert found["without"] == pytest.approx(0, abs=1e-4)


def test_curve(ask, workbench):
    found = ask(*FAMILY, "--curve", "--random", 2)
    sizes = [point["size"] for point in found["curve"]]
    assert sizes == sorted(sizes) and (sizes[0], sizes[-1]) == (0, TOTAL)
    shares, values = ([point[k] for point in found["curve"]] for k in ("share", "faithfulness"))
    steps = list(zip(shares, shares[1:], values, values[1:], strict=False))
    area = sum((b - a) * (left + right) / 2 for a, b, left, right in steps)
    assert found["cpr"] == pytest.approx(area)
    assert 0 <= found["cmd"] < found["random_cmd"]
    assert found["curve"][1]["low"] <= found["curve"][1]["faithfulness"]
    assert [point["random_mean"] is None for point in found["curve"]] == [
        point["size"] in (0, TOTAL) for point in found["curve"]
    ]
    cut = CutRequest(
        AttributionRequest(PageState().put("circuit", pairs=ABBA, pair_count=4).pairs_request),
        edges=0,
    )
    assert workbench.cached(CurveRequest(cut, random_circuits=2)).cpr == found["cpr"]


def test_mib_gives_its_own_areas_beside_ours(ask, workbench):
    found = ask(*FAMILY, "--cut", "top", "--mib", "--curve", "--random", 0, "--edges", 40)
    mib = found["mib"]
    assert mib["total"] == TOTAL and mib["replaced"] == "resample"
    areas = {}
    for ranking in ("signed", "absolute"):
        points = mib[ranking]["points"]
        assert [point["wanted"] for point in points] == [int(s * TOTAL) for s in SHARES]
        assert all(point["size"] <= point["wanted"] for point in points)
        values = [point["faithfulness"] for point in points]
        steps = zip(SHARES, SHARES[1:], values, values[1:], strict=False)
        areas[ranking] = sum((b - a) * (left + right) / 2 for a, b, left, right in steps)
        assert mib[ranking]["cpr"] == pytest.approx(areas[ranking])
    assert areas["signed"] > areas["absolute"]
    assert len(found["edges"]) <= 40
    plain = ask(*FAMILY, "--curve", "--random", 0)
    assert found["cpr"] == plain["cpr"] and plain["mib"] is None, "ours is that of our own cut"


def test_prompts_and_answers_of_a_family_are_listed(ask, workbench):
    found = ask(*FAMILY, "--edges", 5)
    page = PageState().put("circuit", pairs=ABBA, pair_count=4).pairs_request
    texts = [pair.text for pair in workbench.cached(page).pairs]
    assert found["prompts"] == [asdict(text) for text in texts] and len(texts) == 4
    assert all(each["answer"] in each["clean"] for each in found["prompts"])


def test_own_pair(ask):
    found = ask(*OWN, "--edges", 10)
    assert found["tokens"][2] == " Mary" and found["position"] == 14
    assert (found["answer"]["token"], found["distractor"]["token"]) == (" Mary", " John")
    assert (found["pairs"], found["interval"]) == (1, None)
    assert sum(part["value"] for part in found["contributions"]) == pytest.approx(
        found["baseline"], abs=1e-3
    )
    assert "family" not in found


def test_exact_edges_keep_their_estimate(ask):
    every = ask(*OWN, "--edges", 10, "--method", "exact")
    assert all(edge["exact"] and edge["estimate"] is None for edge in every["edges"])
    some = ask(*OWN, "--edges", 10, "--exact-top", 3)
    assert [edge["exact"] for edge in some["edges"]].count(True) == 3 == some["evaluations"]
    measured, before = scores_of(every), scores_of(ask(*OWN, "--edges", 10))
    strongest = some["edges"][:3]
    for edge in strongest:
        name = edge["source"], edge["target"], edge["via"]
        assert edge["estimate"] == pytest.approx(before[name], abs=1e-4)
        assert edge["score"] == pytest.approx(measured.get(name, edge["score"]), abs=1e-4)
        assert abs(edge["score"] - edge["estimate"]) > 1e-3
    assert ids_of({"edges": strongest}) & set(measured)


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        (["--method", "eap"], {"method": "eap", "steps": None}),
        (["--steps", 3], {"method": "eap-ig", "steps": 3}),
        (["--ablation", "mean"], {"method": "eap", "ablation": "mean"}),
        (["--ablation", "zero", "--method", "exact"], {"method": "exact", "ablation": "zero"}),
        (["--method", "eap", "--direction", "denoise"], {"direction": "denoise"}),
        (["--cut", "top"], {"cut": "top"}),
        (["--cut", "top", "--mib"], {"cut": "mib"}),
        (["--mib", "absolute"], {"cut": "mib-absolute"}),
        (["--ig-points", "left"], {"method": "eap-ig", "points": "left"}),
        (["--ig-points", "mid"], {"points": "mid", "input_part": None, "mean_over": None}),
        (
            ["--ablation", "zero", "--input-part", "token"],
            {
                "input_part": "token",
                "mean_over": None,
                "replaced": "zero, position embeddings kept",
            },
        ),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_every_setting_is_said_and_changes_the_scores(ask, more, shown):
    found = ask(*OWN, "--edges", 10, *more)
    assert {key: found[key] for key in shown} == shown
    usual = ask(*OWN, "--edges", 10)
    assert found["edges"] != usual["edges"] or found["cut"] != usual["cut"]


def test_heads_only_keeps_the_mlps(ask):
    found = ask(*FAMILY, "--edges", 12, "--heads-only")
    assert found["heads_only"] is found["keeps_mlps"] is True
    assert not any("MLP" in name for edge in ids_of(found) for name in edge)
    assert found["size"] == pytest.approx(found["share"] * (TOTAL - _mlp_edges()))


def _mlp_edges():
    """Of 4 layers of 8 heads: each MLP reads all before it, and is read by all after it."""
    read = sum(1 + 9 * layer + 8 for layer in range(4))
    written = sum((3 - layer) * (8 * 3) + 1 for layer in range(4))
    return read + written  # an MLP that reads an MLP is counted where it reads


def test_the_seed_chooses_the_pairs(ask):
    assert ask(*FAMILY)["baseline"] == ask(*FAMILY, "--seed", 0)["baseline"]
    assert ask(*FAMILY)["baseline"] != ask(*FAMILY, "--seed", 1)["baseline"]


@pytest.mark.parametrize("name", ["indirect-object-abba", "Indirect_Object ABBA"])
def test_families_are_known_however_they_are_written(ask, name):
    assert ask("--family", name, "--pairs", 2)["family"] == ABBA


# Chosen heads


def test_chosen_heads_say_what_was_not_measured(ask):
    found = ask("--prompt", MARY, "--heads", "L0H5,L2H2", "--ablation", "mean")
    assert found["kind"] == "mean" and found["heads"] == ["L0H5", "L2H2"]
    assert found["cpr"] is found["cmd"] is None  # there is no curve of chosen heads
    gap = found["baseline"] - found["empty"]
    assert found["faithfulness"] == pytest.approx((found["metric"] - found["empty"]) / gap)
    for edge in found["edges"]:
        assert edge["score"] == edge["value"]
        assert edge["exact"] is (None if edge["via"] == "attention" else True)
    same = ask("--prompt", MARY, "--heads", "L0H5,L2H2", "--kind", "mean", "--method", "exact")
    assert same["edges"] == found["edges"]


def test_text_of_chosen_heads_names_heads_and_tokens(run):
    code, out, _ = run("--prompt", MARY, "--heads", "L0H5,L2H4")
    assert code == 0
    sources = [line.split("  ")[0] for line in out.splitlines() if line.endswith("  logits")]
    assert sources == ["L0H5"] * 4 + ["L2H4"], "a head is not called by the token it reads"
    assert "␣Mary at 2  L2H4" in out


def test_chosen_heads_are_written_in_every_format(ask, tmp_path):
    files = {suffix: tmp_path / f"circuit.{suffix}" for suffix in circuit_options.SUFFIXES}
    outs = [word for file in files.values() for word in ("--out", file)]
    found = ask("--prompt", MARY, "--heads", "L0H5,L2H2", *outs)
    assert all(file.stat().st_size for file in files.values())
    causal = {edge for edge in ids_of(found) if edge[2] != "attention"}
    imported = parse_circuit(files["eapig.json"].read_text())
    assert {(e.writer, e.reader, e.via) for e in imported.edges} == causal
    compile(files["py"].read_text(), "circuit.py", "exec")


# Files that are read

PAIRS = f"""clean,counterfactual,answer,distractor
"{MARY}","{SWAPPED}", Mary, John
"{MARY}","{SWAPPED}", Mary
"{SWAPPED}","{MARY}", John, Mary Mary
"{SWAPPED}","{MARY}", John, Mary
"""


def test_bad_lines_are_told_by_number_and_the_good_ones_kept(run, tmp_path):
    file = tmp_path / "own.csv"
    file.write_text(PAIRS)
    code, out, err = run("--pairs-file", file, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["pairs"] == 2 and "family" not in found
    assert [bad["number"] for bad in found["refused"]] == [3, 4]
    told = err.splitlines()
    assert [line.partition(": ")[0] for line in told] == ["own.csv, line 3", "own.csv, line 4"]
    assert "no distractor" in told[0] and "2 tokens" in told[1]


def test_pairs_of_a_file_are_the_same_as_typed(ask, tmp_path):
    file = tmp_path / "own.jsonl"
    pair = {"clean": MARY, "counterfactual": SWAPPED, "answer": " Mary", "distractor": " John"}
    file.write_text("\n" + json.dumps(pair) + "\n")
    read, typed = ask("--pairs-file", file, "--edges", 10), ask(*OWN, "--edges", 10)
    assert scores_of(read) == pytest.approx(scores_of(typed), abs=1e-4)
    assert read["faithfulness"] == pytest.approx(typed["faithfulness"], abs=1e-4)


@pytest.mark.parametrize("suffix", ["json", "eapig.json"])
def test_what_was_saved_is_measured_when_imported(ask, tmp_path, suffix):
    file = tmp_path / f"circuit.{suffix}"
    saved = ask(*OWN, "--edges", 10, "--out", file)
    found = ask(*OWN, "--import", file)
    assert ids_of(found) == ids_of(saved)
    assert found["method"] == "exact" and all(edge["exact"] for edge in found["edges"])
    assert found["faithfulness"] == pytest.approx(saved["faithfulness"], abs=1e-4)
    exact = ask(*OWN, "--edges", 10, "--exact-top", 10)
    assert scores_of(found) == pytest.approx(scores_of(exact), abs=1e-4)


def test_an_import_without_mlps_is_measured_with_all_of_them(ask, tmp_path):
    file = tmp_path / "heads.json"
    saved = ask(*FAMILY, "--edges", 12, "--heads-only", "--out", file)
    found = ask(*FAMILY, "--import", file)
    assert found["keeps_mlps"] is True
    assert found["faithfulness"] == pytest.approx(saved["faithfulness"], abs=1e-4)


def test_an_imported_list_of_heads_is_chosen_heads(ask, tmp_path):
    file = tmp_path / "heads.txt"
    file.write_text("0.5, 2.2\n")
    found = ask("--prompt", MARY, "--import", file)
    chosen = ask("--prompt", MARY, "--heads", "L0H5,L2H2")
    assert (found["heads"], found["edges"]) == (["L0H5", "L2H2"], chosen["edges"])


def test_keys_and_values_that_heads_share(run, tmp_path):
    """Llama with grouped queries: drawn to heads, measured and saved with key/value heads."""
    folder, file = save_random_model("llama", tmp_path), tmp_path / "circuit.json"
    pairs = tmp_path / "pairs.csv"
    with pairs.open("w", newline="") as lines:
        csv.writer(lines).writerows([pair_file.COLUMNS, *map(astuple, RANDOM_PAIRS)])
    own = ("--model", folder, "--device", "cpu", "--pairs-file", pairs, "--json")
    code, out, err = run(*own, "--edges", 40, "--out", file, make_workbench=Workbench)
    assert (code, err) == (0, "")
    saved = json.loads(out)
    assert len(saved["edges"]) > saved["size"], "no key/value edge is drawn to both its heads"
    code, out, err = run(*own, "--import", file, make_workbench=Workbench)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert (found["size"], ids_of(found)) == (saved["size"], ids_of(saved))
    assert found["faithfulness"] == pytest.approx(saved["faithfulness"], abs=1e-4)


def test_an_import_that_enters_one_head_of_several_is_said_to_be_widened(run, tmp_path):
    folder, file = save_random_model("llama", tmp_path), tmp_path / "theirs.json"
    edges = ["input->a0.h1<k>", "a0.h1->logits", "input->a0.h2<v>", "input->a0.h3<v>"]
    named = {name: {"in_graph": True, "score": 1.0} for name in [*edges, "a0.h2->logits"]}
    file.write_text(json.dumps({"cfg": {}, "nodes": {}, "edges": named}))
    pairs = tmp_path / "pairs.csv"
    with pairs.open("w", newline="") as lines:
        csv.writer(lines).writerows([pair_file.COLUMNS, *map(astuple, RANDOM_PAIRS)])
    own = ("--model", folder, "--device", "cpu", "--pairs-file", pairs, "--import", file)
    code, out, _ = run(*own, "--json", make_workbench=Workbench)
    assert code == 0 and json.loads(out)["widened"] == ["input->L0KV0.K"]
    code, out, _ = run(*own, make_workbench=Workbench)
    assert "1 edge is wider here than in the file" in out and "input->L0KV0.K" in out


# Files that are written


def test_every_suffix_is_offered():
    assert set(circuit_options.SUFFIXES) == {*SUFFIXES, "py"}


def test_files_are_read_back(ask, tmp_path):
    files = {suffix: tmp_path / f"circuit.{suffix}" for suffix in circuit_options.SUFFIXES}
    outs = [word for file in files.values() for word in ("--out", file)]
    found = ask(*FAMILY, "--edges", 12, "--exact-top", 2, *outs)
    nodes, edges = {node["id"] for node in found["nodes"]}, ids_of(found)

    graphs = [nx.read_graphml(files["graphml"], force_multigraph=True), nx.read_gexf(files["gexf"])]
    with files["json"].open() as file:
        graphs.append(nx.node_link_graph(json.load(file), edges="edges"))
    for graph in graphs:
        assert set(graph.nodes) == nodes
        assert {(a, b, via) for a, b, via in graph.edges(data="via")} == edges
    assert graphs[2].graph["faithfulness"] == found["faithfulness"]

    rows = list(csv.DictReader(io.StringIO(files["csv"].read_text())))
    assert [float(row["value"]) for row in rows] == [edge["score"] for edge in found["edges"]]
    assert [row["exact"] for row in rows].count("true") == 2
    assert len(files["nodes.csv"].read_text().splitlines()) == len(nodes) + 1
    imported = parse_circuit(files["eapig.json"].read_text())
    assert {(e.writer, e.reader, e.via) for e in imported.edges} == edges
    assert len(json.loads(files["eapig.json"].read_text())["edges"]) == TOTAL
    assert ET.parse(files["svg"]).getroot().tag.endswith("svg")
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    assert files["pdf"].read_bytes().startswith(b"%PDF")
    script = files["py"].read_text()
    compile(script, "circuit.py", "exec")
    assert script.count("'L3H2', 'logits'") == 1 and repr(found["faithfulness"])[:6] in script


# Text


def test_text_of_a_family(run):
    code, out, err = run(*FAMILY, "--edges", 12, "--exact-top", 1, "--curve")
    assert (code, err) == (0, "")
    for said in (
        f"4 pairs of {ABBA}",
        "12 edges, greedy",
        "EAP-IG, 5 steps, resample",
        "L3H2",
        "exact",
        "estimated",
        "(resample)",
        "5 random circuits",
        "CPR",
        "CMD",
        "100.00%",
    ):
        assert said in out


def test_text_of_one_pair_names_the_answer(run):
    code, out, _ = run(*OWN, "--edges", 8, "--ablation", "zero", "--heads-only")
    assert code == 0
    for said in (
        "␣Mary − ␣John",
        "direct contribution",
        "(zero, position embeddings too; MLPs' edges all stay)",
    ):
        assert said in out
    assert "interval" not in out


# Bad input

BAD = {
    "nothing": ([], "--family"),
    "heads without a prompt": (["--heads", "L0H1"], "--prompt"),
    "no counterfactual": (["--prompt", MARY], "counterfactual"),
    "the same prompt": (["--prompt", MARY, "--counterfactual", MARY], "the same"),
    "answer of two tokens": ([*OWN[:4], "--answer", " Mary John"], "2 tokens"),
    "unknown family": (["--family", "ioi"], "indirect object ABBA"),
    "too many pairs": ([*FAMILY[:2], "--pairs", "1001"], "1000"),
    "no pairs": ([*FAMILY[:2], "--pairs", "0"], "too small"),
    "no edges": ([*FAMILY, "--edges", "0"], "--edges"),
    "unknown method": ([*FAMILY, "--method", "acdc"], "'eap-ig'"),
    "ablation of heads alone": ([*FAMILY, "--ablation", "permute"], "'resample'"),
    "too many steps": ([*FAMILY, "--steps", "101"], "100"),
    "eap-ig of zero": ([*FAMILY, "--method", "eap-ig", "--ablation", "zero"], "resample"),
    "steps of eap": ([*FAMILY, "--method", "eap", "--steps", "3"], "--steps"),
    "family and prompt": ([*FAMILY, "--prompt", MARY], "--family and --prompt"),
    "family and answer": ([*FAMILY, "--answer", " Mary"], "--family and --answer"),
    "family and position": ([*FAMILY, "--position", "0"], "--family and --position"),
    "family and file": ([*FAMILY, "--pairs-file", "a.csv"], "--family and --pairs-file"),
    "count without family": ([*OWN, "--pairs", "4"], "--pairs"),
    "family and heads": ([*FAMILY, "--heads", "L0H1"], "--family"),
    "curve of heads": (["--prompt", MARY, "--heads", "L0H1", "--curve"], "--curve"),
    "random of heads": (["--prompt", MARY, "--heads", "L0H1", "--random", "2"], "--random"),
    "estimates of heads": (["--prompt", MARY, "--heads", "L0H1", "--method", "eap"], "--method"),
    "kind of edges": ([*OWN, "--kind", "zero"], "--ablation"),
    "two kinds": (
        ["--prompt", MARY, "--heads", "L0H1", "--kind", "zero", "--ablation", "mean"],
        "--kind and --ablation",
    ),
    "points of eap": ([*FAMILY, "--method", "eap", "--ig-points", "left"], "--ig-points"),
    "MIB from the logits": ([*FAMILY, "--cut", "greedy", "--mib"], "--cut and --mib"),
    "MIB without MLPs": ([*FAMILY, "--mib", "--heads-only"], "--heads-only"),
    "MIB of heads": (["--prompt", MARY, "--heads", "L0H1", "--mib"], "--mib"),
    "input of resample": ([*FAMILY, "--input-part", "token"], "--input-part"),
    "mean of zero": ([*OWN, "--ablation", "zero", "--mean-over", "position"], "--mean-over"),
    "mean of one prompt": ([*OWN, "--ablation", "mean", "--mean-over", "position"], "one prompt"),
    "input of heads": (["--prompt", MARY, "--heads", "L0H1", "--input-part", "both"], "--input"),
    "no such pairs": (["--pairs-file", "no/such.csv"], "no/such.csv"),
    "no such circuit": ([*OWN, "--import", "no/such.json"], "no/such.json"),
    "unknown suffix": ([*FAMILY, "--out", "a.docx"], ".eapig.json"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_exit_code_2(run, name):
    argv, said = BAD[name]
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        (b'{"nodes": [], "edges": []}', [], "empty"),
        (b"0.1, 9.9", [], "L9H9"),
        (b"0.1", ["--heads", "L0H1"], "--heads and --import"),
        (b"L0H1 \xff", [], "UTF-8"),
        (json.dumps({"nodes": [], "edges": [{"source": "L0H9", "target": "logits",
                                             "via": "logits"}]}).encode(), [], "L0H9"),
        (json.dumps({"nodes": [], "edges": [{"source": "L0H1", "target": "logits",
                                             "via": "logits"}]}).encode(), ["--curve"], "--curve"),
    ],
)  # fmt: skip
def test_bad_imports(run, tmp_path, content, more, said):
    file = tmp_path / "circuit.json"
    file.write_bytes(content)
    code, out, err = run(*OWN, "--import", file, *more)
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert said in err


def test_a_file_without_a_usable_pair(run, tmp_path):
    file = tmp_path / "own.csv"
    file.write_text("clean,counterfactual,answer,distractor\na,b, Mary John,b\n")
    code, out, err = run("--pairs-file", file)
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert "None of the 1 pairs" in err


# Pictures


def test_pictures_have_the_size_asked_for(run, tmp_path):
    file = tmp_path / "circuit.png"
    code, _, err = run(*OWN, "--edges", 8, "--width", 640, "--height", 480, "--out", file)
    assert (code, err) == (0, "") and Image.open(file).size == (640, 480)


def test_deep_circuits_are_drawn_folded_or_not(tmp_path):
    """As measured of 30 layers; the data always have every MLP."""
    deep = deep_cut_of(60)

    def content(*options):
        file = tmp_path / "circuit.svg"
        args = make_parser().parse_args(["circuit", *map(str, OWN), "--out", str(file), *options])
        found = MeasuredCircuit(deep, "here", 64)
        _finish(found, args)
        return file.read_text(encoding="utf-8")

    mlps = [node.label for node in deep.nodes if node.kind == "mlp"]
    assert "MLPs" in content() and not all(f">{label}<" in content() for label in mlps)
    assert all(f">{label}<" in content("--unfold") for label in mlps)


@pytest.mark.parametrize(
    "options", [("--width", 640), ("--height", 480), ("--unfold",)], ids=lambda given: given[0]
)
def test_what_is_of_pictures_needs_one(run, tmp_path, options):
    code, out, err = run(*OWN, *options, "--out", tmp_path / "circuit.json")
    assert (code, out) == (2, "") and options[0] in err and "picture" in err


@pytest.mark.parametrize("size", [5, 20_000])
def test_sizes_no_picture_can_have_are_refused_before_measuring(run, tmp_path, size):
    code, out, err = run(*OWN, "--width", size, "--out", tmp_path / "circuit.svg")
    assert (code, out) == (2, "") and f"--width {size}" in err and err.count("\n") == 1
