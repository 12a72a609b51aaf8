"""Edge scores, path patching and circuit runs over the positions that change, as over all."""

import numpy as np
import pytest
import torch

from attention_viz.analysis.circuits.attribution import attribute_edges, attribute_positions
from attention_viz.analysis.circuits.circuit import measure_circuit
from attention_viz.analysis.circuits.faithfulness import measure_faithfulness
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import (
    AttributionRequest,
    Direction,
    EdgePositionsRequest,
    Method,
)
from attention_viz.records.circuits.circuit import CircuitRequest
from attention_viz.records.circuits.faithfulness import FaithfulnessRequest
from attention_viz.records.circuits.pairs import Pair, PairsRequest
from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from tests.analysis.test_stretches import (
    LATER,
    PROMPT,
    all_positions,
    families,  # noqa: F401 (a fixture)
    positions_computed,
    precision_of,
    question_of,
)

NAMES = ["gpt2", "llama", "gpt_neox", "mistral", "gemma2", "olmo2", "gpt_oss"]
PAIRS = (
    Pair(PROMPT, LATER, "w4", "w7"),
    Pair("w8 w1 w1 w33 w2 w40 w12 w9 w5 w3", "w8 w1 w1 w33 w2 w40 w5 w9 w5 w3", "w30", "w11"),
    Pair("w50 w2 w9 w2 w6", "w50 w2 w9 w3 w6", "w9", "w10"),  # of another length
)
WAYS = {
    "noise": dict(method=Method.EAP),
    "denoise": dict(method=Method.EAP, direction=Direction.DENOISE),
    "steps": dict(method=Method.EAP_IG, steps=3),
    "mean": dict(method=Method.EAP, ablation=AblationKind.MEAN),
    "exact": dict(method=Method.EXACT),
}


def pairs_of(name, pairs=PAIRS):
    return PairsRequest(Question(name, ""), given=pairs)


def both(model, work):
    """What `work` gives as it is and with all positions, and the most it is off."""
    found = work()
    with all_positions(model.decoder):
        return found, work()


def need_same(name, found, expected):
    found, expected = np.nan_to_num(found), np.nan_to_num(expected)
    size = np.abs(expected).max()
    assert size > 0
    tolerance = 1e-9 if name == "gpt2" else 1e-5 if precision_of(name) is torch.float64 else 1e-3
    assert np.abs(found - expected).max() < tolerance * max(1, size)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_edge_scores(families, name, way):  # noqa: F811
    model = families(name)
    pairs = PAIRS[:1] if way == "exact" else PAIRS
    request = AttributionRequest(pairs_of(name, pairs), **WAYS[way])
    found, expected = both(model, lambda: attribute_edges(model, request))
    need_same(name, found.scores, expected.scores)
    need_same(name, [found.clean, found.replaced], [expected.clean, expected.replaced])


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_scores_by_position(families, name):  # noqa: F811
    model = families(name)
    request = EdgePositionsRequest(AttributionRequest(pairs_of(name, PAIRS[:2]), Method.EAP))
    found, expected = both(model, lambda: attribute_positions(model, request))
    need_same(name, found.scores, expected.scores)
    assert not np.nan_to_num(found.scores[: 7 if name == "llama" else 6]).any()


@pytest.mark.parametrize("kind", [AblationKind.RESAMPLE, AblationKind.ZERO])
@pytest.mark.parametrize("name", NAMES)
def test_circuit_runs(families, name, kind):  # noqa: F811
    model = families(name)
    graph = model.streams.graph
    every = [graph.edge(*place) for place in zip(*graph.edges.nonzero(), strict=True)]
    request = FaithfulnessRequest(
        pairs_of(name, PAIRS[:2]), tuple(every[::3]), ablation=kind, random_circuits=3
    )
    found, expected = both(model, lambda: measure_faithfulness(model, request))
    ours, theirs = (
        [
            each.measured.metric,
            each.measured.without,
            each.full,
            each.empty,
            *each.random.values,
        ]
        for each in (found, expected)
    )
    need_same(name, ours, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_path_patching_of_chosen_heads(families, name):  # noqa: F811
    model = families(name)
    heads = tuple(HeadId(layer, head) for layer in (0, 1, 3) for head in (1, 2))
    request = CircuitRequest(question_of(name), heads)
    found, expected = both(model, lambda: measure_circuit(model, request))
    ours, theirs = ([edge.value for edge in each.edges] for each in (found, expected))
    need_same(name, ours, theirs)


def test_only_what_changes_is_run(families):  # noqa: F811
    """One clean run of all 11 positions; everything else begins at position 8."""
    model = families("llama")
    graph = model.streams.graph
    every = [graph.edge(*place) for place in zip(*graph.edges.nonzero(), strict=True)]
    pairs = pairs_of("llama", PAIRS[:1])
    for work in (
        lambda: attribute_edges(model, AttributionRequest(pairs, Method.EAP)),
        lambda: attribute_edges(model, AttributionRequest(pairs, Method.EAP_IG, steps=2)),
        lambda: attribute_edges(model, AttributionRequest(pairs, Method.EXACT)),
        lambda: measure_faithfulness(model, FaithfulnessRequest(pairs, tuple(every[::2]))),
    ):
        assert positions_computed(model.decoder, work) == {11, 3}
