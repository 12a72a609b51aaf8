"""The server is stopped and started again while the page is open."""

from attention_viz.models.catalogue import Catalogue
from attention_viz.workbench import Workbench
from tests.browser.site import Site, listening
from tests.browser.wording import HEADS


def test_the_page_says_so_and_goes_on_when_it_is_back(visit):
    with listening(bench()) as port:
        person = visit(Site(f"http://127.0.0.1:{port}/", None))
        person.until(lambda: len(person.effects()) == len(HEADS), "the page")
        person.selects("L2H3")
        person.until(lambda: person.bars("ablated"), "it ablated")
        person.settles()
        before = person.bars("ablated")

    person.clicks_head("L0H5")
    person.sees_toast("The server doesn't answer")
    person.clicks("#tab-lens")
    person.clicks("#find")
    asked = person.requests()
    person.until(lambda: person.requests() > asked, "a look whether it is back")
    # The page works on with what it knows, and asks nothing else meanwhile.
    person.clicks_head("L0H5")
    person.until(lambda: person.bars("ablated") == before, "what was shown before")
    assert person.requests() - asked < 10
    assert sum("doesn't answer" in toast for toast in person.told()) == 1

    with listening(bench(), port):
        person.sees_toast("The server is back")
        person.until(lambda: not any("doesn't answer" in t for t in person.toasts()), "no alarm")
        person.until(lambda: person.values("#lens-map"), "the view opened meanwhile")
        person.sees_toast("Found and selected")  # what was asked for meanwhile
        person.selects("L0H5", "L2H3")
        person.until(lambda: person.bars("ablated") not in ({}, before), "both heads ablated")
        person.runs_prompt("The Eiffel Tower is in", "")
        person.until(lambda: person.top_token("clean") == "␣Paris", "an answer")
        person.settles()
        person.browser.get("about:blank")
    # The browser and Dash write of the requests that were refused, as they should.
    said = [line["message"] for line in person.browser.get_log("browser")]
    assert any("ERR_CONNECTION_REFUSED" in line for line in said), said


def bench():
    workbench = Workbench(Catalogue.standard(), device="cpu")
    workbench.load("embedded")
    return workbench
