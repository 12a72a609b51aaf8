"""Prompt pairs on the page: a counterfactual built and marked, families, a file of one's own."""

import pytest
from selenium.webdriver.common.keys import Keys

from attention_viz.records.page import PageState
from tests.browser.wording import MARY, SWAPPED

FILE = f"""clean,counterfactual,answer,distractor
"{MARY}","{SWAPPED}", Mary, John
"{MARY}",,<b>Mary</b>, John
"{MARY}",Two words, Mary, John
"""


@pytest.fixture
def person(visit, site):
    """Somebody at the Circuit view, with a prompt and nothing to compare it with."""
    page = PageState(prompt=MARY, view="circuit").put("circuit", source="scores")
    person = visit(site, page.to_fragment())
    person.until(lambda: "No pair yet" in person.text("#pairs-line"), "what to do")
    return person


def test_a_counterfactual_is_built_marked_and_run(person):
    person.until(lambda: marked(person) == [], "nothing marked")
    builds(person, "Swap names")
    person.until(lambda: person.state().counterfactual == SWAPPED, "the counterfactual run")
    assert person.element("#counterfactual").get_attribute("value") == SWAPPED
    person.until(lambda: marked(person) == ["␣John 10 → ␣Mary"], "the one chip that differs")
    assert person.text("#pair-note") == "1 token differs: ␣John → ␣Mary at 10"
    person.until(lambda: "1 usable pair" in person.text("#pairs-line"), "the pair")

    builds(person, "Random token")
    person.until(lambda: person.state().counterfactual != SWAPPED, "a random token")
    first = person.state().counterfactual
    builds(person, "Random token")
    person.until(lambda: person.state().counterfactual not in (first, SWAPPED), "another one")
    person.until(lambda: len(marked(person)) == 1, "still one chip")


def test_the_menu_works_by_keyboard_and_keeps_what_it_cannot_change(person):
    person.writes("#prompt", "so it is")
    person.writes("#counterfactual", "as it was")
    person.js("document.querySelector('.build summary').focus()")
    person.presses(Keys.ENTER)
    person.until(lambda: person.is_shown(".build .menu-item"), "the menu open")
    person.presses(Keys.TAB)
    focused = "return document.activeElement.innerText"
    person.until(lambda: "Swap names" in person.js(focused), "the first way")
    person.presses(Keys.ENTER)
    person.sees_toast("two names")
    boxes = [person.element(name).get_attribute("value") for name in ("#prompt", "#counterfactual")]
    assert boxes == ["so it is", "as it was"]
    assert person.state().prompt == MARY


def test_a_familys_pairs_are_counted_and_read(person):
    person.picks_in_menu("pairs", "facts")
    person.until(lambda: "20 usable pairs" in person.text("#pairs-line"), "the family")
    person.writes("#pair-count", "3")
    person.presses(Keys.ENTER)
    person.until(lambda: person.state().circuit.pair_count == 3, "three of them")
    person.until(lambda: "3 usable pairs" in person.text("#pairs-line"), "three of them")
    person.unfolds("See the pairs")
    person.until(lambda: len(person.table("The first pairs")) == 3, "the pairs")
    person.writes("#pair-count", "5000")
    invalid = "return document.querySelector('#pair-count').matches(':invalid')"
    person.until(lambda: person.js(invalid), "too many")
    person.writes("#pair-count", "4")
    person.presses(Keys.ENTER)
    person.until(lambda: person.state().circuit.pair_count == 4, "what came after is taken")
    person.picks_in_menu("pairs", "this prompt and its counterfactual")
    person.until(lambda: "No pair yet" in person.text("#pairs-line"), "the page's own again")
    person.until(lambda: not person.is_shown("#pair-count"), "no count of one pair")


def test_a_file_is_read_and_its_bad_line_named(person, tmp_path):
    person.picks_in_menu("pairs", "my own pairs (file)…")
    person.until(lambda: "No pairs of your own" in person.text("#pairs-line"), "what to do")
    uploads(person, tmp_path / "mine.csv", FILE)
    person.until(lambda: "mine.csv: 2 pairs read" in person.text("#pairs-file"), "the file")
    person.unfolds("1 line left out")
    person.until(
        lambda: "line 3: counterfactual is empty" in person.text("#pairs-file"), "the bad line"
    )
    person.until(lambda: "1 usable pair" in person.text("#pairs-line"), "the good one")
    person.unfolds("1 pair this model")
    person.until(lambda: "pair 2" in person.text("#pairs-refused"), "one of another length")
    person.until(lambda: len(person.state().circuit.given_pairs) == 2, "both in the address")
    assert person.state().circuit.pairs == "given"
    person.reloads()
    person.until(lambda: "1 usable pair" in person.text("#pairs-line"), "the same after a reload")

    uploads(person, tmp_path / "other.csv", "a,b\n1,2\n")
    person.sees_toast("does not name")
    assert len(person.state().circuit.given_pairs) == 2


def builds(person, way: str) -> None:
    person.clicks("#build-menu summary")
    script = """return [...document.querySelectorAll('.build .example-title')]
        .find((each) => each.innerText === arguments[0] && each.checkVisibility())"""
    person.until(lambda: person.js(script, way), f"the way {way}").click()


def marked(person) -> list[str]:
    """The chips of tokens that differ, as they read."""
    return person.texts("#tokens .differs")


def uploads(person, path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    person.element("#pairs-upload").send_keys(str(path))
