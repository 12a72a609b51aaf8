"""What a search found, in the same words wherever it is told; every word was earned."""

from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import head_chip, number, token_text
from attention_viz.records.job import JobStatus
from attention_viz.records.search import Objective, SearchResult


def found_so_far(job: JobStatus) -> SearchResult | None:
    return job.result if job.result is not None else job.partial


def draw_so_far(result: SearchResult | None) -> html.Node | None:
    """The best set of a search that still runs."""
    if result is None or not result.heads:
        return None
    chips = map(head_chip, result.heads)
    return html.Div(["so far ", *chips, _and_on(result)], className="found")


def _and_on(result: SearchResult) -> str:
    """Whether somebody who stops the search now has what was looked for."""
    if result.request.objective is not Objective.FLIP:
        return ""
    if not result.flipped:
        return f": not flipped yet (margin {number(result.score, 2, sign=True)} logits)"
    return ": flips; fewer heads and other sets are looked for"


def draw_found(result: SearchResult | None, *, was_cancelled: bool) -> html.Node:
    """The set, and what the next token is without it."""
    start = "Cancelled. " if was_cancelled else ""
    if result is None or not result.heads:
        count = f" {result.evaluations} sets tried." if result is not None else ""
        return html.Div(f"{start}Nothing found.{count}", className="found")
    chips = map(head_chip, result.heads)
    kept = "Kept " if was_cancelled else "Found "
    return html.Div([start, kept, *chips, *verdict(result)], className="found")


def verdict(result: SearchResult) -> list[Any]:
    """What ablating the set does, and whether a head of it can be spared."""
    is_flip = result.request.objective is Objective.FLIP
    score = f"{number(result.score, 2, sign=is_flip)} {result.request.objective.unit}"
    words: list[Any] = [": "]
    if result.top is not None:
        words += ["top-1 is ", token_text(result.top)]
    if is_flip and not result.flipped:
        words.append(", not flipped")
    words.append(f" ({'margin' if is_flip else 'KL'} {score}).")
    if result.minimal:
        words.append(" Minimal: no head can be dropped.")
    return words
