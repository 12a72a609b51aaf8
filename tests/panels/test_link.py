"""Links: what they restore, and what happens to those that don't fit."""

import pytest

from attention_viz.panels.common import NotReady
from attention_viz.panels.examples import EXAMPLES
from attention_viz.panels.link import fit, fitted, open_link
from attention_viz.records.page import PageState
from tests.panels.fakes import FakeWorkbench
from tests.panels.views import MARY

NEW = PageState().to_json()


def open_(fragment: str, page: dict = NEW, theme: str = "light") -> tuple[PageState, list]:
    return open_link(FakeWorkbench(), {"fragment": fragment, "theme": theme}, page)


def test_a_newcomer_sees_the_first_example_in_the_theme_of_the_system():
    state, says = open_("", theme="dark")
    assert state.prompt == EXAMPLES[0].prompt and state.theme == "dark" and not says


def test_a_link_restores_every_choice():
    state = MARY.change(view="lens", kind="scale", scale=0.5, position=3, theme="dark")
    assert open_(state.to_fragment()) == (state, [])


@pytest.mark.parametrize("fragment", ["#v1.%%%", "#v1.abc", "#v9.abc", "#hello", "#v1."])
def test_a_broken_link_leaves_the_page_as_it_is(fragment):
    here = MARY.change(view="circuit")
    state, says = open_(fragment, here.to_json())
    assert state == here
    assert says[0]["kind"] == "danger" and says[0]["remedy"]


def test_a_link_for_a_model_that_is_not_here_keeps_its_prompt_only():
    link = MARY.change(model="elsewhere", heads=("L40H2",), flip_to=7, position=2, view="lens")
    state, says = open_(link.to_fragment())
    assert (state.model, state.prompt, state.view) == ("embedded", MARY.prompt, "lens")
    assert (state.heads, state.flip_to, state.position) == ((), None, -1)
    assert "'elsewhere'" in says[0]["message"] and "embedded" in says[0]["remedy"]


def test_what_fits_is_left_alone(workbench):
    workbench.wait("embedded")
    assert fit(workbench, MARY.change(position=3)) == ({}, [])


def test_heads_positions_and_tokens_the_model_lacks_are_left_out(workbench):
    workbench.wait("embedded")
    state = MARY.change(heads=("L99H0", "L1H2"), position=99, flip_to=10**6)
    changes, reasons = fit(workbench, state)
    assert changes == {"heads": ("L1H2",), "position": -1, "flip_to": None}
    assert "L99H0" in reasons[0] and len(reasons) == 3


def test_a_counterfactual_of_another_length_is_left_out_and_the_position_kept(workbench):
    workbench.wait("embedded")
    changes, reasons = fit(workbench, MARY.change(counterfactual="Two words", position=3))
    assert changes == {"counterfactual": ""}
    assert len(reasons) == 1


def test_a_prompt_that_is_too_long_is_kept_and_said(workbench):
    workbench.wait("embedded")
    patch, restored, says = fitted(workbench, PageState(prompt="so " * 500).to_json())
    assert says[0]["kind"] == "danger" and "tokens" in says[0]["message"]
    assert not isinstance(restored, dict)


def test_nothing_is_left_out_while_the_model_is_loaded():
    bench = FakeWorkbench(embedded=("loading", "reading"))
    with pytest.raises(NotReady):
        fit(bench, MARY.change(heads=("L99H0",)))
