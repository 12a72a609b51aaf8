"""Options that commands share, as argparse parents, and readers that say what is wrong."""

import argparse
import math
import re

from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId, parse_heads
from attention_viz.records.model import EMBEDDED
from attention_viz.records.page import PageState

# What a setting is where nobody chose it: as on the page, so that both ask the same thing.
_PAGE = PageState()


def machine() -> argparse.ArgumentParser:
    """--device, --threads, --memory."""
    parent = argparse.ArgumentParser(add_help=False)
    group = parent.add_argument_group("machine")
    group.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="default: auto"
    )
    group.add_argument("--threads", type=count, metavar="N", help="processor threads of torch")
    group.add_argument(
        "--memory",
        type=positive,
        metavar="GIB",
        help="most memory a batch of runs may take (default: half of what is free)",
    )
    return parent


def output() -> argparse.ArgumentParser:
    """--json."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--json", action="store_true", help="print one JSON object")
    return parent


def question(*, needs_prompt: bool = True) -> argparse.ArgumentParser:
    """Which model is asked what, and where its answer is read."""
    parent = argparse.ArgumentParser(add_help=False)
    group = parent.add_argument_group("question")
    group.add_argument(
        "--model",
        default=EMBEDDED,
        metavar="NAME",
        help="embedded (default), a hub name or a local folder",
    )
    group.add_argument("--prompt", required=needs_prompt, metavar="TEXT")
    group.add_argument(
        "--position",
        type=integer,
        default=-1,
        metavar="N",
        help="where the next token is read; beginning of text counts, negative: from the end",
    )
    group.add_argument(
        "--bos",
        action=argparse.BooleanOptionalAction,
        help="prepend beginning of text, or not (default: as the model is used to)",
    )
    group.add_argument(
        "--counterfactual", metavar="TEXT", help="a prompt with the same number of tokens"
    )
    for name, default in (("answer", "the clean top-1"), ("distractor", "the runner-up")):
        group.add_argument(
            f"--{name}", metavar="TOKEN", help=f"exact text, like ' John' (default: {default})"
        )
    return parent


def intervention(*, seed_is_for: str = "--kind permute") -> argparse.ArgumentParser:
    """What is done to the heads."""
    parent = argparse.ArgumentParser(add_help=False)
    group = parent.add_argument_group("intervention")
    kinds = [kind.value for kind in AblationKind]
    group.add_argument("--kind", choices=kinds, default=_PAGE.kind, help=f"default: {_PAGE.kind}")
    group.add_argument(
        "--scale", type=number, default=_PAGE.scale, metavar="S", help="factor, for --kind scale"
    )
    group.add_argument(
        "--threshold",
        type=not_negative,
        default=_PAGE.threshold,
        metavar="T",
        help=f"smallest |z| kept, for --kind sparsify (default: {_PAGE.threshold:g})",
    )
    group.add_argument(
        "--seed", type=seed, default=_PAGE.seed, metavar="N", help=f"for {seed_is_for}"
    )
    group.add_argument(
        "--at",
        nargs="+",
        type=integers,
        metavar="N",
        help="positions that are edited, like 3 4 -1 (default: all)",
    )
    group.add_argument(
        "--reference",
        action="append",
        default=[],
        metavar="TEXT",
        help="a prompt the mean is taken over, for --kind mean; may be repeated",
    )
    return parent


def ablation(args: argparse.Namespace) -> Ablation:
    """The intervention; settings its kind does not use are left out of the request."""
    chosen = PageState(
        kind=args.kind, scale=args.scale, threshold=args.threshold, seed=args.seed
    ).ablation
    at = None if args.at is None else tuple(dict.fromkeys(sum(args.at, ())))
    references = tuple(args.reference) if chosen.kind is AblationKind.MEAN else ()
    return Ablation(
        chosen.kind,
        chosen.scale,
        chosen.threshold,
        chosen.seed,
        positions=at,
        references=references,
    )


def heads(text: str) -> tuple[HeadId, ...]:
    """ "L2H3,L3H1". Raises BadInput where a head is misspelt or there is none."""
    found = parse_heads(text)
    if not found:
        raise BadInput("No heads are given.", "Name at least one, like --heads L2H3,L3H1.")
    return found


def in_bytes(gib: float | None) -> int | None:
    return None if gib is None else int(gib * 2**30)


# Readers. argparse puts "argument --x: " before what they say.


def integer(text: str) -> int:
    if not re.fullmatch(r"\s*[+-]?\d{1,18}\s*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def integers(text: str) -> tuple[int, ...]:
    return tuple(integer(part) for part in text.split(",") if part.strip())


def count(text: str) -> int:
    return _at_least(1, integer(text))


def not_negative_integer(text: str) -> int:
    return _at_least(0, integer(text))


def seed(text: str) -> int:
    value = _at_least(0, integer(text))
    if value >= 2**32:
        raise argparse.ArgumentTypeError(f"{value} is too great, the most is {2**32 - 1}")
    return value


def family(text: str) -> str:
    """A built-in family's name; case, "-" and "_" don't matter."""
    wanted = text.replace("-", " ").replace("_", " ").casefold().strip()
    names = [family.name for family in FAMILIES]
    found = [name for name in names if name.casefold() == wanted]
    if not found:
        raise argparse.ArgumentTypeError(
            f"there is no family {text!r}; choose of {', '.join(names)}"
        )
    return found[0]


def port(text: str) -> int:
    value = _at_least(0, integer(text))
    if value > 65535:
        raise argparse.ArgumentTypeError(f"{value} is not a port, the most is 65535")
    return value


def number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def positive(text: str) -> float:
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{value:g} is too small, it must be greater than 0")
    return value


def not_negative(text: str) -> float:
    return _at_least(0, number(text))


def _at_least(least: int, value: float) -> float:
    if value < least:
        raise argparse.ArgumentTypeError(f"{value:g} is too small, the least is {least}")
    return value
