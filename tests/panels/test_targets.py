"""Pickers of tokens: any token, by typing, known by its id."""

import pytest

from attention_viz.panels.targets import (
    DEFAULT,
    NO_TOKEN,
    options_for,
    suggested_flip,
    unique,
    value_of,
)
from tests.panels.views import MARY


@pytest.fixture(scope="module")
def bench(workbench):
    workbench.wait("embedded")
    return workbench


def test_the_word_typed_comes_first_with_its_leading_space(bench):
    options = options_for(bench, MARY, "flip_to", "John")
    assert options[0]["label"] == "␣John"
    assert options[0]["value"] == bench.token_id("embedded", " John")


def test_tokens_outside_the_top_are_found(bench):
    top = {option["value"] for option in options_for(bench, MARY, "flip_to")}
    cabinets = bench.token_id("embedded", " cabinets")
    assert cabinets not in top
    assert cabinets in {o["value"] for o in options_for(bench, MARY, "flip_to", "cabinet")}


def test_every_option_found_passes_the_browsers_own_filter(bench):
    for option in options_for(bench, MARY, "answer", "mar")[:-1]:
        assert "mar" in option["search"].lower()


def test_several_tokens_are_refused_with_their_number(bench):
    first = options_for(bench, MARY, "flip_to", "hello wonderful")[0]
    assert first["value"] == NO_TOKEN and "tokens" in first["label"]


@pytest.mark.parametrize("typed", ["", "zzzz", "the"])
def test_what_is_chosen_is_always_among_the_options(bench, typed):
    chosen = bench.token_id("embedded", " cabinets")
    state = MARY.change(answer=chosen)
    assert chosen in {option["value"] for option in options_for(bench, state, "answer", typed)}


def test_the_default_names_the_token_it_stands_for(bench):
    assert options_for(bench, MARY, "answer")[0]["label"] == "top-1 ␣Mary"
    mary = bench.token_id("embedded", " Mary")
    assert "Mary" not in options_for(bench, MARY.change(answer=mary), "distractor")[0]["label"]
    assert value_of(MARY, "answer") == DEFAULT and value_of(MARY, "flip_to") is None


def test_tokens_that_read_alike_are_told_apart_by_id():
    alike = [{"label": "�", "value": 1}, {"label": "�", "value": 2}, {"label": "a", "value": 3}]
    assert [o["label"] for o in unique(alike + alike)] == ["� (id 1)", "� (id 2)", "a"]


def test_an_example_brings_its_target(bench):
    john = bench.token_id("embedded", " John")
    assert suggested_flip(bench, MARY) == john
    assert suggested_flip(bench, MARY.change(flip_to=3)) is None
    assert suggested_flip(bench, MARY.change(prompt="Not an example")) is None
