"""The ablation view: what the selected heads do, each head on its own, and the search for a set."""

from typing import Any

from attention_viz.panels import (
    ablation_compare,
    ablation_look,
    ablation_study,
    ablation_sweep,
)
from attention_viz.panels.kit import html


def layout() -> html.Div:
    above = html.Div([ablation_study.layout(), ablation_sweep.layout()], className="view-pair")
    return html.Div(
        [above, ablation_compare.layout(), ablation_look.layout()], className="view-rows"
    )


def register(app: Dash, workbench: Any) -> None:
    for part in (ablation_study, ablation_sweep, ablation_compare, ablation_look):
        part.register(app, workbench)
