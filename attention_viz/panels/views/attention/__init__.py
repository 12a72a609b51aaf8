"""The attention view: maps of the selected heads, and what is known of one token."""

from attention_viz.panels.kit import html
from attention_viz.panels.views.attention import maps, token

PARTS = (*maps.PARTS, *token.PARTS)
ACTS = maps.ACTS


def layout() -> html.Node:
    return html.Div([maps.layout(), token.layout()], className="view-columns attention-columns")
