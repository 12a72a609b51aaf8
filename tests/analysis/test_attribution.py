"""Edge scores against TransformerLens, against finite differences, and by linearity."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.tools.analysis.attribution_patching import (
    EdgeAttributionConfig,
    FaithfulnessConfig,
    Node,
    attribution_patch,
    faithfulness,
)

from attention_viz.analysis.ablation import ablate, predict
from attention_viz.analysis.circuits import cut
from attention_viz.analysis.circuits.attribution import attribute_edges, attribute_positions
from attention_viz.analysis.circuits.circuit import measure_circuit
from attention_viz.analysis.circuits.cut import cut_scores, edges_of, patch_over_pairs
from attention_viz.analysis.circuits.faithfulness import (
    measure_curve,
    measure_faithfulness,
    predict_circuit_only,
    read_circuit_lens,
)
from attention_viz.analysis.circuits.pair_batches import Replacement, batches_of
from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.analysis.circuits.pruning import prune
from attention_viz.analysis.lens import logit_lens
from attention_viz.models.streams import writers_of
from attention_viz.records.ablation import AblationKind, AblationRequest, PredictionRequest
from attention_viz.records.circuits.attribution import (
    AttributionRequest,
    Direction,
    EdgePositionsRequest,
    Method,
)
from attention_viz.records.circuits.circuit import CircuitRequest, Cut, CutRequest
from attention_viz.records.circuits.edge import INPUT, OUTPUT, EdgeId, Via
from attention_viz.records.circuits.faithfulness import (
    CircuitLensRequest,
    CircuitOnlyRequest,
    CurveRequest,
    FaithfulnessRequest,
)
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.lens import LensRequest
from attention_viz.records.pace import Pace
from attention_viz.records.question import Question
from tests.analysis.pairs_for_tests import indirect_objects, random_pairs
from tests.models_for_tests import ARCHITECTURES, save_random_model


@pytest.fixture(scope="module")
def bridge(tmp_path_factory):
    """bridge(name) → TransformerLens' own model of the same weights."""
    folder = tmp_path_factory.mktemp("bridges")

    def boot(name):
        path = str(save_random_model(name, folder))
        return TransformerBridge.boot_transformers(path, device="cpu", dtype=torch.float64)

    return boot


def test_how_many_edges_each_architecture_has():
    assert Graph(12, 12, 12, False).count == 32_491  # GPT-2 small
    small, parallel = Graph(12, 12, 12, False), Graph(12, 12, 12, True)
    assert small.count - parallel.count == 12 * 12  # no head → MLP of its own layer
    shared = Graph(3, 4, 2, False)
    by_hand = sum((4 + 2 + 2) * (1 + 5 * layer) + (1 + 5 * layer + 4) for layer in range(3)) + 16
    assert shared.count == by_hand
    names = {str(shared.edge(w, r)) for w, r in zip(*shared.edges.nonzero(), strict=True)}
    assert len(names) == by_hand
    assert {"L0H3->L1KV1.V", "L0H3->L0MLP", "input->L0H2.Q", "L2MLP->logits"} < names
    assert "L1H0->L1H1.Q" not in names and "L0MLP->L0MLP" not in names


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_writers_sum_to_the_stream(load, name):
    model = load(name)
    pairs = read_pairs(model, random_pairs(name, 2))
    batch = next(batches_of(pairs, "cpu", 2))
    run = model.decoder.run(batch.clean)
    biases = sum(model.decoder.output_bias(layer) for layer in range(model.decoder.layers))
    written = writers_of(model.decoder, run)
    assert written.shape[:2] == (2, len(model.streams.graph.writers))
    torch.testing.assert_close(written.sum(1) + biases, run.residual[-1])


def _node(name: str, via: Via | None, position: int, layers: int) -> Node:
    """Our writer (no via) or reader as TransformerLens names it."""
    if name == INPUT:
        return Node("embed", position)
    if name == OUTPUT:
        return Node("logits", position, layers - 1)
    layer = int(name[1])
    if name.endswith("MLP"):
        return Node("mlp_out" if via is None else "mlp_in", position, layer)
    kind = "attn_head_out" if via is None else f"{via.value.lower()}_input"
    return Node(kind, position, layer, int(name[3:]))


def _difference(pair):
    def metric(logits):
        row = logits[0, pair.position]
        return row[pair.answer.id] - row[pair.distractor.id]

    return metric


