"""`search`: a small set of heads that matter together."""

from argparse import ArgumentParser, Namespace
from functools import partial
from typing import Any

from attention_viz.commands import family_search, options
from attention_viz.commands.command import Asker, Command, headline, table
from attention_viz.commands.pairs import names_pairs, need_prompt, refuse
from attention_viz.exports.records import record_json
from attention_viz.records.errors import BadInput
from attention_viz.records.family_search import FamilySearchResult
from attention_viz.records.search import (
    EstimateRequest,
    Objective,
    SearchRequest,
    SearchResult,
    Strategy,
)


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
    parser.add_argument(
        "--strategy",
        choices=[strategy.value for strategy in Strategy],
        help="; ".join(f"{strategy.value}: {strategy.about}" for strategy in Strategy)
        + " (default: guided)",
    )
    parser.add_argument(
        "--budget-seconds", type=options.positive, metavar="X", help="stop after so long"
    )
    parser.add_argument(
        "--budget-runs", type=options.count, metavar="N", help="stop after so many evaluations"
    )
    parser.add_argument(
        "--alternatives",
        type=options.not_negative_integer,
        metavar="N",
        help="other minimal sets to look for after a flip (default: 5)",
    )
    family_search.add_options(parser.add_argument_group("over a family of prompt pairs"))


_OF_ONE_PROMPT = ("objective", "flip_to", "strategy", "budget_runs", "alternatives")


def _ask(asker: Asker, args: Namespace) -> SearchResult | FamilySearchResult:
    if names_pairs(args):
        refuse(args, _OF_ONE_PROMPT, "is of searches on one prompt")
        return family_search.ask(asker, args)
    refuse(args, family_search.OPTIONS, "is of searches over a family: name one with --family")
    need_prompt(args, "search")
    return _search_prompt(asker, args)


def _search_prompt(asker: Asker, args: Namespace) -> SearchResult:
    objective = _objective(args)
    question = asker.question(args)
    flip_to = asker.token_id(args.flip_to) if objective is Objective.FLIP else None
    ablation = options.ablation(args)
    request = SearchRequest(
        question,
        objective,
        flip_to,
        args.max_heads,
        ablation,
        strategy=Strategy(args.strategy or Strategy.GUIDED),
        budget_seconds=args.budget_seconds,
        budget_evaluations=args.budget_runs,
        alternatives=5 if args.alternatives is None else args.alternatives,
    )
    estimate = asker.measure(EstimateRequest(request))
    asker.tell(f"at most {estimate.evaluations:,} runs, about {estimate.seconds:.1f} s")
    return asker.measure(request)


def _objective(args: Namespace) -> Objective:
    if args.objective is None:
        return Objective.KL if args.flip_to is None else Objective.FLIP
    if args.objective == Objective.FLIP and args.flip_to is None:
        raise BadInput("--objective flip needs a token.", "Name it, like --flip-to ' John'.")
    return Objective(args.objective)


def to_text(result: SearchResult | FamilySearchResult) -> str:
    if isinstance(result, FamilySearchResult):
        return family_search.to_text(result)
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
            *_others(result),
            f"{result.evaluations} evaluations{_back(result)} in {result.seconds:.2f} s; "
            f"stopped: {result.stopped}",
        ]
    )


def _back(result: SearchResult) -> str:
    return f" and {result.gradients} backward passes" if result.gradients else ""


def _found(result: SearchResult) -> str:
    if not result.heads:
        return "nothing"
    claims = ["flips the top-1" if result.flipped else "does not flip the top-1"]
    if result.minimal is not None:
        claims.append("minimal" if result.minimal else "not minimal")
    if result.smallest is not None:
        claims.append("smallest" if result.smallest else "a smaller set is below")
    return f"{', '.join(map(str, result.heads))} ({', '.join(claims)})"


def _others(result: SearchResult) -> list[str]:
    """Other minimal sets, with how many heads each shares with the set found."""
    own = set(result.heads)
    return [
        f"also minimal: {', '.join(map(str, heads))} (shares {len(own & set(heads))} of {len(own)})"
        for heads in result.alternatives
    ]


def to_json(result: SearchResult | FamilySearchResult) -> dict[str, Any]:
    is_of_pairs = isinstance(result, FamilySearchResult)
    return family_search.to_json(result) if is_of_pairs else record_json(result)


COMMAND = Command(
    name="search",
    about="find a small set of heads that changes the prediction, of a prompt or a family of them",
    parents=(
        partial(options.question, needs_prompt=False),
        partial(options.intervention, seed_is_also_for="--family"),
        options.machine,
        options.output,
    ),
    add_options=_add_options,
    ask=_ask,
    to_json=to_json,
    to_text=to_text,
)
