"""What a person does at the page, and what they see there.

Doing waits until the thing is there; seeing reads the page as it is now, so tests wait with
`until`. Nothing sleeps for a fixed time.
"""

import json
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

PATIENCE = 90.0  # seconds; a busy machine may need many, an idle one far below one
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

_IS_OPEN_TO_TYPING = """const box = document.querySelector(arguments[0]);
    return Boolean(box) && !box.disabled"""

# No question is open, nothing is loaded or measured, and every figure is drawn.
_IS_DRAWN = """
    const av = window.attentionViz;
    const lines = ['rail', 'view', 'behind', 'act', 'tick'];
    return Boolean(av?.page) && lines.every((name) => !av.line(name).isBusy)
        && !av.isWaited() && !Object.keys(av.watched()).length
        && !document.querySelector('.is-waiting, .loading')
        && [...document.querySelectorAll('.plot, .matrix, .graph')].every((figure) =>
            figure.dataset.drawn || !figure.getClientRects().length);"""

# Messages go by themselves, on a slow machine between two looks.
_REMEMBER_TOASTS = """
    window.allToasts = window.allToasts || [];
    window.toastsWatched = window.toastsWatched || new MutationObserver((changes) => {
        for (const {addedNodes} of changes) for (const added of addedNodes) {
            if (!added.classList?.contains('toast')) continue;
            const parts = ['strong', '.toast-message', '.toast-remedy'];
            window.allToasts.push(parts.map((part) => added.querySelector(part)?.textContent)
                .filter(Boolean).join(' '));
        }
    }).observe(document, {childList: true, subtree: true}) || true;"""

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
        raise AssertionError(f"after {PATIENCE:.0f} s not: {what}; last: {last}; {self.told()}")

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
        script = """const found = document.querySelector(arguments[0]);
            return Boolean(found?.getClientRects().length) && found.checkVisibility()"""
        return self.js(script, selector)

    def value(self, selector: str) -> str:
        """What a box holds, or the line a menu shows."""
        script = """const box = document.querySelector(arguments[0]);
            return box?.selectedOptions ? box.selectedOptions[0]?.text : box?.value"""
        return self.js(script, selector) or ""

    def chosen(self, group: str) -> str:
        """Which of a few choices beside each other is taken."""
        return self.js("return document.querySelector(arguments[0]).value", f"{group} :checked")

    def element(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    # Doing

    def opens(self, fragment: str = "") -> None:
        """Open the page, or a link to it, and wait for the frame."""
        self.browser.execute_cdp_cmd(
            "Browser.setDownloadBehavior",
            {"behavior": "allow", "downloadPath": str(self.downloads)},
        )
        self.browser.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument", {"source": _REMEMBER_TOASTS}
        )
        self.browser.get("about:blank")  # another fragment alone would not load the page anew
        self.browser.get(self.url + fragment)
        self.until(self.has_begun, "the page's frame")

    def has_begun(self) -> bool:
        """Whether the page is there and its scripts know what it shows."""
        return self.is_shown("#prompt") and self.js("return Boolean(window.attentionViz?.page)")

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

    def resizes(self, width: int, height: int, scale: float = 1) -> None:
        """Make the window so large, in px of CSS; zooming in is a smaller window and a scale."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def settles(self) -> None:
        """Wait until everything asked for is drawn."""
        self.until(lambda: self.js(_IS_DRAWN), "everything drawn")
        markup = "return document.getElementById('results').innerHTML.length"
        self.steady(lambda: (self.js(_IS_DRAWN), self.js(markup)))
        self.until(lambda: self.js(_IS_DRAWN), "everything drawn")

    def presses_together(self, *keys: str) -> None:
        """The last key while the others are held."""
        actions = ActionChains(self.browser)
        for key in keys[:-1]:
            actions.key_down(key)
        actions.send_keys(keys[-1])
        for key in reversed(keys[:-1]):
            actions.key_up(key)
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
            ".find(e => e.innerText === arguments[0] && e.checkVisibility())"
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
        self.until(self.has_begun, "the page's frame")

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

    def picks_in_menu(self, menu: str, label: str) -> None:
        """Take the line of a menu with this text or value."""
        # The lines unfold outside of the page, where no driver reaches.
        script = """
            const menu = document.querySelector(arguments[0]);
            const line = [...menu.options].find((line) =>
                [line.text.trim(), line.value].includes(arguments[1]));
            if (!line || menu.disabled || !menu.checkVisibility()) return false;
            menu.focus();
            line.selected = true;
            for (const name of ['input', 'change']) {
                menu.dispatchEvent(new Event(name, {bubbles: true}));
            }
            return true"""
        self.until(lambda: self.js(script, f"#{menu}", label), f"{label!r} in {menu}")

    def picks_in_list(self, box: str, label: str, typed: str) -> None:
        """Type into a box, and take the line with this text of the list that unfolds."""
        self.types_into_list(box, typed)
        script = """return [...document.querySelectorAll('.combo-list li')].find((line) =>
            line.querySelector('code')?.innerText === arguments[0])"""

        def take() -> bool:
            line = self.js(script, label)
            if line is not None:
                line.click()
            return line is not None

        self.until(take, f"{label!r} in the list of {box}")

    def types_into_list(self, box: str, typed: str) -> None:
        self.until(lambda: self.js(_IS_OPEN_TO_TYPING, f"#{box}"), f"the box {box}")
        self.clicks(f"#{box}")
        self.writes(f"#{box}", typed)
        self.until(lambda: self.is_shown(".combo-list"), f"the list of {box}")

    def leaves_list(self) -> None:
        self.presses(Keys.ESCAPE)
        self.until(lambda: not self.is_shown(".combo-list"), "the list closed")

    def unfolds(self, title: str) -> None:
        """Open the fold with this title: what is in it is drawn only then."""
        script = """return [...document.querySelectorAll('details > summary')].find((line) =>
            line.checkVisibility() && line.innerText.trim().startsWith(arguments[0]))"""

        def unfold() -> bool:
            line = self.js(script, title)
            if not self.js("return arguments[0].parentElement.open", line):
                self.js("arguments[0].scrollIntoView({block: 'center'})", line)
                line.click()
            return self.js("return arguments[0].parentElement.open", line)

        self.until(unfold, f"the fold {title!r}")

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

    def told(self) -> list[str]:
        """All messages since the page was opened, those that are gone as well."""
        return self.js("return window.allToasts || []")

    def sees_toast(self, *parts: str) -> None:
        """A message said all of this; it may be gone already."""

        def is_told() -> bool:
            return any(all(part in toast for part in parts) for toast in self.told())

        self.until(is_told, f"a message with {parts}")

    def requests(self) -> int:
        """How many questions the page has asked of the server."""
        script = """return performance.getEntriesByType('resource')
            .filter((each) => each.initiatorType === 'fetch').length"""
        return self.js(script)

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
        """What a plotly figure shows: {type, x, y, z, text, customdata}."""
        script = """
            const graph = document.querySelector(arguments[0]);
            const plain = (part) => ArrayBuffer.isView(part) ? [...part].map(plain)
              : Array.isArray(part) ? part.map(plain) : part;
            const trace = graph._fullData[arguments[1]];
            const parts = ['type', 'x', 'y', 'z', 'text', 'customdata'];
            return Object.fromEntries(parts.map((name) => [name, plain(trace[name])]));"""
        return self.js(script, selector, trace)

    def matrix(self, selector: str) -> dict[str, Any]:
        """What a heat map was drawn from, see figures/matrix.py."""
        found = self.attributes(f"{selector}[data-drawn]", "data-matrix")
        return json.loads(found[0][0])

    def values(self, selector: str) -> list[list[float]]:
        """The numbers of a heat map, row by row."""
        return self.matrix(selector)["values"]

    def lit(self, selector: str) -> tuple[int, int] | None:
        """The row and the column of a heat map whose names stand out."""
        script = """return ['rows', 'columns'].map((axis) => {
            const names = document.querySelectorAll(`${arguments[0]} .matrix-${axis} span`);
            return [...names].findIndex((name) => name.classList.contains('lit'));
        })"""
        found = tuple(self.js(script, selector))
        return found if min(found) >= 0 else None

    def painted(self, selector: str) -> list[list[bool]]:
        """Of each cell of a heat map, whether it was painted; all of it has to be in sight."""
        script = """
            const map = document.querySelector(arguments[0]);
            const canvas = map.querySelector('canvas'), edge = canvas.getBoundingClientRect();
            const pen = canvas.getContext('2d'), sharp = canvas.width / edge.width;
            const middles = (axis, from, to) =>
                [...map.querySelectorAll(`.matrix-${axis} span`)].map((name) => {
                    const box = name.getBoundingClientRect();
                    return (box[from] + box[to]) / 2;
                });
            const across = middles('columns', 'left', 'right').map((x) => x - edge.left);
            return middles('rows', 'top', 'bottom').map((y) => across.map((x) =>
                pen.getImageData(x * sharp, (y - edge.top) * sharp, 1, 1).data[3] > 0));"""
        return self.js(script, selector)

    def place_in_matrix(self, selector: str, row: int, column: int) -> tuple[float, float]:
        """Where a cell of a heat map is in the window, px; it is scrolled into view."""
        script = """
            const map = document.querySelector(arguments[0]);
            const at = (axis, i) => map.querySelectorAll(`.matrix-${axis} span`)[i]
                .getBoundingClientRect();
            map.scrollIntoView({block: 'center'});
            const [row, column] = [at('rows', arguments[1]), at('columns', arguments[2])];
            return [(column.left + column.right) / 2, (row.top + row.bottom) / 2];"""
        return tuple(self.steady(lambda: self.js(script, selector, row, column)))

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
