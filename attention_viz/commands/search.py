"""`search`: a small set of heads that matter together."""

from argparse import ArgumentParser, Namespace
from typing import Any

from attention_viz.commands import options
from attention_viz.commands.command import (
    Asker,
    Command,
    ablation_json,
    headline,
    read_out_json,
    table,
    token_json,
)
from attention_viz.records.errors import BadInput
from attention_viz.records.search import Objective, SearchRequest, SearchResult, SearchStep


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--objective",
        choices=[objective.value for objective in Objective],
        default=None,
        help="kl: a set with great KL; flip: a set that makes --flip-to the top-1 "
        "(default: flip where --flip-to is given, else kl)",
    )
    parser.add_argument("--flip-to", metavar="TOKEN", help="exact text, like ' John'")
    parser.add_argument(
        "--max-heads", type=options.count, default=5, metavar="N", help="default: 5"
    )


def _ask(asker: Asker, args: Namespace) -> SearchResult:
    objective = _objective(args)
    question = asker.question(args)
    flip_to = asker.token_id(args.flip_to) if objective is Objective.FLIP else None
    ablation = options.ablation(args)
    return asker.measure(SearchRequest(question, objective, flip_to, args.max_heads, ablation))


def _objective(args: Namespace) -> Objective:
    if args.objective is None:
        return Objective.KL if args.flip_to is None else Objective.FLIP
    if args.objective == Objective.FLIP and args.flip_to is None:
        raise BadInput("--objective flip needs a token.", "Name it, like --flip-to ' John'.")
    return Objective(args.objective)


def to_json(result: SearchResult) -> dict[str, Any]:
    request = result.request
    return {
        **read_out_json(request.question, result.tokens, result.position),
        **ablation_json(request.ablation),
        "objective": request.objective.value,
        "unit": request.objective.unit,
        "flip_to": request.flip_to,
        "max_heads": request.max_heads,
        "heads": [str(head) for head in result.heads],
        "score": result.score,
        "top": token_json(result.top),
        "steps": [_step_json(step) for step in result.steps],
        "flipped": bool(result.flipped),
        # False where it was not shown: minimal_tried tells "no" from "not tried".
        "minimal": bool(result.minimal),
        "minimal_tried": result.minimal is not None,
        "stopped": result.stopped,
        "evaluations": result.evaluations,
        "seconds": result.seconds,
    }


def _step_json(step: SearchStep) -> dict[str, Any]:
    return {
        "action": step.action,
        "head": str(step.head),
        "heads": [str(head) for head in step.heads],
        "score": step.score,
        "top": token_json(step.top),
        "runner_up": None if step.runner_up is None else str(step.runner_up),
        "runner_up_score": step.runner_up_score,
    }


def to_text(result: SearchResult) -> str:
    request = result.request
    steps = table(
        ["step", "head", "score", "top-1", "runner-up", "its score"],
        (
            (
                step.action,
                str(step.head),
                step.score,
                step.top.shown,
                str(step.runner_up or "–"),
                step.runner_up_score,
            )
            for step in result.steps
        ),
    )
    return "\n".join(
        [
            headline(request.question, result.tokens, result.position),
            f"score: {request.objective.score_title}, {request.ablation.label} ablation",
            "",
            steps,
            "",
            f"found: {_found(result)}",
            f"{result.evaluations} evaluations in {result.seconds:.2f} s; "
            f"stopped: {result.stopped}",
        ]
    )


def _found(result: SearchResult) -> str:
    if not result.heads:
        return "nothing"
    claims = ["flips the top-1" if result.flipped else "does not flip the top-1"]
    if result.minimal is not None:
        claims.append("minimal" if result.minimal else "not minimal")
    return f"{', '.join(map(str, result.heads))} ({', '.join(claims)})"


COMMAND = Command(
    name="search",
    about="find a small set of heads that changes the prediction",
    parents=(options.question, options.intervention, options.machine, options.output),
    add_options=_add_options,
    ask=_ask,
    to_json=to_json,
    to_text=to_text,
)
