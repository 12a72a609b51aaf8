"""A search from the button to the selection, through the registered callbacks, cancelled midway."""

import threading
import time
from types import SimpleNamespace

import pytest
from dash import no_update

from attention_viz.app import create_app
from attention_viz.models.catalogue import Catalogue
from attention_viz.records.ablation import PredictionRequest
from attention_viz.records.errors import Cancelled
from attention_viz.records.ids import HeadId
from attention_viz.records.page import PageState
from attention_viz.records.search import SearchRequest, SearchResult
from attention_viz.records.tokens import Token, Tokens
from attention_viz.workbench import Workbench
from tests.panels.fakes import ENTRIES, info_of

MARY, JOHN = Token(7, " Mary"), Token(8, " John")
STATE = PageState(prompt="When Mary and John", flip_to=8)
NO_NEWS = [None] * 7


def predict(model, request, pace):
    return SimpleNamespace(top=[SimpleNamespace(token=MARY)], distractor=JOHN)


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
    model = SimpleNamespace(info=info_of(), tokens=None)
    bench = Workbench(
        Catalogue(ENTRIES),
        registry={PredictionRequest: predict, SearchRequest: search},
        loader=lambda entry, **_: model,
    )
    bench.wait("embedded")
    yield bench
    bench.close()


def test_a_cancelled_search_leaves_what_it_found_in_the_selection(bench):
    app = create_app(bench)
    find, end = _callback(app, "search", "find"), _callback(app, "search", "end")
    tell = _callback(app, "news", "tell")
    page = STATE.to_json()

    sent, followed, chosen, says = find(1, None, page)
    assert says is no_update and chosen is no_update
    job = sent["job"]
    assert followed.to_plotly_json()["operations"][0]["location"] == [job]

    _wait_for(lambda: bench.jobs.status(job).partial is not None)
    news = tell(None, None, None, sent, *NO_NEWS, {job: True}, page)
    assert news[0]["jobs"][0]["id"] == job
    assert news[4].startswith(f"{job} running") and news[6] == []
    assert news[-1] is False  # the timer goes on

    bench.jobs.cancel(job)
    _wait_for(lambda: bench.jobs.status(job).is_over)
    later = tell({"count": 5}, None, None, sent, *news[:7], {job: True}, page)
    assert later[0]["over"] == [job] and later[6] == [job]
    assert later[7:] == (5, True)  # answered; the timer rests

    patch, still, says = end(later[6], {job: True}, page)
    change = patch.to_plotly_json()["operations"][0]
    assert change["location"] == ["heads"] and change["params"]["value"] == ["L1H2"]
    assert still == {} and "L1H2" in says[0]["message"]
    assert end(later[6], still, page) == (no_update,) * 3


def _callback(app, module, name):
    functions = [
        entry["callback"].__wrapped__ for entry in app.callback_map.values() if "callback" in entry
    ]
    wanted = (f"attention_viz.panels.{module}", name)
    return next(f for f in functions if (f.__module__, f.__name__) == wanted)


def _wait_for(is_so) -> None:
    over = threading.Event()
    for _ in range(400):
        if is_so():
            return
        over.wait(0.01)
    raise AssertionError("waited in vain")
