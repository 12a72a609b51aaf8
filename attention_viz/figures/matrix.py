"""Every heat map of the page as one spec, which `assets/50_matrix.js` draws.

A spec is JSON: names of rows and columns, values and a colour scale, with what a tooltip adds,
what is marked, and what a click does. Texts in it are literal, never markup. Numbers have four
decimals, null is "not there", and what stands in many cells is written once (`words`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attention_viz.figures import palette
from attention_viz.figures.escape import signed, visible
from attention_viz.records.metrics import Sense

_DIGITS = 4  # decimals of a number sent
_HELPS, _AGAINST = "helps the answer", "works against it"
_SIDES = {Sense.HELPS_BELOW: (_HELPS, _AGAINST), Sense.HELPS_ABOVE: (_AGAINST, _HELPS)}


@dataclass(frozen=True)
class Axis:
    """Rows or columns: what one of them is called in the tooltip, and their names.

    `at` are the positions that a click sends and the tooltip tells; without, nothing is told and a
    click sends the index.
    """

    word: str  # "from", "head"; "" where the name says it
    names: Sequence[str]
    at: Sequence[int] | None = None

    @classmethod
    def of_tokens(cls, word: str, labels: Sequence[str]) -> "Axis":
        """The tokens of a prompt, one for each position."""
        return cls(word, labels, range(len(labels)))

    def spec(self) -> dict[str, Any]:
        """As the browser reads it."""
        spec: dict[str, Any] = {"word": self.word, "names": [visible(name) for name in self.names]}
        return spec if self.at is None else spec | {"at": list(self.at)}


@dataclass(frozen=True)
class Scale:
    """Colours of the values from `low` to `high`, evenly between its stops, and their unit."""

    low: float
    high: float
    colours: Sequence[str]
    unit: str
    word: str = ""  # what the value is called in the tooltip; "" is the unit
    suffix: str = ""  # after the value in the tooltip
    digits: int = 3  # decimals in the tooltip
    sides: tuple[str, str] = ("", "")  # what is below and above 0, at the colour bar's ends

    @property
    def is_signed(self) -> bool:
        return self.low < 0

    def spec(self) -> dict[str, Any]:
        """As the browser reads it, with the texts at the colour bar's ends."""
        ends = (signed(self.low), signed(self.high)) if self.is_signed else ("0", f"{self.high:g}")
        spec: dict[str, Any] = {
            "low": _number(self.low),
            "high": _number(self.high),
            "colours": list(self.colours),
            "unit": self.unit,
            "word": self.word or self.unit,
            "suffix": self.suffix,
            "digits": self.digits,
            "signed": self.is_signed,
            "ends": [end.replace(".00", "") for end in ends],
        }
        return spec | ({"sides": list(self.sides)} if any(self.sides) else {})


def scale_of(
    sense: Sense,
    unit: str,
    limit: float = 1.0,
    theme: str = "light",
    *,
    word: str = "",
    suffix: str = "",
) -> Scale:
    """The scale of numbers of this sense: up to `limit`, and down to −limit if they have a sign."""
    colours = [colour for _, colour in palette.scale_of(sense, theme)]
    low = 0.0 if sense is Sense.SIZE else -limit
    sides = _SIDES.get(sense, ("", ""))
    return Scale(low, limit, colours, unit, word, suffix, sides=sides)


