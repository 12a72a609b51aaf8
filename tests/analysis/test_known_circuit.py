"""A model whose circuit is known: what is found is that, and the scores are those on paper."""

import numpy as np
import pytest
import torch

from attention_viz.analysis.circuits.attribution import attribute_edges
from attention_viz.analysis.circuits.cut import measure_cut
from attention_viz.analysis.circuits.faithfulness import measure_faithfulness
from attention_viz.analysis.roles.roles import head_roles
from attention_viz.models.loading import load_model
from attention_viz.records.circuits.attribution import AttributionRequest, Method
from attention_viz.records.circuits.circuit import Cut, CutRequest
from attention_viz.records.circuits.edge import EdgeId
from attention_viz.records.circuits.faithfulness import FaithfulnessRequest
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.roles import Role, RolesRequest
from attention_viz.records.model import ModelEntry
from attention_viz.records.question import Question
from tests.analysis.induction_model import (
    COPY,
    EDGES,
    INDUCTION,
    KEY,
    MATCH,
    PAIRS,
    PREVIOUS,
    WRITE,
    save_induction_model,
)

REQUEST = PairsRequest(Question("known", ""), given=PAIRS)


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """known(noise) → the model, with noise heads or without."""

    def load(noise):
        folder = save_induction_model(tmp_path_factory.mktemp("known"), noise)
        return load_model(ModelEntry("known", str(folder), True), device="cpu", dtype=torch.float64)

    return load


def _area_under_roc(scores, is_true):
    """The share of (true, false) pairs of edges in which the true one has the greater score."""
    true, false = scores[is_true], scores[~is_true]
    return (true[:, None] > false[None, :]).mean()


@pytest.mark.parametrize("method", list(Method))
def test_the_circuit_found_is_the_one_that_is_there(known, method):
    model = known(0.01)
    found = attribute_edges(model, AttributionRequest(REQUEST, method))
    graph = found.graph
    truth = graph.mask(map(EdgeId.parse, EDGES))
    everywhere = np.abs(found.scores[graph.edges])
    assert _area_under_roc(everywhere, truth[graph.edges]) == 1.0
    assert (everywhere > 0).sum() > graph.count / 2  # the noise heads do have scores
    for way in Cut:
        request = CutRequest(found.request, edges=3, way=way)
        circuit = measure_cut(model, request)
        assert {str(edge.id) for edge in circuit.edges} == set(EDGES)
        assert [node.id for node in circuit.nodes] == ["input", PREVIOUS, INDUCTION, "logits"]


def test_the_circuit_explains_the_behaviour_and_nothing_less_does(known):
    model = known(0.01)
    edges = tuple(map(EdgeId.parse, EDGES))
    whole = measure_faithfulness(model, FaithfulnessRequest(REQUEST, edges, leave_out=True))
    assert whole.measured.faithfulness == pytest.approx(1, abs=0.05)
    assert whole.measured.without == pytest.approx(0, abs=0.05)
    assert all(each.loss > 0.9 for each in whole.minimality)


def test_its_roles(known):
    model = known(0.01)
    circuit = measure_cut(model, CutRequest(AttributionRequest(REQUEST), edges=3))
    assert all(node.role is None for node in circuit.nodes)
    circuit = circuit.with_roles(head_roles(model, RolesRequest(circuit.about)))
    roles = {node.id: node.role.role for node in circuit.nodes if node.role}
    assert roles == {PREVIOUS: Role.PREVIOUS_TOKEN, INDUCTION: Role.INDUCTION}


def _norm(x):
    """LayerNorm without gain, and the standard deviation it divides by."""
    deviation = np.sqrt(x.var() + 1e-5)
    return (x - x.mean()) / deviation, deviation


def test_scores_in_direction_noise_are_those_on_paper(known):
    """Without noise heads every number follows from one-hot vectors, worked out here by hand."""
    model = known(0.0)
    one_pair = PairsRequest(Question("known", ""), given=PAIRS[:1])
    found = attribute_edges(model, AttributionRequest(one_pair, Method.EAP))
    token, position, before = 0, 64, 128
    clean, other = ([60, 3, a, 15, 9, 26, 14] for a in (14, 20))  # beginning of text is 60

    def attend(scores):
        weights = np.exp(np.array(scores) / np.sqrt(64))
        return weights / weights.sum()

    def run(ids):
        """What the two heads write: the first at every position, the second at the last."""
        stream = np.zeros((7, 256))
        for at, id in enumerate(ids):
            stream[at, token + id] = stream[at, position + at] = 1
        normed = np.array([_norm(x)[0] for x in stream])
        first = np.zeros_like(stream)
        for at in range(7):
            query = MATCH * normed[at, position : position + 64]
            # k of slot s is the position before s's own: one-hots rolled by one
            keys = MATCH * np.roll(normed[: at + 1, position : position + 64], 1, axis=1)
            weights = attend(keys @ query)
            first[at, before : before + 64] = (
                0.1 * WRITE * weights @ normed[: at + 1, token : token + 64]
            )
        stream = stream + first
        normed = np.array([_norm(x)[0] for x in stream])
        query = MATCH * normed[6, token : token + 64]
        weights = attend(KEY * normed[:, before : before + 64] @ query)
        second = np.zeros(256)
        second[token : token + 64] = 0.1 * COPY * weights @ normed[:, token : token + 64]
        return stream, first, second, weights, normed, query

    stream, first, second, weights, normed, query = run(clean)
    _, other_first, other_second, *_ = run(other)

    def through_norm(gradient, x):
        """Gradient at a LayerNorm's input from that at its output."""
        own, deviation = _norm(x)
        return (gradient - gradient.mean() - own * (gradient * own).mean()) / deviation

    direction = np.zeros(256)
    direction[token + 15], direction[token + 9] = 1, -1
    final = through_norm(direction, stream[6] + second)
    logits = (other_second - second) @ final

    # Into K: what a key's match adds to the weights, times what these copy to the logits.
    copied = 0.1 * COPY * normed[:, token : token + 64] @ final[token : token + 64]
    into_scores = weights * (copied - weights @ copied) / np.sqrt(64)
    keys = 0.0
    for at in range(7):
        gradient = np.zeros(256)
        gradient[before : before + 64] = into_scores[at] * KEY * query
        keys += (other_first[at] - first[at]) @ through_norm(gradient, stream[at])

    scores = {edge: found.scores[found.graph.index(EdgeId.parse(edge))] for edge in EDGES}
    assert scores["L1H3->logits"] == pytest.approx(logits, rel=1e-6)
    assert scores["L0H1->L1H3.K"] == pytest.approx(keys, rel=1e-6)
    assert logits < -0.1 and keys < -0.1  # the edges help the answer
    nothing = np.delete(found.scores[found.graph.edges], 0)
    assert (np.abs(nothing) < 1e-9).sum() > found.graph.count / 2  # nobody reads what is not there
