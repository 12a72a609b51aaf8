"""Does what a person does at the page, by real input events, and measures what that costs.

Events go in through the browser's own door (CDP Input.dispatch…), so the page can't tell them
from a hand's. Inside, `probe.js` notes when the elements that an action is to change were changed
last; the time of an action is from its event's own time stamp to that. An action is over when
it has done what its claim says, no request is under way, and for QUIET ms nothing was asked and
nothing it changes was changed.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).with_name("probe.js")
QUIET = 500  # ms
PATIENCE = 90_000  # ms; a busy machine may need many
_HOVER = 0.15  # seconds for what the pointer's arrival changes
_CALLS = ("XHR", "Fetch", "EventSource", "Ping")
_TASKS = ("TaskDuration", "ScriptDuration")
_KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "Enter": 13}


class TooLate(AssertionError):
    """The page didn't do in time what was claimed of it."""


# Gestures. A place is JavaScript: facts of the case → an element, or [x, y] in the window.


@dataclass(frozen=True)
class Click:
    place: str
    starts = "click"


@dataclass(frozen=True)
class Press:
    """A key, with the focus in an element."""

    place: str
    key: str
    starts = "keydown"


@dataclass(frozen=True)
class Drag:
    """By so many px; timed from letting go."""

    place: str
    by: tuple[int, int]
    starts = "mouseup"


@dataclass(frozen=True)
class Visit:
    """Open the case's link in an empty window; timed from the navigation's start.

    `is_first`: nothing of the page is in the browser's cache.
    """

    is_first: bool
    starts = ""


Gesture = Click | Press | Drag | Visit


@dataclass(frozen=True)
class Watch:
    """What an action changes, as CSS; `until`: the time counts when this was first true for good.

    `inside`: elements with all in them; `itself`: elements with their own attributes only.
    `until` is JavaScript, facts → truth.
    """

    inside: str = ""
    itself: str = ""
    until: str = ""


@dataclass(frozen=True)
class Traffic:
    """What went over the network, headers included."""

    requests: int  # of a visit all, else calls of the page
    sent: int  # bytes
    received: int  # bytes; what came from the browser's cache is none


@dataclass(frozen=True)
class Seen:
    """What one action was seen to take."""

    ms: dict[str, float]  # by result
    requests: int
    main_thread_ms: float  # tasks of the page's main thread, until it rests
    script_ms: float
    components: int  # of Dash, mounted afterwards
    elements: int  # of the DOM, afterwards
    traffic: Traffic | None = field(default=None)


