"""How few heads flip a prompt, and which strategies find so few: a table that is committed.

`python -m tests.benchmarks.flips [--out tests/analysis/smallest_flips.json]` tries every set of up
to three heads of the embedded model (zero ablation; the token that is to win is the third
or second likeliest, the first of them that so few heads can flip to), then asks each strategy.
`tests/analysis/test_smallest_flips.py` recomputes some.

`--model smollm2` (or a folder): too many sets to try them all, so the smallest is the smallest that
any strategy knows. Prompts are pairs of the model's own families, flipped to their distractor; the
table has the size and the runs of each strategy, and its runs until the first flip.
"""

import argparse
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.analysis.question import ask
from attention_viz.analysis.search import search_heads
from attention_viz.models.loading import LoadedModel, load_model
from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question
from attention_viz.records.search import Objective, SearchRequest, Strategy
from tests.benchmarks.real_model import entry_of
from tests.benchmarks.sweep import print_report

TABLE = Path(__file__).parents[1] / "analysis" / "smallest_flips.json"
MOST_HEADS = 3
PROMPTS = 60  # with a flip of at most MOST_HEADS heads
RANKS = (2, 3)  # of the token to flip to, in the clean run
TEMPLATES = (
    "When {a} and {b} went to the store, {b} gave a drink to",
    "After {a} and {b} left the park, {b} handed a letter to",
    "Then {a} and {b} had lunch at the hotel. {b} showed the map to",
    "While {a} and {b} were at the station, {b} sent a book to",
    "Because {a} and {b} liked the garden, {b} brought flowers to",
)
NAMES = "Mary John Anna Tom Emma James Alice David Lucy Paul Sarah Mark Laura Peter".split()
OTHERS = (
    "The Eiffel Tower is in",
    "The Colosseum is in the country of",
    "The key to the cabinets",
    "The books near the window",
    "The children that the teacher saw",
    "The war lasted from the year 1741 to the year 17",
    "The trophy doesn't fit in the brown suitcase because it's too",
    "Monday, Tuesday, Wednesday,",
    "one, two, three, four,",
    "Mary was tired because",
    "We saw Tom, Emma, Paul, Lucy. We saw Tom, Emma,",
    "apple river stone apple river",
)


def make_prompts(seed: int = 0) -> list[str]:
    """Different prompts of several kinds, mixed."""
    rng = Random(seed)
    prompts = list(OTHERS)
    for template in TEMPLATES:
        for _ in range(10):
            a, b = rng.sample(NAMES, 2)
            prompts.append(template.format(a=a, b=b))
    rng.shuffle(prompts)
    return list(dict.fromkeys(prompts))


def request_of(prompt: str, flip_to: int) -> SearchRequest:
    """An exhaustive search that flips to the token."""
    return SearchRequest(
        Question(EMBEDDED, prompt),
        Objective.FLIP,
        flip_to,
        max_heads=MOST_HEADS,
        strategy=Strategy.EXHAUSTIVE,
        alternatives=0,
    )


def smallest_size(model: LoadedModel, request: SearchRequest) -> int | None:
    """Heads in the smallest set that flips; None where no set of MOST_HEADS does."""
    found = search_heads(model, replace(request, strategy=Strategy.EXHAUSTIVE))
    return len(found.heads) if found.flipped else None


def size_by(model: LoadedModel, request: SearchRequest, strategy: Strategy) -> int | None:
    """Heads in the set a strategy finds, free to take more than the smallest has."""
    found = search_heads(model, replace(request, strategy=strategy, max_heads=6))
    return len(found.heads) if found.flipped else None


def make_table(model: LoadedModel, log=print) -> dict:
    """One row per prompt: the first of RANKS that few heads can flip to."""
    rows, tried = [], 0
    for rank, prompt in product(sorted(RANKS, reverse=True), make_prompts()):
        if len(rows) == PROMPTS or any(row["prompt"] == prompt for row in rows):
            continue
        tried += 1
        asked = ask(model, Question(EMBEDDED, prompt))
        flip_to = asked.logits.topk(rank).indices[-1].item()
        request = request_of(prompt, flip_to)
        size = smallest_size(model, request)
        if size is None:
            continue
        found = {s.value: size_by(model, request, s) for s in Strategy if s != "exhaustive"}
        token = {"flip_to": asked.token(flip_to).text, "id": flip_to}
        rows.append({"prompt": prompt, **token, "smallest": size, "found": found})
        log(f"{len(rows)} {size} {found} {prompt} → {token}")
    return {"model": EMBEDDED, "most_heads": MOST_HEADS, "tried": tried, "rows": rows}


Row = dict[str, Any]


