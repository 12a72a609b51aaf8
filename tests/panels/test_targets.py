"""Pickers of tokens: any token, by typing, known by its id."""

import json
from typing import Any

import pytest

from attention_viz.panels.frame.examples import suggested_flip
from attention_viz.panels.kit.acts import outcome_json
from attention_viz.panels.rail import targets
from attention_viz.panels.rail.targets import found_options, name_of, unique, usual_options
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from tests.panels.fakes import FakeWorkbench
from tests.panels.views import MARY, answer, draw


@pytest.fixture(scope="module")
def bench(workbench):
    workbench.wait("embedded")
    return workbench


def offered(bench: Any, typed: Any) -> dict:
    """What the list below a box is told while someone types."""
    return outcome_json(targets.ACTS["tokens"](bench, MARY, {"typed": typed}), MARY)["told"]


def box(bench: Any, state: PageState, field: str) -> dict:
    return draw(targets, name_of(field), bench, state).props


def test_the_word_typed_comes_first_with_its_leading_space(bench):
    options = offered(bench, "John")["options"]
    assert options[0]["label"] == "␣John"
    assert options[0]["value"] == bench.token_id("embedded", " John")


def test_tokens_outside_the_top_are_found(bench):
    top = {option["value"] for option in usual_options(bench, MARY, "flip_to")}
    cabinets = bench.token_id("embedded", " cabinets")
    assert cabinets not in top
    assert cabinets in {o["value"] for o in found_options(bench, "embedded", "cabinet")}


def test_every_option_found_has_what_was_typed(bench):
    options = offered(bench, "mar")["options"]
    assert options and all("mar" in option["label"].lower() for option in options)


def test_several_tokens_are_refused_with_their_number(bench):
    told = offered(bench, "hello wonderful")
    assert told["options"] == [] and "tokens" in told["why"]


@pytest.mark.parametrize("typed", ["", "\n", "x" * 10_000, None, 3, ["a"], "<b>", "\ud800"])
def test_whatever_is_typed_gets_tokens_or_a_reason(bench, typed):
    told = offered(bench, typed)
    assert told["options"] or told["why"]


def test_nothing_is_offered_while_the_model_is_loaded():
    with pytest.raises(BadInput, match="loading"):
        offered(FakeWorkbench(embedded=("loading", "")), "John")


@pytest.mark.parametrize("field", targets.PICKERS)
def test_the_box_shows_what_is_chosen(bench, field):
    chosen = bench.token_id("embedded", " cabinets")
    shown = box(bench, MARY.change(**{field: chosen}), field)
    assert shown["value"] == shown["data-shown"] == "␣cabinets"
    assert shown["data-combo"] == f"shared.{field}"
    assert "disabled" not in shown and field.replace("_", " ") in shown["aria-label"]


def test_the_default_names_the_token_it_stands_for(bench):
    assert box(bench, MARY, "answer")["value"] == "top-1 ␣Mary"
    first = json.loads(box(bench, MARY, "answer")["data-options"])[0]
    assert (first["value"], first["label"]) == (None, "top-1 ␣Mary")
    mary = bench.token_id("embedded", " Mary")
    assert "Mary" not in box(bench, MARY.change(answer=mary), "distractor")["value"]
    assert "Mary" not in box(bench, MARY, "distractor")["value"]
    assert box(bench, MARY, "flip_to")["value"] == ""


def test_the_most_probable_tokens_are_offered_before_anything_is_typed(bench):
    options = json.loads(box(bench, MARY, "flip_to")["data-options"])
    assert options[0]["label"] == "␣Mary" and options[0]["note"].startswith("p 0.")
    assert len(options) == 10 and len({o["value"] for o in options}) == 10


def test_a_picker_that_cannot_be_used_says_why():
    loading = FakeWorkbench(embedded=("loading", "reading weights"))
    told = answer(targets, "pick-answer", loading, MARY)
    assert " disabled" in told["html"] and "reading weights" in told["html"] and told["waits"]
    nothing = answer(targets, "pick-answer", FakeWorkbench(), PageState())
    assert " disabled" in nothing["html"] and "Nothing was run yet" in nothing["html"]


def test_a_token_the_model_lacks_is_said_in_its_box(bench):
    told = answer(targets, "pick-answer", bench, MARY.change(answer=10**6))["html"]
    assert " disabled" in told and "token" in told


def test_tokens_that_read_alike_are_told_apart_by_id():
    alike = [{"label": "�", "value": 1}, {"label": "�", "value": 2}, {"label": "a", "value": 3}]
    assert [o["label"] for o in unique(alike + alike)] == ["� (id 1)", "� (id 2)", "a"]


def test_an_example_brings_its_target(bench):
    john = bench.token_id("embedded", " John")
    assert suggested_flip(bench, MARY).flip_to == john
    assert suggested_flip(bench, MARY.change(flip_to=3)).flip_to == 3
    assert suggested_flip(bench, MARY.change(prompt="Not an example")).flip_to is None
    loading = FakeWorkbench(embedded=("loading", ""))
    assert suggested_flip(loading, MARY).flip_to is None
