"""How alike kinds of ablation rank the heads: Spearman's correlations, −1 to 1."""

from typing import Any

from attention_viz.figures.matrix import NUMBERS, Axis, draw_matrix, scale_of
from attention_viz.records.looks.agreement import Agreement
from attention_viz.records.metrics import Sense


def draw_agreement(found: Agreement, theme: str = "light") -> dict[str, Any]:
    """Works on partial records."""
    names = [kind.value for kind in found.kinds]
    return draw_matrix(
        found.correlation,
        Axis("", names),
        Axis("and", names),
        scale=scale_of(Sense.CHANGE, "rank correlation", 1.0, theme),
        about=f"Rank correlation of heads' effects between {len(names)} kinds of ablation",
        written=2,
        cells=NUMBERS,
        has_bar=True,
        theme=theme,
    )