def limit_of(values: np.ndarray) -> float:
    """The greatest size measured; 1 where nothing was, or nothing but zeros."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0)) or 1.0


@dataclass(frozen=True)
class Hover:
    """A line of the tooltip: a name, and for each cell a text, a number or both."""

    name: str
    values: np.ndarray | None = None  # [row, column], nan: not told
    texts: Sequence[Sequence[str]] | None = None  # [row][column]
    digits: int = 3
    is_signed: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Cells:
    """How large cells are, in px: as wide as fits between two ends.

    What doesn't fit at the least width scrolls, with cells of the width `scrolling`. `height` None
    makes them square.
    """

    least: int = 12
    most: int = 44
    scrolling: int = 14
    height: int | None = None

    def spec(self) -> dict[str, Any]:
        """As the browser reads it."""
        sizes = {"least": self.least, "most": self.most, "scrolling": self.scrolling}
        return sizes if self.height is None else sizes | {"height": self.height}


SQUARE = Cells()
NUMBERS = Cells(least=20, most=84, scrolling=44, height=24)  # with room for written values


def draw_matrix(
    values: np.ndarray,
    rows: Axis,
    columns: Axis,
    *,
    scale: Scale,
    about: str,
    title: str = "",
    text: Sequence[Sequence[str]] | None = None,
    written: int | None = None,
    hover: Iterable[Hover] = (),
    least: float = 0.0,
    focus: tuple[int | None, int | None] | None = None,
    marks: Mapping[int, str] | None = None,
    click: Mapping[str, Any] | None = None,
    follow: Mapping[str, str] | None = None,
    cells: Cells = SQUARE,
    is_triangle: bool = False,
    grows_up: bool = False,
    has_bar: bool = False,
    theme: str = "light",
) -> dict[str, Any]:
    """The spec of `values` [row, column]; nan is left blank.

    about: what it is, for who doesn't see it. text: in the cells, one line, cut where it must be;
    or `written`, the decimals with which the values are written there. least: values smaller in
    size stay blank. focus: indices of a row and a column that are outlined; either may be None.
    marks: columns outlined, and why. is_triangle: nothing right of the diagonal is there.
    grows_up: the first row is at the bottom. has_bar: with a colour bar that names the unit.
    click: {"change": {address: "row" | "col" | "[row,col]"}}, again on the same: None;
    {"act": name} asks the server to do it with both ends; {"position": "row" | "col"} moves the
    read-out; {"head": "row" | "col" | "both" | [names]}
    chooses heads. follow: {"least" | "focus": address}, taken from the page as it changes there,
    without asking the server.
    """
    words = _Words()
    colours = palette.theme_of(theme)
    spec: dict[str, Any] = {
        "about": visible(about),
        "title": visible(title),
        "rows": rows.spec(),
        "columns": columns.spec(),
        "values": _numbers(values, is_triangle),
        "scale": scale.spec(),
        "cells": cells.spec(),
        "colours": {"focus": colours.accent, "cursor": colours.ink},
        "hover": [_hover(line, words, is_triangle) for line in hover],
    }
    optional = {
        "text": None if text is None else words.of(text, is_triangle),
        "written": written,
        "least": least or None,
        "focus": _inside(focus, values.shape),
        "marks": [[column, why] for column, why in (marks or {}).items()],
        "click": click and dict(click),
        "follow": follow and dict(follow),
        "triangle": is_triangle,
        "up": grows_up,
        "bar": has_bar,
    }
    spec |= {
        name: given
        for name, given in optional.items()
        if given is not None and given is not False and given != []
    }
    return spec | ({"words": words.list} if words.list else {})


def _inside(
    focus: tuple[int | None, int | None] | None, shape: tuple[int, ...]
) -> list[int | None] | None:
    """No focus of an older, longer prompt."""
    if focus is None:
        return None
    fits = all(at is None or 0 <= at < count for at, count in zip(focus, shape, strict=True))
    return list(focus) if fits else None


def _hover(line: Hover, words: "_Words", is_triangle: bool) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": visible(line.name)}
    if line.texts is not None:
        spec["texts"] = words.of(line.texts, is_triangle)
    if line.values is not None:
        values = _numbers(line.values, is_triangle)
        spec |= {"values": values, "digits": line.digits, "signed": line.is_signed}
    return spec | ({"unit": line.unit} if line.unit else {})


class _Words:
    """Texts of cells as numbers: a prompt's few tokens stand in thousands of them."""

    def __init__(self) -> None:
        self.list: list[str] = []
        self._places: dict[str, int] = {}

    def of(self, texts: Sequence[Sequence[str]], is_triangle: bool) -> list[list[int]]:
        return [
            [self._place(text) for text in (row[: number + 1] if is_triangle else row)]
            for number, row in enumerate(texts)
        ]

    def _place(self, text: str) -> int:
        place = self._places.get(text)
        if place is None:
            place = self._places[text] = len(self.list)
            self.list.append(visible(text))
        return place


def _numbers(values: np.ndarray, is_triangle: bool) -> list[list[float | None]]:
    rows = np.round(np.asarray(values, dtype=float), _DIGITS).tolist()
    return [
        [_number(value) for value in (row[: number + 1] if is_triangle else row)]
        for number, row in enumerate(rows)
    ]


def _number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    value = round(value, _DIGITS)
    return int(value) if value == int(value) else value
