"""Pairs of one's own, from a file: read in memory; the good ones live in the page."""

import base64
import json
from dataclasses import astuple
from typing import Any

from attention_viz.figures.escape import shorten
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome
from attention_viz.panels.kit.controls import shown_if
from attention_viz.panels.kit.tables import fold
from attention_viz.panels.views.circuit.numbers import count_of
from attention_viz.panels.views.circuit.upload import file_button
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.pair_file import parse_pairs
from attention_viz.records.circuits.pairs import BadPair, Pair
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from attention_viz.records.page.checks import MOST_GIVEN

GIVEN = "given"  # among the choices of pairs
COLUMNS = "CSV or JSONL with clean, counterfactual, answer, distractor; at most 1 MB"

_TOLD = "pairs-file"  # where it is said what was read
_MOST_BYTES = 1_000_000  # of a file
_MOST_KEPT = 60_000  # characters of the pairs as JSON; a link holds 100,000 in all
_MOST_LISTED = 50  # reasons
_MOST_NAME = 60  # characters of a file's name


def layout() -> html.Node:
    button = file_button(
        "pairs-upload", "pairs-file", accept=".csv,.jsonl,.ndjson,.json", title=COLUMNS
    )
    return html.Div(button, **shown_if("circuit.pairs", GIVEN))


def told() -> html.Node:
    """The place of what was read from the last file."""
    return html.Div(html.Div(id=_TOLD), className="pairs-file", **shown_if("circuit.pairs", GIVEN))


def take(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    """The page with a file's pairs, and what became of its lines."""
    name = payload.get("name")
    pairs, bad = read_upload(payload.get("contents"), name)
    kept = keep_pairs(pairs)
    return Outcome(
        page=state.put("circuit", pairs=GIVEN, given_pairs=kept),
        place=(_TOLD, draw_file(name, len(pairs), len(kept), bad)),
    )


def read_upload(contents: Any, name: Any) -> tuple[tuple[Pair, ...], tuple[BadPair, ...]]:
    """The pairs of a file as a browser sends it, and its bad lines.

    Raises BadInput for more than 1 MB, for what is no text in UTF-8, and see `parse_pairs`.
    """
    try:
        data = base64.b64decode(str(contents).partition(",")[2], validate=True)
    except ValueError as error:
        raise BadInput("The file did not arrive whole.", "Choose it again.") from error
    if len(data) > _MOST_BYTES:
        size = f"{len(data) / 1e6:.1f} MB"
        raise BadInput(f"The file has {size}; at most 1 MB is read.", "Leave pairs out.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        remedy = "Save it as CSV or JSONL in UTF-8."
        raise BadInput("The file is not text in UTF-8.", remedy) from error
    return parse_pairs(text, shorten(str(name or ""), _MOST_NAME))


def keep_pairs(pairs: tuple[Pair, ...]) -> tuple[tuple[str, str, str, str], ...]:
    """As many as the page, which is its link, can hold; the first ones."""
    kept, room = [], _MOST_KEPT
    for pair in pairs[:MOST_GIVEN]:
        room -= len(json.dumps(astuple(pair)))
        if room < 0:
            break
        kept.append(astuple(pair))
    return tuple(kept)


def draw_file(name: Any, read: int, kept: int, bad: tuple[BadPair, ...]) -> list[Any]:
    """What was taken from a file, and which of its lines were not."""
    said = shorten(str(name or "The file"), _MOST_NAME)
    line = [html.B(said), f": {count_of(read, 'pair')} read"]
    if kept < read:
        line.append(f"; the last {read - kept} of them are left out: a page holds {kept}")
    listed = draw_reasons(f"{count_of(len(bad), 'line')} left out", "line", bad)
    return [html.P(line, className="note"), listed]


def name_pair(bad: BadPair, pair: Pair) -> BadPair:
    """With the beginning of its prompt."""
    return BadPair(bad.number, f"“{shorten(pair.clean, 40)}”: {bad.reason}")


def draw_reasons(title: str, what: str, bad: tuple[BadPair, ...]) -> Any:
    """What could not be used and why, folded; nothing where all could."""
    if not bad:
        return None
    lines = [html.Li([html.B(f"{what} {each.number}"), f": {each.reason}"]) for each in bad]
    more = len(lines) - _MOST_LISTED
    rest = [html.Li(f"and {more} more")] if more > 0 else []
    return fold(title, html.Ul([*lines[:_MOST_LISTED], *rest], className="reasons"))


ACTS: dict[str, Act] = {"pairs-file": take}
