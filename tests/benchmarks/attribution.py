"""How fast edges are scored and circuits checked: `python -m tests.benchmarks.attribution`.

A randomly initialised model of GPT-2 small's size, one pair of 15 tokens, fp32, in one run with
TransformerLens: its `attribution_patch` (edge granularity) against our EAP over all 32,491 edges;
its `faithfulness` of the top 200 edges, with its breakdown by class and without (its time less the
extra forwards), against ours; EAP-IG with 5 steps against EAP; EAP and faithfulness of pairs that
differ late against the same code computing all positions (`suffix`). On the embedded model, how
the estimates rank edges beside exact patching of all of them. Then how seconds grow with tokens,
pairs and layers (`--growth`).
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.tools.analysis import attribution_patching as theirs

from attention_viz.analysis.circuits.attribution import attribute_edges
from attention_viz.analysis.circuits.cut import cut_scores, edges_of
from attention_viz.analysis.circuits.faithfulness import measure_faithfulness
from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import LoadedModel, load_model
from attention_viz.records.circuits.attribution import AttributionRequest, Direction, Method
from attention_viz.records.circuits.circuit import Cut
from attention_viz.records.circuits.edge import INPUT, OUTPUT, EdgeId, Via
from attention_viz.records.circuits.faithfulness import FaithfulnessRequest
from attention_viz.records.circuits.pairs import Pair, PairsRequest
from attention_viz.records.model import EMBEDDED, ModelEntry
from attention_viz.records.question import Question
from tests.benchmarks.models import config_of, prompt_of, save_random
from tests.benchmarks.suffix import measure_circuits
from tests.benchmarks.sweep import print_report

TOKENS = 15
EDGES = 200


def pairs_of(tokens: int, count: int = 1) -> PairsRequest:
    """Pairs that differ in one token in the middle."""
    words = prompt_of(tokens).split()
    given = []
    for number in range(count):
        own = [*words[:-1], f"w{1000 + number}", words[-1]]
        other = [*own]
        other[len(own) // 2] = f"w{5000 + number}"
        given.append(Pair(" ".join(own[1:]), " ".join(other[1:]), "w7", "w9"))
    return PairsRequest(Question("bench", ""), given=tuple(given))


def node_of(name: str, via: Via | None, position: int, layers: int) -> theirs.Node:
    """Our writer (no via) or reader by TransformerLens' name."""
    if name == INPUT:
        return theirs.Node("embed", position)
    if name == OUTPUT:
        return theirs.Node("logits", position, layers - 1)
    layer, _, head = name[1:].partition("H")
    if name.endswith("MLP"):
        return theirs.Node("mlp_out" if via is None else "mlp_in", position, int(name[1:-3]))
    kind = "attn_head_out" if via is None else f"{via.value.lower()}_input"
    return theirs.Node(kind, position, int(layer), int(head))


def timed(work: Callable) -> tuple[float, object]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def median(work: Callable, rounds: int) -> tuple[float, object]:
    runs = [timed(work) for _ in range(rounds)]
    return statistics.median(seconds for seconds, _ in runs), runs[-1][1]


