"""The look over a family of prompt pairs: which pairs, what was found, and a search over them."""

from typing import Any

from attention_viz.exports import tables
from attention_viz.panels.frame.prompt import COUNTERFACTUAL, PROMPT
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button, pick_button
from attention_viz.panels.kit.common import about_seconds, ask, empty, explain, head_chip, number
from attention_viz.panels.kit.controls import menu, number_box, shown_if
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.results import ending, find, progress, submit
from attention_viz.panels.kit.tables import fold, table
from attention_viz.panels.views.ablation.requests import (
    family_pairs,
    family_search_request,
    look_request,
)
from attention_viz.panels.views.circuit import pair_file
from attention_viz.panels.views.circuit.upload import file_button
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.circuits.pairs import MOST_PAIRS
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.family_search import (
    FamilyEstimateRequest,
    FamilySearchRequest,
    FamilySearchResult,
)
from attention_viz.records.looks.family import FamilyEffect, PairFlip
from attention_viz.records.page import PageState
from attention_viz.records.page.checks import is_whole
from attention_viz.records.statistics import Mean

ABOUT = (
    "The selected heads ablated in the clean prompt of every pair of a family: a set found on one "
    "prompt may be a quirk of it. Outlined pairs flip to their distractor; a click opens a pair."
)
_TOLD = "family-file"  # where it is said what was read from a file
_FLIPS = {
    PairFlip.DISTRACTOR: "to the distractor",
    PairFlip.LEAVES: "away from the answer",
    PairFlip.SIGN: "logit difference below 0",
}
_STOPPED = {
    "reached": "enough training pairs flip",
    "max heads": "the greatest number of heads allowed was reached",
    "no gain": "no other head improves the score",
    "budget": "its time was up",
    "cancelled": "it was cancelled",
    "running": "it is still running",
}


def layout() -> list[html.Node]:
    return [
        html.Div([_choice(), _count(), _upload()], className="controls"),
        html.Div(html.Div(id=_TOLD), **shown_if("ablation.family", pair_file.GIVEN)),
        html.Div([_flip(), _share(), _find_button()], className="controls"),
        place("family-found", role="status"),
    ]


def _choice() -> html.Node:
    options = [html.Option(each.name, value=each.name, title=each.about) for each in FAMILIES]
    options.append(html.Option("my own pairs (file)…", value=pair_file.GIVEN))
    return html.Label(["pairs", menu("ablation.family", options, id="family")], className="control")


def _count() -> html.Node:
    late = {"data-late": True}  # numbers on the way to the one that is meant are not measured
    box = number_box("ablation.pair_count", 1, MOST_PAIRS, id="family-count", **late)
    return html.Div(
        html.Label(["how many", box], className="control", title=f"1 to {MOST_PAIRS}"),
        **shown_if("ablation.family", *(family.name for family in FAMILIES)),
    )


def _upload() -> html.Node:
    button = file_button(
        "family-upload",
        "family-file",
        accept=".csv,.jsonl,.ndjson,.json",
        title=pair_file.COLUMNS,
    )
    return html.Div(button, **shown_if("ablation.family", pair_file.GIVEN))


def _flip() -> html.Node:
    options = [
        html.Option(text, value=flip.value, title=flip.about) for flip, text in _FLIPS.items()
    ]
    return html.Label(
        ["flip", menu("ablation.flip", options, id="family-flip")], className="control"
    )


def _share() -> html.Node:
    late = {"data-late": True}
    box = number_box("ablation.share", 0.01, 1, 0.05, id="family-share", className="few", **late)
    return html.Label(
        ["in at least", box, "of the pairs"], className="control", title="a share, 0.01 to 1"
    )


def _find_button() -> html.Node:
    title = "Search a small set of heads on half of the pairs; the other half tests it"
    props = {"id": "family-find", "className": "btn btn-sm", "title": title}
    return act_button("Find heads over the family", "family-find", **props)


# The look


def tell(found: FamilyEffect) -> str:
    """How often it flips, in each sense, and the mean change."""
    heads = ", ".join(map(str, found.request.heads))
    rates = "; ".join(f"{flip.about}: {rate.told}" for flip, rate in found.rates.items())
    apart = f" {len(found.apart)} pairs stand apart: the clean model does not answer them right."
    return (
        f"{heads} over {found.request.pairs.label}, {found.request.ablation.label} ablation. "
        f"Pairs in which {rates}. Logit difference of the {len(found.right)} pairs answered "
        f"right: {tell_mean(found.change)}.{apart if found.apart else ''}"
    )


def tell_mean(mean: Mean | None) -> str:
    if mean is None:
        return "no mean change"
    told = f"mean change {number(mean.value, 2, sign=True)} logits"
    if mean.interval is None:
        return told
    low, high = (number(end, 2, sign=True) for end in (mean.interval.low, mean.interval.high))
    return f"{told} (95 % interval {low} to {high})"


def list_pairs(found: FamilyEffect) -> tables.Table:
    """As the file has it, each pair with a button that opens it."""
    headers, rows = tables.family_table(found)
    return headers, [
        [_opener(index), *("apart" if value is None else value for value in row[1:])]
        for index, row in enumerate(rows)
    ]


