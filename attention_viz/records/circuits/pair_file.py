"""Reading people's own prompt pairs from the text of a CSV or JSONL file.

Columns (or keys) are clean, counterfactual, answer, distractor; others are ignored. Texts are
taken exactly as they stand: " Mary", with its space, is the token.
"""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from attention_viz.records.circuits.pairs import MOST_PAIRS, BadPair, Pair
from attention_viz.records.errors import BadInput

COLUMNS = ("clean", "counterfactual", "answer", "distractor")
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
_NEEDED = "The columns are clean, counterfactual, answer and distractor, the first line names them."

# Number of a line, and its values by column, or why it can't be read.
Line = tuple[int, dict[str, Any] | str]


def parse_pairs(text: str, name: str = "") -> tuple[tuple[Pair, ...], tuple[BadPair, ...]]:
    """The pairs of a file, and its bad lines with their numbers (from 1, the header included).

    The suffix of `name` says which format it is; without one, JSONL starts with "{". The first
    1000 good pairs are read, and what comes after them is reported as left out. Raises BadInput
    for a CSV file without the columns, and for a file without any good line.
    """
    numbered, bad = parse_numbered_pairs(text, name)
    return tuple(pair for _, pair in numbered), bad


def parse_numbered_pairs(
    text: str, name: str = ""
) -> tuple[tuple[tuple[int, Pair], ...], tuple[BadPair, ...]]:
    """As `parse_pairs`, each pair with the line it starts at."""
    text = text.removeprefix("\ufeff")
    is_json = name.lower().endswith(_JSON_SUFFIXES) or (
        not name.lower().endswith(".csv") and text.lstrip().startswith("{")
    )
    pairs: list[tuple[int, Pair]] = []
    bad: list[BadPair] = []
    for number, values in _json_lines(text) if is_json else _csv_lines(text):
        if len(pairs) == MOST_PAIRS:
            reason = f"left out with what follows: a file has at most {MOST_PAIRS} pairs"
            bad.append(BadPair(number, reason))
            break
        reason = values if isinstance(values, str) else _find_fault(values)
        if reason:
            bad.append(BadPair(number, reason))
        else:
            pairs.append((number, Pair(*(values[column] for column in COLUMNS))))
    if not pairs:
        raise BadInput(_no_pairs(name, bad), _NEEDED if not is_json else _JSON_NEEDED)
    return tuple(pairs), tuple(bad)


_JSON_NEEDED = "Each line is an object with the texts clean, counterfactual, answer and distractor."


def _no_pairs(name: str, bad: list[BadPair]) -> str:
    said = name or "The file"
    if not bad:
        return f"{said} has no pairs."
    return f"{said} has no good pair. Line {bad[0].number}: {bad[0].reason}."


def _json_lines(text: str) -> Iterator[Line]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, _read_object(line)


def _read_object(line: str) -> dict[str, Any] | str:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON ({error})"
    return values if isinstance(values, dict) else "not an object"


def _csv_lines(text: str) -> Iterator[Line]:
    """Records by the line they start at. Raises BadInput where the header lacks a column."""
    header, *_ = text.lstrip().split("\n", 1)
    delimiter = max(",;\t", key=header.count)  # spreadsheets of some countries write ";"
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: dict[str, int] = {}
    for number, row in _rows(reader):
        if columns:
            yield number, row if isinstance(row, str) else _by_column(row, columns)
        else:
            columns = _read_header(row)


def _rows(reader: Any) -> Iterator[tuple[int, list[str] | str]]:
    """Rows that are not blank, or what is wrong with them."""
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            row = f"not CSV ({error})"
        if row:
            yield number, row


def _read_header(row: list[str] | str) -> dict[str, int]:
    names = [] if isinstance(row, str) else [cell.strip().lower() for cell in row]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise BadInput(f"The first line does not name {', '.join(missing)}.", _NEEDED)
    return {column: names.index(column) for column in COLUMNS}


def _by_column(row: list[str], columns: dict[str, int]) -> dict[str, str]:
    """Values of a row; columns it is too short for are left out."""
    return {column: row[index] for column, index in columns.items() if index < len(row)}


def _find_fault(values: dict[str, Any]) -> str:
    """Why this is not a pair; "" where it is one."""
    for column in COLUMNS:
        if values.get(column) is None:
            return f"no {column}"
        if not isinstance(values[column], str):
            return f"{column} is not a text"
        if not _is_whole(values[column]):
            return f"{column} has half a character"
    for column in ("clean", "counterfactual"):
        if not values[column].strip():
            return f"{column} is empty"
    for column in ("answer", "distractor"):
        if not values[column]:
            return f"{column} is empty"
    if values["answer"] == values["distractor"]:
        return "answer and distractor are the same"
    if values["clean"] == values["counterfactual"]:
        return "clean and counterfactual are the same"
    return ""


def _is_whole(text: str) -> bool:
    """Whether a text has no lone surrogates, as JSON can write them; no tokenizer reads those."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
