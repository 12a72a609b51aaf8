"""Links: what they restore, and what happens to those that don't fit."""

from typing import Any

import pytest

from attention_viz.panels.frame import link
from attention_viz.panels.frame.examples import EXAMPLES
from attention_viz.panels.frame.link import first_page, fit, open_link
from attention_viz.panels.kit.acts import outcome_json
from attention_viz.panels.kit.common import NotReady
from attention_viz.panels.kit.requests import search_request
from attention_viz.records.job import JobStatus
from attention_viz.records.page import PageState
from tests.panels.fakes import FakeWorkbench
from tests.panels.views import MARY

NEW = PageState()


def open_(fragment: str, here: PageState = NEW) -> tuple[PageState, tuple]:
    return open_link(FakeWorkbench(), here, fragment)


def act(name: str, bench: Any, state: PageState, **payload: Any) -> dict:
    """What the browser is told of an act."""
    return outcome_json(link.ACTS[name](bench, state, payload), state)


@pytest.fixture(scope="module")
def ready(workbench):
    workbench.wait("embedded")
    return workbench


def test_a_newcomer_sees_the_first_example_on_the_first_model():
    state = first_page(FakeWorkbench(embedded=("loading", "")))
    assert (state.model, state.prompt) == ("embedded", EXAMPLES[0].prompt)
    assert state.counterfactual == EXAMPLES[0].counterfactual and state.heads == ()
    # The theme is the system's, which only the browser knows.
    assert state.theme == PageState().theme


def test_a_newcomers_example_brings_its_target(ready):
    assert first_page(ready).flip_to == ready.token_id("embedded", " John")


def test_a_link_restores_every_choice():
    state = MARY.change(view="lens", kind="scale", scale=0.5, position=3, theme="dark")
    state = state.put("circuit", hidden=("L2H3",)).put("attention", threshold=0.2)
    assert open_(state.to_fragment()) == (state, ())


@pytest.mark.parametrize("fragment", ["#v2.%%%", "#v1.%%%", "#v2.abc", "#v9.abc", "#hello", "#v1."])
def test_a_broken_link_leaves_the_page_as_it_is(fragment):
    here = MARY.change(view="circuit")
    state, says = open_(fragment, here)
    assert state == here
    assert says[0]["kind"] == "danger" and says[0]["remedy"]


def test_a_link_without_a_prompt_keeps_that_of_the_page():
    state, says = open_(PageState(view="lens").to_fragment(), MARY)
    assert (state.prompt, state.counterfactual) == (MARY.prompt, MARY.counterfactual)
    assert state.view == "lens" and not says


def test_a_link_for_a_model_that_is_not_here_keeps_its_prompt_only():
    wanted = MARY.change(model="elsewhere", heads=("L40H2",), flip_to=7, position=2, view="lens")
    wanted = wanted.put("circuit", hidden=("L40H2",), names=(("L40H2", "mover"),))
    state, says = open_(wanted.to_fragment())
    assert (state.model, state.prompt, state.view) == ("embedded", MARY.prompt, "lens")
    assert (state.heads, state.flip_to, state.position) == ((), None, -1)
    assert (state.circuit.hidden, state.circuit.names) == ((), ())
    assert "'elsewhere'" in says[0]["message"] and "embedded" in says[0]["remedy"]


def test_what_fits_is_left_alone(ready):
    state = MARY.change(position=3)
    assert fit(ready, state) == (state, [])


def test_heads_positions_and_tokens_the_model_lacks_are_left_out(ready):
    state = MARY.change(heads=("L99H0", "L1H2"), position=99, flip_to=10**6)
    fitted, reasons = fit(ready, state)
    assert fitted == MARY.change(heads=("L1H2",))
    assert "L99H0" in reasons[0] and len(reasons) == 3


def test_a_counterfactual_of_another_length_is_left_out_and_the_position_kept(ready):
    state = MARY.change(counterfactual="Two words", position=3)
    fitted, reasons = fit(ready, state)
    assert fitted == state.change(counterfactual="")
    assert len(reasons) == 1


def test_a_prompt_that_is_too_long_is_kept_and_said(ready):
    long = PageState(prompt="so " * 500)
    told = act("fit", ready, long)
    assert told["changes"] == {}
    assert told["says"][0]["kind"] == "warning" and "tokens" in told["says"][0]["message"]


def test_nothing_is_left_out_while_the_model_is_loaded():
    bench = FakeWorkbench(embedded=("loading", "reading"))
    state = MARY.change(heads=("L99H0",))
    with pytest.raises(NotReady):
        fit(bench, state)
    assert act("fit", bench, state) == {"changes": {}}


# The acts


def test_opening_a_link_loads_its_model_and_fills_the_boxes():
    bench = FakeWorkbench(other=("loading", ""))
    wanted = MARY.change(model="other", heads=("L99H0",))
    told = act("open", bench, NEW, fragment=wanted.to_fragment())
    assert bench.loaded == ["other"]
    assert told["changes"]["shared.model"] == "other"
    assert told["changes"]["shared.heads"] == ["L99H0"]  # until the model says what it has
    assert told["values"] == {"prompt": MARY.prompt, "counterfactual": MARY.counterfactual}


def test_opening_a_link_leaves_out_what_its_model_lacks(ready):
    wanted = MARY.change(heads=("L99H0", "L1H2"))
    told = act("open", ready, NEW, fragment=wanted.to_fragment())
    assert told["changes"]["shared.heads"] == ["L1H2"]
    assert told["says"][0]["kind"] == "warning" and "L99H0" in told["says"][0]["message"]


@pytest.mark.parametrize("payload", [{}, {"fragment": None}, {"fragment": 3}, {"fragment": []}])
def test_what_is_no_link_is_said(payload):
    told = act("open", FakeWorkbench(embedded=("loading", "")), MARY, **payload)
    assert told["says"][0]["kind"] == "danger" and told["changes"] == {}


def test_a_search_under_way_is_followed_again_after_a_reload():
    state = MARY.change(flip_to=8)
    running = FakeWorkbench(
        JobStatus("job-1", search_request(state), "running"), embedded=("loading", "")
    )
    assert act("fit", running, state)["followed"] == ["job-1"]
    assert "followed" not in act("fit", running, state.change(max_heads=3))
