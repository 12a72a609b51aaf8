"""Small numbers about a circuit that the graph and its export share."""

from attention_viz.records.circuit import Circuit


def strongest_edge(circuit: Circuit) -> float:
    """The greatest size of a measured edge, logits; 0 where there is none."""
    return max((abs(edge.value) for edge in circuit.edges if edge.via.is_measured), default=0.0)


def smallest_of(circuit: Circuit, share: float | None) -> float:
    """The least size (logits) of an edge that is drawn: a share of the strongest."""
    is_share = isinstance(share, int | float) and 0 <= share <= 1
    return (share if is_share else 0.0) * strongest_edge(circuit)
