"""The circuit as a file, with its nodes where the page has them."""

import math
from typing import Any

from attention_viz.exports.circuit import FORMATS, export_circuit
from attention_viz.exports.script import script_of
from attention_viz.panels import ids
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import state_of, toast
from attention_viz.panels.kit.requests import attribution_request, proof_request
from attention_viz.panels.views.circuit.numbers import smallest_of
from attention_viz.panels.views.circuit.source import known_circuit
from attention_viz.records.circuits.attribution import Attribution
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.faithfulness import FaithfulnessResult
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import PageState

_ITEM = "circuit-export"
CODE = "py"
FILES = FORMATS | {CODE: "code for this view, with TransformerLens"}
_FARTHEST = 100_000  # px; nodes dragged farther are put where they belong


def menu() -> html.Details:
    items = [_item(suffix, about) for suffix, about in FILES.items()]
    return html.Details(
        [
            html.Summary("Export ▾", className="btn btn-sm"),
            html.Div(items, className="menu"),
            dcc.Download(id="circuit-file"),
        ],
        id="circuit-menu",
        className="menu-button",
    )


def _item(suffix: str, about: str) -> html.Button:
    return html.Button(
        [html.B(suffix.upper()), html.Small(about)],
        id={"type": _ITEM, "suffix": suffix},
        type="button",
        className="menu-item",
    )


def register(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output("circuit-file", "data"),
        Output(ids.TOAST, "data", allow_duplicate=True),
        Input({"type": _ITEM, "suffix": ALL}, "n_clicks"),
        State("circuit-graph", "elements"),
        State("circuit-smallest", "value"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def save(clicks, elements, share, page):
        if not any(clicks) or not ctx.triggered_id:
            return no_update, no_update
        try:
            suffix = ctx.triggered_id["suffix"]
            return save_file(workbench, state_of(page), suffix, elements, share), no_update
        except AttentionVizError as error:
            return no_update, toast(error)

    # The browser opens a menu by itself, so Dash's own `open` doesn't know that it is.
    app.clientside_callback(
        "() => { document.getElementById('circuit-menu').open = false; }",
        Input("circuit-file", "data"),
        Input(ids.TOAST, "data"),
        prevent_initial_call=True,
    )


def save_file(
    workbench: Any, state: PageState, suffix: str, elements: Any, share: float | None
) -> dict[str, Any]:
    """What the browser downloads. Raises BadInput where there is nothing to save."""
    if suffix not in FILES:
        raise BadInput(f"A circuit can't be saved as {suffix!r}.", "Choose one of the menu.")
    circuit = known_circuit(workbench, state)
    proof = known_proof(workbench, state, circuit)
    name = f"circuit-{state.model.replace('/', '-')}.{suffix}"
    if suffix == CODE:
        pairs = None if state.source == "heads" else workbench.measure(circuit.request.pairs)
        code = script_of(
            circuit, source_of(workbench, state.model), pairs=pairs, faithfulness=proof
        )
        return dcc.send_bytes(code.encode(), name)
    data = export_circuit(
        circuit,
        suffix,
        positions_of(elements, circuit, state.hidden),
        state.theme,
        smallest_of(circuit, share),
        view=state.circuit_view,
        faithfulness=proof,
        graph=circuit.graph,
        attribution=_known_scores(workbench, state),
        d_model=workbench.status(state.model).info.d_model,
    )
    return dcc.send_bytes(data, name)


def source_of(workbench: Any, model: str) -> str:
    """The folder or hub name that a script loads."""
    return workbench.status(model).entry.source


def known_proof(workbench: Any, state: PageState, circuit: Circuit) -> FaithfulnessResult | None:
    """Faithfulness of the circuit where it was measured."""
    if state.source == "heads" or not circuit.edge_ids:
        return None
    whole = workbench.cached(proof_request(state, circuit, True))
    return whole or workbench.cached(proof_request(state, circuit, False))


def _known_scores(workbench: Any, state: PageState) -> Attribution | None:
    if state.source != "scores":
        return None
    return workbench.cached(attribution_request(state))


def positions_of(
    elements: Any, circuit: Circuit, hidden: tuple[str, ...] = ()
) -> dict[str, tuple[float, float]] | None:
    """Where the page has this circuit's nodes; None unless it has all that are not hidden."""
    known = {node.id for node in circuit.nodes} - set(hidden)
    places = {}
    for element in elements if isinstance(elements, list) else []:
        name, place = _place_of(element)
        if name in known and place is not None:
            places[name] = place
    return places if set(places) == known else None


def _place_of(element: Any) -> tuple[str | None, tuple[float, float] | None]:
    """Id and middle of an element that a browser sent; None for what is no number or far off."""
    try:
        name, place = element["data"]["id"], element["position"]
        x, y = float(place["x"]), float(place["y"])
    except (TypeError, KeyError, ValueError):
        return None, None
    is_near = all(math.isfinite(at) and abs(at) < _FARTHEST for at in (x, y))
    return (name if isinstance(name, str) else None), ((x, y) if is_near else None)
