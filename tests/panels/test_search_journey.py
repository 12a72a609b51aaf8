"""A search from the button to the selection, through the page's callback, cancelled midway."""

import threading
import time
from types import SimpleNamespace

import pytest

from attention_viz.app import create_app
from attention_viz.models.catalogue import Catalogue
from attention_viz.records.ablation import PredictionRequest
from attention_viz.records.errors import Cancelled
from attention_viz.records.ids import HeadId
from attention_viz.records.page import PageState
from attention_viz.records.question import TokensRequest
from attention_viz.records.search import SearchRequest, SearchResult
from attention_viz.records.tokens import Token, Tokens
from attention_viz.workbench import Workbench
from tests.panels.fakes import ENTRIES, info_of

MARY, JOHN = Token(7, " Mary"), Token(8, " John")
STATE = PageState(prompt="When Mary and John", flip_to=8)


def predict(model, request, pace):
    return SimpleNamespace(top=[SimpleNamespace(token=MARY)], distractor=JOHN)


def read(model, request, pace):
    return SimpleNamespace(tokens=[MARY])


def search(model, request, pace):
    """Finds a head at once, and goes on until it is told to stop."""
    found = SearchResult(
        request,
        Tokens((MARY,), False),
        0,
        (HeadId(1, 2),),
        (),
        0.5,
        JOHN,
        True,
        None,
        None,
        (),
        4,
        0.1,
        "running",
    )
    try:
        for step in range(2000):
            pace.report(step, 2000, found)
            time.sleep(0.005)
    except Cancelled:
        return found
    raise AssertionError("nobody cancelled")


@pytest.fixture
def bench():
    vocabulary = SimpleNamespace(
        size=100, token=lambda number: Token(number, " John"), find=lambda text: JOHN.id
    )
    model = SimpleNamespace(info=info_of(), vocabulary=vocabulary)
    bench = Workbench(
        Catalogue(ENTRIES),
        registry={TokensRequest: read, PredictionRequest: predict, SearchRequest: search},
        loader=lambda entry, **_: model,
    )
    bench.wait("embedded")
    yield bench
    bench.close()


def test_a_cancelled_search_leaves_what_it_found_in_the_selection(bench):
    page = Page(bench)
    found = page.asks(act="find", payload={})["outcome"]
    assert found["changes"] == {} and "says" not in found
    (job,) = page.followed
    assert list(found["marks"].values())[0].startswith(job)

    _wait_for(lambda: bench.jobs.status(job).partial is not None)
    part = page.asks(parts=["search-state"])["parts"]["search-state"]
    assert "so far" in part["html"] and "L1H2" in part["html"]
    assert 'data-act="cancel"' in part["html"] and job in part["html"]
    marks = {"search-state": part["marks"]}
    _wait_for(lambda: page.ticks(marks)["parts"])  # it goes on
    assert page.followed == [job] and page.state.heads == ()

    told = page.asks(act="cancel", payload={"job": job})["outcome"]
    assert list(told["marks"].values())[0].startswith(job)
    _wait_for(lambda: bench.jobs.status(job).is_over)
    later = page.ticks(marks)
    assert "Cancelled" in later["parts"]["search-state"]["html"]
    assert later["outcome"]["changes"] == {"shared.heads": ["L1H2"]}
    assert "L1H2" in later["outcome"]["says"][0]["message"]
    assert page.state.heads == ("L1H2",) and page.followed == []

    rest = page.ticks({"search-state": later["parts"]["search-state"]["marks"]})
    assert rest["outcome"] == {} and rest["parts"] == {}


def test_a_second_tab_finds_the_search_again_and_a_third_page_does_not(bench):
    first, second, other = Page(bench), Page(bench), Page(bench, STATE.change(max_heads=2))
    first.asks(act="find", payload={})
    _wait_for(lambda: bench.jobs.status(first.followed[0]).state == "running")
    second.asks(act="fit", payload={})
    other.asks(act="fit", payload={})
    assert second.followed == first.followed and other.followed == []
    bench.jobs.cancel(first.followed[0])


class Page:
    """A tab: what its scripts keep of what they are told."""

    def __init__(self, bench, state=STATE):
        self.app = create_app(bench)
        self.state = state
        self.followed: list[str] = []

    def asks(self, **asked):
        told = self._send({"n": 1, "page": self.state.to_sparse(), "local": {}} | asked)
        outcome = told.get("outcome", {})
        self.followed = outcome.get("followed", self.followed)
        page = self.state.to_json()
        for address, value in outcome.get("changes", {}).items():
            section, _, name = address.partition(".")
            page[section][name] = value
        self.state = PageState.from_json(page)
        return told

    def ticks(self, marks):
        return self.asks(watch=marks, followed=self.followed, wanted=None)

    def _send(self, asked):
        (entry,) = self.app.callback_map.values()
        return entry["callback"].__wrapped__(asked)


def _wait_for(is_so) -> None:
    over = threading.Event()
    for _ in range(400):
        if is_so():
            return
        over.wait(0.01)
    raise AssertionError("waited in vain")
