"""The circuit as a file, with its nodes where the page has them."""

import math
from collections.abc import Callable
from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from attention_viz.exports.circuit import SUFFIXES, export_circuit
from attention_viz.panels import ids
from attention_viz.panels.circuit_numbers import smallest_of
from attention_viz.panels.common import state_of, toast
from attention_viz.records.circuit import Circuit
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import PageState

_ITEM = "circuit-export"
_FARTHEST = 100_000  # px; nodes dragged farther are put where they belong
_ABOUT = {
    "png": "picture",
    "svg": "vector picture",
    "pdf": "vector picture",
    "graphml": "Gephi, yEd, networkx",
    "dot": "Graphviz",
    "json": "everything measured",
    "csv": "the edges",
}


def menu() -> html.Details:
    items = [_item(suffix) for suffix in SUFFIXES]
    return html.Details(
        [
            html.Summary("Export ▾", className="btn btn-sm"),
            html.Div(items, className="menu"),
            dcc.Download(id="circuit-file"),
        ],
        id="circuit-menu",
        className="menu-button",
    )


def _item(suffix: str) -> html.Button:
    return html.Button(
        [html.B(suffix.upper()), html.Small(_ABOUT[suffix])],
        id={"type": _ITEM, "suffix": suffix},
        type="button",
        className="menu-item",
    )


def register(app: Dash, find: Callable[[PageState], Circuit]) -> None:
    @app.callback(
        Output("circuit-file", "data"),
        Output("circuit-menu", "open"),
        Output(ids.TOAST, "data", allow_duplicate=True),
        Input({"type": _ITEM, "suffix": ALL}, "n_clicks"),
        State("circuit-graph", "elements"),
        State("circuit-smallest", "value"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def save(clicks, elements, share, page):
        if not any(clicks) or not ctx.triggered_id:
            return no_update, no_update, no_update
        try:
            suffix = ctx.triggered_id["suffix"]
            return save_file(find, state_of(page), suffix, elements, share), False, no_update
        except AttentionVizError as error:
            return no_update, False, toast(error)


def save_file(
    find: Callable[[PageState], Circuit],
    state: PageState,
    suffix: str,
    elements: Any,
    share: float | None,
) -> dict[str, Any]:
    """What the browser downloads. Raises BadInput where there is nothing to save."""
    if suffix not in SUFFIXES:
        raise BadInput(f"A circuit can't be saved as {suffix!r}.", "Choose one of the menu.")
    if not state.heads:
        raise BadInput("No heads are selected.", "Pick heads in the grid, or press Find heads.")
    circuit = find(state)
    places = positions_of(elements, circuit)
    data = export_circuit(circuit, suffix, places, state.theme, smallest_of(circuit, share))
    return dcc.send_bytes(data, f"circuit-{state.model.replace('/', '-')}.{suffix}")


def positions_of(elements: Any, circuit: Circuit) -> dict[str, tuple[float, float]] | None:
    """Where the page has this circuit's nodes; None unless it has all of them."""
    known = {node.id for node in circuit.nodes}
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
