"""A small attention map of one head, the row of the read-out outlined."""

from typing import Any

from attention_viz.figures.attention import draw_map
from attention_viz.records.attention import AttentionMaps, AttentionRequest
from attention_viz.records.circuits.node import NodeDetail
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId


def draw_pattern(detail: NodeDetail, theme: str = "light") -> dict[str, Any]:
    """Where a head looks in the clean run; weights from 0 to 1, a row for each query.

    A matrix's spec. Raises BadInput for a node without a pattern.
    """
    if detail.pattern is None:
        raise BadInput(f"{detail.request.node} has no attention pattern.", "Choose a head.")
    heads = (HeadId.parse(detail.request.node),)
    request = AttentionRequest(detail.request.question, heads)
    maps = AttentionMaps(request, detail.tokens, detail.pattern[None], None)
    return draw_map(maps, 0, focus=(detail.position, None), theme=theme, click=None) | {"title": ""}
