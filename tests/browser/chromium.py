"""Headless Chromium with its driver, as the journeys and the page's benchmark start it."""

import shutil

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_DRIVERS = ("chromedriver", "chromium.chromedriver")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A window behind another one goes on working, as on a second screen.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--force-device-scale-factor=1",
    "--blink-settings=preferredColorScheme=1",  # light, whatever the machine prefers
)
SIZE = (1440, 1100)  # px, of a window


def missing() -> str:
    """What of the browser this machine lacks; "" where it has both parts."""
    if _find(_BROWSERS) is None:
        return "no Chromium"
    return "" if _find(_DRIVERS) else "no driver of Chromium (chromedriver)"


def start() -> webdriver.Chrome:
    """A browser that keeps logs of its console and network; with a fresh profile."""
    options = Options()
    options.binary_location = _find(_BROWSERS)
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service(_find(_DRIVERS)), options=options)


def _find(names: tuple[str, ...]) -> str | None:
    return next((path for path in map(shutil.which, names) if path), None)
