"""A search under way: cancelled, found again after a reload, seen from another window."""

import re
import threading

import pytest

from attention_viz.analysis.search import search_heads
from attention_viz.records.pace import Pace
from attention_viz.records.page import PageState
from attention_viz.records.search import SearchRequest
from attention_viz.workbench import REGISTRY
from tests.browser.wording import DEFAULT_QUESTION, HEADS


class HeldPace(Pace):
    """Holds a search as soon as it has found something, until it is let go or cancelled."""

    def __init__(self, pace, let_go):
        self._pace = pace
        self._let_go = let_go

    def turn(self):
        return self._pace.turn()

    def report(self, done, total, partial=None):
        self._pace.report(done, total, partial)
        if partial is not None and partial.heads:
            while not self._let_go.wait(0.02) and not self.is_cancelled:
                pass
            self._pace.report(done, total, partial)

    @property
    def is_cancelled(self):
        return self._pace.is_cancelled


@pytest.fixture
def let_go():
    """Set it, and held searches go on."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def site(serve_page, let_go):
    """The page with searches that are held."""

    def search(model, request, pace):
        return search_heads(model, request, HeldPace(pace, let_go))

    return serve_page(registry=REGISTRY | {SearchRequest: search})


@pytest.fixture
def person(visit, site):
    """Somebody whose search is under way and has found something."""
    person = visit(site)
    person.until(lambda: len(person.effects()) == len(HEADS), "the default sweep")
    person.until(lambda: person.state().flip_to is not None, "the example's token to flip to")
    person.clicks("#find")
    person.until(lambda: "so far" in person.text("#search-state"), "a search that found something")
    return person


def test_a_cancelled_search_keeps_what_it_found(person, site, let_go):
    person.until(lambda: "Searching ·" in person.text("#search-state"), "how far it is")
    person.selects("L3H1")  # the server answers others meanwhile
    person.until(lambda: person.bars("ablated"), "an answer during the search")

    person.clicks("#cancel-search")
    person.until(lambda: person.text("#search-state").startswith("Cancelled. Kept"), "the end")
    kept = person.texts("#search-state [data-head]")
    assert kept
    person.until(lambda: person.selected() == sorted(kept), "heads found so far in the selection")
    person.sees_toast("found so far are selected")
    assert not person.is_shown("#cancel-search")
    person.opens_view("ablation")
    person.until(lambda: "Cancelled" in person.text("#study-result"), "the label of the study")

    let_go.set()
    person.clicks("#find")
    person.until(lambda: "Minimal" in person.text("#search-state"), "a whole search")
    person.until(lambda: person.selected() == found(site), "its heads in the selection")


def test_a_search_is_found_again_after_a_reload(person, site, let_go):
    person.reloads()
    person.until(lambda: "so far" in person.text("#search-state"), "the search, found again")
    assert person.is_shown("#cancel-search")
    assert person.selected() == []
    let_go.set()
    person.until(lambda: "Minimal" in person.text("#search-state"), "its end")
    person.until(lambda: person.selected() == found(site), "its heads in the selection")


def test_other_windows_see_the_search_and_their_place_behind_it(person, visit, site, let_go):
    same = visit(site, person.state().to_fragment())
    same.until(lambda: "so far" in same.text("#search-state"), "the same search")

    fragment = PageState(prompt="The key to the cabinets", objective="kl").to_fragment()
    other = visit(site, fragment)
    # A sweep as small as this one is made at once, past what runs.
    other.until(lambda: len(other.effects()) == len(HEADS), "its sweep")
    other.clicks("#find")
    behind = other.until(lambda: place_in_queue(other, "#search-state"), "its search waits")
    assert behind == 1  # the search that runs
    other.clicks("#cancel-search")
    other.until(lambda: "Cancelled" in other.text("#search-state"), "a waiting search cancelled")

    same.looks_here()
    same.clicks("#cancel-search")
    same.until(lambda: same.text("#search-state").startswith("Cancelled"), "cancelled here")
    person.looks_here()
    person.until(lambda: person.text("#search-state").startswith("Cancelled"), "and seen there")


def place_in_queue(person, where: str) -> int | None:
    """N of "N jobs before yours"."""
    told = re.search(r"(\d+) jobs? before yours", person.text(where))
    return int(told[1]) if told else None


def found(site):
    """The heads that the command line finds."""
    return sorted(site.cli("search", *DEFAULT_QUESTION, "--flip-to", " John")["heads"])