class Probe:
    """A window of the browser on a page, with `probe.js` in it."""

    def __init__(self, browser: Any, url: str, reads_network: bool = True):
        self.browser = browser
        self.url = url.rstrip("/") + "/"
        self._reads_network = reads_network
        browser.set_script_timeout(2 * PATIENCE / 1000)
        self.cdp("Page.enable")
        self.cdp("Performance.enable")
        self.cdp("Network.enable")
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source=_SCRIPT.read_text())

    def cdp(self, command: str, **values: Any) -> dict[str, Any]:
        return self.browser.execute_cdp_cmd(command, values)

    def js(self, script: str, *values: Any) -> Any:
        return self.browser.execute_script(script, *values)

    def call(self, function: str, *values: Any) -> Any:
        """What a JavaScript function returns."""
        return self.js(f"return ({function})(...arguments)", *values)

    # Getting there; not measured

    def shows(self, link: str, done: str, facts: Any = None) -> None:
        """Bring the page to a link's state; a page that is open follows its address."""
        here = self.js("return location.href.split('#')[0]")
        if here == self.url:
            self.js("location.hash = arguments[0]", link)
        else:
            self.browser.get(self.url + link)
        self.rests(done, facts)

    def rests(self, done: str = "() => true", facts: Any = None, quiet: int = QUIET) -> dict:
        """Wait until a claim is true and the page does nothing more."""
        script = """const [done, facts, quiet, patience, tell] = arguments;
            pageProbe.settled(done, facts, quiet, patience).then(tell);"""
        report = self.browser.execute_async_script(script, done, facts, quiet, PATIENCE)
        if report["isLate"]:
            raise TooLate(f"after {PATIENCE / 1000:.0f} s not: {done} ({report['waits']})")
        return report

    def writes(self, place: str, text: str) -> None:
        """Replace the text in a box."""
        self.js(
            "const box = document.querySelector(arguments[0]); box.focus(); box.select()", place
        )
        self.cdp("Input.insertText", text=text)

    # The action

    def does(
        self, gesture: Gesture, watches: dict[str, Watch], *, done: str, facts: Any, link: str = ""
    ) -> Seen:
        """Do it and watch until the page rests. Raises TooLate where it doesn't."""
        go = self._prepared(gesture, facts, link)
        task = {
            "starts": gesture.starts,
            "results": {key: asdict(watch) for key, watch in watches.items()},
            "facts": facts,
        }
        self._traffic()  # what came before is forgotten
        before = self._busy()
        if isinstance(gesture, Visit):
            arm = f"pageProbe.arm({json.dumps(task)})"
            script = self.cdp("Page.addScriptToEvaluateOnNewDocument", source=arm)
            go()
            self.cdp("Page.removeScriptToEvaluateOnNewDocument", **script)
        else:
            self.js("pageProbe.arm(arguments[0])", task)
            go()
        try:
            report = self.rests(done, facts)
        finally:
            self.js("pageProbe.disarm()")
        after = self._busy()
        traffic = self._traffic(is_visit=isinstance(gesture, Visit))
        missing = [key for key, at in report["at"].items() if at is None]
        if missing:
            raise TooLate(f"nothing changed of {', '.join(missing)}")
        # A visit may have its own process, whose clocks begin at 0.
        spent = {
            name: after[name] - (before[name] if after[name] >= before[name] else 0)
            for name in _TASKS
        }
        return Seen(
            ms={key: at - report["start"] for key, at in report["at"].items()},
            requests=traffic.requests if traffic else report["requests"],
            main_thread_ms=spent["TaskDuration"],
            script_ms=spent["ScriptDuration"],
            components=report["components"],
            elements=report["elements"],
            traffic=traffic,
        )

    def _prepared(self, gesture: Gesture, facts: Any, link: str) -> Callable[[], None]:
        """All but the event that starts it."""
        if isinstance(gesture, Visit):
            self.browser.get("about:blank")
            if gesture.is_first:
                self.cdp("Network.clearBrowserCache")
            return lambda: self.browser.get(self.url + link)
        if isinstance(gesture, Press):
            self.call(f"facts => ({gesture.place})(facts).focus()", facts)
            return lambda: self._key(gesture.key)
        x, y = self._middle(gesture.place, facts)
        self._mouse("mouseMoved", x, y)
        time.sleep(_HOVER)
        if isinstance(gesture, Click):
            return lambda: self._click(x, y)
        self._mouse("mousePressed", x, y)
        for share in (0.3, 0.7, 1.0):
            end = (x + share * gesture.by[0], y + share * gesture.by[1])
            self._mouse("mouseMoved", *end, buttons=1)
        time.sleep(_HOVER)
        return lambda: self._mouse("mouseReleased", *end)

    def _middle(self, place: str, facts: Any) -> tuple[float, float]:
        script = f"""facts => {{
            const found = ({place})(facts);
            if (!(found instanceof Element)) return found;
            found.scrollIntoView({{block: "center"}});
            const box = found.getBoundingClientRect();
            return [box.left + box.width / 2, box.top + box.height / 2];
        }}"""
        x, y = self.call(script, facts)
        return x, y

    def _click(self, x: float, y: float) -> None:
        self._mouse("mousePressed", x, y)
        self._mouse("mouseReleased", x, y)

    def _mouse(self, event: str, x: float, y: float, buttons: int = 0) -> None:
        values = {"type": event, "x": x, "y": y, "buttons": buttons}
        if event != "mouseMoved":
            values |= {"button": "left", "clickCount": 1}
        elif buttons:
            values |= {"button": "left"}
        self.cdp("Input.dispatchMouseEvent", **values)

    def _key(self, key: str) -> None:
        code = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
        self.cdp("Input.dispatchKeyEvent", type="rawKeyDown", **code)
        self.cdp("Input.dispatchKeyEvent", type="keyUp", **code)

    def _busy(self) -> dict[str, float]:
        """ms by name, since the page began."""
        values = self.cdp("Performance.getMetrics")["metrics"]
        return {each["name"]: 1000 * each["value"] for each in values}

    def _traffic(self, is_visit: bool = False) -> Traffic | None:
        """Since it was asked last."""
        if not self._reads_network:
            return None
        events = (json.loads(e["message"])["message"] for e in self.browser.get_log("performance"))
        return _traffic_of(list(events), self.url, is_visit)


def _traffic_of(events: list[dict], url: str, is_visit: bool) -> Traffic:
    def of(method: str) -> list[dict]:
        return [e["params"] for e in events if e["method"] == f"Network.{method}"]

    asked = {
        each["requestId"]: each["request"]
        for each in of("requestWillBeSent")
        if each["request"]["url"].startswith(url) and (is_visit or each.get("type") in _CALLS)
    }
    headers = {
        each["requestId"]: sum(
            len(name) + len(value) + 4 for name, value in each["headers"].items()
        )
        for each in of("requestWillBeSentExtraInfo")
    }
    bodies = sum(len((each.get("postData") or "").encode()) for each in asked.values())
    received = sum(
        each["encodedDataLength"] for each in of("loadingFinished") if each["requestId"] in asked
    )
    sent = bodies + sum(headers.get(each, 0) for each in asked)
    return Traffic(len(asked), round(sent), round(received))
