"""Searches find what they claim to find."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch

from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.metrics import margin
from attention_viz.analysis.one_pass import Candidate
from attention_viz.analysis.question import ask
from attention_viz.analysis.search import (
    OutOfBudget,
    begin_search,
    estimate_search,
    search_heads,
)
from attention_viz.analysis.sweep import all_heads, sweep_heads
from attention_viz.records.ablation import Ablation
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.pace import Pace
from attention_viz.records.search import EstimateRequest, Objective, SearchRequest, Strategy
from attention_viz.records.sweep import SweepRequest
from tests.analysis.test_one_pass import one_pass
from tests.analysis.test_sweep import Stopping


def scores_of(asked, sets, request):
    """Scores and top-1 of sets, evaluated outside the search."""
    edit = edit_of(asked, request.ablation)
    logprobs = one_pass(asked, [Candidate(heads, edit) for heads in sets])
    if request.objective is Objective.FLIP:
        return margin(logprobs, request.flip_to).tolist(), logprobs.argmax(-1).tolist()
    clean = asked.logits.log_softmax(-1)
    return (clean.exp() * (clean - logprobs)).sum(-1).tolist(), logprobs.argmax(-1).tolist()


def reachable_flip(asked):
    """A token that no single head makes top-1, but some pair does (or the best there is)."""
    edit, heads = edit_of(asked, Ablation()), all_heads(asked)
    top = asked.logits.argmax().item()

    def tops(size):
        sets = [Candidate(each, edit) for each in combinations(heads, size)]
        return set(one_pass(asked, sets).argmax(-1).tolist()) - {top}

    pairs_only = tops(2) - tops(1)
    return min(pairs_only) if pairs_only else min(tops(2))


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_a_targeted_search_flips_with_a_minimal_set(load, ask_about, name):
    model, question = load(name), ask_about(name)
    asked = ask(model, question)
    request = SearchRequest(question, Objective.FLIP, reachable_flip(asked), max_heads=6)
    found = search_heads(model, request)
    assert found.flipped and found.minimal and found.stopped == "flipped"
    [score], [top] = scores_of(asked, [found.heads], request)
    assert top == request.flip_to == found.top.id
    assert found.score == pytest.approx(score, abs=1e-9) and score > 0
    for out in found.heads if len(found.heads) > 1 else ():
        rest = tuple(head for head in found.heads if head != out)
        assert scores_of(asked, [rest], request)[1] != [request.flip_to]


def test_a_generic_search_grows_the_best_pair(load, ask_about):
    """With all heads on the shortlist (12 × 20 % is below its least size of 8), checked by hand."""
    model, question = load("gpt2"), ask_about("gpt2")
    request = SearchRequest(question, max_heads=3, strategy=Strategy.PAIRS)
    found = search_heads(model, request)
    asked = ask(model, question)
    effect = sweep_heads(model, SweepRequest(question)).effect
    ranked = sorted(all_heads(asked), key=lambda head: -effect[head.layer, head.head])
    pairs = list(combinations(ranked[:8], 2))
    scores = scores_of(asked, pairs, request)[0]
    best = max(range(len(pairs)), key=lambda i: scores[i])
    assert set(found.steps[1].heads) == set(pairs[best])
    assert found.steps[1].score == pytest.approx(scores[best], abs=1e-9)
    assert found.steps[0].head == next(head for head in ranked if head in pairs[best])
    rivals = [
        pair for pair in pairs if found.steps[0].head in pair and set(pair) != set(pairs[best])
    ]
    rival = max(rivals, key=lambda pair: scores[pairs.index(pair)])
    assert found.steps[1].runner_up in rival and found.steps[1].runner_up != found.steps[0].head
    assert len(found.heads) <= 3 and found.score >= found.steps[1].score
    assert found.evaluations >= 12 + 28


def test_every_step_tells_the_truth(load, ask_about):
    model, question = load("neox"), ask_about("neox")
    request = SearchRequest(question, max_heads=4)
    found = search_heads(model, request)
    asked = ask(model, question)
    scores, tops = scores_of(asked, [step.heads for step in found.steps], request)
    for step, score, top in zip(found.steps, scores, tops, strict=True):
        assert step.score == pytest.approx(score, abs=1e-9)
        assert step.top.id == top
        assert (step.head in step.heads) == (step.action == "add")
        assert step.runner_up is not None and step.runner_up != step.head
    assert found.steps[-1].heads == found.heads


def brute_force(asked, request, most):
    """Every set up to a size, by size: (set, score, top-1)."""
    heads = all_heads(asked)
    levels = []
    for size in range(1, most + 1):
        sets = list(combinations(heads, size))
        levels.append(list(zip(sets, *scores_of(asked, sets, request), strict=True)))
    return levels


def test_greedy_takes_the_best_head_each_time(load, ask_about):
    model, question = load("neox"), ask_about("neox")
    request = SearchRequest(question, max_heads=3, strategy=Strategy.GREEDY)
    found, asked = search_heads(model, request), ask(load("neox"), question)
    chosen = ()
    for step in [step for step in found.steps if step.action == "add"]:
        sets = [(*chosen, head) for head in all_heads(asked) if head not in chosen]
        scores = scores_of(asked, sets, request)[0]
        order = sorted(range(len(sets)), key=lambda i: -scores[i])
        assert step.heads == sets[order[0]]
        assert step.runner_up == sets[order[1]][-1]
        assert step.runner_up_score == pytest.approx(scores[order[1]], abs=1e-9)
        chosen = step.heads


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_an_exhaustive_search_finds_the_smallest(load, ask_about, name):
    model, question = load(name), ask_about(name)
    asked = ask(model, question)
    request = SearchRequest(
        question,
        Objective.FLIP,
        reachable_flip(asked),
        strategy=Strategy.EXHAUSTIVE,
        alternatives=99,
    )
    found = search_heads(model, request)
    levels = brute_force(asked, request, len(found.heads))
    flips = [[set(heads) for heads, _, top in level if top == request.flip_to] for level in levels]
    assert not any(flips[:-1]) and set(found.heads) in flips[-1]
    assert found.smallest is True and found.minimal is True
    # All other sets of this size that flip, and the one found is the one with the greatest margin
    assert {frozenset(heads) for heads in found.alternatives[: len(flips[-1]) - 1]} == {
        frozenset(heads) for heads in flips[-1] if heads != set(found.heads)
    }
    margins = [score for _, score, top in levels[-1] if top == request.flip_to]
    assert found.score == pytest.approx(max(margins), abs=1e-9)
    beam = search_heads(model, replace(request, strategy=Strategy.BEAM))
    assert len(beam.heads) == len(found.heads)


def test_an_exhaustive_search_for_kl_finds_the_greatest(load, ask_about):
    model, question = load("gpt2"), ask_about("gpt2")
    request = SearchRequest(question, max_heads=2, strategy=Strategy.EXHAUSTIVE)
    found = search_heads(model, request)
    levels = brute_force(ask(model, question), request, 2)
    best = max((entry for level in levels for entry in level), key=lambda entry: entry[1])
    assert set(found.heads) == set(best[0]) and found.score == pytest.approx(best[1], abs=1e-9)
    assert found.evaluations == 12 + 66 and found.smallest is None and not found.alternatives


@pytest.mark.parametrize("strategy", list(Strategy))
def test_alternatives_are_other_minimal_sets(load, ask_about, strategy):
    model, question = load("gpt2"), ask_about("gpt2")
    asked = ask(model, question)
    request = SearchRequest(
        question, Objective.FLIP, reachable_flip(asked), max_heads=4, strategy=strategy
    )
    found = search_heads(model, request)
    assert found.flipped and len(found.alternatives) <= request.alternatives
    everything = [found.heads, *found.alternatives]
    assert len({frozenset(heads) for heads in everything}) == len(everything)
    for heads in everything:
        assert scores_of(asked, [heads], request)[1] == [request.flip_to]
        for out in heads if len(heads) > 1 else ():
            rest = tuple(head for head in heads if head != out)
            assert scores_of(asked, [rest], request)[1] != [request.flip_to]
    if any(len(heads) < len(found.heads) for heads in found.alternatives):
        assert found.smallest is False
    elif strategy is Strategy.EXHAUSTIVE:
        assert found.smallest is True


class Keeping(Pace):
    """Every partial record."""

    def __init__(self):
        self.partial = []

    def report(self, done, total, partial=None):
        self.partial.append(partial)


@pytest.mark.parametrize("strategy", [Strategy.GUIDED, Strategy.GREEDY, Strategy.PAIRS])
@pytest.mark.parametrize("rank", [2, 3, 5])
def test_smallest_is_said_where_every_smaller_set_was_tried(load, ask_about, strategy, rank):
    """Two heads that flip where no single one does are the smallest, however they were found."""
    model, question = load("llama"), ask_about("llama")
    asked = ask(model, question)
    flip_to = asked.logits.topk(rank).indices[-1].item()
    request = SearchRequest(question, Objective.FLIP, flip_to, strategy=strategy, alternatives=0)
    search = begin_search(ask(model, question), request)
    search.run()
    found = search.result()
    if not found.flipped:
        return
    smaller = [
        heads
        for size in range(1, len(found.heads))
        for heads in combinations(all_heads(asked), size)
    ]
    tried_all = all(heads in search.known for heads in smaller)
    assert found.smallest is (True if tried_all else None)
    if tried_all and smaller:
        assert flip_to not in scores_of(asked, smaller, request)[1]


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_the_guided_search_is_never_worse_than_greedy(load, ask_about, name):
    """Whichever token is to win: as often, with as few heads, and no run is done twice."""
    model, question = load(name), ask_about(name)
    asked = ask(model, question)
    for flip_to in asked.logits.topk(9).indices[1:].tolist():
        request = SearchRequest(question, Objective.FLIP, flip_to, max_heads=4, alternatives=0)
        guided = search_heads(model, request)
        greedy = search_heads(model, replace(request, strategy=Strategy.GREEDY))
        assert request.strategy is Strategy.GUIDED
        if greedy.flipped:
            assert guided.flipped and len(guided.heads) <= len(greedy.heads), flip_to
        if guided.flipped:
            [score], [top] = scores_of(asked, [guided.heads], request)
            assert top == flip_to and guided.score == pytest.approx(score, abs=1e-9)
            assert guided.first_flip <= guided.evaluations and guided.gradients > 0
        assert guided.steps[-1].heads == guided.heads


def test_for_kl_the_guided_search_is_the_better_of_greedy_and_pairs(load, ask_about):
    model, question = load("neox"), ask_about("neox")
    request = SearchRequest(question, max_heads=3)
    found = search_heads(model, request)
    others = [
        search_heads(model, replace(request, strategy=strategy))
        for strategy in (Strategy.GREEDY, Strategy.PAIRS)
    ]
    assert found.score == pytest.approx(max(other.score for other in others), abs=1e-9)
    assert found.gradients == 0  # there is no slope where KL is least


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_search_shows_the_best_set_it_has(load, ask_about, strategy):
    """From the first report on, and never a worse one later; a flip as soon as it was run."""
    model, question = load("gpt2"), ask_about("gpt2")
    asked = ask(model, question)
    flip_to = reachable_flip(asked)
    request = SearchRequest(
        question, Objective.FLIP, flip_to, max_heads=3, strategy=strategy, alternatives=0
    )
    pace = Keeping()
    found = search_heads(model, request, pace)
    shown = [each for each in pace.partial if each is not None and each.stopped == "running"]
    assert shown and all(each.heads for each in shown)
    worth = [(each.flipped, -len(each.heads) if each.flipped else 0, each.score) for each in shown]
    assert worth == sorted(worth)
    for each in shown:
        assert each.flipped == (each.first_flip is not None)
    assert found.flipped and found.first_flip == shown[-1].first_flip


def test_the_guided_search_takes_heads_in_the_order_of_their_estimates(load, ask_about):
    """The first heads that are run are those a backward pass ranks first."""
    model, question = load("gpt2"), ask_about("gpt2")
    asked = ask(model, question)
    request = SearchRequest(question, Objective.FLIP, reachable_flip(asked), budget_evaluations=4)
    search = begin_search(ask(model, question), request)
    with pytest.raises(OutOfBudget):
        search.run()
    [guesses] = search.guess([()])
    likely = sorted(search.pool, key=lambda head: (-guesses[head], head))[:4]
    assert set(search.known) == {(head,) for head in likely}


def test_without_a_member_other_heads_are_tried(load, ask_about):
    """Where leaving out a member still allows a flip, some alternative is without it."""
    model, question = load("gpt2"), ask_about("gpt2")
    flip_to = reachable_flip(ask(model, question))
    found = search_heads(model, SearchRequest(question, Objective.FLIP, flip_to, alternatives=50))
    assert found.alternatives
    assert any(set(found.heads) - set(heads) for heads in found.alternatives)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_budget_of_runs_is_kept(load, ask_about, strategy):
    request = SearchRequest(
        ask_about("gpt2"), max_heads=4, strategy=strategy, budget_evaluations=30
    )
    found = search_heads(load("gpt2"), request)
    assert found.stopped == "budget" and 0 < found.evaluations <= 30
    assert found.heads and found.steps[-1].heads == found.heads and found.smallest is None
    few = search_heads(load("gpt2"), replace(request, budget_evaluations=5))
    assert few.stopped == "budget" and few.evaluations <= 5
    assert few.heads or strategy is Strategy.EXHAUSTIVE  # it does not begin what it can't end


def test_a_budget_of_seconds_is_kept(load, ask_about):
    request = SearchRequest(
        ask_about("gpt2"), max_heads=9, strategy=Strategy.EXHAUSTIVE, budget_seconds=0.15
    )
    found = search_heads(load("gpt2"), request)
    assert found.stopped == "budget" and found.evaluations < 4000  # of 4,095 sets


@pytest.mark.parametrize(
    ("strategy", "runs"),
    [("greedy", 12 + 11 + 10), ("pairs", 12 + 28 + 6), ("beam", 12 + 66 + 220)]
    + [("guided", 12 + 11 + 28 + 10 + 6)]
    + [("exhaustive", 12 + 66 + 220)],
)
def test_the_estimate_is_what_the_search_takes_at_most(load, ask_about, strategy, runs):
    model = load("gpt2")
    request = SearchRequest(ask_about("gpt2"), max_heads=3, strategy=Strategy(strategy))
    estimate = estimate_search(model, EstimateRequest(request))
    assert estimate.evaluations == runs and estimate.seconds > 0
    found = search_heads(model, request)
    dropped = len(found.steps) * 3 + 12  # checks that nothing can be dropped; growth from all heads
    assert found.evaluations <= runs + dropped
    tight = estimate_search(model, EstimateRequest(replace(request, budget_evaluations=20)))
    again = estimate_search(model, EstimateRequest(request))
    assert tight.evaluations == 20
    assert tight.seconds == pytest.approx(again.seconds * 20 / runs, rel=0.01)


def test_one_head_is_the_best_of_the_sweep(load, ask_about):
    model, question = load("gpt2"), ask_about("gpt2")
    found = search_heads(model, SearchRequest(question, max_heads=1))
    effect = torch.from_numpy(sweep_heads(model, SweepRequest(question)).effect)
    assert found.heads == (HeadId(*divmod(int(effect.argmax()), 4)),)
    assert found.score == pytest.approx(effect.max().item())
    assert found.stopped == "max heads"


def test_a_cancelled_search_keeps_what_it_found(load, ask_about):
    found = search_heads(load("gpt2"), SearchRequest(ask_about("gpt2")), Stopping())
    assert found.stopped == "cancelled" and found.heads and found.minimal is None
    assert 0 < found.evaluations <= 12


def test_the_same_request_gives_the_same_result(load, ask_about):
    request = SearchRequest(ask_about("llama"), max_heads=3)
    first, second = (search_heads(load("llama"), request) for _ in range(2))
    assert (first.heads, first.evaluations) == (second.heads, second.evaluations)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flip_to": None}, "No flip-to"),
        ({"flip_to": 10_000}, "ids 0 to"),
        ({"flip_to": "top-1"}, "top-1 token already"),
        ({"flip_to": 0, "max_heads": 0}, "is empty"),
        ({"flip_to": 0, "budget_seconds": 0}, "allows nothing"),
        ({"flip_to": 0, "budget_evaluations": 0}, "allows nothing"),
    ],
)
def test_what_cannot_be_searched_is_said(load, ask_about, changes, message):
    model, question = load("gpt2"), ask_about("gpt2")
    if changes["flip_to"] == "top-1":
        changes = {"flip_to": ask(model, question).logits.argmax().item()}
    with pytest.raises(BadInput, match=message):
        search_heads(model, SearchRequest(question, Objective.FLIP, **changes))
