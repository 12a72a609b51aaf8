"""The circuit view: a measured graph, its proof, and lens, top tokens and parts beside it."""

from attention_viz.panels.kit import html
from attention_viz.panels.views.circuit import (
    compare,
    detail,
    export,
    graph,
    imports,
    pairs,
    proof,
    replacing,
    side,
)

_MODULES = (graph, pairs, replacing, detail, imports, export, proof, side, compare)
PARTS = tuple(part for module in _MODULES for part in getattr(module, "PARTS", ()))
ACTS = {name: act for module in _MODULES for name, act in getattr(module, "ACTS", {}).items()}


def layout() -> html.Node:
    main = html.Div(
        [graph.layout(), proof.layout(), compare.layout()],
        className="view-main",
    )
    return html.Div([main, side.layout()], className="view-columns circuit-columns")
