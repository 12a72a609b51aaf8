"""Options that commands share, as argparse parents, and readers that say what is wrong."""

import argparse
import math
import re
from collections.abc import Callable, Iterable

from attention_viz.records.ablation import SETTINGS, Ablation, AblationKind, Setting
from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId, parse_heads
from attention_viz.records.model import EMBEDDED
from attention_viz.records.page import PageState

# What a choice is where nobody made it: as on the page, so that both ask the same thing.
_PAGE = PageState()


def machine() -> argparse.ArgumentParser:
    """--device, --threads, --memory, --padding."""
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
    group.add_argument(
        "--padding",
        choices=("drop", "keep"),
        default="drop",
        help="whether rows of the unembedding that no token has count in the softmax, as they do "
        "in the model's own (default: drop)",
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
        help="embedded (default), smollm2, a hub name, a local folder or a GGUF file",
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
        "--chat",
        action=argparse.BooleanOptionalAction,
        default=_PAGE.chat,
        help="wrap every prompt in the model's chat template, or not (default)",
    )
    group.add_argument(
        "--counterfactual", metavar="TEXT", help="a prompt with the same number of tokens"
    )
    for name, default in (("answer", "the clean top-1"), ("distractor", "the runner-up")):
        group.add_argument(
            f"--{name}", metavar="TOKEN", help=f"exact text, like ' John' (default: {default})"
        )
    return parent


def intervention(*, seed_is_also_for: str = "") -> argparse.ArgumentParser:
    """What is done to the heads: a kind, and one option for every setting that kinds take."""
    parent = argparse.ArgumentParser(add_help=False)
    group = parent.add_argument_group("intervention")
    kinds = [kind.value for kind in AblationKind]
    group.add_argument("--kind", choices=kinds, default=_PAGE.kind, help=f"default: {_PAGE.kind}")
    for setting in SETTINGS.values():
        also = seed_is_also_for if setting.name == "seed" else ""
        group.add_argument(
            f"--{setting.name.replace('_', '-')}",
            type=reader_of(setting),
            default=setting.default,
            metavar=setting.name[0].upper(),
            help=_help_of(setting, also),
        )
    group.add_argument(
        "--at",
        nargs="+",
        type=integers,
        metavar="N",
        help="positions that are edited, like 3 4 -1 (default: all)",
    )
    takers = _named(kind for kind in AblationKind if kind.takes_references)
    group.add_argument(
        "--reference",
        action="append",
        default=[],
        metavar="TEXT",
        help=f"a prompt the mean is taken over, for {takers}; may be repeated",
    )
    return parent


def _help_of(setting: Setting, also: str) -> str:
    takers = _named(kind for kind in AblationKind if setting in kind.settings)
    of = f"{takers}, {also}" if also else takers
    return f"{setting.about}; for {of} (default: {setting.default:g})"


def _named(kinds: Iterable[AblationKind]) -> str:
    """ "--kind mean"."""
    return "--kind " + " and ".join(kind.value for kind in kinds)


def ablation(args: argparse.Namespace) -> Ablation:
    """The intervention; settings its kind does not use are left out of the request."""
    kind = AblationKind(args.kind)
    references = tuple(args.reference) if kind.takes_references else ()
    return Ablation.of(kind, vars(args), positions=_positions(args), references=references)


def each_ablation(args: argparse.Namespace) -> tuple[Ablation, ...]:
    """One intervention of every kind that is compared, whatever kind is chosen."""
    return Ablation.of_each_kind(vars(args), positions=_positions(args))


def _positions(args: argparse.Namespace) -> tuple[int, ...] | None:
    return None if args.at is None else tuple(dict.fromkeys(sum(args.at, ())))


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


def reader_of(setting: Setting) -> Callable[[str], float]:
    """Reads a value that the setting may have."""
    parse = integer if setting.is_whole else number

    def read(text: str) -> float:
        value = _at_least(setting.least, parse(text))
        if value > setting.most:
            raise argparse.ArgumentTypeError(f"{value:g} is too great, the most is {setting.most}")
        return value

    return read


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


def _at_least(least: float, value: float) -> float:
    if value < least:
        raise argparse.ArgumentTypeError(f"{value:g} is too small, the least is {least:g}")
    return value
