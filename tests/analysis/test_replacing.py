"""What zero and mean replace of the input: token and position embeddings, or the token's alone."""

import numpy as np
import pytest
import torch

from attention_viz.analysis.circuits.attribution import attribute_edges
from attention_viz.analysis.circuits.cut import measure_cut, measure_edges, patch_over_pairs
from attention_viz.analysis.circuits.faithfulness import (
    measure_curve,
    measure_faithfulness,
    predict_circuit_only,
)
from attention_viz.analysis.circuits.pair_batches import PairBatch, Replacement
from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.models.positions import position_embeddings
from attention_viz.models.streams import writers_of
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import AttributionRequest, Method
from attention_viz.records.circuits.circuit import CutRequest, EdgesRequest
from attention_viz.records.circuits.edge import EdgeId
from attention_viz.records.circuits.faithfulness import (
    CircuitOnlyRequest,
    CurveRequest,
    FaithfulnessRequest,
)
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.replacing import InputPart, MeanOver, Replacing
from attention_viz.records.errors import BadInput
from attention_viz.records.model import EMBEDDED
from attention_viz.records.pace import Pace
from attention_viz.records.question import Question
from tests.analysis import gpt2_oracle
from tests.analysis.pairs_for_tests import RANDOM_PAIRS, random_pairs

TOKEN = Replacing(InputPart.TOKEN)
KINDS = (AblationKind.ZERO, AblationKind.MEAN)


def equally_long():
    """Two pairs of eight tokens."""
    return PairsRequest(Question("gpt2", ""), given=RANDOM_PAIRS[:2])


def written(model, request, kind, replacing):
    """By pair: what its writers are replaced by."""
    pairs = read_pairs(model, request)
    found = Replacement.of(model, pairs, kind, Pace(), replacing)
    batches = [PairBatch.of(pairs.pairs, [i], "cpu") for i in range(len(pairs.pairs))]
    return [found.writers(batch)[0] for batch in batches]


@pytest.mark.parametrize("name", ["gpt2", EMBEDDED, "llama", "neox"])
def test_position_embeddings_are_found_where_there_are_any(load, name):
    model = load(name)
    found = position_embeddings(model.decoder, 7)
    assert model.info.adds_positions is (found is not None) is (name in ("gpt2", EMBEDDED))
    if found is not None:
        torch.testing.assert_close(found, model.decoder.hf.transformer.wpe.weight[:7])


def test_zero_of_the_token_leaves_the_position(load):
    model = load("gpt2")
    positions = model.decoder.hf.transformer.wpe.weight
    both = written(model, random_pairs("gpt2"), AblationKind.ZERO, Replacing())
    token = written(model, random_pairs("gpt2"), AblationKind.ZERO, TOKEN)
    for whole, kept in zip(both, token, strict=True):
        assert not whole.any() and not kept[1:].any()
        torch.testing.assert_close(kept[0], positions[: kept.shape[1]])


def test_the_mean_of_the_token_leaves_the_position(load):
    model, hf = load("gpt2"), load("gpt2").decoder.hf
    pairs = read_pairs(model, random_pairs("gpt2"))
    ids = [torch.tensor([token.id for token in pair.clean.items]) for pair in pairs.pairs]
    first = int(pairs.pairs[0].clean.bos)
    tokens = torch.cat([gpt2_oracle.embed(hf, each)[0][first:] for each in ids])
    sums = torch.cat([sum(gpt2_oracle.embed(hf, each))[first:] for each in ids])
    both = written(model, random_pairs("gpt2"), AblationKind.MEAN, Replacing())
    token = written(model, random_pairs("gpt2"), AblationKind.MEAN, TOKEN)
    for each, whole, kept in zip(ids, both, token, strict=True):
        positions = gpt2_oracle.embed(hf, each)[1]
        torch.testing.assert_close(whole[0], sums.mean(0).expand(len(each), -1))
        torch.testing.assert_close(kept[0], tokens.mean(0) + positions)
        torch.testing.assert_close(kept[1:], whole[1:])


