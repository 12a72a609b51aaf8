"""Small things that the parts of the circuit view share."""

from attention_viz.panels.kit import html
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.page import PageState


def draw_sign(item: dict[str, str], text: str | None = None) -> html.Node:
    """A sign of a legend, with its text or another one."""
    mark = html.I(className=f"sign {item['mark']}", style={"color": item["colour"]})
    return html.Span([mark, item["text"] if text is None else text], className="legend-item")


def strongest_edge(circuit: Circuit) -> float:
    """The greatest size of a causal edge, logits; 0 where there is none."""
    return max((abs(edge.value) for edge in circuit.causal_edges), default=0.0)


def smallest_of(circuit: Circuit, state: PageState) -> float:
    """The least size (logits) of an edge that the page draws: a share of the strongest."""
    return state.circuit.smallest * strongest_edge(circuit)


def count_of(count: int, what: str) -> str:
    """ "1 pair", "1,200 pairs"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
