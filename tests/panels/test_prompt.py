"""Prompt, run and the row of tokens."""

from dataclasses import replace
from typing import Any

import pytest

from attention_viz.panels.frame import prompt
from attention_viz.panels.frame.prompt import check_prompt, draw_tokens
from attention_viz.panels.kit.acts import outcome_json
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from attention_viz.records.question import TokensRequest
from tests.panels.fakes import FakeWorkbench, said
from tests.panels.views import MARY, answer


def run(state: PageState, text: Any, counterfactual: Any = "", bench: Any = None) -> dict:
    """What the browser is told after a press on Run."""
    bench = bench or FakeWorkbench(embedded=("loading", ""))
    payload = {"prompt": text, "counterfactual": counterfactual}
    return outcome_json(prompt.ACTS["run"](bench, state, payload), state)


@pytest.mark.parametrize("text", ["", None, 3, ["a"]])
def test_an_empty_prompt_is_refused(text):
    with pytest.raises(BadInput, match="empty") as caught:
        run(MARY, text)
    assert caught.value.remedy
    with pytest.raises(BadInput, match="empty"):
        prompt.ACTS["run"](FakeWorkbench(), MARY, {})


@pytest.mark.parametrize("text", ["\n", " ", "\t \n"])
def test_blanks_are_a_prompt(workbench, text):
    workbench.wait("embedded")
    assert run(MARY, text, bench=workbench)["changes"]["shared.prompt"] == text


def test_prompts_the_model_cannot_read_are_refused(workbench):
    workbench.wait("embedded")
    with pytest.raises(BadInput, match="128"):
        run(MARY, "so " * 500, bench=workbench)
    with pytest.raises(BadInput, match="counterfactual"):
        run(MARY, MARY.prompt, "Two words", bench=workbench)


@pytest.mark.parametrize("text", ["half a character \ud83d", "a" * 100_001])
def test_prompts_no_page_holds_are_refused_even_while_the_model_is_loaded(text):
    with pytest.raises(BadInput, match="prompt"):
        run(MARY, text)
    with pytest.raises(BadInput, match="counterfactual"):
        run(MARY, "Something", text)


def test_a_prompt_is_taken_while_the_model_is_loaded():
    check_prompt(FakeWorkbench(embedded=("loading", "")), MARY)
    assert run(PageState(), "Something else") == {"changes": {"shared.prompt": "Something else"}}


def test_another_prompt_lets_go_of_positions_the_same_keeps_them():
    state = MARY.change(position=4).put("attention", focus=(1, 2), page=1)
    same = run(state, state.prompt, state.counterfactual)
    assert same == {"changes": {}}
    other = run(state, "Something else")["changes"]
    assert other["shared.position"] == -1 and other["attention.focus"] is None
    assert other["attention.page"] == 0 and "shared.heads" not in other
    without = run(state, state.prompt)["changes"]
    assert without["shared.counterfactual"] == "" and "shared.position" not in without


def test_a_run_changes_only_its_own_fields():
    state = MARY.change(position=4, kind="mean", view="circuit").put("circuit", edges=30)
    assert set(run(state, "Something else", "Another one")["changes"]) == {
        "shared.prompt",
        "shared.counterfactual",
        "shared.position",
    }


def test_a_line_ending_after_the_counterfactual_is_no_part_of_it():
    told = run(PageState(), "Something", "Another\n\n")
    assert told["changes"]["shared.counterfactual"] == "Another"


def test_an_example_typed_brings_its_target(workbench):
    workbench.wait("embedded")
    told = run(PageState(), MARY.prompt, MARY.counterfactual, workbench)
    assert told["changes"]["shared.flip_to"] == workbench.token_id("embedded", " John")


def test_tokens_are_told_apart_by_position(workbench):
    workbench.wait("embedded")
    read = workbench.measure(TokensRequest(MARY.change(position=4).question))
    chips = draw_tokens(read)
    assert [chip.props["data-position"] for chip in chips] == list(range(15))
    assert [chip.props["aria-pressed"] for chip in chips].index("true") == 4
    assert [chip.props["tabIndex"] for chip in chips].count(0) == 1  # one Tab stop
    assert said(chips[4]).startswith("␣John") and said(chips[10]).startswith("␣John")


def test_a_position_the_prompt_lacks_is_said_in_the_tokens_place(workbench):
    workbench.wait("embedded")
    shown = answer(prompt, "tokens", workbench, MARY.change(position=15))["html"]
    assert "0 to 14" in shown and "problem" in shown
    assert answer(prompt, "pair-note", workbench, MARY.change(position=15))["html"] == ""


def test_tokens_say_that_the_model_is_loaded():
    told = answer(prompt, "tokens", FakeWorkbench(embedded=("loading", "reading weights")), MARY)
    assert "reading weights" in told["html"] and told["waits"]


# The chat template


class Chatting(FakeWorkbench):
    """Its model has a chat template."""

    def status(self, name):
        status = super().status(name)
        return (
            status
            if status.info is None
            else replace(status, info=replace(status.info, chats=True))
        )


def test_the_switch_is_there_for_models_with_a_template_only():
    assert answer(prompt, "chat-box", FakeWorkbench(), MARY)["html"] == ""
    shown = answer(prompt, "chat-box", Chatting(), MARY)["html"]
    assert 'aria-pressed="false"' in shown and "true}" in shown
    pressed = answer(prompt, "chat-box", Chatting(), MARY.change(chat=True))["html"]
    assert 'aria-pressed="true"' in pressed and "false}" in pressed


def test_a_chat_counts_positions_anew_and_keeps_the_rest():
    state = MARY.change(position=4, heads=("L0H1",)).put("attention", focus=(1, 2))
    bench = FakeWorkbench(embedded=("loading", ""))
    told = outcome_json(prompt.ACTS["chat"](bench, state, {"on": True}), state)["changes"]
    assert told == {"shared.chat": True, "shared.position": -1, "attention.focus": None}
    again = state.with_chat(True)
    assert again.question.chat and again.pairs_request.question.chat
    assert not again.with_model("other").chat, "another model may have no template"
    assert PageState.from_fragment(again.to_fragment()) == again
    odd = outcome_json(prompt.ACTS["chat"](bench, again, {"on": "yes"}), again)["changes"]
    assert odd == {"shared.chat": False}


def test_a_chat_with_a_model_that_has_no_template_is_refused(workbench):
    workbench.wait("embedded")
    with pytest.raises(BadInput, match="no chat template"):
        prompt.ACTS["chat"](workbench, MARY, {"on": True})
    shown = answer(prompt, "tokens", workbench, MARY.change(chat=True))["html"]
    assert "no chat template" in shown
