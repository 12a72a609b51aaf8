"""Sets of heads in many pairs: every number is that of a hooked forward of the plain model."""

import numpy as np
import pytest
import torch

from attention_viz.analysis import many_pairs
from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.analysis.many_pairs import ManyPairs, Readings
from attention_viz.analysis.question import ids_of
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.errors import BadInput, Cancelled
from attention_viz.records.ids import HeadId
from attention_viz.records.looks.family import PairFlip
from attention_viz.records.pace import Pace
from tests.analysis import oracle
from tests.analysis.pairs_for_tests import indirect_objects, random_pairs
from tests.analysis.test_one_pass import SETTINGS, plain_model

MODELS = ("gpt2", "llama", "neox", "gptj")
SETS = (
    (HeadId(0, 1),),
    (HeadId(2, 3), HeadId(1, 0)),
    (HeadId(0, 0), HeadId(0, 2), HeadId(2, 1)),
    (HeadId(2, 2),),
)


def many_of(model, request, ablation=None, pace=None):
    pairs = read_pairs(model, request).pairs
    return ManyPairs(model, pairs, request.question, ablation or Ablation(), pace or Pace())


def logits_of(many, sets, indices=None):
    """[set, pair] of (answer, distractor, best, second, top), nan where nothing was measured."""
    found = np.full((len(sets), len(many.pairs), 5), np.nan)
    for rows, readings in many.evaluate(sets, indices):
        columns = (readings.answer, readings.distractor, readings.best, readings.second)
        for row, (number, index) in enumerate(rows):
            assert np.isnan(found[number, index]).all(), "each row once"
            found[number, index] = [*(each[row] for each in columns), readings.top[row]]
    return found


def expect(hf, pair, kind, heads):
    ids, other = ids_of(pair.clean), ids_of(pair.counterfactual)
    meaning = oracle.changes(hf, ids, other, bos=pair.clean.bos, **SETTINGS)[kind.value]
    chosen = [(head.layer, head.head) for head in heads]
    logits = oracle.ablated_logits(hf, ids, chosen, meaning(None))[pair.position]
    best = logits.topk(2)
    told = [logits[pair.answer.id], logits[pair.distractor.id], *best.values, best.indices[0]]
    return [each.item() for each in told]


@pytest.mark.parametrize("apart", [1, 48], ids=["apart", "together"])
@pytest.mark.parametrize("name", MODELS)
def test_equals_one_hooked_forward_per_pair_and_set(load, monkeypatch, name, apart):
    monkeypatch.setattr(many_pairs, "APART", apart)
    model = load(name)
    hf = plain_model(model, torch.float64, "eager" if name == "gptj" else "sdpa")
    kinds = [kind for kind in AblationKind if name != "gptj" or not kind.needs_attention]
    close = 1e-7 if name == "gptj" else 1e-9  # its attention scores are made in fp32
    for kind in kinds:
        many = many_of(model, random_pairs(name), Ablation(kind, **SETTINGS))
        found = logits_of(many, SETS)
        for number, heads in enumerate(SETS):
            for index, pair in enumerate(many.pairs):
                expected = expect(hf, pair, kind, heads)
                assert found[number, index] == pytest.approx(expected, abs=close), (kind, heads)


def test_chosen_positions_are_edited_only(load):
    model = load("gpt2")
    ablation = Ablation(AblationKind.RESAMPLE, positions=(4, -1))
    many = many_of(model, random_pairs("gpt2", 2), ablation)
    hf = plain_model(model, torch.float64, "sdpa")
    found = logits_of(many, SETS)
    for index, pair in enumerate(many.pairs):
        ids, other = ids_of(pair.clean), ids_of(pair.counterfactual)
        meaning = oracle.changes(hf, ids, other, bos=pair.clean.bos, **SETTINGS)["resample"]
        at = (4, len(pair.clean) - 1)
        for number, heads in enumerate(SETS):
            chosen = [(head.layer, head.head) for head in heads]
            logits = oracle.ablated_logits(hf, ids, chosen, meaning(at), at)[pair.position]
            expected = [logits[pair.answer.id].item(), logits[pair.distractor.id].item()]
            assert found[number, index, :2] == pytest.approx(expected, abs=1e-9)


def test_clean_runs_are_those_of_the_plain_model(load):
    model = load("embedded")
    many = many_of(model, indirect_objects(6))
    hf = plain_model(model, torch.float64, "sdpa")
    seen = []
    for indices, readings in many.clean():
        for row, index in enumerate(indices):
            pair = many.pairs[index]
            logits = hf(input_ids=ids_of(pair.clean)).logits[0, pair.position]
            difference = (logits[pair.answer.id] - logits[pair.distractor.id]).item()
            assert readings.difference[row] == pytest.approx(difference, abs=1e-9)
            assert readings.top[row] == logits.argmax().item()
        seen += indices
    assert sorted(seen) == list(range(6))


