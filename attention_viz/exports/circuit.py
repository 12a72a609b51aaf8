"""A circuit as a file, by its suffix: pictures, graphs for other programs, tables."""

from collections.abc import Callable, Mapping
from typing import Any

from attention_viz.exports.eap_ig import eap_ig_bytes
from attention_viz.exports.graph import (
    dot_bytes,
    gexf_bytes,
    graph_of,
    graphml_bytes,
    json_bytes,
)
from attention_viz.exports.picture import draw_picture
from attention_viz.exports.picture_size import PictureSize
from attention_viz.exports.tables import edges_table, nodes_table, to_csv
from attention_viz.records.circuits.attribution import Attribution
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.circuit_view import CircuitView
from attention_viz.records.circuits.faithfulness import Faithfulness, FaithfulnessResult
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.errors import BadInput

__all__ = ["FORMATS", "PICTURES", "SUFFIXES", "export_circuit", "graph_of", "suffix_of"]

EAP_IG = "eapig.json"
FORMATS = {
    "png": "picture",
    "svg": "vector picture",
    "pdf": "vector picture",
    "graphml": "yEd, networkx",
    "gexf": "Gephi",
    "dot": "Graphviz",
    "json": "everything measured, node-link",
    EAP_IG: "the EAP-IG package",
    "csv": "the edges",
    "nodes.csv": "the nodes",
}
SUFFIXES = tuple(FORMATS)
PICTURES = ("png", "svg", "pdf")
_GRAPHS = {"graphml": graphml_bytes, "gexf": gexf_bytes, "dot": dot_bytes, "json": json_bytes}
_TABLES: dict[str, Callable] = {"csv": edges_table, "nodes.csv": nodes_table}


def export_circuit(
    circuit: Circuit,
    suffix: str,
    positions: Mapping[str, tuple[float, float]] | None = None,
    theme: str = "light",
    smallest: float = 0.0,
    *,
    view: CircuitView | None = None,
    faithfulness: Faithfulness | FaithfulnessResult | None = None,
    graph: Graph | None = None,
    attribution: Attribution | None = None,
    d_model: int | None = None,
    size: PictureSize | None = None,
) -> bytes:
    """The file's content. `positions` are the page's, by node id, in px, y downward.

    Pictures leave out what the page does: causal edges below `smallest` logits, and the nodes
    hidden in `view`, and fold a deep circuit's chains of MLPs; the other formats hold all nodes and
    edges. `size` is a picture's. Names and pinned places of
    the view are in pictures and graphs, `faithfulness` too. EAP-IG's JSON needs the model's
    `graph` (or an `attribution`, whose scores it then holds), and newer readers of it `d_model`.
    Raises BadInput for a suffix that is not in SUFFIXES.
    """
    suffix = suffix.lower().removeprefix(".")
    if suffix in PICTURES:
        extra = _given(view=view, faithfulness=faithfulness, size=size)
        return draw_picture(circuit, suffix, positions, theme, smallest, **extra)
    if suffix in _GRAPHS:
        places, names = _places(view) | dict(positions or {}), dict(view.names) if view else {}
        found = _measured(faithfulness)
        return _GRAPHS[suffix](graph_of(circuit, places, names=names, faithfulness=found))
    if suffix in _TABLES:
        return to_csv(*_TABLES[suffix](circuit))
    if suffix == EAP_IG:
        sizes = _need_sizes(graph, attribution)
        return eap_ig_bytes(circuit, sizes, attribution=attribution, d_model=d_model)
    raise BadInput(
        f"A circuit can't be saved as {suffix!r}.", f"Choose one of {', '.join(SUFFIXES)}."
    )


def suffix_of(file_name: str) -> str:
    """The suffix of SUFFIXES that a file's name ends in: "a.eapig.json" → "eapig.json".

    Raises BadInput where it ends in none.
    """
    lower = file_name.lower()
    known = [suffix for suffix in SUFFIXES if lower.endswith(f".{suffix}")]
    if not known:
        listed = ", ".join(f".{suffix}" for suffix in SUFFIXES)
        raise BadInput(f"{file_name!r} has no known suffix.", f"Use one of: {listed}.")
    return max(known, key=len)


def _places(view: CircuitView | None) -> dict[str, tuple[float, float]]:
    return {name: (x, y) for name, x, y in view.positions} if view else {}


def _measured(found: Faithfulness | FaithfulnessResult | None) -> Faithfulness | None:
    return found.measured if isinstance(found, FaithfulnessResult) else found


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _need_sizes(graph: Graph | None, attribution: Attribution | None) -> Graph:
    if graph is not None:
        return graph
    if attribution is not None:
        return attribution.graph
    raise BadInput(
        "EAP-IG's JSON holds the whole model's nodes, and its sizes are not known here.",
        "Load the model first, or save as .json.",
    )
