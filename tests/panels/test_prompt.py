"""Prompt, run and the row of tokens."""

import pytest

from attention_viz.panels.prompt import (
    check_prompt,
    draw_tokens,
    pick_position,
    run_patch,
    with_prompt,
)
from attention_viz.records.errors import BadInput
from attention_viz.records.question import TokensRequest
from tests.panels.fakes import FakeWorkbench, said
from tests.panels.views import MARY


@pytest.mark.parametrize("prompt", ["", "   \n "])
def test_an_empty_prompt_is_refused(prompt):
    with pytest.raises(BadInput, match="empty") as caught:
        check_prompt(FakeWorkbench(), MARY.change(prompt=prompt))
    assert caught.value.remedy


def test_prompts_the_model_cannot_read_are_refused(workbench):
    workbench.wait("embedded")
    with pytest.raises(BadInput, match="128"):
        check_prompt(workbench, MARY.change(prompt="so " * 500))
    with pytest.raises(BadInput, match="counterfactual"):
        check_prompt(workbench, MARY.change(counterfactual="Two words"))


def test_a_prompt_is_taken_while_the_model_is_loaded():
    check_prompt(FakeWorkbench(embedded=("loading", "")), MARY)


def test_another_prompt_lets_go_of_positions_the_same_keeps_them():
    state = MARY.change(position=4, focus=(1, 2), maps_page=1)
    assert with_prompt(state, state.prompt, "") == state.change(counterfactual="")
    other = with_prompt(state, "Something else", "")
    assert (other.position, other.focus, other.maps_page) == (-1, None, 0)
    assert other.heads == state.heads


def test_a_run_changes_only_its_own_fields():
    changed = {tuple(op["location"]) for op in run_patch(MARY).to_plotly_json()["operations"]}
    assert changed == {(n,) for n in ("prompt", "counterfactual", "position", "focus", "maps_page")}


def test_tokens_are_told_apart_by_position(workbench):
    workbench.wait("embedded")
    read = workbench.measure(TokensRequest(MARY.change(position=4).question))
    chips = draw_tokens(read)
    assert [chip.__dict__["data-position"] for chip in chips] == [str(i) for i in range(15)]
    assert [chip.__dict__["aria-pressed"] for chip in chips].index("true") == 4
    assert said(chips[4]).startswith("␣John") and said(chips[10]).startswith("␣John")


def test_the_last_position_is_kept_as_minus_one(workbench):
    workbench.wait("embedded")
    assert pick_position(workbench, MARY, 14) == -1
    assert pick_position(workbench, MARY, 10) == 10
    with pytest.raises(BadInput, match="0 to 14"):
        pick_position(workbench, MARY, 15)
