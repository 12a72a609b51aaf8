"""A small attention map of one head, the row of the read-out outlined."""

import plotly.graph_objects as go

from attention_viz.figures import palette
from attention_viz.figures.attention import draw_map
from attention_viz.records.attention import AttentionMaps, AttentionRequest
from attention_viz.records.circuits.node import NodeDetail
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId


def draw_pattern(detail: NodeDetail, theme: str = "light", size: int = 250) -> go.Figure:
    """Where a head looks in the clean run; weights from 0 to 1, a row for each query.

    The figure is about `size` px wide and tall, more for long prompts. Raises BadInput for a node
    without a pattern.
    """
    if detail.pattern is None:
        raise BadInput(f"{detail.request.node} has no attention pattern.", "Choose a head.")
    heads = (HeadId.parse(detail.request.node),)
    request = AttentionRequest(detail.request.question, heads)
    figure = draw_map(
        AttentionMaps(request, detail.tokens, detail.pattern[None], None), 0, theme=theme, size=size
    )
    row = {"y0": detail.position - 0.5, "y1": detail.position + 0.5}
    line = {"color": palette.theme_of(theme).accent, "width": 1.5}
    figure.add_shape(type="rect", x0=-0.5, x1=len(detail.tokens) - 0.5, line=line, **row)
    return figure.update_layout(title=None, margin_t=4, height=figure.layout.height - 26)
