"""A browser, a server, and a person at the page; afterwards, what no journey may leave behind.

Selenium (from dash[testing]) drives Chromium. Without Chromium or its driver the journeys are
skipped with a note, or fail where ATTENTION_VIZ_REQUIRE_BROWSER=1. After every journey the
browser's own logs are read: no request went anywhere but to this test's server, none was
refused, and the console has no errors. After a failure there is a screenshot in `tmp_path`.
"""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException

from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import load_model
from attention_viz.records.model import EMBEDDED
from attention_viz.workbench import REGISTRY, Workbench
from tests.browser import chromium
from tests.browser.person import PATIENCE, Person
from tests.browser.site import Site, served

_FAILED = pytest.StashKey[bool]()


def pytest_configure(config):
    # Selenium 4.2, which dash[testing] asks for, is older than the libraries it calls.
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:selenium")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    """One browser for all journeys; each opens windows of its own."""
    if lacks := chromium.missing():
        _missing(lacks)
    try:
        chrome = chromium.start()
    except WebDriverException as error:
        _missing(f"Chromium didn't start ({str(error).strip().splitlines()[0]})")
    chrome.set_page_load_timeout(PATIENCE)
    chrome.set_script_timeout(PATIENCE)
    yield chrome
    chrome.quit()


def _missing(what: str) -> None:
    note = f"browser journeys: {what}; on Debian: apt install chromium chromium-driver"
    if os.environ.get("ATTENTION_VIZ_REQUIRE_BROWSER") == "1":
        pytest.fail(note, pytrace=False)
    pytest.skip(note)


@pytest.fixture(scope="session")
def embedded_model():
    """The embedded model, loaded once; every site gets it without waiting."""
    return load_model(Catalogue.standard().entry(EMBEDDED), device="cpu")


@pytest.fixture
def serve_page(embedded_model):
    """serve_page(catalogue, registry, loader) → Site: a server with a workbench of its own, so
    that a journey meets neither jobs nor results of another one."""

    def load(entry, **settings):
        return embedded_model if entry.name == EMBEDDED else load_model(entry, **settings)

    with ExitStack() as stack:

        def serve(catalogue=None, registry=REGISTRY, loader=load) -> Site:
            workbench = Workbench(
                catalogue or Catalogue.standard(), device="cpu", registry=registry, loader=loader
            )
            return stack.enter_context(served(workbench))

        yield serve


@pytest.fixture
def visit(browser, request, tmp_path, serve_page):
    """visit(site) → Person with the page open in a window of its own.

    It needs `serve_page` so that windows are closed before their server is.
    """
    blank = browser.current_window_handle
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # what is left of the journey before
    sites: list[Site] = []

    def open_page(site: Site, fragment: str = "") -> Person:
        sites.append(site)
        browser.switch_to.new_window("window")
        browser.set_window_size(*chromium.SIZE)
        person = Person(browser, site.url, tmp_path / "downloads")
        person.opens(fragment)
        return person

    yield open_page
    if request.node.stash.get(_FAILED, False):
        browser.save_screenshot(str(tmp_path / "screenshot.png"))
        print(f"screenshot: {tmp_path / 'screenshot.png'}")
    console, network = browser.get_log("browser"), browser.get_log("performance")
    for window in browser.window_handles:
        if window != blank:
            browser.switch_to.window(window)
            browser.close()
    browser.switch_to.window(blank)
    _check_console(console)
    _check_network(network, sites)


@pytest.fixture
def site(serve_page) -> Site:
    """The page as most journeys need it: the embedded model only, nothing measured yet."""
    return serve_page()


@pytest.fixture
def person(visit, site) -> Person:
    """Somebody who has just opened the page."""
    return visit(site)


def _check_console(log: list[dict]) -> None:
    errors = [entry["message"] for entry in log if entry["level"] == "SEVERE"]
    assert not errors, f"errors in the browser's console: {errors}"


def _check_network(log: list[dict], sites: list[Site]) -> None:
    events = [json.loads(entry["message"])["message"] for entry in log]
    asked = _urls(events, "Network.requestWillBeSent", "request")
    here = tuple(site.url for site in sites)
    inside = ("data:", "blob:", "about:", "chrome:", "devtools:")
    left = [url for url in asked if not url.startswith((*here, *inside))]
    assert not left, f"requests to elsewhere: {left}"
    for url in here:
        assert any(each.startswith(url) for each in asked), "the network was not watched"
    refused = _urls(
        (e for e in events if e["params"].get("response", {}).get("status", 0) >= 400),
        "Network.responseReceived",
        "response",
    )
    assert not refused, f"the server refused: {refused}"


def _urls(events, method: str, part: str) -> list[str]:
    return [event["params"][part]["url"] for event in events if event["method"] == method]
