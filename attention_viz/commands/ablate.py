"""`ablate`: chosen heads ablated together."""

from argparse import ArgumentParser, Namespace
from typing import Any

from attention_viz.commands import options
from attention_viz.commands.command import (
    Asker,
    Command,
    ablation_json,
    headline,
    prediction_json,
    read_out_json,
    table,
    token_json,
)
from attention_viz.records.ablation import AblationRequest, AblationResult, TokenChange


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--heads", required=True, metavar="L2H3,L3H1")
    parser.add_argument(
        "--top", type=options.count, default=10, metavar="N", help="next tokens listed; default: 10"
    )


def _ask(asker: Asker, args: Namespace) -> AblationResult:
    heads = options.heads(args.heads)
    question, ablation = asker.question(args), options.ablation(args)
    return asker.measure(AblationRequest(question, heads, ablation, args.top))


def to_json(result: AblationResult) -> dict[str, Any]:
    request, clean, ablated = result.request, result.clean, result.ablated
    return {
        **read_out_json(request.question, clean.tokens, clean.position),
        **ablation_json(request.ablation),
        "heads": [str(head) for head in request.heads],
        "answer": token_json(clean.answer),
        "distractor": token_json(clean.distractor),
        "clean": prediction_json(clean),
        "ablated": prediction_json(ablated),
        "kl": result.kl,
        "logit_diff": {
            "clean": clean.logit_diff,
            "ablated": ablated.logit_diff,
            "effect": ablated.logit_diff - clean.logit_diff,
        },
        "rank_changes": [_change_json(change) for change in result.changes],
        "flipped": result.flipped,
    }


def _change_json(change: TokenChange) -> dict[str, Any]:
    return {
        **token_json(change.token),
        "from": change.clean.rank,
        "to": change.ablated.rank,
        "probability": {
            "clean": change.clean.probability,
            "ablated": change.ablated.probability,
        },
    }


def to_text(result: AblationResult) -> str:
    request, clean, ablated = result.request, result.clean, result.ablated
    heads = ", ".join(map(str, request.heads))
    before, after = clean.top[0].token.shown, ablated.top[0].token.shown
    tokens = table(
        ["token", "clean", "rank", "ablated", "rank", "change"],
        (
            (
                change.token.shown,
                change.clean.probability,
                change.clean.rank,
                change.ablated.probability,
                change.ablated.rank,
                change.ablated.probability - change.clean.probability,
            )
            for change in result.changes
        ),
    )
    diff = f"logit difference {clean.answer.shown} − {clean.distractor.shown} (logits)"
    metrics = table(
        ["metric", "clean", "ablated", "effect"],
        [
            (diff, clean.logit_diff, ablated.logit_diff, ablated.logit_diff - clean.logit_diff),
            ("entropy (nats)", clean.entropy, ablated.entropy, ablated.entropy - clean.entropy),
            ("KL divergence (nats)", 0.0, result.kl, result.kl),
        ],
    )
    return "\n".join(
        [
            headline(request.question, clean.tokens, clean.position),
            f"{request.ablation.label} ablation of {heads}: top-1 "
            + (f"flipped {before} → {after}" if result.flipped else f"stays {before}"),
            "",
            tokens,
            "",
            metrics,
        ]
    )


COMMAND = Command(
    name="ablate",
    about="ablate chosen heads together and compare the next token",
    parents=(options.question, options.intervention, options.machine, options.output),
    add_options=_add_options,
    ask=_ask,
    to_json=to_json,
    to_text=to_text,
)
