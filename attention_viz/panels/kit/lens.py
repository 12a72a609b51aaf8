"""The logit lens wherever a view shows one: the map, the ablated run, and what it says in words.

Every word is from the record.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from attention_viz.figures.lens import draw_lens
from attention_viz.figures.palette import BOTH
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import ask, number, token_text
from attention_viz.panels.kit.drawn import matrix
from attention_viz.panels.kit.requests import lens_request
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.lens import LensRequest, LogitLens
from attention_viz.records.page import PageState


def lens_map(lens: LogitLens, name: str, *, has_bar: bool = True) -> html.Node:
    """The map; a click on a column reads out there."""
    return matrix(draw_lens(lens, BOTH.name, colour_bar=has_bar), name)


def measure_ablated(bench: Bench, state: PageState, clean: LogitLens) -> LogitLens | None:
    """The lens of the ablated run, about the clean run's answer; None where there is none."""
    if not state.heads:
        return None
    try:
        return ask(bench, _about(lens_request(state, "ablated"), clean))
    except AttentionVizError:
        return None  # the rail says why the heads can't be ablated


def _about(request: LensRequest, clean: LogitLens) -> LensRequest:
    question = replace(request.question, answer=clean.answer.id, distractor=clean.distractor.id)
    return replace(request, question=question)


def observe(clean: LogitLens, ablated: LogitLens | None = None) -> html.Node:
    """The final prediction, since when it leads, how sure; and where an ablated run parts."""
    parts = [html.P(_final(clean)), html.P(_answer(clean))]
    if ablated is not None:
        parts.append(html.P(_parting(clean, ablated)))
    return html.Div(parts, className="observations")


def _final(lens: LogitLens) -> list[Any]:
    token = lens.top[-1][lens.position][0]
    probability = number(float(lens.probability[-1, lens.position, 0]))
    return [
        html.B("Final prediction "),
        token_text(token),
        f", probability {probability}: top-1 {since(lens)}.",
    ]


def since(lens: LogitLens) -> str:
    """From which row the final top-1 stays top-1."""
    if lens.settles is None:
        return "at the end"
    if lens.settles == 0:
        return "from the embedding on"
    if lens.settles == len(lens.rows) - 1:
        return f"only after the last layer, {lens.rows[-1]}"
    return f"for good from {lens.rows[lens.settles]} on"


def _answer(lens: LogitLens) -> list[Any]:
    probability = lens.answer_probability[:, lens.position]
    ranks = lens.answer_rank[:, lens.position]
    jump = int(np.argmax(np.diff(probability))) + 1
    gain = float(probability[jump] - probability[jump - 1])
    return [
        "The answer ",
        token_text(lens.answer),
        f" goes from {number(float(probability[0]))} (rank {int(ranks[0]):,}) at the embedding "
        f"to {number(float(probability[-1]))} (rank {int(ranks[-1]):,}) at the end",
        f"; its greatest step up is {lens.rows[jump]}, {number(gain, sign=True)}."
        if gain > 0
        else "; no layer raises it.",
    ]


def _parting(clean: LogitLens, ablated: LogitLens) -> list[Any]:
    request = ablated.request
    heads = ", ".join(str(head) for head in request.heads)
    run = f"With {heads} ablated ({request.ablation.label})"
    row = part_at(clean, ablated)
    if row is None:
        return [f"{run}, the top-1 token is the same in every row."]
    tokens = [lens.top[row][clean.position][0] for lens in (clean, ablated)]
    final = ablated.top[-1][clean.position][0]
    back = final.id == clean.top[-1][clean.position][0].id
    end = " In the end they agree again on " if back else " The final prediction is then "
    return [
        f"{run}, the two runs part at {clean.rows[row]}: ",
        token_text(tokens[0]),
        " becomes ",
        token_text(tokens[1]),
        f".{end}",
        token_text(final),
        ".",
    ]


def part_at(clean: LogitLens, ablated: LogitLens) -> int | None:
    """The first row whose top-1 at the read-out differs; None where none does."""
    at = clean.position
    for row in range(len(clean.rows)):
        if clean.top[row][at][0].id != ablated.top[row][at][0].id:
            return row
    return None