def test_only_the_pairs_asked_for_are_run(load):
    many = many_of(load("embedded"), indirect_objects(6))
    found = logits_of(many, [(HeadId(1, 1),), (HeadId(2, 3),)], indices=[4, 1])
    measured = np.isfinite(found).all((0, 2))
    assert measured.tolist() == [False, True, False, False, True, False]


def test_a_few_sets_go_through_the_blocks_together(load, monkeypatch):
    """One call of a block for all pairs of one length, where a pair by itself takes one each."""
    model = load("embedded")
    many = many_of(model, indirect_objects(6))
    list(many.clean())
    calls = []
    call = type(model.decoder).call_block

    def counting(self, layer, residual, run):
        calls.append(len(residual))
        return call(self, layer, residual, run)

    monkeypatch.setattr(type(model.decoder), "call_block", counting)
    lengths = {len(pair.clean) for pair in many.pairs}
    many_of(model, indirect_objects(6))
    model.decoder.row_seconds = 1e-9  # a chunk holds them all
    logits_of(many, [(HeadId(0, 0),)])
    assert len(calls) == len(lengths) * model.decoder.layers
    assert sum(calls) == 6 * model.decoder.layers


def test_pairs_whose_blocks_take_their_own_arguments_go_apart(load, monkeypatch):
    """Where arguments of blocks are of the prompt, no row is called with another prompt's."""
    model = load("embedded")
    expected = logits_of(many_of(model, indirect_objects(5)), SETS)
    monkeypatch.setattr(many_pairs.Run, "is_called_as", lambda self, other: False)
    many = many_of(model, indirect_objects(5))
    monkeypatch.setattr(many_pairs, "_evaluate_together", None)
    assert logits_of(many, SETS) == pytest.approx(expected, abs=1e-9)
    assert sorted(many._groups) == [(index,) for index in range(5)]


def test_more_batches_than_are_kept_are_run_again(load, monkeypatch):
    model = load("embedded")
    expected = logits_of(many_of(model, indirect_objects(6)), SETS)
    monkeypatch.setattr(many_pairs, "_MOST_TOGETHER", 2)
    monkeypatch.setattr(many_pairs, "_KEPT", 1)
    many = many_of(model, indirect_objects(6))
    for _ in range(2):
        assert logits_of(many, SETS) == pytest.approx(expected, abs=1e-9)
    assert len(many._kept) == 1


@pytest.mark.parametrize("flip", list(PairFlip))
def test_a_margin_is_above_0_where_the_pair_flips(load, flip):
    many = many_of(load("gpt2"), random_pairs("gpt2"))
    for rows, readings in many.evaluate(SETS):
        for row, (_, index) in enumerate(rows):
            pair, top = many.pairs[index], readings.top[row]
            flips = {
                PairFlip.DISTRACTOR: top == pair.distractor.id,
                PairFlip.LEAVES: top != pair.answer.id,
                PairFlip.SIGN: readings.answer[row] < readings.distractor[row],
            }
            assert (readings.margin(flip)[row] > 0) == flips[flip]


def test_a_margin_is_what_is_missing_to_the_flip():
    logits = np.array([[5.0, 3.0, 4.0, 0.0], [5.0, 7.0, 4.0, 0.0], [1.0, 3.0, 4.0, 0.0]])
    ranked = np.sort(logits, 1)[:, ::-1]
    columns = (logits[:, 0], logits[:, 1], ranked[:, 0], ranked[:, 1])
    readings = Readings(*columns, logits.argmax(1), np.full(3, 0), np.full(3, 1))
    assert readings.margin(PairFlip.DISTRACTOR).tolist() == [-2.0, 2.0, -1.0]
    assert readings.margin(PairFlip.LEAVES).tolist() == [-1.0, 2.0, 3.0]
    assert readings.margin(PairFlip.SIGN).tolist() == [-2.0, 2.0, 2.0]


def test_positions_out_of_one_pairs_range_are_refused(load):
    many = many_of(load("gpt2"), random_pairs("gpt2"), Ablation(positions=(7,)))
    with pytest.raises(BadInput, match="out of range"):
        logits_of(many, SETS)


def test_a_cancel_is_noticed_between_clean_runs(load):
    class Stopped(Pace):
        is_cancelled = True

    many = many_of(load("embedded"), indirect_objects(4), pace=Stopped())
    with pytest.raises(Cancelled):
        list(many.clean())
