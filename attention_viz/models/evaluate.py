"""Evaluates the embedded model: ``python -m attention_viz.models.evaluate``.

Prints every required and goal number, the exact sentences, the counts of head sets that flip the
first sentence and the heads' behaviour scores; ``--json`` prints them as one object,
``--write-card``
puts them into the folder's model card.

``--model smollm2`` measures a language model on the same held-out templates instead, with and
without beginning of text; its card has more (``python -m attention_viz.cards``).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attention_viz.models.evaluation.language import Solved

EMBEDDED = Path(__file__).parent / "embedded"


def evaluate(folder: Path, *, count: int = 600) -> dict:
    """All measurements of the model in this folder; ``count`` is questions per behaviour."""
    from attention_viz.models.evaluation.behaviour import (
        answer_exactly,
        measure_behaviour,
        write_samples,
    )
    from attention_viz.models.evaluation.head_roles import list_strongest, measure_roles
    from attention_viz.models.evaluation.head_sets import PROMPT, count_flips
    from attention_viz.models.evaluation.scoring import Subject

    started = time.monotonic()
    subject = Subject(folder)
    scores = measure_behaviour(subject, count=count)
    return {
        "scores": [{**asdict(score), "is_reached": score.is_reached} for score in scores],
        "exact": answer_exactly(subject),
        "flips": {"prompt": PROMPT, "to": " John", "counts": count_flips(subject)},
        "roles": list_strongest(measure_roles(subject)),
        "samples": write_samples(subject),
        "parameters": sum(value.numel() for value in subject.model.parameters()),
        "vocabulary": subject.model.config.vocab_size,
        "seconds": round(time.monotonic() - started, 1),
    }


def measure_both_ways(folder: str, *, count: int = 200) -> tuple[list[Solved], list[Solved]]:
    """A language model's shares of questions solved, with beginning of text and without."""
    from attention_viz.models.evaluation.language import measure_language
    from attention_viz.models.evaluation.scoring import Subject

    subjects = (Subject(Path(folder), bos=bos) for bos in (True, False))
    return tuple(measure_language(subject, count=count) for subject in subjects)


def describe_both(both: tuple[list[Solved], list[Solved]]) -> str:
    """Both shares of every kind of question, a line each."""
    return "\n".join(
        f"{one.name:<52} {one.rate.share:.3f} {other.rate.share:.3f}  ({one.rate.of})"
        for one, other in zip(*both, strict=True)
    )


def describe(report: dict) -> str:
    """The report as text for a terminal."""
    lines = [describe_score(score) for score in report["scores"]]
    for answer in report["exact"]:
        top = ", ".join(f"{one['token']!r} {one['probability']:.2f}" for one in answer["top"])
        lines.append(f"{'ok ' if answer['is_right'] else 'NO '} {answer['prompt']} → {top}")
    for row in report["flips"]["counts"]:
        examples = "; ".join("+".join(heads) for heads in row["examples"])
        lines.append(f"sets of {row['size']}: {row['flips']} of {row['sets']} flip  {examples}")
    for role, heads in report["roles"].items():
        lines.append(f"{role}: " + ", ".join(f"{one['head']} {one['score']:.2f}" for one in heads))
    return "\n".join([*lines, *report["samples"], f"{report['seconds']} s"])


def describe_score(score: dict) -> str:
    """One score as a line."""
    needed = (
        f"{'goal' if score['is_goal'] else 'needed'} {score['needed']}" if score["needed"] else ""
    )
    mark = {True: "ok", False: "NO", None: "  "}[score["is_reached"]]
    return f"{mark}  {score['name']:<52} {score['value']:.3f}  ({score['count']}) {needed}"


def main(arguments: list[str] | None = None) -> None:
    """Evaluates a folder and prints the result."""
    parser = argparse.ArgumentParser(prog="python -m attention_viz.models.evaluate")
    parser.add_argument("--folder", type=Path, default=EMBEDDED)
    parser.add_argument("--model", help="a language model of the catalogue instead")
    parser.add_argument("--count", type=int, help="questions per behaviour (default: 600, or 200)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write-card", action="store_true", help="write FOLDER/README.md")
    options = parser.parse_args(arguments)
    if options.model is not None:
        both = measure_both_ways(_folder_of(options.model), count=options.count or 200)
        rows = [[asdict(each) for each in solved] for solved in both]
        print(json.dumps(rows, ensure_ascii=False) if options.json else describe_both(both))
        return
    report = evaluate(options.folder, count=options.count or 600)
    if options.write_card:
        from attention_viz.models.evaluation.card import write_card

        write_card(options.folder, report)
    print(json.dumps(report, ensure_ascii=False) if options.json else describe(report))


def _folder_of(name: str) -> str:
    from attention_viz.models.catalogue import Catalogue
    from attention_viz.models.loading import load_model

    return load_model(Catalogue.standard([name]).entry(name), device="cpu").info.folder


if __name__ == "__main__":
    main()