@pytest.mark.parametrize("name", ["gpt2", "neox"])
def test_denoising_eap_equals_transformer_lens(load, bridge, name):
    model, other = load(name), bridge(name)
    request = AttributionRequest(random_pairs(name, 1), Method.EAP, direction=Direction.DENOISE)
    found = attribute_edges(model, request)
    pair = found.pairs.pairs[0]
    clean, corrupt = (
        torch.tensor([[token.id for token in tokens.items]])
        for tokens in (pair.clean, pair.counterfactual)
    )
    theirs = attribution_patch(
        other, clean, corrupt, _difference(pair), EdgeAttributionConfig("edge")
    ).edge_scores
    expected = np.zeros_like(found.scores)
    graph = found.graph
    for writer, reader in zip(*graph.edges.nonzero(), strict=True):
        edge = graph.edge(writer, reader)
        expected[writer, reader] = sum(
            theirs[
                _node(edge.writer, None, position, graph.layers),
                _node(edge.reader, edge.via, position, graph.layers),
            ]
            for position in range(len(pair.clean))
        )
    assert len(theirs) == graph.count * len(pair.clean)
    scale = np.abs(expected).max()
    assert np.abs(np.where(graph.edges, found.scores - expected, 0)).max() < 1e-4 * scale


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradients_are_what_small_patches_do(load, name, monkeypatch):
    """Replacing a writer by nearly itself, edge by edge: the change is the estimate's."""
    model = load(name)
    pairs = read_pairs(model, random_pairs(name, 1))
    request = AttributionRequest(random_pairs(name, 1), Method.EAP)
    scores = attribute_edges(model, request).scores
    graph = model.streams.graph
    rng = np.random.default_rng(0)
    places = np.argwhere(graph.edges)
    edges = [graph.edge(*place) for place in rng.permutation(places)[:40]]

    class Nearly(Replacement):
        def writers(self, batch):
            clean = writers_of(model.decoder, model.decoder.run(batch.clean))
            return clean + 1e-3 * (super().writers(batch) - clean)

    near = Nearly(model, AblationKind.RESAMPLE)
    monkeypatch.setattr(cut.Replacement, "of", lambda *_: near)
    effects, _ = patch_over_pairs(model, pairs, edges, AblationKind.RESAMPLE, Pace())
    estimates = np.array([1e-3 * scores[graph.index(edge)] for edge in edges])
    measured = np.array([effects[edge] for edge in edges])
    assert np.abs(measured - estimates).max() < 0.02 * np.abs(estimates).max()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_one_step_of_eap_ig_is_eap(load, name):
    model, pairs = load(name), random_pairs(name)
    eap = attribute_edges(model, AttributionRequest(pairs, Method.EAP))
    one = attribute_edges(model, AttributionRequest(pairs, Method.EAP_IG, steps=1))
    np.testing.assert_allclose(one.scores, eap.scores, rtol=1e-5, atol=1e-9)
    many = attribute_edges(model, AttributionRequest(pairs, Method.EAP_IG, steps=7))
    assert not np.allclose(many.scores, eap.scores, rtol=1e-2, equal_nan=True)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_into_the_logits_the_sum_is_linear(load, name):
    """With many steps the input's edges add up to what the embeddings change in the metric.

    Completeness of integrated gradients: Σ over all that the input feeds = metric(replaced) −
    metric(clean), up to the end point of the sum.
    """
    model, pairs = load(name), random_pairs(name, 1)
    found = attribute_edges(model, AttributionRequest(pairs, Method.EAP_IG, steps=100))
    total = np.nansum(found.scores[0])
    assert total == pytest.approx(found.replaced - found.clean, rel=0.05)


def test_scores_are_means_over_pairs_and_sums_over_positions(load):
    model, name = load("gpt2"), "gpt2"
    together = attribute_edges(model, AttributionRequest(random_pairs(name, 2), Method.EAP))
    by_position = attribute_positions(
        model, EdgePositionsRequest(AttributionRequest(random_pairs(name, 2), Method.EAP))
    )
    np.testing.assert_allclose(by_position.scores.sum(0), together.scores, atol=1e-9)
    first = attribute_edges(model, AttributionRequest(random_pairs(name, 1), Method.EAP))
    assert not np.allclose(first.scores, together.scores, equal_nan=True)


