"""Small things that the views of a circuit share."""

from attention_viz.panels.kit import html
from attention_viz.records.circuits.circuit import Circuit

# Cytoscape zooms to infinity when it fits an empty graph, and never comes back.
NOTHING = [
    {"data": {"id": "nothing", "label": ""}, "position": {"x": 0, "y": 0}, "classes": "guide"}
]


def draw_sign(item: dict[str, str]) -> html.Span:
    """A sign of a legend."""
    mark = html.I(className=f"sign {item['mark']}", style={"color": item["colour"]})
    return html.Span([mark, item["text"]], className="legend-item")


def strongest_edge(circuit: Circuit) -> float:
    """The greatest size of a measured edge, logits; 0 where there is none."""
    return max((abs(edge.value) for edge in circuit.edges if edge.via.is_causal), default=0.0)


def smallest_of(circuit: Circuit, share: float | None) -> float:
    """The least size (logits) of an edge that is drawn: a share of the strongest."""
    is_share = isinstance(share, int | float) and 0 <= share <= 1
    return (share if is_share else 0.0) * strongest_edge(circuit)
