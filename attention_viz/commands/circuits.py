"""`circuits`: the built-in families of prompt pairs that a circuit can be asked of."""

import json
from argparse import ArgumentParser, Namespace
from typing import Any

from attention_viz.exports.records import record_json
from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.circuits.pairs import FamilyInfo
from attention_viz.records.tokens import show


def add_options(parser: ArgumentParser) -> None:
    pass


def run(args: Namespace) -> int:
    print(json.dumps(to_json()) if args.json else to_text())
    return 0


def to_json() -> dict[str, Any]:
    return {"families": record_json(FAMILIES)}


def to_text() -> str:
    return "\n\n".join(_describe(family) for family in FAMILIES)


def _describe(family: FamilyInfo) -> str:
    example = family.example
    return "\n".join(
        [
            family.name,
            f"  {family.about}",
            f"  clean           {example.clean.strip()}",
            f"  counterfactual  {example.counterfactual.strip()}",
            f"  answer          {show(example.answer)}, not {show(example.distractor)}",
        ]
    )