def _opener(index: int) -> html.Node:
    title = "Open this pair: its prompts, answer and distractor"
    return act_button(
        str(index + 1), "open-pair", {"col": index}, className="btn btn-sm", title=title
    )


def open_pair(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    """The page with one pair's prompts, its tokens, and the heads as they are."""
    found, index = find(bench, look_request(state)).record, payload.get("col")
    if found is None or not is_whole(index) or index not in range(len(found.pairs)):
        raise BadInput("There is no such pair any more.", "Measure the family again.")
    pair = found.pairs[index].pair
    answer, distractor = pair.answer.id, pair.distractor.id
    page = state.with_prompt(pair.text.clean, pair.text.counterfactual).change(
        position=-1, answer=answer, distractor=distractor, flip_to=distractor
    )
    texts = {PROMPT: pair.text.clean, COUNTERFACTUAL: pair.text.counterfactual}
    return Outcome(page=page, values=texts)


def take_file(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    """The page with a file's pairs, which the circuit view has too."""
    name = payload.get("name")
    pairs, bad = pair_file.read_upload(payload.get("contents"), name)
    kept = pair_file.keep_pairs(pairs)
    page = state.put("ablation", family=pair_file.GIVEN).put("circuit", given_pairs=kept)
    told = pair_file.draw_file(name, len(pairs), len(kept), bad)
    return Outcome(page=page, place=(_TOLD, told))


# The search


def show_found(bench: Bench, state: PageState) -> Any:
    """What a search over the family found, how far it is, or what it would take."""
    if state.ablation.look != "family":
        return None
    try:
        request = family_search_request(state)
        found = find(bench, request)
        if found.record is None and not found.is_active:
            return ending(found.job) or _estimate(bench, request)
    except AttentionVizError as error:
        return explain(error)
    if found.is_active:
        return [_so_far(found.record), progress(found.job, "Searching", id="cancel-family")]
    return [ending(found.job), *draw_found(found.record)]


def _estimate(bench: Bench, request: FamilySearchRequest) -> html.Node:
    estimate = ask(bench, FamilyEstimateRequest(request))
    took = f"at most {estimate.evaluations:,} runs of one pair, {about_seconds(estimate.seconds)}"
    return html.P(f"Find heads over the family: {took}.", className="note")


def _so_far(result: FamilySearchResult | None) -> html.Node | None:
    """The best set of a search that still runs."""
    if result is None or not result.heads:
        return None
    rate = f" flips {result.train.count} of {result.train.of} pairs tried"
    return html.Div(["so far ", *map(head_chip, result.heads), rate], className="found")


def draw_found(result: FamilySearchResult) -> list[Any]:
    """The set with its rates, ways to select it, the control, and the steps."""
    if not result.heads:
        return [empty("Nothing was found.", "Allow more heads, or choose another kind of flip.")]
    names = [str(head) for head in result.heads]
    lines = [
        f"Training pairs: {result.train.told} flip {_FLIPS[result.request.flip]}.",
        "" if result.held_out is None else f"Held-out pairs: {result.held_out.told}.",
        _tell_control(result),
        _tell_checks(result),
    ]
    cost = f"{result.evaluations:,} runs in {number(result.seconds, 2)} s"
    stopped = f"Stopped because {_STOPPED[result.stopped]}; {cost}, "
    return [
        html.Div(["Found ", *map(head_chip, names)], id="family-set", className="verdict"),
        html.P(" ".join(filter(None, lines)), id="family-told"),
        html.Div(pick_button("Select these", names, className="btn btn-sm"), className="chip-line"),
        html.P(f"{stopped}{result.request.ablation.label} ablation.", className="note"),
        fold("Table: step by step", tabulate(result), name="family-steps"),
    ]


def _tell_control(result: FamilySearchResult) -> str:
    if not result.random:
        return ""
    return (
        f"{result.random_reaching} of {len(result.random)} random sets with as many heads in the "
        "same layers flip as many of them."
    )


def _tell_checks(result: FamilySearchResult) -> str:
    words = []
    if result.reached is False:
        words.append(f"Fewer than {100 * result.request.share:g} % of the training pairs flip.")
    if result.minimal:
        words.append("Minimal: without any one of its heads too few flip.")
    if result.smallest and len(result.heads) > 1:
        words.append("Smallest: no single head does it.")
    if result.apart:
        words.append(f"{result.apart} pairs the clean model does not answer right were left out.")
    return " ".join(words)


def tabulate(result: FamilySearchResult) -> html.Node:
    headers = ["step", "heads", "set then", "score (logits)", "training pairs that flip"]
    rows = [
        [
            f"{place_} {step.action}",
            " ".join(map(str, step.heads)),
            " ".join(map(str, step.then)),
            number(step.score, sign=True),
            f"{step.rate.count} of {step.rate.of}",
        ]
        for place_, step in enumerate(result.steps, start=1)
    ]
    return table(headers, rows, "Steps of the search over the family")


def _find(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    ask(bench, family_pairs(state))  # says what is wrong with the pairs, before anything waits
    return submit(bench, family_search_request(state))


PARTS = (Part("family-found", show_found, wave=1),)
ACTS: dict[str, Act] = {
    "family-find": _find,
    "family-file": take_file,
    "open-pair": open_pair,
}
