"""`tokens`: how the model reads a prompt, with the positions other commands count in."""

from argparse import ArgumentParser, Namespace
from typing import Any

from attention_viz.commands import options
from attention_viz.commands.command import Asker, Command, headline, read_out_json, table
from attention_viz.records.question import PromptTokens, TokensRequest


def _add_options(parser: ArgumentParser) -> None:
    pass


def _ask(asker: Asker, args: Namespace) -> PromptTokens:
    return asker.measure(TokensRequest(asker.question(args)))


def to_json(read: PromptTokens) -> dict[str, Any]:
    other = read.counterfactual
    return {
        **read_out_json(read.question, read.tokens, read.position),
        "ids": [token.id for token in read.tokens.items],
        "shown": [token.shown for token in read.tokens.items],
        "counterfactual": None if other is None else list(other.texts),
    }


def to_text(read: PromptTokens) -> str:
    rows = [[at, token.shown, token.id] for at, token in enumerate(read.tokens.items)]
    headers = ["position", "token", "id"]
    if read.counterfactual is not None:
        headers.append("counterfactual")
        for row, token in zip(rows, read.counterfactual.items, strict=True):
            row.append(token.shown)
    return "\n".join(
        [headline(read.question, read.tokens, read.position), "", table(headers, rows)]
    )


COMMAND = Command(
    name="tokens",
    about="show how a prompt is split into tokens",
    parents=(options.question, options.machine, options.output),
    add_options=_add_options,
    ask=_ask,
    to_json=to_json,
    to_text=to_text,
)
