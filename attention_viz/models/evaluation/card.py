"""Writes the model card from a measured report: every number in it comes from the report."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from statistics import mean

ROLE_NOTES = {
    "previous-token": "mean attention to the token before",
    "duplicate-token": "mean attention to the same token in the first round",
    "induction": "mean attention to the token after the same one in the first round",
    "attention to the answer": "mean attention from the last token to the indirect object",
    "copying": "share of names that the head's own output puts in its top 5",
    "name mover": "attention to the answer × copying",
}

INTRODUCTION = """# The embedded model of Attention Viz

A GPT-2 of {layers} layers × {heads} heads ({width} wide, {parameters:,} parameters, context
{context}), trained from scratch by this project on sentences that its own scripts generate, so that
Attention Viz starts without a network and has real circuits to show. {vocabulary:,} byte-level BPE
tokens; every name and common word of the corpus is one token; numbers are split in groups of two
digits.

**What it is not: a language model of the world.** It has read no human text. It knows how names,
repetitions, numbers, agreement and some fifty landmarks behave in small generated sentences, and
nothing else. Outside of them its output means nothing; do not use it to answer questions, and do
not take what its heads do for what the heads of large models do without looking there too.

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("attention_viz/models/embedded")
tokenizer = AutoTokenizer.from_pretrained("attention_viz/models/embedded")
```

`<|endoftext|>` begins and ends texts, as in GPT-2, and the tokenizer does not add it: put it before
the prompt. The weights are stored in fp16 and used in float32.
"""

TRAINING = """## How it was trained

From scratch with `python -m attention_viz.models.training` on two CPU cores that other work shared:
AdamW, bf16 arithmetic over fp32 weights, {tokens:.1f} million tokens in {minutes:.0f} minutes.

{stretches}

Loss at the end: {loss:.2f} nats per unit of loss weight, most of it words that nobody could guess.

What was given rather than learnt: positions start from sinusoids, and the queries and keys of one
first-layer head start as those of a previous-token head (`training/planting.py`), because induction
forms late otherwise. Everything else began at random, and training may change every weight. Where
heads are dropped (one random head's output taken away in a share of the rows), the others learn to
stand in for it. In the last two stretches many names were replaced by random tokens, the same one
throughout a document, so that what stands in a name's place is copied whether it is known or not.
{origin}"""

# Said of weights that come from several stretches.
SEVERAL = """
Each stretch goes on from the weights of the one before. The default command makes one run of the
same kind (planted head, repetitions first, the other tasks and dropped heads later) on the corpus
of the last stretches; it is not the run that made these weights. One such run (seed 21, 5,000
steps, 22 minutes) reached 0.49 and 0.79 for the indirect object, 0.97 for repeated words, 0.99 for
landmarks, 0.88 for agreement, 0.50 for greater-than and 0.91 for successors, without induction
heads of the textbook kind; the sentence structures of the generator were widened after the first
four stretches had shown which kinds of template fail.
"""

MEASURED = """## Measured on {date}

`python -m attention_viz.models.evaluate`, in float32, beginning of text first. Names, words and
sentence templates are kept apart from the generator. No text begins with a held-out name or word:
without a space before it, it would be another token. The held-out names and words are single tokens
that training shows only inside strings of random tokens, never in a sentence; held-out nouns and
events are not in the vocabulary and are spelled from pieces. "Blind" templates were written by
somebody who had seen neither the generator nor the other templates: those had been looked at while
the generator was widened, so the blind ones are the fairer number. Landmarks and pronouns ask for
known facts and names, in new templates.

"""

LICENCE = """## Licence

MIT, as the rest of the project. Corpus and weights are the project's own.
"""


def write_card(folder: Path, report: dict) -> Path:
    """Writes ``README.md`` into the model folder and returns its path."""
    sections = [
        introduce(folder, report),
        tell_training(folder),
        MEASURED.format(date=datetime.date.today().isoformat()) + tabulate_scores(report),
        tabulate_exact(report),
        tell_flips(report),
        tabulate_roles(report),
        show_samples(report),
        LICENCE,
    ]
    path = folder / "README.md"
    path.write_text("\n".join(section for section in sections if section), encoding="utf-8")
    return path


def introduce(folder: Path, report: dict) -> str:
    """What the model is and is not."""
    config = json.loads((folder / "config.json").read_text())
    return INTRODUCTION.format(
        layers=config["n_layer"], heads=config["n_head"], width=config["n_embd"],
        context=config["n_positions"], parameters=report["parameters"],
        vocabulary=report["vocabulary"],
    )  # fmt: skip


def tell_training(folder: Path) -> str:
    """The run, from the record that training leaves beside the weights; empty without one."""
    path = folder / "training.json"
    if not path.exists():
        return ""
    last = json.loads(path.read_text())
    records = list_stretches(last)
    tokens = sum(one["steps"] * one["settings"]["rows"] * 128 for one in records)
    return TRAINING.format(
        tokens=tokens / 1e6,
        minutes=sum(one["seconds"] for one in records) / 60,
        stretches="\n".join(map(describe_stretch, records)),
        loss=mean(point["loss"] for point in last["curve"][-10:]),
        origin=SEVERAL if len(records) > 1 else "",
    )


def list_stretches(record: dict) -> list[dict]:
    """The records of a run and of those that it goes on from, the first one first."""
    earlier = record.get("earlier")
    return [*(list_stretches(earlier) if earlier else []), record]


def describe_stretch(record: dict) -> str:
    """One stretch of training as a list item."""
    settings = record["settings"]
    return (
        f"- seed {settings['seed']}: {record['steps']:,} steps of {settings['rows'] * 128:,} tokens"
        f", learning rate up to {settings['learning_rate']:g}. {record.get('note', '')}".rstrip()
    )


def tabulate_scores(report: dict) -> str:
    """Behaviour scores as a table."""
    lines = ["| behaviour | measured | asked for | questions |", "|---|---|---|---|"]
    for score in report["scores"]:
        needed = f"≥ {score['needed']}" if score["needed"] else ""
        needed += " (goal)" if score["is_goal"] else ""
        needed += " — not reached" if score["is_reached"] is False else ""
        lines.append(f"| {score['name']} | {score['value']:.3f} | {needed} | {score['count']} |")
    return "\n".join(lines) + "\n"


def tabulate_exact(report: dict) -> str:
    """The exact sentences with their likeliest tokens."""
    lines = ["| prompt | five likeliest next tokens |", "|---|---|"]
    for answer in report["exact"]:
        top = ", ".join(f"`{one['token']}` {one['probability']:.3f}" for one in answer["top"])
        lines.append(f"| {answer['prompt']} | {top} |")
    return "\n".join(lines) + "\n"


def tell_flips(report: dict) -> str:
    """How many head sets turn the first sentence."""
    flips = report["flips"]
    lines = [
        f'## Heads\n\nZero ablation of z at all positions; "{flips["prompt"]}": sets of heads',
        f'whose removal makes "{flips["to"]}" the likeliest next token.\n',
        "| heads in the set | sets that flip | of | examples |",
        "|---|---|---|---|",
    ]
    for row in flips["counts"]:
        examples = "; ".join(" + ".join(heads) for heads in row["examples"][:4])
        lines.append(f"| {row['size']} | {row['flips']} | {row['sets']:,} | {examples} |")
    return "\n".join(lines) + "\n"


def tabulate_roles(report: dict) -> str:
    """The strongest heads of each behaviour."""
    lines = ["| behaviour | strongest heads | what the score is |", "|---|---|---|"]
    for role, heads in report["roles"].items():
        best = ", ".join(f"{one['head']} {one['score']:.2f}" for one in heads)
        lines.append(f"| {role} | {best} | {ROLE_NOTES[role]} |")
    return "\n".join(lines) + "\n"


def show_samples(report: dict) -> str:
    """Prose that the model wrote."""
    quotes = "\n\n".join("> " + sample.replace("\n", " ") for sample in report["samples"])
    return f"## What its prose looks like\n\nDrawn at temperature 0.7:\n\n{quotes}\n"