@pytest.mark.parametrize("kind", [AblationKind.RESAMPLE, AblationKind.MEAN, AblationKind.ZERO])
def test_exact_scores_are_those_of_single_edges(load, kind):
    model, pairs = load("llama"), random_pairs("llama", 2)
    found = attribute_edges(model, AttributionRequest(pairs, Method.EXACT, ablation=kind))
    graph = found.graph
    edges = [graph.edge(*place) for place in np.argwhere(graph.edges)[::17]]
    effects, clean = patch_over_pairs(model, read_pairs(model, pairs), edges, kind, Pace())
    assert clean == pytest.approx(found.clean)
    for edge in edges:
        assert found.scores[graph.index(edge)] == pytest.approx(effects[edge], abs=1e-9)


@pytest.mark.parametrize(
    "changes",
    [
        {"ablation": AblationKind.PERMUTE},
        {"method": Method.EAP_IG, "ablation": AblationKind.ZERO},
        {"method": Method.EAP, "ablation": AblationKind.MEAN, "direction": Direction.DENOISE},
        {"method": Method.EXACT, "direction": Direction.DENOISE},
        {"method": Method.EAP_IG, "steps": 0},
    ],
)
def test_what_has_no_meaning_is_refused(load, changes):
    with pytest.raises(BadInput) as error:
        attribute_edges(load("gpt2"), AttributionRequest(random_pairs("gpt2"), **changes))
    assert error.value.remedy


# Faithfulness


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_all_edges_are_the_clean_run_and_none_the_counterfactual(load, name):
    model, pairs = load(name), random_pairs(name)
    graph = model.streams.graph
    everything = tuple(edges_of(graph, graph.edges))
    found = measure_faithfulness(model, FaithfulnessRequest(pairs, everything))
    differences = {"clean": [], "counterfactual": []}
    for pair in read_pairs(model, pairs).pairs:
        for which, values in differences.items():
            ids = torch.tensor([[token.id for token in getattr(pair, which).items]])
            logits = model.decoder.hf(input_ids=ids).logits
            values.append(_difference(pair)(logits).item())
    assert found.full == pytest.approx(np.mean(differences["clean"]), abs=1e-6)
    assert found.empty == pytest.approx(np.mean(differences["counterfactual"]), abs=1e-6)
    assert found.measured.faithfulness == pytest.approx(1, abs=1e-6)
    assert found.measured.without == pytest.approx(0, abs=1e-6)
    assert found.measured.interval is not None


@pytest.mark.parametrize("name", ["gpt2", "neox"])
def test_faithfulness_equals_transformer_lens(load, bridge, name):
    model, other = load(name), bridge(name)
    request = AttributionRequest(random_pairs(name, 1), Method.EAP)
    found = attribute_edges(model, request)
    graph, pair = found.graph, found.pairs.pairs[0]
    edges = edges_of(graph, cut_scores(graph, found.scores, 30, Cut.TOP))
    ours = measure_faithfulness(model, FaithfulnessRequest(request.pairs, tuple(edges)))
    clean, corrupt = (
        torch.tensor([[token.id for token in tokens.items]])
        for tokens in (pair.clean, pair.counterfactual)
    )
    kept = [
        (
            _node(edge.writer, None, position, graph.layers),
            _node(edge.reader, edge.via, position, graph.layers),
        )
        for edge in edges
        for position in range(len(pair.clean))
    ]
    theirs = faithfulness(
        other, clean, corrupt, _difference(pair), kept, FaithfulnessConfig("corrupt")
    )
    assert ours.full == pytest.approx(theirs.full_metric, abs=1e-6)
    assert ours.measured.faithfulness == pytest.approx(theirs.recovered, abs=1e-4)
    assert 0.01 < abs(ours.measured.faithfulness - 1)  # a circuit that misses something


def test_nothing_to_explain_is_refused(load):
    """A pair and the same pair turned round: full and empty circuit do equally well."""
    model, pairs = load("gpt2"), random_pairs("gpt2", 1)
    (pair,) = pairs.given
    turned = replace(pair, clean=pair.counterfactual, counterfactual=pair.clean)
    both = replace(pairs, given=(pair, turned))
    with pytest.raises(BadInput, match="nothing to explain"):
        measure_faithfulness(model, FaithfulnessRequest(both, (EdgeId.parse("input->logits"),)))


