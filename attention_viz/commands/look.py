"""`look`: the closer looks of the ablation view, one by name."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from attention_viz.commands import options
from attention_viz.commands.command import Asker, Command, headline, table
from attention_viz.commands.family_output import family_json, family_text
from attention_viz.commands.pairs import add_pairs, names_pairs, need_prompt, read_pairs
from attention_viz.exports import tables
from attention_viz.exports.records import pick, record_json
from attention_viz.records.ablation import Ablation
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.looks.agreement import Agreement, AgreementRequest
from attention_viz.records.looks.control import Control, ControlRequest
from attention_viz.records.looks.cost import CostRequest, CostTable
from attention_viz.records.looks.dose import Dose, DoseRequest
from attention_viz.records.looks.family import FamilyEffect, FamilyRequest
from attention_viz.records.looks.positions import PositionMap, PositionsRequest
from attention_viz.records.looks.redundancy import Redundancy, RedundancyRequest
from attention_viz.records.metrics import Metric
from attention_viz.records.page.ablation import LOOKS
from attention_viz.records.question import Question
from attention_viz.records.search import Strategy


@dataclass(frozen=True)
class _Chosen:
    """What the options say, beside the look's name."""

    question: Question | None  # None: asked of pairs
    pairs: PairsRequest | None
    heads: tuple[HeadId, ...]
    ablation: Ablation
    args: Namespace

    @property
    def metric(self) -> Metric:
        return Metric(self.args.metric)

    @property
    def needed_heads(self) -> tuple[HeadId, ...]:
        return self.heads or options.heads("")


@dataclass(frozen=True)
class _Look:
    about: str
    request: Callable[[_Chosen], Any]
    table: Callable[[Any], tables.Table]
    also: tuple[str, ...] = ()  # properties of its record that stand in its JSON


_LOOKS = {
    "cost": _Look(
        "how few heads make each likely token the top-1",
        lambda c: CostRequest(
            c.question, c.ablation, c.args.top, c.args.max_heads, Strategy(c.args.strategy)
        ),
        tables.cost_table,
    ),
    "dose": _Look(
        "--heads scaled from −1 to 2, and where the top-1 changes",
        lambda c: DoseRequest(c.question, c.needed_heads),
        tables.dose_table,
    ),
    "redundancy": _Look(
        "pairs of --heads (or the 20 strongest) against the sum of each alone",
        lambda c: RedundancyRequest(c.question, c.heads, c.ablation, c.metric),
        tables.redundancy_table,
        ("excess",),
    ),
    "positions": _Look(
        "--heads (or the 20 strongest) ablated at one position at a time",
        lambda c: PositionsRequest(c.question, c.heads, c.ablation, c.metric),
        tables.positions_table,
    ),
    "control": _Look(
        "--heads against random sets with as many heads in the same layers",
        lambda c: ControlRequest(
            c.question, c.needed_heads, c.ablation, c.metric, c.args.sets, c.args.seed
        ),
        tables.control_table,
        ("percentile",),
    ),
    "agreement": _Look(
        "the kinds of ablation compared by how they rank the heads",
        lambda c: AgreementRequest(c.question, c.metric, options.each_ablation(c.args)),
        tables.agreement_table,
        ("kinds",),
    ),
    "family": _Look(
        "--heads over a family of prompt pairs: how often it flips",
        lambda c: FamilyRequest(c.pairs, c.needed_heads, c.ablation),
        tables.family_table,
    ),
}


def _add_options(parser: ArgumentParser) -> None:
    about = "; ".join(f"{name}: {_LOOKS[name].about}" for name in LOOKS)
    parser.add_argument("look", choices=LOOKS, help=about)
    parser.add_argument("--heads", metavar="L2H3,L3H1")
    parser.add_argument(
        "--metric",
        choices=[metric.value for metric in Metric],
        default=Metric.LOGIT_DIFF.value,
        help="default: logit_diff",
    )
    parser.add_argument(
        "--top", type=options.count, default=6, metavar="N", help="cost: tokens; default: 6"
    )
    parser.add_argument(
        "--max-heads", type=options.count, default=5, metavar="N", help="cost: default 5"
    )
    parser.add_argument(
        "--strategy",
        choices=[strategy.value for strategy in Strategy],
        default=Strategy.GUIDED.value,
        help="cost: how sets are searched; default: guided",
    )
    parser.add_argument(
        "--sets", type=options.count, default=500, metavar="N", help="control: default 500"
    )
    add_pairs(parser.add_argument_group("family"), "family: the heads are ablated in")


def _ask(asker: Asker, args: Namespace) -> Any:
    heads = () if args.heads is None else options.heads(args.heads)
    question = pairs = None
    if _is_of_pairs(args):
        pairs = read_pairs(asker, args).request
    else:
        need_prompt(args, "look")
        question = asker.question(args)
    chosen = _Chosen(question, pairs, heads, options.ablation(args), args)
    return asker.measure(_LOOKS[args.look].request(chosen))


def _is_of_pairs(args: Namespace) -> bool:
    """Whether it is the look at a family. Raises BadInput where pairs are missing or no use."""
    has_pairs = names_pairs(args)
    if args.look == "family" and not has_pairs:
        remedy = "Give --family (python main.py circuits lists them), or --pairs-file."
        raise BadInput("No family of pairs is named.", remedy)
    if args.look != "family" and has_pairs:
        raise BadInput(f"look {args.look} is of one prompt.", "look family is of pairs.")
    return has_pairs


def _look_at(found: Any) -> tuple[str, _Look]:
    """Which look a record is of."""
    names = {
        CostTable: "cost",
        Dose: "dose",
        Redundancy: "redundancy",
        PositionMap: "positions",
        Control: "control",
        Agreement: "agreement",
        FamilyEffect: "family",
    }
    name = names[type(found)]
    return name, _LOOKS[name]


def to_json(found: Any) -> dict[str, Any]:
    name, look = _look_at(found)
    if isinstance(found, FamilyEffect):
        return {"look": name, **family_json(found)}
    written = {"look": name, **record_json(found), **pick(found, *look.also)}
    if isinstance(found, CostTable):
        written["tokens_to_win"] = written.pop("rows")
    return written


def to_text(found: Any) -> str:
    _, look = _look_at(found)
    if isinstance(found, FamilyEffect):
        return family_text(found)
    request = found.request
    about = [look.about]
    if hasattr(request, "metric"):
        about.append(f"effects on {request.metric.title} ({request.metric.unit})")
    if hasattr(request, "ablation"):
        about.append(f"{request.ablation.label} ablation")
    lines = [headline(request.question, found.tokens, found.position), "; ".join(about), ""]
    lines += [table(*look.table(found)), ""]
    if isinstance(found, Control) and found.percentile is not None:
        lines.append(f"greater in size than {found.percentile:.1f} % of {len(found.random)} sets")
    if isinstance(found, Dose):
        lines += [
            f"at {flip.scale:.3f} the top-1 changes from {flip.before.shown} to {flip.after.shown}"
            for flip in found.flips
        ]
    if isinstance(found, Agreement):
        names = [ablation.label for ablation in found.ablations]
        rows = ([name, *row] for name, row in zip(names, found.correlation.tolist(), strict=True))
        lines += [table(["rank correlation", *names], rows), ""]
    lines.append(f"{found.evaluations} evaluations in {found.seconds:.2f} s")
    return "\n".join(lines)


COMMAND = Command(
    name="look",
    about="a closer look: cost to flip, dose, redundancy, positions, random control, agreement, "
    "or a set over a family of prompts",
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
