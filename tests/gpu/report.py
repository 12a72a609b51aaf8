"""What is to be known of a device, in one file: `python -m tests.gpu.report --device cuda --out F`.

The card and its software; whether every analysis gives the CPU's numbers there; the analyses' tests
with their models on it; and the benchmarks. Each step has a time limit, and the report is written
anew after each: a machine that is taken away leaves what was measured until then.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import torch
import transformers

# name, seconds it may take, its arguments. Together under eight minutes.
STEPS = (
    ("equality", 60, ["-m", "tests.gpu.equality", "--json"]),
    ("sweep", 80, ["-m", "tests.benchmarks.sweep", "--json", "--rounds", "3"]),
    ("attribution", 80, ["-m", "tests.benchmarks.attribution", "--json"]),
    ("real_model", 80, ["-m", "tests.benchmarks.real_model", "--json"]),
    (
        "tests",
        170,
        ["-m", "pytest", "-q", "--maxfail=20", "-p", "no:cacheprovider", "tests/analysis"],
    ),
)
LAST_LINES = 40  # of a step that failed


def main() -> int:
    """Run the steps; 0 where all of them went through."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=Path("report.json"))
    parser.add_argument("--only", help="names of steps, with commas between them")
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else [name for name, _, _ in STEPS]
    report = {"machine": describe(options.device), "steps": {}}
    for name, limit, arguments in STEPS:
        if name in wanted:
            report["steps"][name] = run(name, limit, [*arguments, "--device", options.device])
            options.out.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if all(step["ok"] for step in report["steps"].values()) else 1


def describe(device: str) -> dict:
    """The device and what runs on it."""
    is_cuda = device.startswith("cuda")
    return {
        "device": device,
        "card": torch.cuda.get_device_name(device) if is_cuda else platform.processor() or "CPU",
        "memory_gib": round(torch.cuda.mem_get_info(device)[1] / 2**30, 1) if is_cuda else None,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "transformers": transformers.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }


def run(name: str, limit: float, arguments: list[str]) -> dict:
    """A step by itself: what it printed as JSON, or how the tests ended, or why it failed."""
    print(f"{name} …", flush=True)
    began = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, timeout=limit
        )
        code, said, errors = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as error:
        code, said = None, (error.stdout or b"").decode(errors="replace")
        errors = f"stopped after {limit} s"
    step = {"ok": code == 0, "seconds": round(time.perf_counter() - began, 1)}
    if code == 0:
        step["result"] = _last_json(said) if "--json" in arguments else _counts(said)
    else:
        step["why"] = [*said.splitlines()[-LAST_LINES:], *errors.splitlines()[-LAST_LINES:]]
    print(f"{name}: {'ok' if step['ok'] else 'FAILED'} in {step['seconds']} s", flush=True)
    return step


def _last_json(text: str) -> dict:
    """The object a benchmark prints, whatever stands before it."""
    return json.loads(text[text.index("{") :])


def _counts(text: str) -> dict[str, int]:
    """How many tests passed, failed …, from pytest's last line."""
    return {
        word: int(count) for count, word in re.findall(r"(\d+) ([a-z]+)", text.splitlines()[-1])
    }


if __name__ == "__main__":
    sys.exit(main())
