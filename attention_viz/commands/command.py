"""What a measuring command consists of, and the words its output shares with the others."""

import math
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from attention_viz.records.bench import Bench, Request
from attention_viz.records.pace import Pace
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token, Tokens

Show = Callable[[str], None]


@dataclass(frozen=True)
class Command:
    """A command that asks one model one thing."""

    name: str
    about: str
    parents: tuple[Callable[[], ArgumentParser], ...]  # shared options
    add_options: Callable[[ArgumentParser], None]  # its own
    ask: Callable[["Asker", Namespace], Any]  # -> record
    to_json: Callable[[Any], dict[str, Any]]
    to_text: Callable[[Any], str]
    finish: Callable[[Any, Namespace], None] = lambda record, args: None  # write files


@dataclass(frozen=True)
class Asker:
    """The workbench, and the one model this command line is about."""

    workbench: Bench
    model: str
    show: Show | None = None  # tells a person how far things are

    def measure(self, request: Request) -> Any:
        return self.workbench.measure(request, _ShownPace(self.show) if self.show else None)

    def tell(self, text: str) -> None:
        """Say something to a person who is watching."""
        if self.show:
            self.show(text)

    def warn(self, text: str) -> None:
        """Say on stderr what should stay readable, watched or not: one line."""
        self.tell("")
        print(" ".join(text.split()), file=sys.stderr, flush=True)

    def question(self, args: Namespace) -> Question:
        """The question the options ask. Raises BadInput for a token text of several tokens."""
        self._load()
        return Question(
            model=self.model,
            prompt=args.prompt,
            position=args.position,
            bos=args.bos,
            chat=args.chat,
            counterfactual=args.counterfactual,
            answer=self.token_id(args.answer),
            distractor=self.token_id(args.distractor),
        )

    def token_id(self, text: str | None) -> int | None:
        return None if text is None else self.workbench.token_id(self.model, text)

    def _load(self) -> None:
        status = self.workbench.load(self.model)
        while self.show and status.state == "loading":
            self.show(f"loading {self.model}: {status.message}")
            time.sleep(0.1)
            status = self.workbench.status(self.model)
        self.workbench.wait(self.model)


class _ShownPace(Pace):
    def __init__(self, show: Show):
        self._show = show

    def report(self, done: int, total: int, partial: Any = None) -> None:
        super().report(done, total, partial)
        self._show(f"{done} of {total}")


# Text


def table(headers: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Aligned columns: texts to the left, numbers to the right."""
    rows = [list(row) for row in rows]
    cells = [list(headers), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    is_text = [
        any(isinstance(row[column], str | Token) for row in rows) for column in range(len(cells[0]))
    ]
    lines = []
    for row in cells:
        parts = [
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(row, widths, is_text, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def headline(question: Question, tokens: Tokens, position: int) -> str:
    read = " ".join(f"[{label}]" if at == position else label for at, label in _labelled(tokens))
    return f"{question.model}: {read}"


def _labelled(tokens: Tokens) -> Iterable[tuple[int, str]]:
    return enumerate(token.shown for token in tokens.items)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, Token):
        return value.shown
    return f"{value:.4f}" if isinstance(value, float) else str(value)
