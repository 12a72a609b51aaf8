"""Tokens as people read them. A token is identified by (position, id), never by its text."""

from collections import Counter
from dataclasses import dataclass

_VISIBLE = str.maketrans({" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"})
_BLANK = {ord(visible): chr(blank) for blank, visible in _VISIBLE.items()}


def show(text: str) -> str:
    """The text with blanks made visible: " Mary" → "␣Mary"."""
    return text.translate(_VISIBLE)


def unshow(text: str) -> str:
    """What `show` made visible as it was: "␣Mary" → " Mary"."""
    return text.translate(_BLANK)


@dataclass(frozen=True)
class Token:
    """An entry of the vocabulary."""

    id: int
    text: str  # as decoded, with its leading space; "⟨bos⟩" for beginning of text

    @property
    def shown(self) -> str:
        return show(self.text)


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
    def labels(self) -> tuple[str, ...]:
        """Readable and unique: a second " to" is "␣to_2"."""
        seen: Counter[str] = Counter()
        labels = []
        for token in self.items:
            seen[token.shown] += 1
            nth = seen[token.shown]
            labels.append(token.shown if nth == 1 else f"{token.shown}_{nth}")
        return tuple(labels)
