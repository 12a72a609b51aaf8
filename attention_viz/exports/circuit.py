"""A circuit as a file, by its suffix: pictures, graphs for other programs, a table of edges."""

from attention_viz.exports.graph import (
    csv_bytes,
    dot_bytes,
    graph_of,
    graphml_bytes,
    json_bytes,
)
from attention_viz.exports.picture import draw_picture
from attention_viz.records.circuit import Circuit
from attention_viz.records.errors import BadInput

__all__ = ["GRAPHS", "PICTURES", "SUFFIXES", "export_circuit", "graph_of"]

PICTURES = ("png", "svg", "pdf")
GRAPHS = {"graphml": graphml_bytes, "dot": dot_bytes, "json": json_bytes, "csv": csv_bytes}
SUFFIXES = (*PICTURES, *GRAPHS)


def export_circuit(
    circuit: Circuit,
    suffix: str,
    positions: dict[str, tuple[float, float]] | None = None,
    theme: str = "light",
    smallest: float = 0.0,
) -> bytes:
    """The file's content. `positions` are the page's, by node id, in px, y downward.

    Pictures leave out measured edges below `smallest` logits, as the page does; the other
    formats hold all edges. Raises BadInput for a suffix that is not in SUFFIXES.
    """
    suffix = suffix.lower().removeprefix(".")
    if suffix in PICTURES:
        return draw_picture(circuit, suffix, positions, theme, smallest)
    if suffix in GRAPHS:
        return GRAPHS[suffix](circuit, positions)
    raise BadInput(
        f"A circuit can't be saved as {suffix!r}.", f"Choose one of {', '.join(SUFFIXES)}."
    )
