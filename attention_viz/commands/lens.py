"""`lens`: what the model would say if it stopped after each layer."""

from argparse import ArgumentParser, Namespace
from typing import Any

from attention_viz.commands import options
from attention_viz.commands.command import Asker, Command, headline, table
from attention_viz.exports.records import pick, record_json
from attention_viz.records.lens import LensRequest, LogitLens


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--heads", metavar="L2H3,L3H1", help="read the run with these ablated")
    parser.add_argument(
        "--top", type=options.count, default=5, metavar="N", help="tokens per cell; default: 5"
    )


def _ask(asker: Asker, args: Namespace) -> LogitLens:
    heads = () if args.heads is None else options.heads(args.heads)
    ablation = options.ablation(args) if heads else None
    return asker.measure(LensRequest(asker.question(args), args.top, heads, ablation))


def to_json(lens: LogitLens) -> dict[str, Any]:
    """`kind` is null of the clean run; each token has its probability beside it."""
    asked = pick(lens, "request", "tokens", "position", "answer", "distractor")
    return {
        "kind": None,
        **asked,
        **pick(lens, "rows", "entropy", "answer_probability", "answer_rank"),
        "top": [
            [_cell_json(lens, row, at) for at in range(len(lens.tokens))]
            for row in range(len(lens.rows))
        ],
        "settles": None if lens.settles is None else lens.rows[lens.settles],
    }


def _cell_json(lens: LogitLens, row: int, at: int) -> list[dict[str, Any]]:
    return [
        {**record_json(token), "probability": record_json(lens.probability[row, at, k])}
        for k, token in enumerate(lens.top[row][at])
    ]


def to_text(lens: LogitLens) -> str:
    request, at = lens.request, lens.position
    rows = table(
        ["after", "top-1", "probability", "entropy", f"p({lens.answer.shown})", "rank"],
        (
            (
                name,
                lens.top[row][at][0].shown,
                float(lens.probability[row, at, 0]),
                float(lens.entropy[row, at]),
                float(lens.answer_probability[row, at]),
                int(lens.answer_rank[row, at]),
            )
            for row, name in enumerate(lens.rows)
        ),
    )
    settles = "never" if lens.settles is None else f"after {lens.rows[lens.settles]}"
    of = f" with {', '.join(map(str, request.heads))} ablated" if request.heads else ""
    return "\n".join(
        [
            headline(request.question, lens.tokens, at),
            f"logit lens at the read-out{of}; entropy in nats",
            "",
            rows,
            "",
            f"the top-1 settles: {settles}",
        ]
    )


COMMAND = Command(
    name="lens",
    about="read the residual stream after each layer (logit lens)",
    parents=(options.question, options.intervention, options.machine, options.output),
    add_options=_add_options,
    ask=_ask,
    to_json=to_json,
    to_text=to_text,
)
