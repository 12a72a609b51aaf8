"""The page served for real: waitress in a thread, on a free port of 127.0.0.1."""

import contextlib
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from attention_viz.cli import main
from attention_viz.commands import serve
from attention_viz.workbench import Workbench


@dataclass(frozen=True)
class Site:
    """A server's address, and its workbench, which the command line asks as well."""

    url: str
    workbench: Workbench | None

    def cli(self, command: str, *options: Any) -> dict[str, Any]:
        """What `main.py COMMAND … --json` prints for the same model."""
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        words = [command, *map(str, options), "--json"]
        with contextlib.redirect_stdout(out):
            code = main(words, lambda *_settings, **_more: self.workbench)
        assert code == 0, words
        out.seek(0)
        return json.loads(out.read())


@contextmanager
def served(workbench: Workbench) -> Iterator[Site]:
    """The page on a port of its own, until the block ends."""
    with listening(workbench) as port:
        yield Site(f"http://127.0.0.1:{port}/", workbench)


@contextmanager
def listening(workbench: Workbench, port: int = 0) -> Iterator[int]:
    """Serve the page as `main.py serve` does, until the block ends."""
    listener = serve.bind("127.0.0.1", port)
    server = serve._make_server(workbench, listener)
    is_over = threading.Event()
    thread = threading.Thread(target=_run, args=(server, is_over), name="page", daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        is_over.set()
        thread.join(10)
        workbench.close()


def _run(server: Any, is_over: threading.Event) -> None:
    """As `server.run()`, which ends only when every browser has hung up."""
    while not is_over.is_set():
        server.asyncore.loop(timeout=0.1, map=server._map, count=1)
    server.task_dispatcher.shutdown()
    server.asyncore.close_all(server._map)
