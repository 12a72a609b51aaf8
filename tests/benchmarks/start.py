"""How soon the page is there: `python -m tests.benchmarks.start [--rounds 3] [--json]`.

Starts the server as a user does and measures, from the start of the process: until the page
answers, and until the embedded model is ready behind it.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
import urllib.request


def start_once() -> tuple[float, float]:
    """Seconds to the first answer of the page, and to the model being ready."""
    began = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "main.py", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = server.stdout.readline().split()[-1]
        with urllib.request.urlopen(address, timeout=30) as answer:
            answer.read()
        page = time.perf_counter() - began
        for line in server.stderr:
            if "is ready" in line:
                return page, time.perf_counter() - began
        raise SystemExit("The server stopped before its model was ready.")
    finally:
        server.terminate()
        server.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    pages, models = zip(*(start_once() for _ in range(options.rounds)), strict=True)
    found = {
        "page_ready_s": statistics.median(pages),
        "page_ready_spread_s": [min(pages), max(pages)],
        "model_ready_s": statistics.median(models),
        "model_ready_spread_s": [min(models), max(models)],
    }
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24} {value:.2f}" if isinstance(value, float) else f"{name:24} {value}")


if __name__ == "__main__":
    main()
