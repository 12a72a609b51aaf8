"""How few heads flip a prompt, and which strategies find so few: a table that is committed.

`python -m tests.benchmarks.flips [--out tests/analysis/smallest_flips.json]` tries every set of up
to three heads of the embedded model (zero ablation; the token that is to win is the third
or second likeliest, the first of them that so few heads can flip to), then asks each strategy.
`tests/analysis/test_smallest_flips.py` recomputes some.
"""

import argparse
import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from random import Random

from attention_viz.analysis.question import ask
from attention_viz.analysis.search import search_heads
from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import LoadedModel, load_model
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question
from attention_viz.records.search import Objective, SearchRequest, Strategy

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


def count_right(table: dict) -> dict[str, int]:
    """How often each strategy finds a set of the smallest size."""
    rows = table["rows"]
    return {
        name: sum(row["found"][name] == row["smallest"] for row in rows)
        for name in rows[0]["found"]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args()
    model = load_model(Catalogue.standard().entry(EMBEDDED), device="cpu")
    table = make_table(model)
    rows = ",\n".join("  " + json.dumps(row) for row in table.pop("rows"))
    head = json.dumps(table)[:-1]
    options.out.write_text(f'{head}, "rows": [\n{rows}\n]}}\n')
    table = json.loads(options.out.read_text())
    sizes = [row["smallest"] for row in table["rows"]]
    print({size: sizes.count(size) for size in sorted(set(sizes))})
    print({name: f"{right} of {len(sizes)}" for name, right in count_right(table).items()})


if __name__ == "__main__":
    main()
