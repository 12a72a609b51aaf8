"""The options of `circuit`: what it is made of, and which of them go together.

A circuit is made of chosen heads (`--heads`), of a file (`--import`), or cut from edge scores.
Options that say nothing about the circuit asked for are refused by name, never passed over.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from attention_viz.commands import options
from attention_viz.commands.pairs import read_text
from attention_viz.records.ablation import SETTINGS, AblationKind
from attention_viz.records.circuits.attribution import (
    EDGE_ABLATIONS,
    Direction,
    Method,
    Points,
)
from attention_viz.records.circuits.circuit import Cut
from attention_viz.records.circuits.circuit_file import ImportedCircuit, parse_circuit
from attention_viz.records.circuits.circuit_view import PICTURE_SIDE
from attention_viz.records.circuits.mib import Ranking
from attention_viz.records.circuits.replacing import InputPart, MeanOver
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from attention_viz.records.page.circuit import CircuitState

# Of the exports (whose module is not imported for it: it brings matplotlib along), and a script.
SUFFIXES = ("png", "svg", "pdf", "graphml", "gexf", "dot", "json", "eapig.json", "csv")
SUFFIXES += ("nodes.csv", "py")
_PICTURES = (".png", ".svg", ".pdf")

PARENTS: tuple[Callable[[], ArgumentParser], ...] = (
    partial(options.question, needs_prompt=False),
    partial(options.intervention, seed_is_also_for="--family and --random"),
    options.machine,
    options.output,
)

# What an option is where nobody gave it; until then it is None, so that a given one is known.
_PAGE, _VIEW = PageState(), CircuitState()
_DEFAULTS = {
    "position": _PAGE.position,
    "kind": _PAGE.kind,
    **{name: setting.default for name, setting in SETTINGS.items()},
    "reference": [],
    "pairs": _VIEW.pair_count,
    "steps": 5,
    "ig_points": Points.RIGHT.value,
    "ablation": _VIEW.edge_kind,
    "input_part": InputPart.BOTH.value,
    "mean_over": MeanOver.ALL.value,
    "direction": Direction.NOISE.value,
    "edges": _VIEW.edges,
    "cut": _VIEW.cut,
    "exact_top": 0,
    "random": 5,
}
_QUESTION = ("prompt", "counterfactual", "answer", "distractor", "position")
# The seed is of families and random circuits as well.
_OF_HEADS = ("kind", *(name for name in SETTINGS if name != "seed"), "at", "reference")
_OF_SCORES = ("steps", "ig_points", "direction", "edges", "cut", "mib", "heads_only")
_OF_SCORES += ("exact_top", "curve")
_OF_EDGES = ("input_part", "mean_over")  # of edges, by whatever they are found


class Way(Enum):
    """What the circuit is made of."""

    HEADS = "chosen heads"
    EDGES = "imported edges"
    SCORES = "edge scores"


def add_options(parser: ArgumentParser) -> None:
    _add_sources(parser.add_argument_group("what the circuit is made of"))
    _add_scores(parser.add_argument_group("edge scores and size"))
    _add_proof(parser.add_argument_group("proof"))
    parser.add_argument(
        "--out",
        action="extend",
        nargs="+",
        default=[],
        metavar="FILE",
        help=f"also write it, by suffix: {', '.join(SUFFIXES)} (py: a script of plain "
        "TransformerLens calls that recomputes it); several allowed",
    )
    _add_picture(parser.add_argument_group("pictures (png, svg, pdf)"))
    parser.set_defaults(**dict.fromkeys(_DEFAULTS))


def _add_sources(group: Any) -> None:
    group.add_argument(
        "--heads", metavar="L2H3,L3H1", help="these heads; every edge among them is measured"
    )
    group.add_argument(
        "--family",
        type=options.family,
        metavar="NAME",
        help="edges found on a built-in family of prompt pairs (list: python main.py circuits)",
    )
    group.add_argument(
        "--pairs", type=options.count, metavar="N", help="how many of the family (default: 20)"
    )
    group.add_argument(
        "--pairs-file",
        metavar="FILE",
        help="edges found on your own prompt pairs: CSV or JSONL with the columns clean, "
        "counterfactual, answer, distractor",
    )
    group.add_argument(
        "--import",
        dest="import_file",
        metavar="FILE",
        help="measure a circuit that was saved: list of heads (9.9, 10.0 or L9H9), this program's "
        ".json, or EAP-IG's JSON",
    )


def _add_scores(group: Any) -> None:
    group.add_argument(
        "--method",
        choices=_values(Method),
        help="how edges are scored: gradient estimates, or path patching of every edge (default: "
        "eap-ig; eap where --ablation is not resample)",
    )
    group.add_argument(
        "--steps", type=options.count, metavar="M", help="of eap-ig; default: 5, at most 100"
    )
    group.add_argument(
        "--ig-points",
        choices=_values(Points),
        help="where eap-ig takes its gradients, k/M of the way from counterfactual to clean: "
        "right, k = 1 … M, as in the paper (default); left, k = 0 … M−1, as the authors' library "
        "since February 2025; mid, k = ½ … M−½",
    )
    group.add_argument(
        "--ablation",
        choices=_values(EDGE_ABLATIONS),
        help="what edges, and all outside the circuit, are replaced by (default: resample); with "
        "--heads: the same as --kind",
    )
    group.add_argument(
        "--input-part",
        choices=_values(InputPart),
        help="what mean and zero replace of the input where position embeddings are added to the "
        "tokens': both (default), or the token's alone, as the EAP-IG authors' library and MIB do",
    )
    group.add_argument(
        "--mean-over",
        choices=_values(MeanOver),
        help="the mean over all positions (default), or one per position, of pairs of one length",
    )
    group.add_argument(
        "--direction",
        choices=_values(Direction),
        help="gradient on the clean run, or on the counterfactual one (default: noise)",
    )
    group.add_argument(
        "--edges", type=options.count, metavar="N", help="most edges of the circuit (default: 20)"
    )
    group.add_argument(
        "--cut",
        choices=_values(cut for cut in Cut if cut.ranking is None),
        help="greedy from the logits, or the top edges anywhere (default: greedy), as many as "
        "leave N when dead ends are pruned",
    )
    group.add_argument(
        "--mib",
        nargs="?",
        const=Ranking.SIGNED.value,
        choices=_values(Ranking),
        help="with --cut top: the MIB benchmark's own cut, the N edges that help most (signed, the "
        "default) or the strongest (absolute), pruned and not refilled; --curve then gives MIB's "
        "CPR and CMD by both, beside ours",
    )
    group.add_argument(
        "--heads-only", action="store_true", help="no edges of MLPs: they all stay in every run"
    )
    group.add_argument(
        "--exact-top",
        type=options.not_negative_integer,
        metavar="N",
        help="measure the N strongest edges by path patching (default: 0)",
    )


def _add_proof(group: Any) -> None:
    group.add_argument(
        "--curve", action="store_true", help="faithfulness over circuit size, with CPR and CMD"
    )
    group.add_argument(
        "--random",
        type=options.not_negative_integer,
        metavar="N",
        help="control: random circuits of the same size (default: 5)",
    )
    group.add_argument(
        "--no-roles", action="store_true", help="don't measure the roles of its heads"
    )


def _add_picture(group: Any) -> None:
    for side in ("width", "height"):
        group.add_argument(
            f"--{side}",
            type=options.count,
            metavar="PX",
            help=f"{side} of the picture, at 96 px an inch (default: as it comes)",
        )
    group.add_argument(
        "--unfold",
        action="store_true",
        help="draw every MLP by itself; else a deep circuit's chains of MLPs are drawn as stacks, "
        "their edges added up",
    )


def check_picture(args: Namespace) -> None:
    """Sizes and folding are of pictures. Raises BadInput before anything is measured."""
    given = [name for name in ("width", "height", "unfold") if _is_given(args, name)]
    if given and not any(Path(file).suffix.lower() in _PICTURES for file in args.out):
        _refuse(args, given, "is of a picture", "Write one with --out circuit.svg")
    least, most = PICTURE_SIDE
    for name in ("width", "height"):
        px = getattr(args, name)
        if px is not None and not least <= px <= most:
            raise BadInput(f"--{name} {px} is no size of a picture.", f"Ask for {least} to {most}.")


def _values(kinds: Iterable) -> list[str]:
    return [kind.value for kind in kinds]


def settle(args: Namespace, imported: ImportedCircuit | None) -> Way:
    """Fill in defaults, and say what is asked. Raises BadInput naming options that contradict."""
    way = _way(args, imported)
    if way is Way.HEADS:
        _settle_heads(args)
    else:
        _refuse(args, _OF_HEADS, "is of circuits of chosen heads", "--ablation is for edges")
        _check_pairs(args)
        _check_replacing(args)
    if way is Way.EDGES:
        _refuse_scores(args, "the edges of an imported circuit are measured exactly")
    elif way is Way.SCORES:
        _settle_scores(args)
    for name, value in _DEFAULTS.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return way


def _way(args: Namespace, imported: ImportedCircuit | None) -> Way:
    if imported is None:
        return Way.SCORES if args.heads is None else Way.HEADS
    if args.heads is not None:
        raise _contradiction("heads", "import_file")
    return Way.EDGES if imported.edges else Way.HEADS


def _settle_heads(args: Namespace) -> None:
    """Chosen heads are asked of one prompt, and measured exactly."""
    for name in ("family", "pairs", "pairs_file"):
        _refuse(args, [name], "is not for chosen heads", "They are measured on one --prompt")
    _refuse_scores(args, "the edges of chosen heads are measured exactly")
    _refuse(args, _OF_EDGES, "is not for chosen heads", "The input is no head")
    _refuse(args, ["random"], "is not for chosen heads", "It is the control of faithfulness")
    if args.ablation is not None:
        if args.kind not in (None, args.ablation):
            raise _contradiction("kind", "ablation")
        args.kind = args.ablation
    if args.prompt is None:
        raise BadInput("The heads need a prompt to be measured on.", "Give --prompt.")


def _settle_scores(args: Namespace) -> None:
    if args.method is None:
        is_resample = args.ablation in (None, AblationKind.RESAMPLE.value)
        args.method = (Method.EAP_IG if is_resample else Method.EAP).value
    if args.method != Method.EAP_IG.value:
        not_taken = f"is not for --method {args.method}"
        _refuse(args, ["steps", "ig_points"], not_taken, "eap-ig takes steps")
    if args.mib is not None:
        _refuse(args, ["heads_only"], "is not for --mib", "MIB's cut is of all edges")
        if args.cut not in (None, Cut.TOP.value):
            raise _contradiction("cut", "mib")
        is_signed = args.mib == Ranking.SIGNED.value
        args.cut = (Cut.MIB if is_signed else Cut.MIB_ABSOLUTE).value


def _check_replacing(args: Namespace) -> None:
    """Of resample and zero there is less to choose."""
    kind = args.ablation or _DEFAULTS["ablation"]
    if kind == AblationKind.RESAMPLE.value:
        _refuse(args, ["input_part"], "is not for --ablation resample", "It is for mean and zero")
    if kind != AblationKind.MEAN.value:
        _refuse(args, ["mean_over"], f"is not for --ablation {kind}", "It is for mean")


def _refuse_scores(args: Namespace, why: str) -> None:
    if args.method not in (None, Method.EXACT.value):
        _refuse(args, ["method"], f"{args.method} does not apply", _sentence(why))
    _refuse(args, _OF_SCORES, "is of circuits cut from edge scores", _sentence(why))


def _check_pairs(args: Namespace) -> None:
    """One source of prompt pairs: the question's own, a family, or a file."""
    if args.family is not None and args.pairs_file is not None:
        raise _contradiction("family", "pairs_file")
    source = next((name for name in ("family", "pairs_file") if _is_given(args, name)), None)
    if source is None and args.prompt is None:
        raise BadInput(
            "No prompt is given.",
            "Give --prompt and --counterfactual, or --family (python main.py circuits lists "
            "them), or --pairs-file.",
        )
    for name in _QUESTION:
        if source is not None and _is_given(args, name):
            raise _contradiction(source, name)
    if source != "family":
        _refuse(args, ["pairs"], "is how many pairs of a family", "Name one with --family")


