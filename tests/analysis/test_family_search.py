"""A set over a family: measured as plain runs measure it, searched for on training pairs only."""

from itertools import combinations

import numpy as np
import pytest
import torch

from attention_viz.analysis import family_search
from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.analysis.family_search import (
    FamilySearch,
    Tried,
    estimate_family_search,
    search_family,
)
from attention_viz.analysis.looks.family import measure_family
from attention_viz.analysis.many_pairs import ManyPairs
from attention_viz.models.loading import load_model
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.pairs import Pair, PairsRequest
from attention_viz.records.errors import BadInput, Cancelled
from attention_viz.records.family_search import FamilyEstimateRequest, FamilySearchRequest
from attention_viz.records.ids import HeadId
from attention_viz.records.looks.family import FamilyRequest, PairFlip
from attention_viz.records.model import ModelEntry
from attention_viz.records.pace import Pace
from attention_viz.records.question import Question
from attention_viz.records.statistics import Rate
from tests.analysis.induction_model import INDUCTION, PAIRS, PREVIOUS, save_induction_model
from tests.analysis.pairs_for_tests import indirect_objects, random_pairs
from tests.analysis.role_model import ANSWER, DISTRACTOR, save_role_model
from tests.analysis.test_many_pairs import expect
from tests.analysis.test_one_pass import plain_model
from tests.analysis.test_sweep import Stopping

RESAMPLE = Ablation(AblationKind.RESAMPLE)


# A set over a family


@pytest.mark.parametrize("kind", [AblationKind.ZERO, AblationKind.RESAMPLE])
def test_a_family_is_measured_as_one_hooked_forward_each(load, kind):
    model = load("embedded")
    hf = plain_model(model, torch.float64, "sdpa")
    heads = (HeadId(3, 0), HeadId(3, 2))
    found = measure_family(model, FamilyRequest(indirect_objects(10), heads, Ablation(kind)))
    pairs = read_pairs(model, indirect_objects(10)).pairs
    assert [each.pair for each in found.pairs] == list(pairs) and found.evaluations == 10
    for each in found.pairs:
        for heads_, value, top in (
            ((), each.clean, each.clean_top),
            (heads, each.ablated, each.ablated_top),
        ):
            answer, distractor, _, _, best = expect(hf, each.pair, kind, heads_)
            assert value == pytest.approx(answer - distractor, abs=1e-9) and top.id == best
    for flip in PairFlip:
        counted = [e for e in found.pairs if (e.clean > 0 if flip is PairFlip.SIGN else e.is_right)]
        happened = {
            PairFlip.DISTRACTOR: lambda e: e.ablated_top == e.pair.distractor,
            PairFlip.LEAVES: lambda e: e.ablated_top != e.pair.answer,
            PairFlip.SIGN: lambda e: e.ablated < 0,
        }[flip]
        assert found.rate(flip) == Rate(sum(map(happened, counted)), len(counted))
    right = [e.ablated - e.clean for e in found.pairs if e.clean_top == e.pair.answer]
    assert found.change.value == pytest.approx(np.mean(right))


def test_pairs_the_clean_model_gets_wrong_stand_apart(load):
    """A random model answers none of them: no rate but the sign's, and no mean."""
    found = measure_family(load("gpt2"), FamilyRequest(random_pairs("gpt2"), (HeadId(0, 0),)))
    assert len(found.apart) == 3 and found.right == () and found.change is None
    assert found.rate(PairFlip.LEAVES) == found.rate(PairFlip.DISTRACTOR) == Rate(0, 0)


def test_pairs_that_cant_be_asked_are_told(load):
    given = (*random_pairs("gpt2").given, Pair("w1 w2", "w1 w3 w4", "w5", "w6"))
    request = FamilyRequest(PairsRequest(Question("gpt2", ""), given=given), (HeadId(0, 0),))
    [bad] = measure_family(load("gpt2"), request).refused
    assert bad.number == 4


@pytest.mark.parametrize("heads", [(), (HeadId(9, 0),)])
def test_heads_are_needed(load, heads):
    with pytest.raises(BadInput, match="head"):
        measure_family(load("gpt2"), FamilyRequest(random_pairs("gpt2"), heads))


def test_a_cancelled_measurement_has_told_what_it_had(load):
    pace = Stopping()
    with pytest.raises(Cancelled):
        measure_family(load("gpt2"), FamilyRequest(random_pairs("gpt2"), (HeadId(0, 0),)), pace)
    [(done, total, partial)] = pace.partials
    assert total == 3 and len(partial.pairs) == partial.evaluations == done > 0


# Searches


def search_of(pairs, **settings):
    return FamilySearchRequest(pairs, **({"random_sets": 10} | settings))


