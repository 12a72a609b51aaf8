"""MIB's cut and areas against its rule written out edge by edge, each head with its own K and V."""

from dataclasses import replace

import numpy as np
import pytest

from attention_viz.analysis.circuits.attribution import attribute_edges
from attention_viz.analysis.circuits.cut import cut_scores, edges_of, measure_cut
from attention_viz.analysis.circuits.faithfulness import measure_faithfulness
from attention_viz.analysis.circuits.mib import count_all, count_kept, cut_top
from attention_viz.analysis.circuits.mib_curve import measure_mib
from attention_viz.analysis.circuits.pruning import prune
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import AttributionRequest, Direction, Method
from attention_viz.records.circuits.circuit import Cut, CutRequest
from attention_viz.records.circuits.edge import INPUT, OUTPUT
from attention_viz.records.circuits.faithfulness import FaithfulnessRequest
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.circuits.mib import SHARES, MibRequest, Ranking
from attention_viz.records.errors import BadInput
from attention_viz.records.metrics import Sense
from tests.analysis.pairs_for_tests import random_pairs

GRAPHS = (Graph(3, 4, 4, False), Graph(3, 4, 2, False), Graph(2, 6, 2, True), Graph(3, 4, 1, False))
# As in the public code of the benchmark (MIB-circuit-track, evaluate_area_under_curve)
PERCENTAGES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)


def random_scores(graph, seed=0):
    scores = np.random.default_rng(seed).standard_normal(graph.edges.shape)
    return np.where(graph.edges, scores, np.nan)


def ungrouped(graph, scores):
    """(writer, head or MLP or logits, slot) → score, K and V of every head its own."""
    found = {}
    for writer, reader in zip(*graph.edges.nonzero(), strict=True):
        name, via = graph.readers[reader]
        heads = graph.heads_behind(name)
        for head in heads:
            score = scores[writer, reader] / len(heads)
            found[graph.writers[writer], head, via.value] = score
    return found


def by_the_rule(graph, scores, n, absolute):
    """The top n, pruned: nodes without ways in or out go until none is left that has to."""
    edges = ungrouped(graph, scores)
    strength = {edge: abs(score) if absolute else score for edge, score in edges.items()}
    kept = set(sorted(strength, key=strength.get, reverse=True)[:n])
    kept = without_split_groups(graph, kept)
    while True:
        writing = {writer for writer, _, _ in kept}
        reading = {reader for _, reader, _ in kept} | {INPUT}
        nodes = writing & reading
        left = {e for e in kept if e[0] in nodes and (e[1] in nodes or e[1] == OUTPUT)}
        if left == kept:
            return kept
        kept = left


def without_split_groups(graph, kept):
    """What heads share can't be given to some of them."""
    for writer, reader in zip(*graph.edges.nonzero(), strict=True):
        name, via = graph.readers[reader]
        copies = {(graph.writers[writer], head, via.value) for head in graph.heads_behind(name)}
        if not copies <= kept:
            kept = kept - copies
    return kept


