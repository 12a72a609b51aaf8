"""Prompt pairs on the command line: a built-in family's, a file's, or the question's own."""

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attention_viz.commands import options
from attention_viz.commands.command import Asker
from attention_viz.records.circuits.pair_file import parse_numbered_pairs
from attention_viz.records.circuits.pairs import BadPair, PairSet, PairsRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from attention_viz.records.question import Question

_COUNT = PageState().circuit.pair_count
_OF_PROMPT = ("prompt", "counterfactual", "answer", "distractor")  # a family brings its own


@dataclass(frozen=True)
class Pairs:
    """What is asked, as the model reads it, and what can't be."""

    request: PairsRequest
    found: PairSet
    refused: tuple[BadPair, ...]


def add_pairs(group: Any, what: str) -> None:
    """--family, --pairs and --pairs-file; `what` is done with the pairs."""
    group.add_argument(
        "--family",
        type=options.family,
        metavar="NAME",
        help=f"{what} a built-in family of prompt pairs (list: python main.py circuits)",
    )
    group.add_argument(
        "--pairs",
        type=options.count,
        metavar="N",
        help=f"how many of the family (default: {_COUNT})",
    )
    group.add_argument(
        "--pairs-file",
        metavar="FILE",
        help=f"{what} your own prompt pairs: CSV or JSONL with the columns clean, counterfactual, "
        "answer, distractor",
    )


def names_pairs(args: Namespace) -> bool:
    """Whether pairs are asked for. Raises BadInput where that contradicts a prompt, or itself."""
    if args.family is not None and args.pairs_file is not None:
        raise BadInput("--family and --pairs-file contradict each other.", "Leave out one of them.")
    if args.pairs is not None and args.family is None:
        raise BadInput("--pairs is how many pairs of a family.", "Name one with --family.")
    if args.family is None and args.pairs_file is None:
        return False
    source = "--family" if args.pairs_file is None else "--pairs-file"
    refuse(args, _OF_PROMPT, f"contradicts {source}: its pairs bring their own")
    if args.position != -1:
        raise BadInput(f"--position contradicts {source}.", "Pairs are read at their last token.")
    args.pairs = _COUNT if args.pairs is None else args.pairs
    return True


def need_prompt(args: Namespace, command: str) -> None:
    """Raises BadInput as the parser would, were --prompt always needed."""
    if args.prompt is None:
        raise BadInput(
            "The following arguments are required: --prompt.", f"See: python main.py {command} -h"
        )


def refuse(args: Namespace, names: Iterable[str], why: str) -> None:
    """Raises BadInput at the first of these options that was given."""
    for name in names:
        if getattr(args, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise BadInput(f"{flag} {why}.", f"Leave out {flag}.")


def read_pairs(asker: Asker, args: Namespace) -> Pairs:
    """Pairs of a file are refused by their line, those of a family by their number."""
    plain = Question(asker.model, "", bos=args.bos, chat=args.chat)
    if args.family is not None:
        request = PairsRequest(plain, args.family, args.pairs, args.seed)
        found = asker.measure(request)
        return _told(asker, Pairs(request, found, found.refused), "pair")
    if args.pairs_file is None:
        request = PairsRequest(asker.question(args))
        return Pairs(request, asker.measure(request), ())
    name = Path(args.pairs_file).name
    numbered, bad = parse_numbered_pairs(read_text(args.pairs_file), name)
    request = PairsRequest(plain, given=tuple(pair for _, pair in numbered))
    found = asker.measure(request)
    refused = [BadPair(numbered[each.number - 1][0], each.reason) for each in found.refused]
    refused = tuple(sorted([*bad, *refused], key=lambda each: each.number))
    return _told(asker, Pairs(request, found, refused), f"{name}, line")


def _told(asker: Asker, pairs: Pairs, what: str) -> Pairs:
    for bad in pairs.refused:
        asker.warn(f"{what} {bad.number}: {bad.reason}")
    return pairs


def read_text(file: str) -> str:
    """A file's text. Raises BadInput where there is none, or it is not UTF-8."""
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BadInput(f"{file!r} can't be read ({reason}).", "Check its name.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{file!r} is no UTF-8 text.", "Save it as UTF-8.") from error
