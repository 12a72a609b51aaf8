"""`lens`: what the model would say if it stopped after each layer."""

from argparse import ArgumentParser, Namespace
from typing import Any

from attention_viz.commands import options
from attention_viz.commands.command import (
    Asker,
    Command,
    ablation_json,
    headline,
    plain,
    read_out_json,
    table,
    token_json,
)
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
    request = lens.request
    run = ablation_json(request.ablation) if request.ablation else {"kind": None}
    return {
        **read_out_json(request.question, lens.tokens, lens.position),
        **run,
        "heads": [str(head) for head in request.heads],
        "rows": list(lens.rows),
        "top": [
            [_cell_json(lens, row, at) for at in range(len(lens.tokens))]
            for row in range(len(lens.rows))
        ],
        "entropy": plain(lens.entropy),
        "answer": token_json(lens.answer),
        "distractor": token_json(lens.distractor),
        "answer_probability": plain(lens.answer_probability),
        "answer_rank": plain(lens.answer_rank),
        "settles": None if lens.settles is None else lens.rows[lens.settles],
    }


def _cell_json(lens: LogitLens, row: int, at: int) -> list[dict[str, Any]]:
    return [
        {**token_json(token), "probability": plain(lens.probability[row, at, k])}
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
