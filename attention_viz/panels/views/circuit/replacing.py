"""By what everything outside the circuit is replaced, and what that leaves to choose."""

from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.controls import segments, shown_if
from attention_viz.panels.kit.parts import Part, place
from attention_viz.records.ablation import AblationKind
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.attribution import EDGE_ABLATIONS
from attention_viz.records.circuits.replacing import InputPart, MeanOver
from attention_viz.records.page import PageState

_KIND = "circuit.edge_kind"
_ABOUT = "what an edge outside the circuit carries: the counterfactual's value, a mean, nothing"
_MEANS = {MeanOver.ALL.value: "over all positions", MeanOver.POSITION.value: "per position"}
_MEAN_ABOUT = "one mean for every position needs pairs of one length"
_PARTS = {InputPart.BOTH.value: "token and position", InputPart.TOKEN.value: "token only"}
_PART_ABOUT = (
    "What is replaced of the input: the tokens' and the position embeddings, or the tokens' alone, "
    "as the EAP-IG authors' library and MIB do"
)


def layout() -> html.Node:
    kinds = {kind.value: kind.value for kind in EDGE_ABLATIONS}
    chosen = segments(_KIND, kinds, "Outside is replaced by")
    means = segments("circuit.mean_over", _MEANS, "Mean over")
    mean, zero = AblationKind.MEAN.value, AblationKind.ZERO.value
    return html.Div(
        [
            html.Div(["outside", chosen], className="control", title=_ABOUT),
            html.Div(means, className="control", title=_MEAN_ABOUT, **shown_if(_KIND, mean)),
            html.Div(place("circuit-input-part"), **shown_if(_KIND, mean, zero)),
        ],
        className="circuit-replacing",
    )


def show_input_part(bench: Bench, state: PageState) -> Any:
    """There is a choice where the model adds position embeddings to its tokens'."""
    info = bench.status(state.model).info
    if info is None or not info.adds_positions:
        return None
    chosen = segments("circuit.input_part", _PARTS, "Replaced of the input")
    return html.Div(["input", chosen], className="control", title=_PART_ABOUT)


PARTS = (Part("circuit-input-part", show_input_part),)
