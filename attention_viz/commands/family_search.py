"""`search --family`: a small set of heads that flips prompt pairs, not one prompt."""

from argparse import Namespace
from typing import Any

from attention_viz.commands import options
from attention_viz.commands.command import Asker, table
from attention_viz.commands.family_output import pairs_line, rate_text, refused_lines
from attention_viz.commands.pairs import add_pairs, read_pairs
from attention_viz.exports.records import pick, record_json
from attention_viz.records.family_search import (
    FamilyEstimateRequest,
    FamilySearchRequest,
    FamilySearchResult,
)
from attention_viz.records.looks.family import PairFlip
from attention_viz.records.page import PageState

_PAGE = PageState().ablation
OPTIONS = ("flip", "share", "held_out", "random")  # that are of searches over a family only


def add_options(group: Any) -> None:
    add_pairs(group, "search over")
    group.add_argument(
        "--flip",
        choices=[flip.value for flip in PairFlip],
        help="; ".join(f"{flip.value}: {flip.about}" for flip in PairFlip)
        + f" (default: {_PAGE.flip})",
    )
    group.add_argument(
        "--share",
        type=options.positive,
        metavar="X",
        help=f"of the pairs that are to flip (default: {_PAGE.share:g})",
    )
    group.add_argument(
        "--held-out",
        type=options.number,
        metavar="X",
        help="share of the pairs that the search doesn't see, and its set is tested on "
        f"(default: {FamilySearchRequest.hold_out:g})",
    )
    group.add_argument(
        "--random",
        type=options.not_negative_integer,
        metavar="N",
        help="control: random sets with as many heads in the same layers "
        f"(default: {FamilySearchRequest.random_sets})",
    )


def ask(asker: Asker, args: Namespace) -> FamilySearchResult:
    own = {
        "flip": PairFlip(_PAGE.flip if args.flip is None else args.flip),
        "share": _PAGE.share if args.share is None else args.share,
        "hold_out": FamilySearchRequest.hold_out if args.held_out is None else args.held_out,
        "random_sets": FamilySearchRequest.random_sets if args.random is None else args.random,
    }
    request = FamilySearchRequest(
        read_pairs(asker, args).request,
        max_heads=args.max_heads,
        ablation=options.ablation(args),
        seed=args.seed,
        budget_seconds=args.budget_seconds,
        **own,
    )
    estimate = asker.measure(FamilyEstimateRequest(request))
    asker.tell(f"at most {estimate.evaluations:,} runs, about {estimate.seconds:.1f} s")
    return asker.measure(request)


def to_json(result: FamilySearchResult) -> dict[str, Any]:
    return {**record_json(result), **pick(result, "reached", "percentile", "random_reaching")}


def to_text(result: FamilySearchResult) -> str:
    request = result.request
    steps = table(
        ["step", "heads", "set then", "score", "flips"],
        (
            (
                step.action,
                " ".join(map(str, step.heads)),
                " ".join(map(str, step.then)),
                step.score,
                f"{step.rate.count} of {step.rate.of}",
            )
            for step in result.steps
        ),
    )
    used = f"{result.usable} can flip, {result.apart} the clean model does not answer right"
    return "\n".join(
        [
            f"{pairs_line(request)}: {used}",
            *refused_lines(result.refused),
            f"flip: {request.flip.about}; score: mean of what is missing to it (logits)",
            "",
            steps,
            "",
            f"found: {_found(result)}",
            f"training pairs: {rate_text(result.train)}",
            f"held-out pairs: {rate_text(result.held_out)}",
            *_control(result),
            f"{result.evaluations} runs in {result.seconds:.2f} s; stopped: {result.stopped}",
        ]
    )


def _found(result: FamilySearchResult) -> str:
    if not result.heads:
        return "nothing"
    least = f"{100 * result.request.share:g} %"
    claims = [f"flips {least} or more" if result.reached else f"flips fewer than {least}"]
    claims += ["minimal"] * bool(result.minimal) + ["smallest"] * bool(result.smallest)
    return f"{', '.join(map(str, result.heads))} ({', '.join(claims)})"


def _control(result: FamilySearchResult) -> list[str]:
    if not result.random:
        return []
    count = len(result.random)
    return [
        f"random sets: {result.random_reaching} of {count} with as many heads in the same layers "
        f"flip as many; the set found is beyond {result.percentile:.1f} % of them"
    ]
