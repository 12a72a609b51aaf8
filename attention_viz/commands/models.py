"""`models`: the list of models a server started with these options would offer."""

import json
from argparse import ArgumentParser, Namespace
from typing import Any

from attention_viz.commands.command import table
from attention_viz.models.catalogue import Catalogue
from attention_viz.records.model import EMBEDDED


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME_OR_FOLDER",
        help="add a hub name or a local folder to the list; may be repeated",
    )


def run(args: Namespace) -> int:
    catalogue = Catalogue.standard(args.model)
    print(json.dumps(to_json(catalogue)) if args.json else to_text(catalogue))
    return 0


def to_json(catalogue: Catalogue) -> dict[str, Any]:
    entries = [
        {"name": entry.name, "source": entry.source, "local": entry.is_local, "about": entry.about}
        for entry in catalogue.entries
    ]
    return {"default": EMBEDDED, "models": entries}


def to_text(catalogue: Catalogue) -> str:
    return table(
        ["name", "source", "about"],
        (
            (entry.name, "local folder" if entry.is_local else "hub", entry.about)
            for entry in catalogue.entries
        ),
    )
