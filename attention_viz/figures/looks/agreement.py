"""How alike kinds of ablation rank the heads: Spearman's correlations, −1 to 1."""

import plotly.graph_objects as go

from attention_viz.figures.escape import signed
from attention_viz.figures.matrix import draw_matrix
from attention_viz.records.looks.agreement import Agreement


def draw_agreement(found: Agreement, theme: str = "light") -> go.Figure:
    """Works on partial records."""
    names = [kind.value for kind in found.kinds]
    hovers = [
        [
            f"<b>{one}</b> and <b>{other}</b>: {signed(float(found.correlation[row, column]), 3)}"
            for column, other in enumerate(names)
        ]
        for row, one in enumerate(names)
    ]
    return draw_matrix(
        found.correlation,
        names,
        names,
        unit="rank correlation",
        hovers=hovers,
        limit=1.0,
        theme=theme,
    )