def rates_of(model, request, sets, indices):
    """How many of these pairs each set flips, all sets on all of them."""
    pairs = read_pairs(model, request.pairs).pairs
    many = ManyPairs(model, pairs, request.question, request.ablation, Pace())
    flips = np.zeros(len(sets), dtype=int)
    for rows, readings in many.evaluate(sets, indices):
        for (number, _), margin in zip(rows, readings.margin(request.flip), strict=True):
            flips[number] += margin > 0
    return [Rate(int(count), len(indices)) for count in flips]


@pytest.fixture(scope="module")
def searched(load):
    """(search, result) of the embedded model's family."""
    model, request = load("embedded"), search_of(indirect_objects(20))
    search = FamilySearch(model, request, read_pairs(model, request.pairs), Pace())
    search.run()
    return search, search.result()


def test_rates_are_those_of_plain_looks(load, searched):
    search, found = searched
    model, request = load("embedded"), found.request
    looked = measure_family(model, FamilyRequest(request.pairs, found.heads, request.ablation))
    for rate, indices in ((found.train, search.train), (found.held_out, search.held)):
        flips = [looked.pairs[index].flips(request.flip) for index in indices]
        assert rate == Rate(sum(flips), len(flips))
    assert found.reached and found.minimal
    assert len(search.train) + len(search.held) == found.usable
    assert not set(search.train) & set(search.held)


def test_no_smaller_set_does_it_where_that_is_claimed(load, searched):
    search, found = searched
    assert found.smallest and len(found.heads) == 2
    singles = [(HeadId(layer, head),) for layer in range(4) for head in range(8)]
    rates = rates_of(load("embedded"), found.request, singles, search.train)
    assert all(rate.count < 0.8 * rate.of for rate in rates)


def test_random_sets_are_measured_on_the_held_out_pairs(load, searched):
    search, found = searched
    drawn = family_search.draw_sets(
        found.heads, 8, found.request.random_sets, family_search.Random(0)
    )
    expected = rates_of(load("embedded"), found.request, drawn, search.held)
    assert list(found.random) == expected
    below = [rate.count < found.held_out.count for rate in expected]
    same = [rate.count == found.held_out.count for rate in expected]
    assert found.percentile == 100 * (sum(below) + sum(same) / 2) / len(expected)
    assert found.random_reaching == len(expected) - sum(below)


def test_steps_lead_to_what_was_found(searched):
    _, found = searched
    assert found.steps[-1].then == found.heads and found.steps[-1].rate == found.train
    have = set()
    for step in found.steps:
        have = have | set(step.heads) if step.action == "add" else have - set(step.heads)
        assert set(step.then) == have


@pytest.fixture(scope="module")
def hand_set(tmp_path_factory):
    """hand_set(save) → a model set by hand, in double precision."""

    def load(save):
        folder = save(tmp_path_factory.mktemp("by_hand"))
        return load_model(ModelEntry("known", str(folder), True), device="cpu", dtype=torch.float64)

    return load


def test_the_heads_of_an_induction_circuit_are_found(hand_set):
    """Without either of its two heads nothing is copied; of them, one is enough."""
    pairs = PairsRequest(Question("known", ""), given=PAIRS)
    request = search_of(pairs, flip=PairFlip.LEAVES, share=1.0, hold_out=0.0)
    found = search_family(hand_set(save_induction_model), request)
    assert found.reached and found.smallest and found.held_out is None
    assert [str(head) for head in found.heads] in ([PREVIOUS], [INDUCTION])
    assert found.train == Rate(3, 3)
    assert found.random and all(rate == Rate(0, 3) for rate in found.random)
    assert found.percentile == 100


def test_a_backup_has_to_be_ablated_with_the_head_it_stands_in_for(hand_set):
    """The name mover alone flips nothing, because its backup then writes the answer."""
    model = hand_set(save_role_model)
    answer, distractor = f"w{ANSWER}", f"w{DISTRACTOR}"
    words = (3, 15, 26, 5, 35, 8), (41, 20, 33, 52, 6, 8), (7, 50, 11, 30, 2, 8)
    given = tuple(
        Pair(
            f"w{a} {answer} w{b} {distractor} w{c} w{d} w{e} w{f}",
            f"w{a} {distractor} w{b} {answer} w{c} w{d} w{e} w{f}",
            answer,
            distractor,
        )
        for a, b, c, d, e, f in words
    )
    pairs = PairsRequest(Question("known", ""), given=given)
    request = search_of(pairs, flip=PairFlip.LEAVES, share=1.0, hold_out=0.0, random_sets=0)
    found = search_family(model, request)
    pool = [HeadId(layer, head) for layer in range(3) for head in range(4)]
    sets = [heads for size in (1, 2) for heads in combinations(pool, size)]
    rates = rates_of(model, request, sets, range(3))
    flipping = [set(s) for s, rate in zip(sets, rates, strict=True) if rate == Rate(3, 3)]
    assert found.reached == bool(flipping)
    smallest = [heads for heads in flipping if len(heads) == min(map(len, flipping))]
    assert set(found.heads) in smallest