def test_a_mean_per_position(load):
    model, request = load("gpt2"), equally_long()
    pairs = read_pairs(model, request)
    ids = torch.tensor([[token.id for token in pair.clean.items] for pair in pairs.pairs])
    expected = writers_of(model.decoder, model.decoder.run(ids)).mean(0)
    for part in InputPart:
        replacing = Replacing(part, MeanOver.POSITION)
        for each in written(model, request, AblationKind.MEAN, replacing):
            torch.testing.assert_close(each, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_the_choice_is_in_every_measurement(load, kind):
    """Scores, cuts, faithfulness, curve, patches and the circuit's own prediction."""
    model, pairs = load("gpt2"), equally_long()

    def ask(replacing):
        asked = AttributionRequest(pairs, Method.EAP, ablation=kind, replacing=replacing)
        circuit = measure_cut(model, CutRequest(asked, 25, exact_top=1))
        edges = circuit.edge_ids
        proof = FaithfulnessRequest(pairs, edges, kind, replacing=replacing)
        only = CircuitOnlyRequest(pairs, edges, kind, replacing=replacing)
        given = EdgesRequest(pairs, (EdgeId.parse("input->L0H1.K"),), kind, replacing)
        return {
            "scores": attribute_edges(model, asked).scores[0, 0],
            "exact": circuit.edges[0].value,
            "faithfulness": measure_faithfulness(model, proof).measured.faithfulness,
            "empty": measure_faithfulness(model, proof).empty,
            "curve": measure_curve(model, CurveRequest(CutRequest(asked), random_circuits=0)).cpr,
            "only": predict_circuit_only(model, only).top[0].probability,
            "given": measure_edges(model, given).edges[0].value,
            "replaced": measure_faithfulness(model, proof).replaced,
            "patched with": circuit.patched_with,
        }

    both, token = ask(Replacing()), ask(TOKEN)
    assert [name for name in both if both[name] == token[name]] == []
    assert "position embeddings too" in both["replaced"] and "too" in both["patched with"]
    assert "position embeddings kept" in token["replaced"] and "kept" in token["patched with"]
    if kind is AblationKind.ZERO:
        empty = [_nothing_but_positions(model, pair) for pair in read_pairs(model, pairs).pairs]
        assert token["empty"] == pytest.approx(np.mean(empty), abs=1e-9)


def _nothing_but_positions(model, pair):
    """The logit difference where every writer is silent and only the position is known."""
    hf = model.decoder.hf
    stream = hf.transformer.wpe.weight[pair.position]
    stream = stream + sum(b.attn.c_proj.bias for b in hf.transformer.h)
    logits = hf.transformer.ln_f(stream) @ hf.lm_head.weight.T
    return (logits[pair.answer.id] - logits[pair.distractor.id]).item()


def test_patching_one_edge_leaves_the_position_to_its_reader(load):
    """The Q of a first layer's head, zeroed, still reads the position: by the written-out model."""
    model, request = load("gpt2"), random_pairs("gpt2", 1)
    pairs = read_pairs(model, request)
    edge = EdgeId.parse("input->logits")
    effects, clean = patch_over_pairs(model, pairs, [edge], AblationKind.ZERO, Pace(), TOKEN)
    pair = pairs.pairs[0]
    ids = torch.tensor([token.id for token in pair.clean.items])
    tokens, positions = gpt2_oracle.embed(model.decoder.hf, ids)
    with torch.enable_grad():
        found = gpt2_oracle.run(model.decoder.hf, tokens + positions)
    final = next(value for (name, _), value in found.read.items() if name == "logits") - tokens
    logits = model.decoder.hf.transformer.ln_f(final[pair.position])
    logits = logits @ model.decoder.hf.lm_head.weight.T
    expected = (logits[pair.answer.id] - logits[pair.distractor.id]).item() - clean
    assert effects[edge] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "name, count, kind, replacing, said",
    [
        ("llama", 2, AblationKind.ZERO, TOKEN, "no position embeddings"),
        ("gpt2", 3, AblationKind.MEAN, Replacing(mean=MeanOver.POSITION), "one length"),
        ("gpt2", 1, AblationKind.MEAN, Replacing(mean=MeanOver.POSITION), "is that prompt"),
    ],
)
def test_what_can_not_be_chosen_is_refused(load, name, count, kind, replacing, said):
    asked = AttributionRequest(
        random_pairs(name, count), Method.EAP, ablation=kind, replacing=replacing
    )
    with pytest.raises(BadInput, match=said) as error:
        attribute_edges(load(name), asked)
    assert error.value.remedy


def test_a_choice_says_nothing_about_other_kinds():
    of = Replacing.of
    assert of(AblationKind.RESAMPLE, "token", "position") == Replacing()
    assert of(AblationKind.ZERO, "token", "position") == TOKEN
    assert of(AblationKind.MEAN, "both", "position") == Replacing(mean=MeanOver.POSITION)
    assert TOKEN.label(AblationKind.ZERO) == "zero, position embeddings kept"
    full = Replacing(InputPart.TOKEN, MeanOver.POSITION)
    assert full.label(AblationKind.MEAN) == "mean per position, position embeddings kept"