@pytest.mark.parametrize("sense", [Sense.HELPS_ABOVE, Sense.HELPS_BELOW])
@pytest.mark.parametrize("ranking", Ranking)
@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_the_cut_is_the_top_n_pruned(graph, ranking, sense):
    scores = random_scores(graph)
    sign = 1 if sense is Sense.HELPS_ABOVE else -1
    total = len(ungrouped(graph, scores))
    assert count_all(graph) == total
    for n in {*range(0, 60), total // 2, total - 1, total}:
        expected = by_the_rule(graph, sign * scores, n, ranking is Ranking.ABSOLUTE)
        mask = cut_top(graph, scores, n, ranking, sense)
        assert count_kept(graph, mask) == len(expected) <= n
        alive = {writer for writer, _, _ in expected}
        found = {
            (edge.writer, head, edge.via.value)
            for edge in edges_of(graph, mask)
            for head in graph.heads_behind(edge.reader)
            if head in alive or head == OUTPUT
        }
        assert found == expected
        assert (mask == prune(graph, mask)).all()
    assert (cut_top(graph, scores, total, ranking, sense) == graph.edges).all()


def test_what_is_pruned_is_not_made_up_for():
    """Ours takes as many edges as fit after pruning; MIB's way stays below, or empty."""
    graph = GRAPHS[0]
    sizes = range(1, 80)
    mine = [cut_scores(graph, random_scores(graph), n, Cut.TOP).sum() for n in sizes]
    theirs = [
        cut_top(graph, random_scores(graph), n, Ranking.ABSOLUTE, Sense.HELPS_ABOVE).sum()
        for n in sizes
    ]
    assert all(m <= n and t <= m for n, m, t in zip(sizes, mine, theirs, strict=True))
    assert 0 in theirs and theirs != mine


@pytest.mark.parametrize("way", [Cut.GREEDY, Cut.TOP])
@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_so_many_edges_means_at_most_so_many_and_no_more_would_fit(graph, way):
    for seed in range(3):
        scores = random_scores(graph, seed)
        for size in (1, 2, 5, 17, 30, graph.count - 1, graph.count, graph.count + 5):
            mask = cut_scores(graph, scores, size, way)
            assert mask.sum() <= size
            assert (mask == prune(graph, mask)).all()
    assert (cut_scores(graph, scores, graph.count, way) == graph.edges).all()


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
@pytest.mark.parametrize("direction", Direction)
def test_areas_are_those_of_the_rule(load, name, direction):
    """Each circuit measured by itself; trapezes from 0.001 to 1, and nothing below."""
    model, pairs = load(name), random_pairs(name, 2)
    asked = AttributionRequest(pairs, Method.EAP, direction=direction)
    found = measure_mib(model, MibRequest(asked))
    attribution = attribute_edges(model, asked)
    graph = attribution.graph
    total = len(ungrouped(graph, attribution.scores))
    assert found.total == total
    helps = attribution.scores * (-1 if direction is Direction.NOISE else 1)
    for areas, absolute in ((found.signed, False), (found.absolute, True)):
        faithfulness = []
        for share, point in zip(PERCENTAGES, areas.points, strict=True):
            kept = by_the_rule(graph, helps, int(share * total), absolute)
            assert (point.share, point.wanted) == (share, int(share * total))
            assert point.size == len(kept)
            edges = tuple(
                graph.edge(writer, reader)
                for writer, reader in zip(*graph.edges.nonzero(), strict=True)
                if any(
                    (graph.writers[writer], head, graph.readers[reader][1].value) in kept
                    for head in graph.heads_behind(graph.readers[reader][0])
                )
            )
            value = 0.0
            if edges:
                alone = measure_faithfulness(model, FaithfulnessRequest(pairs, edges))
                value = alone.measured.faithfulness
                assert (found.full, found.empty) == pytest.approx((alone.full, alone.empty))
            assert point.faithfulness == pytest.approx(value, abs=1e-9)
            faithfulness.append(value)
        cpr = cmd = 0.0
        for i in range(len(PERCENTAGES) - 1):
            width = PERCENTAGES[i + 1] - PERCENTAGES[i]
            first, second = faithfulness[i], faithfulness[i + 1]
            cpr += width * (first + second) / 2
            cmd += width * (abs(1 - first) + abs(1 - second)) / 2
        assert (areas.cpr, areas.cmd) == pytest.approx((cpr, cmd), abs=1e-9)
    assert SHARES == PERCENTAGES


def test_signed_and_absolute_are_different_circuits(load):
    found = measure_mib(load("gpt2"), MibRequest(AttributionRequest(random_pairs("gpt2"))))
    assert found.signed.cpr != pytest.approx(found.absolute.cpr)
    assert [areas.ranking for areas in found.rankings] == list(Ranking)


@pytest.mark.parametrize("way", [Cut.MIB, Cut.MIB_ABSOLUTE])
def test_a_circuit_of_the_page_is_cut_the_same_way(load, way):
    model = load("llama")
    asked = AttributionRequest(random_pairs("llama"), Method.EAP)
    circuit = measure_cut(model, CutRequest(asked, 40, way))
    attribution = attribute_edges(model, asked)
    mask = cut_top(attribution.graph, attribution.scores, 40, way.ranking, Sense.HELPS_BELOW)
    assert set(circuit.edge_ids) == set(edges_of(attribution.graph, mask)) != set()


def test_an_empty_circuit_is_kept_and_measured(load):
    model, pairs = load("gpt2"), random_pairs("gpt2", 1)
    asked = AttributionRequest(pairs, Method.EAP)
    sizes = range(1, 40)
    circuits = [measure_cut(model, CutRequest(asked, n, Cut.MIB)) for n in sizes]
    empty = next(circuit for circuit in circuits if not circuit.edges)
    assert [node.id for node in empty.nodes] == [OUTPUT]
    found = measure_faithfulness(model, FaithfulnessRequest(pairs, empty.edge_ids))
    assert found.measured.faithfulness == pytest.approx(0, abs=1e-9)
    assert found.measured.metric == pytest.approx(found.empty)


def test_without_mlps_there_is_no_mib(load):
    asked = AttributionRequest(random_pairs("gpt2", 1), Method.EAP)
    with pytest.raises(BadInput, match="MLP"):
        measure_cut(load("gpt2"), CutRequest(asked, 5, Cut.MIB, with_mlps=False))


@pytest.mark.parametrize("kind", [AblationKind.MEAN, AblationKind.ZERO])
def test_other_kinds_say_what_was_replaced(load, kind):
    asked = AttributionRequest(random_pairs("gpt2"), Method.EAP, ablation=kind)
    assert measure_mib(load("gpt2"), MibRequest(asked)).replaced.startswith(kind.value)
    rotary = replace(asked, pairs=random_pairs("llama"))
    assert measure_mib(load("llama"), MibRequest(rotary)).replaced == kind.value
