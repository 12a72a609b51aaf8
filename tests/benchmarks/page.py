"""What the page takes per action: `python -m tests.benchmarks.page [--json] [--runs 7] [--only …]`.

Starts the server as a user does (`main.py serve`, embedded model, CPU) unless --url names one, and
does in a headless browser what a person does (`tests/browser/actions.py`), by real input events.
Each number is the median of the runs, after one more that is not counted. Every run asks what
nobody asked before (another prompt of the same length, another head, another place of the
slider), so nothing is answered from a cache; only `back` and `second_visit` are about what is
known. Circuit actions share one prompt, whose edge scores are known when they start.

ms             from the event's time stamp to the last change of what the action changes (bars,
               grid, pills and maps; or graph, detail, …); for `open_link` from the start of
               navigation to the first bars, `open_link_heads` to the last head's effect
requests, kb   calls of the page until it rests (of a visit: all requests); headers included;
               `kb_received` of a visit is what came over the network, compressed as it came
main_thread_ms tasks of the page's main thread until it rests
server_ms      user and system time of the server's process, in steps of 10 ms
engine_ms      the same questions asked of the workbench alone, in this process

`components`: Dash components mounted, by view. Goals are the issue's; × is the number over it.
Pages of other commits: `--tree FOLDER` starts the server there. `--model smollm2` (or a folder):
the same on that model; a circuit of a large one is measured by a click of its own, so leave those
actions out (`--only`).
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium.common.exceptions import WebDriverException

from attention_viz.models.catalogue import Catalogue
from attention_viz.records.circuits.pairs import PairsRequest, TokenPair
from attention_viz.records.model import EMBEDDED, ModelEntry
from attention_viz.records.question import Question
from attention_viz.workbench import Workbench
from tests.browser import chromium
from tests.browser.actions import (
    ACTIONS,
    GOALS,
    HAS_BARS,
    MOST_COMPONENTS,
    VIEWS,
    Action,
    Case,
)
from tests.browser.probe import Probe, Seen, TooLate

FAMILY, MOST_CASES = "indirect object ABBA", 400
_AS_USERS_START_IT = dict(os.environ)
VALUES = (
    "ms",
    "requests",
    "kb_sent",
    "kb_received",
    "main_thread_ms",
    "server_ms",
    "engine_ms",
)


@dataclass
class Server:
    """Where it is; its process, where it is known."""

    url: str
    process: int | None

    def busy_ms(self) -> float | None:
        """Processor time so far, of all its threads."""
        if self.process is None:
            return None
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(tree: str, entry: ModelEntry) -> Iterator[Server]:
    """A server of its own, its embedded model ready."""
    command = [sys.executable, "main.py", "serve", "--port", str(_free_port())]
    if all(known.name != entry.name for known in Catalogue.standard().entries):
        command += ["--model", entry.source]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=tree, text=True, env=_AS_USERS_START_IT, **pipes)
    try:
        url = process.stdout.readline().split()[-1]
        if not any("is ready" in line for line in process.stderr):
            raise SystemExit("The server stopped before its model was ready.")
        # Read on, so that a server that complains is not held up.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield Server(url, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Cases:
    """Fresh questions, one after another."""

    def __init__(self, bench: Workbench, model: str = EMBEDDED):
        self._model = model
        # Another seed in each start: a server that goes on running knows the last one's.
        seed = int(time.time()) % 100_000
        plain = Question(model, "")
        asked = bench.measure(PairsRequest(plain, family=FAMILY, count=MOST_CASES, seed=seed))
        length = len(asked.pairs[0].clean.items)
        self._pairs = iter([p for p in asked.pairs if len(p.clean.items) == length])
        self._circuits = self.next_pair()

    def next_pair(self) -> TokenPair:
        return next(self._pairs)

    def next(self, number: int) -> Case:
        return Case(number, self.next_pair(), self._circuits, self._model)


class Benchmark:
    """Runs actions on one page in one browser, and the engine beside them."""

    def __init__(self, server: Server, probe: Probe, bench: Workbench, model: str = EMBEDDED):
        self._server = server
        self._probe = probe
        self._bench = bench
        self._cases = Cases(bench, model)
        self._asker = ThreadPoolExecutor(1)

    def measure(self, action: Action, runs: int) -> dict[str, dict[str, Any]]:
        """Medians by result."""
        found: dict[str, list[dict[str, float | None]]] = {key: [] for key in action.results}
        for number in range(runs + 1):
            case = self._cases.next(number)
            action.before(self._probe, case)
            busy = self._server.busy_ms()
            seen = self._does(action, case)
            server = None if busy is None else self._server.busy_ms() - busy
            for key in action.results:
                engine = self._engine(action, key, case)
                if number:
                    found[key].append(_values(seen, key, server, engine))
        return {key: _medians(rows) for key, rows in found.items()}

    def _does(self, action: Action, case: Case) -> Seen:
        link = action.link(case)
        more = {"done": action.done, "facts": case.facts, "link": link}
        if action.gesture.starts == "" and not action.gesture.is_first:
            self._probe.browser.get("about:blank")
            self._probe.browser.get(self._probe.url + link)
            self._probe.rests(action.done, case.facts)
        return self._probe.does(action.gesture, action.results, **more)

    def _engine(self, action: Action, key: str, case: Case) -> float:
        """ms of the analysis alone, on a workbench that knows nothing of the case."""
        known: dict[Any, Any] = {}

        def ask(request: Any) -> Any:
            if request not in known:
                known[request] = self._bench.measure(request)
            return known[request]

        def timed() -> float:
            action.known(ask, case)
            began = time.perf_counter()
            action.engine[key](ask, case)
            return 1000 * (time.perf_counter() - began)

        # In a thread of its own, as the server's.
        return self._asker.submit(timed).result()

    def components(self) -> dict[str, Any]:
        """Mounted Dash components and elements of the DOM, by view, on one page gone through."""
        case = self._cases.next(0)
        found: dict[str, Any] = {}
        for view in VIEWS:
            link = case.link(view=view, heads=case.heads)
            self._probe.browser.get("about:blank")
            self._probe.browser.get(self._probe.url + link)
            report = self._probe.rests(HAS_BARS, quiet=1500)
            found[view] = {"components": report["components"], "elements": report["elements"]}
        return {"greatest": max(each["components"] for each in found.values()), **found}


def _values(seen: Seen, key: str, server: float | None, engine: float) -> dict[str, float | None]:
    return {
        "ms": seen.ms[key],
        "requests": seen.traffic.requests,
        "kb_sent": seen.traffic.sent / 1000,
        "kb_received": seen.traffic.received / 1000,
        "main_thread_ms": seen.main_thread_ms,
        "script_ms": seen.script_ms,
        "server_ms": server,
        "engine_ms": engine,
        "elements": seen.elements,
        "components": seen.components,
    }


def _medians(rows: list[dict[str, float | None]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in rows[0]:
        values = [row[name] for row in rows if row[name] is not None]
        found[name] = round(statistics.median(values), 2) if values else None
    times = [row["ms"] for row in rows]
    return found | {"ms_spread": [round(min(times), 1), round(max(times), 1)]}


def over_goal(key: str, values: dict[str, Any]) -> dict[str, float]:
    """Each number as a multiple of its goal; above 1 misses it."""
    goal = GOALS.get(key)
    if goal is None or "problem" in values:
        return {}
    kb = values["kb_sent"] + values["kb_received"]
    numbers = {"ms": values["ms"], "requests": values["requests"], "kb": kb}
    found = {}
    for name, number in numbers.items():
        most = getattr(goal, name)
        if most is not None:
            found[name] = round(number / most, 2) if most else float(number)
    return found


def row(key: str, values: dict[str, Any]) -> str:
    """A result as a line for people."""
    if key == "components":
        counts = ", ".join(f"{view} {values[view]['components']}" for view in VIEWS)
        ratio = values["greatest"] / MOST_COMPONENTS
        return f"components: {counts}; greatest {values['greatest']}, × goal {ratio:.2f}"
    if "problem" in values:
        return f"{key:28}  {values['problem']}"
    cells = "".join(_cell(values[name]) for name in VALUES)
    goals = ", ".join(f"{name} {ratio:.2f}" for name, ratio in values["over_goal"].items())
    return f"{key:28}{cells}  {goals}"


def _heading() -> str:
    return f"{'':28}" + "".join(f"{name.replace('_', ' '):>15}" for name in VALUES) + "  × goal"


def _cell(value: float | None) -> str:
    return f"{'–' if value is None else f'{value:.1f}':>15}"


def measure(
    benchmark: Benchmark, wanted: set[str], runs: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """All that is wanted, by result, told as it is found.

    What can't be done has a "problem" instead of numbers.
    """
    found: dict[str, Any] = {}
    for action in ACTIONS:
        keys = [key for key in action.results if not wanted or key in wanted]
        if not keys:
            continue
        try:
            values = benchmark.measure(action, runs)
        except (TooLate, WebDriverException) as problem:
            values = {key: {"problem": str(problem).strip()[:300]} for key in keys}
        for key in keys:
            found[key] = values[key] | {"over_goal": over_goal(key, values[key])}
            tell(row(key, found[key]))
    if not wanted or "components" in wanted:
        found["components"] = benchmark.components()
        tell(row("components", found["components"]))
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=7, help="counted runs per action (default: 7)")
    parser.add_argument("--only", default="", help="results, separated by commas")
    parser.add_argument("--tree", default=".", help="folder whose main.py serves the page")
    parser.add_argument("--model", default=EMBEDDED, help="a name of the menu, or a folder")
    parser.add_argument("--url", help="a page that is served already")
    parser.add_argument("--pid", type=int, help="its server's process, for server_ms")
    return parser.parse_args()


def main() -> None:
    options = _arguments()
    # OpenMP's threads spin while they wait, unless there are more of them than cores, as in the
    # server. Where others need the cores as well, spinning alone takes a hundred times as long.
    os.environ["OMP_WAIT_POLICY"] = "passive"  # before torch is imported
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # neither browser nor server stays behind
    if lacks := chromium.missing():
        raise SystemExit(f"{lacks}; on Debian: apt install chromium chromium-driver")
    is_known = any(entry.name == options.model for entry in Catalogue.standard().entries)
    catalogue = Catalogue.standard([] if is_known else [options.model])
    entry = next(e for e in catalogue.entries if options.model in (e.name, e.source))
    bench = Workbench(catalogue, device="cpu")
    bench.wait(entry.name)
    wanted = {name for name in options.only.split(",") if name}

    def tell(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    @contextmanager
    def given() -> Iterator[Server]:
        yield Server(options.url, options.pid)

    with given() if options.url else serving(options.tree, entry) as server:
        browser = chromium.start()
        try:
            browser.set_window_size(*chromium.SIZE)
            benchmark = Benchmark(server, Probe(browser, server.url), bench, entry.name)
            found = measure(benchmark, wanted, options.runs, tell)
        finally:
            browser.quit()
            bench.close()
    if options.json:
        print(json.dumps(found))
        return
    print(_heading())
    for key, values in found.items():
        print(row(key, values))


if __name__ == "__main__":
    main()
