"""Building a counterfactual from the page, and how the row of tokens shows what differs."""

import pytest
from dash import Dash
from dash._callback_context import context_value
from dash._utils import AttributeDict

from attention_viz.panels import counterfactual
from attention_viz.panels.common import NotReady
from attention_viz.panels.counterfactual import build
from attention_viz.panels.prompt import draw_note, draw_tokens
from attention_viz.records.circuits.counterfactual import Way
from attention_viz.records.errors import BadInput
from attention_viz.records.question import TokensRequest
from tests.panels.fakes import FakeWorkbench, said
from tests.panels.views import MARY, callback_named, find_all

LONE = MARY.change(counterfactual="")


@pytest.fixture
def bench(workbench):
    workbench.wait("embedded")
    return workbench


def read(bench, state):
    return bench.measure(TokensRequest(state.question))


def press(bench, way: Way, presses: int, prompt: str, state=LONE) -> tuple:
    """What a press in the menu does: the box, the page and the toasts."""
    app = Dash()
    counterfactual.register(app, bench)
    item = {"prop_id": f'{{"type":"build-way","way":"{way.value}"}}.n_clicks', "value": presses}
    token = context_value.set(AttributeDict(triggered_inputs=[item]))
    try:
        return callback_named(app, "fill")([presses], prompt, state.to_json())
    finally:
        context_value.reset(token)


def changed(patch) -> dict:
    return {op["location"][0]: op["params"]["value"] for op in patch.to_plotly_json()["operations"]}


def test_a_press_fills_the_box_and_runs_it(bench):
    text, patch, says = press(bench, Way.NAMES, 1, LONE.prompt)
    assert text == MARY.counterfactual
    assert changed(patch)["counterfactual"] == text and changed(patch)["prompt"] == LONE.prompt
    assert type(says).__name__ == "NoUpdate"


def test_what_is_typed_is_built_from_not_what_was_run(bench):
    typed = "Then Anna and Eric had a long talk. Eric gave a book to"
    text, patch, _ = press(bench, Way.NAMES, 1, typed, LONE.change(position=3))
    assert text == "Then Anna and Eric had a long talk. Anna gave a book to"
    assert changed(patch)["prompt"] == typed and changed(patch)["position"] == -1


def test_each_press_draws_another_random_token(bench):
    first, second, again = (press(bench, Way.RANDOM, n, LONE.prompt)[0] for n in (1, 2, 1))
    assert first != second and first == again
    differs = [at for at, *_ in marked(read(bench, MARY.change(counterfactual=second)))]
    assert differs == ["10"], "one token, where the prompt repeats itself"


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
    text, patch, says = press(bench, way, 1, prompt)
    assert type(text).__name__ == type(patch).__name__ == "NoUpdate"
    assert reason in says[0]["message"] and says[0]["remedy"]


def test_an_old_counterfactual_of_another_length_does_not_hinder(bench):
    state = LONE.change(counterfactual="Two words")
    assert build(bench, state, Way.NAMES).text == MARY.counterfactual


def test_nothing_is_built_while_the_model_is_loaded():
    loading = FakeWorkbench(embedded=("loading", ""))
    with pytest.raises(NotReady):
        build(loading, LONE, Way.NAMES)
    text, patch, says = press(loading, Way.NAMES, 1, LONE.prompt)
    assert type(text).__name__ == type(patch).__name__ == "NoUpdate"
    assert says[0]["kind"] == "warning" and "loading" in says[0]["message"]


# The row of tokens


def marked(read_prompt) -> list[tuple[str, str, str]]:
    """Position, other token and title of the chips that are marked."""
    return [
        (
            chip.__dict__["data-position"],
            said(find_all(chip, "B")),
            chip.title,
        )
        for chip in draw_tokens(read_prompt)
        if "differs" in chip.className
    ]


def test_chips_that_differ_name_the_other_token(bench):
    ((position, other, title),) = marked(read(bench, MARY))
    assert (position, other) == ("10", "→ ␣Mary")
    assert "The counterfactual has ␣Mary here" in title
    assert said(draw_note(read(bench, MARY))) == "1 token differs: ␣John → ␣Mary at 10"


def test_the_read_out_can_differ_too(bench):
    chips = draw_tokens(read(bench, MARY.change(position=10)))
    assert set(chips[10].className.split()) == {"token", "on", "differs"}


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