def test_held_out_pairs_are_never_seen_while_searching(load, monkeypatch):
    """Poisoned: whatever they say, the same set is found by the same steps."""
    model, request = load("embedded"), search_of(indirect_objects(12), ablation=RESAMPLE)
    search = FamilySearch(model, request, read_pairs(model, request.pairs), Pace())
    seen = []
    evaluate = ManyPairs.evaluate

    def watching(self, sets, indices=None):
        seen.append((search.found is not None and search.smallest is not None, set(indices)))
        return evaluate(self, sets, indices)

    monkeypatch.setattr(ManyPairs, "evaluate", watching)
    search.run()
    while_searching = [indices for is_over, indices in seen if not is_over]
    assert while_searching and all(indices <= set(search.train) for indices in while_searching)
    assert all(indices <= set(search.held) for is_over, indices in seen if is_over)


def test_the_split_is_seeded_and_leaves_something_on_both_sides():
    for count, held_out, expected in ((10, 0.5, 5), (10, 0.0, 0), (2, 0.01, 1), (2, 0.99, 1)):
        request = FamilySearchRequest(indirect_objects(), hold_out=held_out)
        train, held = family_search._split(range(count), request)
        assert len(held) == expected and sorted(train + held) == list(range(count))
    assert family_search._split([5], request) == ([5], [])
    one, other = (FamilySearchRequest(indirect_objects(), seed=seed) for seed in (0, 1))
    assert family_search._split(range(20), one) == family_search._split(range(20), one)
    assert family_search._split(range(20), one) != family_search._split(range(20), other)


def test_what_a_pair_has_beyond_its_flip_does_not_make_up_for_another():
    tried = Tried((HeadId(0, 0),), (9.0, -1.0, -2.0, 0.5))
    assert tried.score == -0.75 and tried.rate == Rate(2, 4)


class StoppingAfter(Pace):
    """Cancels at the given report."""

    def __init__(self, reports):
        self.left, self.partials = reports, []

    def report(self, done, total, partial=None):
        self.partials.append((done, total, partial))
        self.left -= 1
        if self.left <= 0:
            raise Cancelled("Cancelled.")


@pytest.mark.parametrize("reports", [1, 2, 4, 7])
def test_a_cancelled_search_keeps_what_it_found(load, reports):
    pace = StoppingAfter(reports)
    found = search_family(load("embedded"), search_of(indirect_objects(12)), pace)
    assert found.stopped == "cancelled" and found.heads and found.train.of > 0
    assert found.steps[-1].then == found.heads
    assert found.evaluations == pace.partials[-1][0] <= pace.partials[-1][1]


def test_the_best_set_is_told_from_the_first_report_on(load):
    pace = StoppingAfter(10**9)
    found = search_family(load("embedded"), search_of(indirect_objects(12)), pace)
    assert all(partial.heads for _, _, partial in pace.partials)
    assert pace.partials[-1][2].heads == found.heads
    assert [done for done, _, _ in pace.partials] == sorted(done for done, _, _ in pace.partials)


def test_a_budget_is_kept(load):
    request = search_of(indirect_objects(12), budget_seconds=1e-9)
    found = search_family(load("embedded"), request)
    assert found.stopped == "budget" and found.heads and found.held_out is None


def test_an_estimate_covers_what_is_run(load):
    for most in (1, 2, 3):
        request = search_of(indirect_objects(12), max_heads=most, share=1.0)
        estimate = estimate_family_search(load("embedded"), FamilyEstimateRequest(request))
        found = search_family(load("embedded"), request)
        assert found.evaluations <= estimate.evaluations + 100  # checks of what was found aside
        assert estimate.seconds > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_heads": 0}, "at most 0"),
        ({"share": 0.0}, "share"),
        ({"share": 1.1}, "share"),
        ({"hold_out": 1.0}, "held out"),
        ({"random_sets": -1}, "random sets"),
        ({"budget_seconds": 0.0}, "budget"),
    ],
)
def test_settings_that_allow_nothing_are_refused(load, settings, message):
    request = search_of(indirect_objects(4), **settings)
    for ask in (search_family, lambda m, r: estimate_family_search(m, FamilyEstimateRequest(r))):
        with pytest.raises(BadInput, match=message):
            ask(load("embedded"), request)


def test_a_family_the_model_gets_wrong_has_nothing_to_flip(load):
    with pytest.raises(BadInput, match="none of the 3 pairs"):
        search_family(load("gpt2"), search_of(random_pairs("gpt2"), flip=PairFlip.LEAVES))
