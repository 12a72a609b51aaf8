"""What can't be done: a message with a remedy, the page as it was, and it goes on working."""

import pytest
from selenium.webdriver.common.keys import Keys

from attention_viz.records.page import PageState
from tests.browser.wording import MARY, SWAPPED

CHOSEN = ("L0H5", "L2H3")
BROKEN = "#v1.thisisnolink"


@pytest.fixture
def busy(person):
    """Somebody with heads chosen on the default example."""
    person.until(lambda: person.state().flip_to is not None, "the example's token to flip to")
    person.selects(*CHOSEN)
    person.until(lambda: person.bars("ablated"), "both runs")
    return person


def test_an_empty_prompt(busy):
    busy.runs_prompt("")
    busy.sees_toast("The prompt is empty.", "Type a few words")
    if busy.toasts():
        busy.clicks(".toasts .toast .btn-close")
    busy.until(lambda: not busy.toasts(), "the message closed")
    is_as_before(busy)
    goes_on_working(busy)


def test_a_prompt_over_the_context(busy):
    busy.runs_prompt("to " * 140)
    busy.sees_toast("tokens long; this model reads at most 128", "Shorten it.")
    is_as_before(busy)
    goes_on_working(busy)


def test_a_counterfactual_of_another_length(busy):
    busy.runs_prompt(MARY, "When Mary left")
    busy.sees_toast("The counterfactual has 4 tokens, the prompt 15.", "Change words")
    is_as_before(busy)
    busy.writes("#counterfactual", SWAPPED)
    goes_on_working(busy)


def test_a_token_to_flip_to_that_is_several(busy):
    before = busy.state().flip_to
    shown = busy.value("#pick-flip-to-box")
    busy.types_into_list("pick-flip-to-box", "qwertyuiop asdf")
    busy.until(lambda: "tokens" in busy.text(".combo-list .why"), "why it is not one token")
    busy.presses(Keys.ENTER)
    busy.leaves_list()
    assert busy.value("#pick-flip-to-box") == shown and busy.state().flip_to == before
    is_as_before(busy)
    goes_on_working(busy)


def test_a_broken_link(busy):
    busy.js("window.location.hash = arguments[0]", BROKEN)
    busy.sees_toast("This link is broken", "Ask for the link again")
    is_as_before(busy)
    goes_on_working(busy)


def test_a_broken_link_in_a_new_window(visit, site):
    person = visit(site, BROKEN)
    person.sees_toast("This link is broken", "Ask for the link again")
    person.until(lambda: person.top_token("clean") == "␣Mary", "the default example instead")
    goes_on_working(person)


def test_a_link_from_another_model(visit, site):
    state = PageState(model="elsewhere", prompt=SWAPPED, heads=("L40H7",), answer=90_000)
    person = visit(site, state.to_fragment())
    person.sees_toast("This link is for another model", "elsewhere", "embedded")
    person.until(lambda: person.top_token("clean") == "␣John", "its prompt on the model here")
    assert person.element("#prompt").get_attribute("value") == SWAPPED
    assert person.selected() == [] and person.state().model == "embedded"
    goes_on_working(person)


def test_a_link_with_heads_the_model_has_not(visit, site):
    state = PageState(prompt=MARY, heads=("L2H3", "L9H9"), position=77)
    person = visit(site, state.to_fragment())
    person.sees_toast("embedded has no head L9H9", "out of range", "The rest of the page was kept")
    person.until(lambda: person.selected() == ["L2H3"], "the head it has")
    person.until(lambda: person.state().heads == ("L2H3",), "the same in the address")
    goes_on_working(person)


@pytest.mark.parametrize(
    ("view", "button"),
    [("attention", "#attention-csv"), ("ablation", "#ablation-csv"), ("circuit", "json")],
)
def test_no_heads_selected(person, view, button):
    person.until(lambda: person.top_token("clean") == "␣Mary", "the default example")
    person.opens_view(view)
    person.until(lambda: "No heads selected yet" in person.text(f"#view-{view}"), "a hint")
    if view == "attention":
        person.unfolds("Table: the strongest weights")
    if view == "circuit":
        person.clicks("#circuit-menu summary")
        button = "#circuit-menu .menu-item:nth-of-type(6)"
    person.clicks(button)
    person.sees_toast("No heads are selected.", "Pick heads in the grid")
    goes_on_working(person)


def test_resampling_without_a_counterfactual(busy):
    busy.writes("#counterfactual", "")
    busy.clicks("#run")
    busy.until(lambda: busy.state().counterfactual == "", "no counterfactual")
    busy.chooses("#kind", "resample")
    busy.until(lambda: "needs a counterfactual" in busy.text("#prediction"), "the reason")
    assert busy.top_token("clean") == "␣Mary" and busy.selected() == sorted(CHOSEN)
    busy.chooses("#kind", "zero")
    busy.until(lambda: busy.bars("ablated"), "both runs again")


def is_as_before(person):
    """The page shows what it showed."""

    def same():
        assert person.top_token("clean") == "␣Mary"
        assert person.selected() == sorted(CHOSEN) and person.bars("ablated")
        state = person.state()
        return (state.prompt, state.counterfactual, state.heads) == (MARY, SWAPPED, CHOSEN)

    person.until(same, "the page as it was")


def goes_on_working(person):
    """The next prompt is answered as if nothing had been."""
    person.writes("#counterfactual", "")
    person.writes("#prompt", "The Eiffel Tower is in")
    person.element("#prompt").send_keys(Keys.ENTER)
    person.until(lambda: person.top_token("clean") == "␣Paris", "an answer to another prompt")
