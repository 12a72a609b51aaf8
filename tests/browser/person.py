"""What a person does at the page, and what they see there.

Doing waits until the thing is there; seeing reads the page as it is now, so tests wait with
`until`. Nothing sleeps for a fixed time.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    JavascriptException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from tests.browser.wording import to_number

PATIENCE = 45.0  # seconds; a busy machine may need many, an idle one far below one
_LOOK_AGAIN = 0.05  # seconds
_STEADY = 0.4  # seconds without a change
_NOT_YET = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    JavascriptException,
    NoSuchElementException,
    StaleElementReferenceException,
    AssertionError,
    BadInput,  # an address between two states
    FileNotFoundError,
    LookupError,
    ValueError,
)

T = TypeVar("T")


class Person:
    """Somebody with the page open in one window of the browser."""

    def __init__(self, browser: Any, url: str, downloads: Path):
        self.browser = browser
        self.url = url
        self.downloads = downloads
        self.window = browser.current_window_handle

    # Waiting and looking

    def until(self, claim: Callable[[], T], what: str) -> T:
        """Wait until `claim()` is true and return it; a page being redrawn counts as not yet."""
        end = time.monotonic() + PATIENCE
        last: Any = None
        while time.monotonic() < end:
            try:
                last = claim()
                if last:
                    return last
            except _NOT_YET as error:
                last = error
            time.sleep(_LOOK_AGAIN)
        raise AssertionError(f"after {PATIENCE:.0f} s not: {what}; last: {last}; {self.toasts()}")

    def steady(self, read: Callable[[], T]) -> T:
        """What `read()` says once it says the same for a while: things move while a page is laid
        out.
        """
        known, since = None, time.monotonic()

        def is_steady() -> bool:
            nonlocal known, since
            now = read()
            if now != known:
                known, since = now, time.monotonic()
            return time.monotonic() - since > _STEADY

        self.until(is_steady, "the page at rest")
        return known

    def js(self, script: str, *values: Any) -> Any:
        return self.browser.execute_script(script, *values)

    def text(self, selector: str) -> str:
        """The text people see, blanks and line breaks as one space; "" where there is none."""
        found = self.js("return document.querySelector(arguments[0])?.innerText", selector)
        return " ".join((found or "").split())

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)"
        return [" ".join(text.split()) for text in self.js(script, selector)]

    def attributes(self, selector: str, *names: str) -> list[tuple[str | None, ...]]:
        """These attributes of each element, read at once."""
        script = (
            "return [...document.querySelectorAll(arguments[0])]"
            ".map(e => arguments[1].map(name => e.getAttribute(name)))"
        )
        return [tuple(values) for values in self.js(script, selector, names)]

    def is_shown(self, selector: str) -> bool:
        """Whether it is there, with a size, and not hidden."""
        script = "return Boolean(document.querySelector(arguments[0])?.getClientRects().length)"
        return self.js(script, selector)

    def element(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    # Doing

    def opens(self, fragment: str = "") -> None:
        """Open the page, or a link to it, and wait for the frame."""
        self.browser.execute_cdp_cmd(
            "Browser.setDownloadBehavior",
            {"behavior": "allow", "downloadPath": str(self.downloads)},
        )
        self.browser.get(self.url + fragment)
        self.until(lambda: self.is_shown("#prompt"), "the page's frame")

    def looks_here(self) -> "Person":
        """Come back to this window from another one."""
        self.browser.switch_to.window(self.window)
        return self

    def clicks(self, selector: str) -> None:
        def click() -> bool:
            element = self.element(selector)
            self.js("arguments[0].scrollIntoView({block: 'center'})", element)
            element.click()
            return True

        self.until(click, f"a click on {selector}")

    def clicks_at(self, x: float, y: float) -> None:
        """Click a place in the window, px from its top left corner."""
        actions = ActionChains(self.browser, duration=50)
        actions.w3c_actions.pointer_action.move_to_location(round(x), round(y))
        actions.w3c_actions.pointer_action.click()
        actions.perform()

    def drags(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press at one place of the window, move to another one, let go."""
        actions = ActionChains(self.browser, duration=50)
        pointer = actions.w3c_actions.pointer_action
        pointer.move_to_location(*map(round, start))
        pointer.pointer_down()
        for share in (0.3, 0.7, 1.0):
            at = [round(a + share * (b - a)) for a, b in zip(start, end, strict=True)]
            pointer.move_to_location(*at)
        pointer.pointer_up()
        actions.perform()

    def presses(self, *keys: str) -> None:
        """Keys, wherever the focus is."""
        ActionChains(self.browser).send_keys(*keys).perform()

    def writes(self, selector: str, text: str) -> None:
        """Replace the text in a box."""

        def write() -> bool:
            box = self.element(selector)
            box.send_keys(Keys.CONTROL, "a")
            box.send_keys(Keys.BACKSPACE)
            if text:
                box.send_keys(text)
            return self.js("return arguments[0].value", box) == text

        self.until(write, f"{text!r} in {selector}")

    def runs_prompt(self, prompt: str, counterfactual: str | None = None) -> None:
        """Type a prompt, and a counterfactual where one is given, and press Run."""
        self.writes("#prompt", prompt)
        if counterfactual is not None:
            self.writes("#counterfactual", counterfactual)
        self.clicks("#run")

    def picks_example(self, title: str) -> None:
        self.clicks("#examples")
        script = (
            "return [...document.querySelectorAll('.example-title')]"
            ".find(e => e.innerText === arguments[0] && e.getClientRects().length)"
        )
        entry = self.until(lambda: self.js(script, title), f"the example {title}")
        entry.click()

    def chooses(self, group: str, label: str) -> None:
        """Press one of a few labelled choices beside each other."""
        script = """return [...document.querySelectorAll(arguments[0] + ' label')]
            .find(each => each.innerText.trim() === arguments[1])"""

        def press() -> bool:
            choice = self.js(script, group, label)
            if choice is not None:
                self.js("arguments[0].scrollIntoView({block: 'center'})", choice)
                choice.click()
            return choice is not None

        self.until(press, f"the choice {label!r}")

    def reloads(self) -> None:
        self.browser.refresh()
        self.until(lambda: self.is_shown("#prompt"), "the page's frame")

    def opens_view(self, name: str) -> None:
        self.clicks(f"#tab-{name}")
        self.until(lambda: self.is_shown(f"#view-{name}"), f"the view {name}")

    def clicks_head(self, head: str) -> None:
        """Select or deselect a head in the grid."""
        self.clicks(f".head-grid [data-head={head}]")

    def clears_heads(self) -> None:
        self.clicks("#clear-heads")
        self.until(lambda: not self.selected(), "no heads selected")

    def selects(self, *heads: str) -> None:
        """Select exactly these heads, by clicks in the grid."""
        self.until(self.grid, "the head grid")
        if self.selected():
            self.clears_heads()
        for head in heads:
            self.clicks_head(head)
        self.until(lambda: self.selected() == sorted(heads), f"{heads} selected")

    def picks_in_menu(self, menu: str, label: str, typed: str = "") -> None:
        """Open a dropdown, type what is to be typed, and take the line with this text or value."""
        self.opens_menu(menu)
        if typed:
            # Looked at and typed again where a letter is swallowed: options that come in while the
            # menu opens can take the focus for a moment.
            self.writes(".dash-dropdown-search-container input", typed)
        script = """return [...document.querySelectorAll('.dash-dropdown-option')].find((line) =>
            [line.innerText.trim(), line.querySelector('input').value].includes(arguments[0]))"""

        def take() -> bool:
            line = self.js(script, label)
            if line is not None:
                line.click()
            return line is not None

        self.until(take, f"{label!r} in {menu}")

    def opens_menu(self, menu: str) -> None:
        self.clicks(f"#{menu}")
        self.until(lambda: self.is_shown(".dash-dropdown-content"), f"the menu {menu}")

    def closes_menu(self) -> None:
        self.presses(Keys.ESCAPE)
        self.until(lambda: not self.is_shown(".dash-dropdown-content"), "the menu closed")

    def saves(self, press: Callable[[], None], name: str) -> bytes:
        """Press what downloads a file of this name, and read the file."""
        path = self.downloads / name
        path.unlink(missing_ok=True)
        press()
        # The browser writes to another name, and renames what is whole.
        self.until(lambda: path.stat().st_size, f"the file {name}")
        return path.read_bytes()

    # Seeing

    def state(self) -> PageState:
        """What the address says the page shows."""
        fragment = self.js("return window.location.hash")
        return PageState.from_fragment(fragment) if fragment else PageState()

    def theme(self) -> str:
        return self.js("return document.documentElement.getAttribute('data-bs-theme')")

    def toasts(self) -> list[str]:
        """Messages in the corner, the newest first: "title message remedy"."""
        return self.texts(".toasts .toast")

    def selected(self) -> list[str]:
        """Heads pressed in the grid."""
        return sorted(
            head for (head,) in self.attributes(".head-grid [aria-pressed=true]", "data-head")
        )

    def grid(self) -> dict[str, str]:
        """What the grid says of each head: "L2H3: KL divergence 0.1234 nats, zero; …"."""
        return dict(self.attributes(".head-grid .cell", "data-head", "title"))

    def effects(self) -> dict[str, float]:
        """The effect of each head, as the grid says it; heads not measured are left out."""
        found = {}
        for head, title in self.grid().items():
            measured = re.search(r" ([+−]?\d+\.\d+) (nats|logits|probability|ranks)", title)
            if measured:
                found[head] = to_number(measured[1])
        return found

    def bars(self, run: str) -> dict[int, float]:
        """Probabilities in the rail, by token id; `run` is "clean" or "ablated"."""
        script = """return [...document.querySelectorAll('.bar-row[data-token]')].map(row =>
            [row.dataset.token, row.querySelector('.bar.' + arguments[0])?.title])"""
        rows = [(token, title) for token, title in self.js(script, run) if title]
        return {int(token): to_number(title) for token, title in rows}

    def top_token(self, run: str) -> str:
        """The most probable token of a run in the rail, as it is written there."""
        bars = self.bars(run)
        best = max(bars, key=bars.get)
        return self.text(f".bar-row[data-token='{best}'] .token-text").replace(" ", "")

    def token_chips(self) -> list[str]:
        """The prompt's tokens below the prompt, with their positions left out."""
        return self.texts("#tokens .token .token-text")

    def figure(self, selector: str, trace: int = 0) -> dict[str, Any]:
        """What a plotly figure shows: {type, x, y, z, text, customdata, title, shapes}."""
        script = """
            const graph = document.querySelector(arguments[0] + ' .js-plotly-plot');
            const plain = (part) => ArrayBuffer.isView(part) ? [...part].map(plain)
              : Array.isArray(part) ? part.map(plain) : part;
            const trace = graph._fullData[arguments[1]];
            const parts = ['type', 'x', 'y', 'z', 'text', 'customdata'];
            const shown = Object.fromEntries(parts.map((name) => [name, plain(trace[name])]));
            shown.title = graph._fullLayout.title?.text;
            shown.shapes = graph.layout.shapes || [];
            return shown;"""
        return self.js(script, selector, trace)

    def place_in_figure(self, selector: str, x: float, y: float) -> tuple[float, float]:
        """Where a point of a figure is in the window, px; the figure is scrolled into view."""
        script = """
            const graph = document.querySelector(arguments[0] + ' .js-plotly-plot');
            graph.scrollIntoView({block: 'center'});
            const box = graph.getBoundingClientRect(), {xaxis, yaxis} = graph._fullLayout;
            return [box.left + xaxis._offset + xaxis.d2p(arguments[1]),
                    box.top + yaxis._offset + yaxis.d2p(arguments[2])];"""
        return tuple(self.steady(lambda: self.js(script, selector, x, y)))

    def place_of_node(self, node: str) -> tuple[float, float]:
        """Where a node of the circuit is in the window, px; the graph is scrolled into view."""
        script = """
            const box = document.getElementById('circuit-graph');
            box.scrollIntoView({block: 'center'});
            const {left, top} = box.getBoundingClientRect();
            const at = box._cyreg.cy.getElementById(arguments[0]).renderedPosition();
            return [left + at.x, top + at.y];"""
        return tuple(self.steady(lambda: self.js(script, node)))

    def graph(self, part: str) -> list[dict[str, Any]]:
        """The circuit's "nodes" (with their x and y in the drawing) or "edges" as drawn."""
        script = """
            const cy = document.getElementById('circuit-graph')._cyreg.cy;
            const parts = cy[arguments[0]]().filter(
                (each) => !['guide', undefined].includes(each.data('kind')));
            return parts.map((each) => ({...each.data(), ...(each.isNode() ? each.position() : {})}
            ));"""
        return self.js(script, part)

    def table(self, label: str) -> list[list[str]]:
        """The rows of the table with this label, hidden or not."""
        script = """
            const table = document.querySelector(`table[aria-label="${arguments[0]}"]`);
            return [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) =>
                cell.textContent.trim()));"""
        return self.js(script, label)
