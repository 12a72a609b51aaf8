"""Building a counterfactual from the page, and how the row of tokens shows what differs."""

from typing import Any

import pytest

from attention_viz.panels.frame import counterfactual
from attention_viz.panels.frame.counterfactual import build
from attention_viz.panels.frame.prompt import draw_note, draw_tokens
from attention_viz.panels.kit.acts import Outcome, outcome_json
from attention_viz.records.circuits.counterfactual import Way
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from attention_viz.records.question import TokensRequest
from tests.panels.fakes import FakeWorkbench, said
from tests.panels.views import MARY, find_all

LONE = MARY.change(counterfactual="")


@pytest.fixture
def bench(workbench):
    workbench.wait("embedded")
    return workbench


def read(bench, state):
    return bench.measure(TokensRequest(state.question))


def press(bench: Any, way: Way, presses: int, prompt: str, state: PageState = LONE) -> Outcome:
    """What a press in the menu does: the box, the page and the toasts."""
    payload = {"way": way.value, "seed": presses, "prompt": prompt}
    return counterfactual.ACTS["build"](bench, state, payload)


def text_in_box(outcome: Outcome) -> str:
    return outcome.values["counterfactual"]


def test_a_press_fills_the_box_and_runs_it(bench):
    outcome = press(bench, Way.NAMES, 1, LONE.prompt)
    assert text_in_box(outcome) == MARY.counterfactual
    told = outcome_json(outcome, LONE)
    assert told["changes"] == {"shared.counterfactual": MARY.counterfactual}
    assert "says" not in told


def test_what_is_typed_is_built_from_not_what_was_run(bench):
    typed = "Then Anna and Eric had a long talk. Eric gave a book to"
    outcome = press(bench, Way.NAMES, 1, typed, LONE.change(position=3))
    assert text_in_box(outcome) == "Then Anna and Eric had a long talk. Anna gave a book to"
    assert (outcome.page.prompt, outcome.page.position) == (typed, -1)
    assert outcome.page.counterfactual == text_in_box(outcome)


def test_what_belonged_to_the_old_prompt_is_let_go(bench):
    state = LONE.put("circuit", hidden=("L2H3",), names=(("L2H3", "mover"),))
    page = press(bench, Way.NAMES, 1, LONE.prompt, state).page
    assert (page.circuit.hidden, page.circuit.names) == ((), ())


def test_each_press_draws_another_random_token(bench):
    first, second, again = (
        text_in_box(press(bench, Way.RANDOM, n, LONE.prompt)) for n in (1, 2, 1)
    )
    assert first != second and first == again
    differs = [at for at, *_ in marked(read(bench, MARY.change(counterfactual=second)))]
    assert differs == [10], "one token, where the prompt repeats itself"


@pytest.mark.parametrize(
    ("prompt", "way", "reason"),
    [
        ("", Way.NAMES, "empty"),
        ("so it is", Way.NAMES, "two names"),
        ("one two three", Way.REPEATED, "twice"),
        ("so " * 500, Way.RANDOM, "128"),
    ],
)
def test_what_cannot_be_built_changes_nothing(bench, prompt, way, reason):
    with pytest.raises(BadInput, match=reason) as caught:
        press(bench, way, 1, prompt)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"way": "sideways", "seed": 1, "prompt": "x"},
        {"way": Way.NAMES.value, "seed": "1", "prompt": "x"},
        {"way": Way.NAMES.value, "seed": True, "prompt": "x"},
        {"way": Way.NAMES.value, "seed": 1, "prompt": None},
    ],
)
def test_a_way_that_is_none_is_refused(payload):
    with pytest.raises(BadInput, match="no such way"):
        counterfactual.ACTS["build"](FakeWorkbench(), LONE, payload)


def test_the_menu_offers_every_way_with_the_prompt_as_typed():
    items = find_all(counterfactual.layout(), "button")
    assert len(items) == len(Way)
    for item, way in zip(items, Way, strict=True):
        assert way.value in item.props["data-payload"] and item.props["data-with"] == "prompt"


def test_an_old_counterfactual_of_another_length_does_not_hinder(bench):
    state = LONE.change(counterfactual="Two words")
    assert build(bench, state, Way.NAMES).text == MARY.counterfactual


def test_nothing_is_built_while_the_model_is_loaded():
    loading = FakeWorkbench(embedded=("loading", ""))
    with pytest.raises(BadInput, match="loading"):
        build(loading, LONE, Way.NAMES)
    with pytest.raises(BadInput, match="loading") as caught:
        press(loading, Way.NAMES, 1, LONE.prompt)
    assert caught.value.remedy


# The row of tokens


def marked(read_prompt) -> list[tuple[int, str, str]]:
    """Position, other token and title of the chips that are marked."""
    return [
        (
            chip.props["data-position"],
            said(find_all(chip, "b")),
            chip.props["title"],
        )
        for chip in draw_tokens(read_prompt)
        if "differs" in chip.props["className"]
    ]


def test_chips_that_differ_name_the_other_token(bench):
    ((position, other, title),) = marked(read(bench, MARY))
    assert (position, other) == (10, "→ ␣Mary")
    assert "The counterfactual has ␣Mary here" in title
    assert said(draw_note(read(bench, MARY))) == "1 token differs: ␣John → ␣Mary at 10"


def test_the_read_out_can_differ_too(bench):
    chips = draw_tokens(read(bench, MARY.change(position=10)))
    assert set(chips[10].props["className"].split()) == {"token", "on", "differs"}


def test_without_a_counterfactual_nothing_is_marked(bench):
    alone = read(bench, LONE)
    assert marked(alone) == [] and draw_note(alone) is None


def test_the_same_prompt_twice_is_pointed_out(bench):
    twice = read(bench, MARY.change(counterfactual=MARY.prompt))
    assert marked(twice) == []
    assert "the same tokens" in said(draw_note(twice))


def test_many_differences_are_counted_and_the_first_named(bench):
    far = "Then John and Mary sat near the store, Mary gave a book with"
    pair = read(bench, MARY.change(counterfactual=far))
    note = said(draw_note(pair))
    count = len(marked(pair))
    assert count > 3
    assert note.startswith(f"{count} tokens differ: When → Then at 1; ␣Mary → ␣John at 2; ")
    assert note.endswith(f"and {count - 3} more")


def test_a_counterfactual_of_another_length_is_refused_with_counts(bench):
    with pytest.raises(BadInput, match="has 3 tokens, the prompt 15"):
        read(bench, MARY.change(counterfactual="Two words"))
