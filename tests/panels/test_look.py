"""The closer looks as the page shows them."""

from dataclasses import replace

import pytest
from dash import no_update

from attention_viz.exports.tables import to_csv
from attention_viz.panels.ablation_look import _LOOKS, show_look
from attention_viz.panels.requests import look_request
from attention_viz.records.errors import BadInput
from attention_viz.records.page import LOOKS, PageState
from tests.builders import (
    agreement_of,
    control_of,
    cost_of,
    dose_of,
    positions_of,
    redundancy_of,
)
from tests.panels.views import MARY, find_all, text_of

RECORDS = {
    "cost": cost_of,
    "dose": dose_of,
    "redundancy": redundancy_of,
    "positions": positions_of,
    "control": control_of,
    "agreement": agreement_of,
}


@pytest.mark.parametrize("name", LOOKS)
def test_every_look_is_measured_and_shown(workbench, name):
    """From the page's state to what is on it, with real numbers."""
    workbench.wait("embedded")
    state = MARY.change(look=name, heads=("L0H1", "L2H2"))
    about, status, told, listed, figure, hidden, table, fold_hidden, _ = show_look(
        workbench, state, None
    )
    assert about == _LOOKS[name].about and "Press Measure" in text_of(status)
    assert hidden and fold_hidden and listed is None and figure is no_update

    record = workbench.measure(look_request(state))
    about, status, told, listed, figure, hidden, table, fold_hidden, _ = show_look(
        workbench, state, None
    )
    assert status is None and "runs in" in told
    if name == "cost":
        assert hidden and "John" in text_of(listed)
    else:
        assert not hidden and not fold_hidden and figure.data and table is not None
    headers, rows = _LOOKS[name].tabulate(record)
    assert to_csv(headers, rows).count(b"\n") == len(rows) + 1


@pytest.mark.parametrize("name", ["dose", "control"])
def test_looks_at_a_set_need_one(workbench, name):
    none = MARY.change(look=name, heads=())
    shown = show_look(workbench, none, None)
    assert "No heads are selected" in text_of(shown[1])
    with pytest.raises(BadInput, match="No heads"):
        look_request(none)


@pytest.mark.parametrize("name", ["redundancy", "positions"])
def test_without_heads_the_strongest_are_taken(name):
    assert look_request(MARY.change(look=name, heads=())).heads == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cost", ["1 of 2 tokens", "␣John with 2 heads", "Sets are minimal"]),
        ("dose", ["changes at 0.25 from ␣John to ␣Mary"]),
        ("agreement", ["zero, mean"]),
        ("control", ["Effect −0.500 logits", "201 random sets", "same layers; zero ablation"]),
        ("positions", ["3 heads at 15 positions", "(logits)"]),
    ],
)
def test_what_is_told_is_what_was_measured(name, words):
    told = _LOOKS[name].tell(RECORDS[name]())
    assert all(word in told for word in words), told


def test_a_control_of_all_sets_says_all():
    found = replace(control_of(), possible=201)
    assert "all 201 other sets there are" in _LOOKS["control"].tell(found)


def test_the_pair_furthest_from_additive_is_named():
    told = _LOOKS["redundancy"].tell(redundancy_of())
    assert "L0H1 + L3H0" in told and "+0.50 logits beyond" in told


def test_heads_in_the_table_can_be_clicked(workbench):
    workbench.wait("embedded")
    state = MARY.change(look="redundancy", heads=("L0H1", "L2H2"))
    workbench.measure(look_request(state))
    table = show_look(workbench, state, None)[6]
    assert {button.children[0] for button in find_all(table, "Button")} == {"L0H1", "L2H2"}


def test_a_link_keeps_the_look():
    state = MARY.change(look="dose", strategy="beam")
    assert PageState.from_fragment(state.to_fragment()) == state
    for changes in ({"look": "x"}, {"strategy": "x"}):
        with pytest.raises(BadInput):
            PageState.from_json(MARY.to_json() | changes)
