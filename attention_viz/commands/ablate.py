"""`ablate`: chosen heads ablated together."""

from argparse import ArgumentParser, Namespace
from typing import Any

from attention_viz.commands import options
from attention_viz.commands.command import Asker, Command, headline, table
from attention_viz.exports.records import pick, record_json
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
    clean, ablated = result.clean, result.ablated
    return {
        **record_json(result.request),
        **pick(clean, "tokens", "position", "answer", "distractor"),
        "clean": pick(clean, "top", "entropy", "logit_diff"),
        "ablated": pick(ablated, "top", "entropy", "logit_diff"),
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
    clean, ablated = change.clean, change.ablated
    return {
        **record_json(change.token),
        "from": clean.rank,
        "to": ablated.rank,
        "probability": {"clean": clean.probability, "ablated": ablated.probability},
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