def measure(rounds: int, device: str) -> dict:
    """All ratios, in one process."""
    with tempfile.TemporaryDirectory() as name:
        folder = save_random(Path(name), config_of("gpt2"))
        model = load_model(ModelEntry("bench", folder, True), device=device)
        bridge = TransformerBridge.boot_transformers(folder, device=device, dtype=torch.float32)
    request = AttributionRequest(pairs_of(TOKENS), Method.EAP, direction=Direction.DENOISE)
    found = attribute_edges(model, request)  # warms up, and finds the readers
    pair = found.pairs.pairs[0]
    ids = [
        torch.tensor([[token.id for token in tokens.items]], device=device)
        for tokens in (pair.clean, pair.counterfactual)
    ]

    def metric(logits):
        row = logits[0, pair.position]
        return row[pair.answer.id] - row[pair.distractor.id]

    config = theirs.EdgeAttributionConfig("edge")
    eap_s, found = median(lambda: attribute_edges(model, request), rounds)
    lens_s, patched = median(
        lambda: theirs.attribution_patch(bridge, *ids, metric, config), max(1, rounds // 2)
    )
    noise = replace(request, direction=Direction.NOISE)
    noise_s, _ = median(lambda: attribute_edges(model, noise), rounds)
    ig = replace(noise, method=Method.EAP_IG, steps=5)
    ig_s, _ = median(lambda: attribute_edges(model, ig), rounds)
    report = {
        "device": device,
        "threads": torch.get_num_threads(),
        "tokens": len(pair.clean),
        "edges": found.graph.count,
        "eap_s": noise_s,
        "eap_denoise_s": eap_s,
        "transformer_lens_eap_s": lens_s,
        "eap_speedup": lens_s / eap_s,
        "eap_largest_difference": largest_difference(found, patched.edge_scores),
        "eap_ig_s": ig_s,
        "eap_ig_over_eap": ig_s / noise_s,
    }
    report |= check_faithfulness(model, bridge, found, ids, metric, rounds)
    return report | measure_circuits(model, max(1, rounds // 2))


def largest_difference(found, scores: dict) -> float:
    """Ours against theirs summed over positions, relative to the greatest score."""
    graph, worst, greatest = found.graph, 0.0, 0.0
    sums: dict[tuple, float] = {}
    for (writer, reader), score in scores.items():
        key = (writer.kind, writer.layer, writer.head, reader.kind, reader.layer, reader.head)
        sums[key] = sums.get(key, 0.0) + score
    for place in zip(*graph.edges.nonzero(), strict=True):
        edge = graph.edge(*place)
        one = node_of(edge.writer, None, 0, graph.layers)
        other = node_of(edge.reader, edge.via, 0, graph.layers)
        key = (one.kind, one.layer, one.head, other.kind, other.layer, other.head)
        worst = max(worst, abs(found.scores[place] - sums[key]))
        greatest = max(greatest, abs(sums[key]))
    return worst / greatest


def check_faithfulness(model: LoadedModel, bridge, found, ids, metric, rounds: int) -> dict:
    """One check of the top edges: ours, theirs, and theirs without its extra forwards."""
    graph, pair = found.graph, found.pairs.pairs[0]
    edges = edges_of(graph, cut_scores(graph, found.scores, EDGES, Cut.TOP))
    request = FaithfulnessRequest(found.request.pairs, tuple(edges))
    ours_s, ours = median(lambda: measure_faithfulness(model, request), rounds)
    kept = [nodes_of(edge, at, graph.layers) for edge in edges for at in range(len(pair.clean))]
    whole_s, result = timed(lambda: theirs.faithfulness(bridge, *ids, metric, kept))
    spent: list[float] = []
    original = theirs._ablate_edges

    def watched(*arguments):
        seconds, logits = timed(lambda: original(*arguments))
        spent.append(seconds)
        return logits

    with mock.patch.object(theirs, "_ablate_edges", watched):
        again_s, _ = timed(lambda: theirs.faithfulness(bridge, *ids, metric, kept))
    plain_s = again_s - sum(spent[1:])
    return {
        "circuit_edges": len(edges),
        "faithfulness_s": ours_s,
        "transformer_lens_faithfulness_s": whole_s,
        "transformer_lens_faithfulness_without_classes_s": plain_s,
        "faithfulness_speedup": whole_s / ours_s,
        "faithfulness_speedup_without_classes": plain_s / ours_s,
        "faithfulness_difference": abs(ours.measured.faithfulness - result.recovered),
    }


def nodes_of(edge: EdgeId, position: int, layers: int) -> tuple:
    return (
        node_of(edge.writer, None, position, layers),
        node_of(edge.reader, edge.via, position, layers),
    )


def agree_with_exact(device: str) -> dict:
    """Spearman correlation of the estimates with exact patching of all edges, embedded model."""
    model = load_model(Catalogue.standard().entry(EMBEDDED), device=device)
    pairs = PairsRequest(Question(EMBEDDED, ""), family="indirect object ABBA", count=20)
    found = {method: attribute_edges(model, AttributionRequest(pairs, method)) for method in Method}
    exact = found[Method.EXACT]
    truth = exact.scores[exact.graph.edges]
    report = {"edges": len(truth), "exact_s": exact.seconds}
    for method in (Method.EAP, Method.EAP_IG):
        scores = found[method].scores[exact.graph.edges]
        name = method.value.replace("-", "_")
        report[f"spearman_{name}"] = spearman(scores, truth)
        report[f"spearman_{name}_sizes"] = spearman(abs(scores), abs(truth))
    return report


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of the ranks."""
    ranks = [values.argsort().argsort() for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


GROWTH = [
    {"tokens": 15},
    {"tokens": 64},
    {"tokens": 256},
    {"pairs": 4},
    {"pairs": 16},
    {"layers": 6},
    {"layers": 24},
]


def grow(rounds: int, device: str) -> list[dict]:
    """Seconds of EAP, EAP-IG and one faithfulness check of the top edges."""
    return [measure_growth(rounds, device, **sizes) for sizes in GROWTH]


def measure_growth(
    rounds: int, device: str, tokens: int = TOKENS, pairs: int = 1, layers: int = 12
) -> dict:
    with tempfile.TemporaryDirectory() as name:
        folder = save_random(Path(name), config_of("gpt2", layers=layers))
        model = load_model(ModelEntry("bench", folder, True), device=device)
    request = AttributionRequest(pairs_of(tokens, pairs), Method.EAP)
    found = attribute_edges(model, request)
    edges = edges_of(found.graph, cut_scores(found.graph, found.scores, EDGES, Cut.TOP))
    check = FaithfulnessRequest(request.pairs, tuple(edges))
    eap_s, _ = median(lambda: attribute_edges(model, request), rounds)
    ig = replace(request, method=Method.EAP_IG, steps=5)
    ig_s, _ = median(lambda: attribute_edges(model, ig), 1)
    faithfulness_s, _ = median(lambda: measure_faithfulness(model, check), 1)
    sizes = {"layers": layers, "tokens": tokens, "pairs": pairs, "edges": found.graph.count}
    return {**sizes, "eap_s": eap_s, "eap_ig_s": ig_s, "faithfulness_s": faithfulness_s}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--growth", action="store_true", help="measure growth too")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    report = measure(options.rounds, options.device)
    report["embedded"] = agree_with_exact(options.device)
    if options.growth:
        report["growth"] = grow(max(1, options.rounds // 2), options.device)
    if options.json:
        print(json.dumps(report))
    else:
        print_report(report)


if __name__ == "__main__":
    main()
