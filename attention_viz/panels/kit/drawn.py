"""Figures inside the markup: drawn in the browser by plotly, by the matrix script, by cytoscape."""

import json
from typing import Any

from attention_viz.panels.kit import html


def plot(
    figure: Any, name: str | None = None, height: int | None = None, sets: str | None = None
) -> html.Node:
    """A plotly figure, as wide as its box.

    A click on a mark whose customdata[0] is "L2H3" picks that head; with `sets`, an address of the
    page, a click sets that field to customdata[0].
    """
    if height is None:
        height = figure.layout.height
    style = {"height": f"{height}px"} if height else {}
    text = json.dumps(json.loads(figure.to_json()), separators=(",", ":"), ensure_ascii=False)
    return html.Div(
        id=name, className="plot", style=style, **{"data-plot": text, "data-sets": sets}
    )


def matrix(spec: dict[str, Any], name: str | None = None) -> html.Node:
    """A heat map, see figures.matrix."""
    return html.Div(id=name, className="matrix", **{"data-matrix": html.to_json(spec)})


def graph(name: str, elements: list[dict], stylesheet: list[dict], **more: Any) -> html.Node:
    """A graph of nodes and edges at given places."""
    spec = {"name": name, "elements": elements, "stylesheet": stylesheet, **more}
    return html.Div(id=name, className="graph", **{"data-graph": html.to_json(spec)})
