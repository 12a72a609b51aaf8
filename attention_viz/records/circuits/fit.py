"""Edges that people bring, as one model has them."""

from collections import defaultdict
from collections.abc import Iterable

from attention_viz.records.circuits.edge import EdgeId, Via
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.ids import HeadId

_MOST_TOLD = 5


def fit_edges(edges: Iterable[EdgeId], graph: Graph) -> tuple[EdgeId, ...]:
    """The edges as this model has them, each once.

    Where heads share keys and values, K and V of a head become those of its key/value head.
    Raises BadInput for an edge that the model does not have.
    """
    fitted = dict.fromkeys(_fit(edge, graph) for edge in edges)
    for edge in fitted:
        graph.index(edge)
    return tuple(fitted)


def _fit(edge: EdgeId, graph: Graph) -> EdgeId:
    if edge.via not in (Via.K, Via.V) or "KV" in edge.reader:
        return edge
    reader = HeadId.parse(edge.reader)
    shared = reader.head // (graph.heads // graph.key_value_heads)
    return EdgeId(edge.writer, graph.key_value_name(reader.layer, shared), edge.via)


def widened_edges(edges: Iterable[EdgeId], graph: Graph) -> tuple[EdgeId, ...]:
    """Fitted edges into a key/value head of which only some of its heads were named.

    The circuit enters all of them then: it is wider than what was given.
    """
    named: dict[EdgeId, set[str]] = defaultdict(set)
    for edge in edges:
        named[_fit(edge, graph)] |= set(graph.heads_behind(edge.reader))
    return tuple(
        edge for edge, heads in named.items() if heads != set(graph.heads_behind(edge.reader))
    )


def tell_widened(edges: tuple[EdgeId, ...]) -> str:
    """What `widened_edges` found, for people; "" for nothing."""
    if not edges:
        return ""
    names = ", ".join(map(str, edges[:_MOST_TOLD])) + (", …" if len(edges) > _MOST_TOLD else "")
    count = "1 edge is" if len(edges) == 1 else f"{len(edges)} edges are"
    return (
        f"{count} wider here than in the file, which enters only some of the heads that share "
        f"keys and values in this model: {names}."
    )
