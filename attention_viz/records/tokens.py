"""Tokens as people read them. A token is identified by (position, id), never by its text.

A token of a byte-level vocabulary may hold part of a character. Among its neighbours it reads as
that character, with which of its UTF-8 bytes the token holds: "日 1/3", "日 2-3/3"; alone, as its
bytes: "⟨E6⟩". Blanks of the text are shown as "␣", so that the plain space is only ever the one
before such a count or after it: "␣日 1-2/3" is a space and most of 日, "日 3/3 本 1/3" the end of
one character and the beginning of the next.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

_VISIBLE = (
    {code: chr(0x2400 + code) for code in range(0x20)}
    | {0x7F: "␡"}
    | {ord(blank): sign for blank, sign in {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}.items()}
)
_BLANK = {ord(sign): chr(code) for code, sign in _VISIBLE.items()}
_NUMBERED = re.compile("⟨U\\+([0-9A-F]{4,6})⟩")
# What no font draws: C1 controls, surrogates, separators of lines, turns of the writing direction,
# noncharacters, and the sign for a character that could not be read.
_UNDRAWABLE = re.compile(
    "[\x80-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffd"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)
# Keeps "1/3" to the right of a character of a right-to-left script
_LEFT_TO_RIGHT = "\u200e"


def show(text: str) -> str:
    """The text with blanks and controls made visible: " Mary" → "␣Mary"."""
    return _UNDRAWABLE.sub(lambda match: _numbered(match[0]), text.translate(_VISIBLE))


def unshow(text: str) -> str:
    """What `show` made visible as it was: "␣Mary" → " Mary"."""
    return _NUMBERED.sub(_character, text.translate(_BLANK))


@dataclass(frozen=True)
class Token:
    """An entry of the vocabulary."""

    id: int
    text: str  # as decoded, with its leading space; "⟨bos⟩" for beginning of text
    # The UTF-8 bytes of one that can't be decoded alone, whose text is the tokenizer's name for it
    raw: bytes | None = field(default=None, compare=False)
    # How it reads among its neighbours, where they are known and it holds part of a character
    within: str | None = field(default=None, compare=False)

    @property
    def values(self) -> dict[str, str | int]:
        """As JSON has it: exact, with the bytes where there are only those, and how it is shown."""
        values = {"token": self.text, "id": self.id}
        if self.raw is not None:
            values |= {"bytes": self.raw.hex().upper(), "shown": self.shown}
        return values

    @property
    def shown(self) -> str:
        """Readable: "␣Mary"; of part of a character "日 1/3" in a prompt, "⟨E6⟩" alone."""
        if self.within is not None:
            return self.within
        return show(self.text) if self.raw is None else self.alone

    @property
    def alone(self) -> str:
        """As `shown` where no neighbours are known, in menus of the vocabulary for one."""
        return show(self.text) if self.raw is None else _render(_runs(self.raw))


@dataclass(frozen=True)
class Tokens:
    """The tokens of one prompt as the model sees them, beginning of text included."""

    items: tuple[Token, ...]
    bos: bool  # whether items[0] is the beginning-of-text token

    def __len__(self) -> int:
        return len(self.items)

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(token.text for token in self.items)

    @property
    def text(self) -> str:
        """The text they make together, without the beginning-of-text token."""
        return join(self.items[int(self.bos) :])

    @property
    def labels(self) -> tuple[str, ...]:
        """Readable and unique: a second " to" is "␣to_2"."""
        seen: Counter[str] = Counter()
        labels: dict[str, None] = {}
        for shown in (token.shown for token in self.items):
            seen[shown] += 1
            label = shown if seen[shown] == 1 else f"{shown}_{seen[shown]}"
            while label in labels:  # another token reads "to_2"
                seen[shown] += 1
                label = f"{shown}_{seen[shown]}"
            labels[label] = None
        return tuple(labels)


def join(items: Iterable[Token]) -> str:
    """The text that tokens make together, bytes of a character joined to the character."""
    texts = []
    for is_raw, run in groupby(items, lambda token: token.raw is not None):
        if is_raw:
            characters = _runs(b"".join(token.raw for token in run))
            texts += [character or _hexadecimal(data) for character, data in characters]
        else:
            texts += [token.text for token in run]
    return "".join(texts)


def read_together(items: Iterable[Token]) -> tuple[Token, ...]:
    """The tokens of one text, those with part of a character reading as that: see the module."""
    read: list[Token] = []
    for is_raw, group in groupby(items, lambda token: token.raw is not None):
        run = list(group)
        read += _read_run(run) if is_raw else run
    return tuple(read)


# Bytes of characters


@dataclass(frozen=True)
class _Part:
    """What a token holds of one character: its bytes `first` to `last` of `of`, from 1."""

    character: str
    first: int
    last: int
    of: int

    @property
    def is_whole(self) -> bool:
        return self.last - self.first + 1 == self.of

    def __str__(self) -> str:
        if self.is_whole:
            return show(self.character)
        span = f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"
        return f"{_stand_alone(self.character)} {span}/{self.of}"


def _read_run(run: list[Token]) -> Iterator[Token]:
    """Neighbours that all have `raw`; the characters between them are whole."""
    characters = list(_runs(b"".join(token.raw for token in run)))
    start = 0
    for token in run:
        stop = start + len(token.raw)
        yield replace(token, within=_render(_slice(characters, start, stop)))
        start = stop


def _slice(
    characters: list[tuple[str | None, bytes]], start: int, stop: int
) -> Iterator[tuple[_Part | None, bytes]]:
    """What lies between two bytes of the characters; no part for bytes that make no character."""
    at = 0
    for character, data in characters:
        first, last = max(start - at, 0), min(stop - at, len(data))
        if first < last:
            part = None if character is None else _Part(character, first + 1, last, len(data))
            yield part, data[first:last]
        at += len(data)


def _runs(data: bytes) -> Iterator[tuple[str | None, bytes]]:
    """Characters with their bytes; None with the longest runs of bytes that make none."""
    stray = b""
    while data:
        character = _first_character(data)
        length = len(character.encode()) if character else 1
        if character is None:
            stray += data[:1]
        else:
            if stray:
                yield None, stray
            stray = b""
            yield character, data[:length]
        data = data[length:]
    if stray:
        yield None, stray


def _first_character(data: bytes) -> str | None:
    for length in range(1, 5):
        try:
            return data[:length].decode()[:1]
        except UnicodeDecodeError:
            continue
    return None


def _render(parts: Iterable[tuple[str | _Part | None, bytes]]) -> str:
    shown, is_counted = "", False
    for part, data in parts:
        if is_counted:
            shown += " "
        if part is None:
            shown += _hexadecimal(data)
        else:
            shown += show(part) if isinstance(part, str) else str(part)
        is_counted = isinstance(part, _Part) and not part.is_whole
    return shown


def _stand_alone(character: str) -> str:
    """A character before its count: on its own legs where it combines, by number where unseen."""
    kind = unicodedata.category(character)
    if kind[0] in "CZ" or _is_selector(character) or _UNDRAWABLE.match(character):
        return _numbered(character)
    if kind[0] == "M":
        return f"◌{character}"
    is_right_to_left = unicodedata.bidirectional(character) in ("R", "AL")
    return character + _LEFT_TO_RIGHT * is_right_to_left


def _is_selector(character: str) -> bool:
    """Variation selectors, which only change the character before."""
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _hexadecimal(data: bytes) -> str:
    return f"⟨{data.hex().upper()}⟩"


def _numbered(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"


def _character(match: re.Match) -> str:
    code = int(match[1], 16)
    is_character = code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF
    return chr(code) if is_character else match[0]
