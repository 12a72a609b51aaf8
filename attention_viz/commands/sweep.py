"""`sweep`: every head ablated on its own."""

from argparse import ArgumentParser, Namespace

import numpy as np

from attention_viz.commands import options
from attention_viz.commands.command import Asker, Command, headline, table
from attention_viz.exports.records import record_json
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.sweep import HeadSweep, SweepRequest

_LISTED = 10  # strongest heads in the text output


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--metric",
        choices=[metric.value for metric in Metric],
        default=Metric.KL.value,
        help="effect = metric(ablated) − metric(clean); default: kl",
    )


def _ask(asker: Asker, args: Namespace) -> HeadSweep:
    request = SweepRequest(asker.question(args), options.ablation(args), Metric(args.metric))
    return asker.measure(request)


def to_text(sweep: HeadSweep) -> str:
    request, metric = sweep.request, sweep.request.metric
    layers, heads = sweep.effect.shape
    grid = table(
        ["", *(f"H{head}" for head in range(heads))],
        ([f"L{layer}", *map(float, sweep.effect[layer])] for layer in range(layers)),
    )
    return "\n".join(
        [
            headline(request.question, sweep.tokens, sweep.position),
            f"answer {sweep.answer.shown}, distractor {sweep.distractor.shown}",
            f"effect on {metric.title} ({metric.unit}) of {request.ablation.label} ablation; "
            f"clean: {sweep.baseline:.4f}",
            "",
            grid,
            "",
            table(["head", "effect", "top-1"], _strongest(sweep)),
            "",
            f"{sweep.evaluations} evaluations in {sweep.seconds:.2f} s",
        ]
    )


def _strongest(sweep: HeadSweep) -> list[tuple[str, float, str]]:
    order = np.argsort(-np.abs(np.nan_to_num(sweep.effect)), axis=None, kind="stable")
    places = [np.unravel_index(at, sweep.effect.shape) for at in order[:_LISTED]]
    return [
        (
            str(HeadId(int(layer), int(head))),
            float(sweep.effect[layer, head]),
            sweep.top[layer][head].shown if sweep.top[layer][head] else "–",
        )
        for layer, head in places
    ]


COMMAND = Command(
    name="sweep",
    about="ablate each head alone and read a metric",
    parents=(options.question, options.intervention, options.machine, options.output),
    add_options=_add_options,
    ask=_ask,
    to_json=record_json,
    to_text=to_text,
)