def _refuse(args: Namespace, names: Iterable[str], why: str, remedy: str) -> None:
    """Raises BadInput at the first of these options that was given."""
    for name in names:
        if _is_given(args, name):
            raise BadInput(f"{_flag(name)} {why}.", f"{remedy}; leave out {_flag(name)}.")


def _contradiction(one: str, other: str) -> BadInput:
    return BadInput(
        f"{_flag(one)} and {_flag(other)} contradict each other.", "Leave one of them out."
    )


def _is_given(args: Namespace, name: str) -> bool:
    value = getattr(args, name)
    return value is not None and value is not False  # 0 was given


def _flag(name: str) -> str:
    return "--import" if name == "import_file" else f"--{name.replace('_', '-')}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


# Files


def read_import(file: str | None) -> ImportedCircuit | None:
    """The circuit in a file, nothing measured. Raises BadInput for what can't be read."""
    return None if file is None else parse_circuit(read_text(file), Path(file).name)


def check_file(path: Path) -> str:
    """The suffix of SUFFIXES it ends in, checked before measuring: nobody waits in vain.

    Raises BadInput for another one, and where the folder does not exist.
    """
    known = [suffix for suffix in SUFFIXES if path.name.lower().endswith(f".{suffix}")]
    if not known:
        listed = ", ".join(f".{suffix}" for suffix in SUFFIXES)
        raise BadInput(f"{str(path)!r} has no known suffix.", f"Use one of: {listed}.")
    if not path.parent.is_dir():
        raise BadInput(f"There is no folder {str(path.parent)!r}.", "Make it first.")
    return max(known, key=len)
