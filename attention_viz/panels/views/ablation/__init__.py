"""The ablation view: what the selected heads do, each head on its own, and the search for a set."""

from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act
from attention_viz.panels.views.ablation import compare, look, study, sweep

_CARDS = (study, sweep, compare, look)

PARTS = tuple(part for each in _CARDS for part in each.PARTS)
ACTS: dict[str, Act] = study.ACTS | sweep.ACTS | compare.ACTS | look.ACTS


def layout() -> html.Node:
    above = html.Div([study.layout(), sweep.layout()], className="view-pair")
    return html.Div([above, compare.layout(), look.layout()], className="view-rows")
