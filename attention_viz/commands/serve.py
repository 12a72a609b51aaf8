"""`serve`: the page, on a port of this machine."""

import errno
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
from argparse import ArgumentParser, Namespace
from typing import Any

from attention_viz.commands import options
from attention_viz.models.catalogue import Catalogue
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.model import EMBEDDED
from attention_viz.workbench import Workbench

# Waiting callbacks hold threads, and Cancel needs one: waitress' own 4 can all be taken.
_SERVER_THREADS = 24


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME_OR_FOLDER",
        help="offer a hub name, a local folder or a GGUF file as well; may be repeated",
    )
    parser.add_argument(
        "--port", type=options.port, default=8050, help="default: 8050; 0: any free one"
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")


def run(args: Namespace) -> int:
    catalogue = Catalogue.standard(args.model)
    listener = bind(args.host, args.port)
    workbench = Workbench(
        catalogue,
        args.device,
        args.threads,
        memory=options.in_bytes(args.memory),
        padding=args.padding,
    )
    server = _make_server(workbench, listener)
    _announce(args.host, listener.getsockname()[1])
    workbench.load(EMBEDDED)
    threading.Thread(target=_tell_when_ready, args=(workbench,), daemon=True).start()
    signal.signal(signal.SIGTERM, _interrupt)  # stopped by a service manager: same as Ctrl-C
    try:
        server.run()
    finally:
        _stop(server, workbench)
    return 0


def _tell_when_ready(workbench: Bench) -> None:
    try:
        seconds = workbench.wait(EMBEDDED).info.seconds
        print(f"The {EMBEDDED} model is ready ({seconds:.1f} s).", file=sys.stderr, flush=True)
    except AttentionVizError as error:
        print(error, file=sys.stderr, flush=True)


def bind(host: str, port: int) -> socket.socket:
    """A socket on that address. Raises BadInput where it can't be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise BadInput(
            f"{host!r} is not an address of this machine.", "Leave out --host."
        ) from error
    try:
        if os.name == "posix":  # elsewhere this option would share a port that is taken
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _no_port(host, port, error) from error
    return listener


def _no_port(host: str, port: int, error: OSError) -> BadInput:
    if error.errno == errno.EADDRINUSE:
        return BadInput(
            f"Port {port} is taken by another program.",
            f"Choose another one: --port {port + 1 if port < 65535 else 8050}, "
            "or --port 0 for any free one.",
        )
    if isinstance(error, PermissionError):
        return BadInput(f"Port {port} needs special rights.", "Choose one above 1023: --port 8050.")
    return BadInput(f"{host!r} is not an address of this machine.", "Leave out --host.")


def _make_server(workbench: Bench, listener: socket.socket) -> Any:
    import waitress  # here, not above: the other commands need neither it nor Dash

    from attention_viz.app import create_app

    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    app = create_app(workbench)
    return waitress.create_server(
        app.server, sockets=[listener], threads=_SERVER_THREADS, ident=None
    )


def _announce(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    if not is_loopback(host):
        print(
            f"Listening on {shown}: anyone who can reach this machine over the network can use "
            "this page.",
            file=sys.stderr,
            flush=True,
        )
        shown = socket.gethostname() if _is_any(host) else shown
    print(f"Attention Viz is at http://{shown}:{port}", flush=True)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_any(host: str) -> bool:
    return host in ("", "0.0.0.0", "::")


def _interrupt(signal_number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _stop(server: Any, workbench: Bench) -> None:
    server.close()
    workbench.close()