def family_questions(model: LoadedModel, count: int) -> list[tuple[str, int]]:
    """Prompts and the token to flip to, of every family in turn, where the model solves them."""
    found: list[tuple[str, int]] = []
    name = model.info.name
    for seed in range(count):
        for family in FAMILIES:
            request = PairsRequest(Question(name, ""), family=family.name, count=1, seed=seed)
            with suppress(BadInput):
                [pair] = read_pairs(model, request).pairs
                asked = ask(model, Question(name, pair.text.clean))
                if asked.logits.argmax().item() == pair.answer.id:
                    found.append((pair.text.clean, pair.distractor.id))
            if len(found) == count:
                return found
    return found


def compare_strategies(
    model: LoadedModel,
    questions: Sequence[tuple[str, int]],
    strategies: Sequence[Strategy],
    log=print,
) -> list[Row]:
    """Per prompt: the smallest size known; of each strategy size, runs, runs to the first flip.

    Sets are checked (members dropped), other sets are not looked for.
    """
    rows = []
    for prompt, flip_to in questions:
        found = {}
        for strategy in strategies:
            request = SearchRequest(
                Question(model.info.name, prompt),
                Objective.FLIP,
                flip_to,
                strategy=strategy,
                alternatives=0,
            )
            result = search_heads(model, request)
            found[strategy.value] = {
                "size": len(result.heads) if result.flipped else None,
                "runs": result.evaluations,
                "backward": result.gradients,
                "first_flip": result.first_flip,
                "seconds": round(result.seconds, 2),
                "is_smallest": result.smallest is True,
            }
        sizes = [each["size"] for each in found.values() if each["size"] is not None]
        token = model.vocabulary.token(flip_to).text
        rows.append({"prompt": prompt, "flip_to": token, "smallest": min(sizes, default=None)})
        rows[-1]["found"] = found
        log(_line(rows[-1]))
    return rows


def _line(row: Row) -> str:
    cells = [
        f"{name} {each['size'] or '–'} heads, {each['runs']} runs, first flip {each['first_flip']}"
        for name, each in row["found"].items()
    ]
    about = f"{row['prompt']} →{row['flip_to']}"
    return f"smallest {row['smallest'] or '–'}; {'; '.join(cells)}; {about}"


def summary(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Of each strategy: how often it finds the smallest known, and means over all prompts."""
    told = {}
    for name in rows[0]["found"]:
        own = [row["found"][name] for row in rows]
        flips = [each["first_flip"] for each in own if each["first_flip"] is not None]
        told[name] = {
            "flipped": len(flips),
            "smallest_known": sum(
                each["size"] is not None and each["size"] == row["smallest"]
                for each, row in zip(own, rows, strict=True)
            ),
            "mean_runs": sum(each["runs"] for each in own) / len(own),
            "mean_first_flip": sum(flips) / len(flips) if flips else float("nan"),
            "mean_seconds": sum(each["seconds"] for each in own) / len(own),
        }
    return told


def count_right(table: dict) -> dict[str, int]:
    """How often each strategy finds a set of the smallest size."""
    rows = table["rows"]
    return {
        name: sum(row["found"][name] == row["smallest"] for row in rows)
        for name in rows[0]["found"]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help=f"default: {TABLE.name}, for the embedded model")
    parser.add_argument("--model", default=EMBEDDED, help="a name of the menu, or a folder")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--prompts", type=int, default=20, help="of another model; default: 20")
    parser.add_argument(
        "--strategies", default="guided,greedy,pairs", help="of another model, separated by commas"
    )
    options = parser.parse_args()
    model = load_model(entry_of(options.model), device=options.device)
    if options.model != EMBEDDED:
        _compare(model, options)
        return
    out = options.out or TABLE
    table = make_table(model)
    rows = ",\n".join("  " + json.dumps(row) for row in table.pop("rows"))
    head = json.dumps(table)[:-1]
    out.write_text(f'{head}, "rows": [\n{rows}\n]}}\n')
    table = json.loads(out.read_text())
    sizes = [row["smallest"] for row in table["rows"]]
    print({size: sizes.count(size) for size in sorted(set(sizes))})
    print({name: f"{right} of {len(sizes)}" for name, right in count_right(table).items()})


def _compare(model: LoadedModel, options: argparse.Namespace) -> None:
    strategies = [Strategy(name) for name in options.strategies.split(",")]
    rows = compare_strategies(model, family_questions(model, options.prompts), strategies)
    told = {"model": options.model, "summary": summary(rows), "rows": rows}
    if options.out:
        options.out.write_text(json.dumps(told, indent=1) + "\n")
    print_report(told["summary"])


if __name__ == "__main__":
    main()
