"""The circuit as a file, with its nodes where the page has them."""

from dataclasses import replace
from typing import Any

from attention_viz.exports.circuit import FORMATS, PICTURES, export_circuit
from attention_viz.exports.picture_size import PictureSize
from attention_viz.exports.script import script_of
from attention_viz.figures.circuits.circuit_layout import lay_out, smallest_of
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button
from attention_viz.panels.kit.common import ask
from attention_viz.panels.kit.controls import number_box
from attention_viz.panels.views.circuit.known import whole_circuit
from attention_viz.panels.views.circuit.requests import attribution_request, proof_request
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.attribution import Attribution
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.circuit_view import PICTURE_SIDE
from attention_viz.records.circuits.faithfulness import FaithfulnessResult
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState

CODE = "py"
FILES = FORMATS | {CODE: "code for this view, with TransformerLens"}


def menu() -> html.Node:
    items = [_item(suffix, about) for suffix, about in FILES.items()]
    return html.Details(
        [
            html.Summary("Export", className="btn btn-sm"),
            html.Div([_size(), *items], className="menu"),
        ],
        id="circuit-menu",
        className="menu-button",
    )


def _size() -> html.Node:
    """How large a picture is to be; an empty box: as it comes."""
    least, most = PICTURE_SIDE
    boxes = [
        number_box(
            f"circuit.{side}",
            least,
            most,
            id=f"circuit-picture-{side}",
            placeholder=side,
            **{"data-optional": True, "aria-label": f"{side} of a picture, px"},
        )
        for side in ("width", "height")
    ]
    about = "px of 96 an inch; empty: as it comes, for a page of 4:3"
    parts = ["Picture ", boxes[0], " × ", boxes[1], " px"]
    return html.Div(parts, className="picture-size", title=about)


def _item(suffix: str, about: str) -> html.Node:
    text = [html.B(suffix.upper()), html.Small(about)]
    return act_button(text, "circuit-export", {"suffix": suffix}, className="menu-item")


def save_file(bench: Bench, state: PageState, suffix: str) -> tuple[str, bytes]:
    """Name and content of a file. Raises BadInput where there is nothing to save."""
    if suffix not in FILES:
        raise BadInput(f"A circuit can't be saved as {suffix!r}.", "Choose one of the menu.")
    circuit = whole_circuit(bench, state)
    make = _script if suffix == CODE else _drawing
    name = f"circuit-{state.model.replace('/', '-')}.{suffix}"
    return name, make(bench, state, suffix, circuit)


def _script(bench: Bench, state: PageState, suffix: str, circuit: Circuit) -> bytes:
    pairs = None if state.circuit.source == "heads" else ask(bench, circuit.request.pairs)
    where = bench.status(state.model).info.folder
    proof = known_proof(bench, state, circuit)
    return script_of(circuit, where, pairs=pairs, faithfulness=proof).encode()


def _drawing(bench: Bench, state: PageState, suffix: str, circuit: Circuit) -> bytes:
    """A picture, a graph or a table; nodes as the page lays them out."""
    least, view = smallest_of(circuit, state.circuit.smallest), state.circuit.drawing
    places = None
    if suffix not in PICTURES:
        boxes = lay_out(circuit, least, replace(view, folds=False)).boxes  # of every node
        places = {name: (box.x, box.y) for name, box in boxes.items()}
    return export_circuit(
        circuit,
        suffix,
        places,
        state.theme,
        least,
        view=view,
        faithfulness=known_proof(bench, state, circuit),
        graph=circuit.graph,
        attribution=_known_scores(bench, state),
        d_model=bench.status(state.model).info.d_model,
        size=PictureSize(state.circuit.width, state.circuit.height),
    )


def known_proof(bench: Bench, state: PageState, circuit: Circuit) -> FaithfulnessResult | None:
    """Faithfulness of the circuit where it was measured."""
    if state.circuit.source == "heads" or not circuit.edge_ids:
        return None
    whole = bench.cached(proof_request(state, circuit, True))
    return whole or bench.cached(proof_request(state, circuit, False))


def _known_scores(bench: Bench, state: PageState) -> Attribution | None:
    if state.circuit.source != "scores":
        return None
    return bench.cached(attribution_request(state))


def _export(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    return Outcome(file=save_file(bench, state, str(payload.get("suffix"))))


ACTS: dict[str, Act] = {"circuit-export": _export}