def test_leaving_out_an_edge_is_the_circuit_without_it(load):
    model, pairs = load("gpt2"), random_pairs("gpt2", 2)
    scores = attribute_edges(model, AttributionRequest(pairs, Method.EAP))
    edges = tuple(edges_of(scores.graph, cut_scores(scores.graph, scores.scores, 12, Cut.GREEDY)))
    whole = measure_faithfulness(model, FaithfulnessRequest(pairs, edges, leave_out=True))
    less = measure_faithfulness(model, FaithfulnessRequest(pairs, edges[1:]))
    lost = whole.measured.faithfulness - less.measured.faithfulness
    assert [each.edge for each in whole.minimality] == list(edges)
    assert whole.minimality[0].loss == pytest.approx(lost, abs=1e-9)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_is_left_of_the_first_pair_is_read_in_every_layer(load, name):
    """All edges: the clean run and its lens; none: the counterfactual's."""
    model, pairs = load(name), random_pairs(name)
    graph = model.streams.graph
    everything = CircuitOnlyRequest(pairs, tuple(edges_of(graph, graph.edges)))
    nothing = CircuitOnlyRequest(pairs, ())
    first = read_pairs(model, pairs).pairs[0]
    for request, text in ((everything, first.text.clean), (nothing, first.text.counterfactual)):
        asked = Question(name, text, answer=first.answer.id, distractor=first.distractor.id)
        expected = predict(model, PredictionRequest(asked))
        found = predict_circuit_only(model, request)
        assert [each.token.id for each in found.top] == [each.token.id for each in expected.top]
        assert found.logit_diff == pytest.approx(expected.logit_diff, abs=1e-5)
        lens = read_circuit_lens(model, CircuitLensRequest(request))
        plain = logit_lens(model, LensRequest(asked))
        np.testing.assert_allclose(lens.probability[-1], plain.probability[-1], atol=1e-5)
        if request is everything:
            np.testing.assert_allclose(lens.probability, plain.probability, atol=1e-5)


def test_chosen_heads_alone_are_all_others_ablated(load, ask_about):
    model, question = load("gpt2"), ask_about("gpt2")
    heads = (HeadId(0, 1), HeadId(2, 0))
    every = tuple(HeadId(layer, head) for layer in range(3) for head in range(4))
    others = tuple(head for head in every if head not in heads)
    circuit = measure_circuit(model, CircuitRequest(question, heads))
    for value, ablated in ((circuit.alone, others), (circuit.none, every)):
        expected = ablate(model, AblationRequest(question, ablated)).ablated.logit_diff
        assert value == pytest.approx(expected, abs=1e-9)
    share = (circuit.alone - circuit.none) / (circuit.baseline - circuit.none)
    assert circuit.heads_faithfulness == pytest.approx(share)


# Cutting


def test_cuts_have_no_dead_ends_and_the_size_asked_for():
    graph = Graph(4, 8, 8, False)
    scores = np.random.default_rng(0).normal(size=graph.edges.shape)
    for way in Cut:
        sizes = []
        for size in (1, 5, 40, 300, 5000):
            mask = cut_scores(graph, scores, size, way)
            np.testing.assert_array_equal(prune(graph, mask), mask)
            sizes.append(int(mask.sum()))
            assert mask.sum() <= size and not (mask & ~graph.edges).any()
        assert sizes == sorted(sizes) and sizes[-1] == graph.count
    heads = cut_scores(graph, scores, 60, Cut.GREEDY, with_mlps=False)
    assert heads.any() and not (heads & graph.touches_mlp()).any()


def test_pruning_by_hand():
    graph = Graph(2, 2, 2, False)
    way = [EdgeId.parse(each) for each in ("input->L0H1.V", "L0H1->L1H0.K", "L1H0->logits")]
    dead = [EdgeId.parse(each) for each in ("L0H0->L1H0.Q", "L0H1->L1H1.V", "L1MLP->logits")]
    kept = prune(graph, graph.mask([*way, *dead]))
    assert edges_of(graph, kept) == way


def test_the_curve_ends_where_it_must_and_beats_chance(load):
    model = load("embedded", torch.float32)
    request = CutRequest(AttributionRequest(indirect_objects()), edges=0)
    curve = measure_curve(model, CurveRequest(request, random_circuits=2))
    assert [curve.points[0].faithfulness, curve.points[-1].faithfulness] == [0, 1]
    sizes = [point.size for point in curve.points]
    assert sizes == sorted(set(sizes)) and sizes[-1] == curve.total == 1519
    assert all(point.interval is not None for point in curve.points[1:-1])
    assert curve.cmd < curve.random_cmd and curve.points[-2].faithfulness > 0.5
