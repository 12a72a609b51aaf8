"""`models`: the list of models a server started with these options would offer.

With `--test` each that is on this machine, or named, is loaded, and its self-test printed.
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from attention_viz.commands.command import table
from attention_viz.exports.records import pick
from attention_viz.models.catalogue import Catalogue
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.model import EMBEDDED, ModelInfo
from attention_viz.workbench import Workbench


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME_OR_FOLDER",
        help="add a hub name, a local folder or a GGUF file to the list; may be repeated",
    )
    parser.add_argument(
        "--test",
        action="store_true",
        help="load those on this machine or named by --model, and test the intervention on each",
    )


def run(args: Namespace) -> int:
    """Exit code 2 where a model is refused."""
    catalogue = Catalogue.standard(args.model)
    tested = dict(_test(catalogue, args.model)) if args.test else {}
    print(json.dumps(to_json(catalogue, tested)) if args.json else to_text(catalogue))
    if not args.json:
        for name, result in tested.items():
            print(f"\n{_tell(name, result)}")
    return 2 if any(isinstance(result, str) for result in tested.values()) else 0


def _test(catalogue: Catalogue, named: list[str]) -> Iterator[tuple[str, ModelInfo | str]]:
    """What is known of each model when it is loaded, or why it can't be."""
    workbench = Workbench(catalogue)
    for entry in catalogue.entries:
        if entry.is_local or entry.source in named:
            try:
                yield entry.name, workbench.wait(entry.name).info
            except AttentionVizError as error:
                yield entry.name, str(error)


def _tell(name: str, result: ModelInfo | str) -> str:
    if isinstance(result, str):
        return f"{name}: {result}"
    checks = table(
        ["self-test", "error (relative)"],
        ((check.claim, f"{check.error:.1e}") for check in result.checks),
    )
    parts = table(
        ["part", ""], ((each.name, each.reason or "right") for each in result.capabilities)
    )
    notes = "".join(f"; {note}" for note in result.notes)
    head = f"{name}: passed; {result.architecture}, {result.engine}, {result.device}{notes}"
    return f"{head}\n{checks}\n{parts}"


def to_json(
    catalogue: Catalogue, tested: dict[str, ModelInfo | str] | None = None
) -> dict[str, Any]:
    entries = [
        {**pick(entry, "name", "source", "about", "licence"), "local": entry.is_local}
        | _test_json((tested or {}).get(entry.name))
        for entry in catalogue.entries
    ]
    return {"default": EMBEDDED, "models": entries}


def _test_json(result: ModelInfo | str | None) -> dict[str, Any]:
    if result is None:
        return {}
    if isinstance(result, str):
        return {"passed": False, "reason": result}
    return {
        "passed": True,
        **pick(result, "engine", "device", "notes", "checks", "capabilities"),
    }


def to_text(catalogue: Catalogue) -> str:
    return table(
        ["name", "source", "licence", "about"],
        ((entry.name, entry.place, entry.licence, entry.about) for entry in catalogue.entries),
    )
