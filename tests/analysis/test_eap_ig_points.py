"""EAP-IG at the paper's points, at the library's since 2025, and at midpoints."""

import numpy as np
import pytest
import torch

from attention_viz.analysis.circuits.attribution import attribute_edges, attribute_positions
from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.records.circuits.attribution import (
    AttributionRequest,
    EdgePositionsRequest,
    Method,
    Points,
)
from attention_viz.records.circuits.circuit import CutRequest
from tests.analysis import gpt2_oracle
from tests.analysis.pairs_for_tests import random_pairs

# k/m by hand: Hanna et al. 2024 (k = 1 … m), their library since February 2025 (k = 0 … m − 1)
BY_HAND = {
    Points.RIGHT: (0.25, 0.5, 0.75, 1.0),
    Points.LEFT: (0.0, 0.25, 0.5, 0.75),
    Points.MID: (0.125, 0.375, 0.625, 0.875),
}


@pytest.mark.parametrize("points", Points)
def test_every_edge_is_what_the_definition_says(load, points):
    model, request = load("gpt2"), random_pairs("gpt2")
    found = attribute_edges(
        model, AttributionRequest(request, Method.EAP_IG, steps=4, points=points)
    )
    graph = found.graph
    edges = [graph.edge(*place) for place in np.argwhere(graph.edges)]
    pairs = read_pairs(model, request).pairs
    with torch.enable_grad():
        each = [gpt2_oracle.eap_ig(model.decoder.hf, p, BY_HAND[points], edges) for p in pairs]
    expected = np.mean(each, 0)
    scores = np.array([found.scores[graph.index(edge)] for edge in edges])
    assert np.abs(scores - expected).max() < 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_midpoints_add_up_best(load, name):
    """The input's edges sum to what the embeddings change in the metric: exactly, in the limit."""
    errors = {}
    for points in Points:
        request = AttributionRequest(random_pairs(name, 1), Method.EAP_IG, 20, points=points)
        found = attribute_edges(load(name), request)
        errors[points] = abs(np.nansum(found.scores[0]) - (found.replaced - found.clean))
    assert errors[Points.MID] < min(errors[Points.LEFT], errors[Points.RIGHT])


@pytest.mark.parametrize("points", Points)
def test_the_clean_metric_and_positions_do_not_depend_on_the_points(load, points):
    model, pairs = load("gpt2"), random_pairs("gpt2", 2)
    request = AttributionRequest(pairs, Method.EAP_IG, 3, points=points)
    found = attribute_edges(model, request)
    plain = attribute_edges(model, AttributionRequest(pairs, Method.EAP))
    assert (found.clean, found.replaced) == pytest.approx((plain.clean, plain.replaced), abs=1e-9)
    by_position = attribute_positions(model, EdgePositionsRequest(request))
    np.testing.assert_allclose(by_position.scores.sum(0), found.scores, atol=1e-9)


def test_labels_name_the_points():
    pairs = random_pairs("gpt2")
    labels = {
        points: CutRequest(AttributionRequest(pairs, points=points)).label for points in Points
    }
    assert "EAP-IG, 5 steps, resample" in labels[Points.RIGHT]
    assert "EAP-IG, 5 steps from k = 0, resample" in labels[Points.LEFT]
    assert "EAP-IG, 5 midpoints, resample" in labels[Points.MID]
