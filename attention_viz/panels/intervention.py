"""How the selected heads are ablated: the kind, and the setting that kind uses."""

from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, dcc, html

from attention_viz.panels.ids import ABLATION
from attention_viz.panels.mirror import mirror
from attention_viz.records.ablation import AblationKind
from attention_viz.records.page import PageState

# The kinds with a setting, and the row that holds it
_ROWS = {
    AblationKind.SCALE: "scale-row",
    AblationKind.SPARSIFY: "threshold-row",
    AblationKind.PERMUTE: "seed-row",
}
# What the kinds without a setting do, in one line
_SHORT = {
    AblationKind.ZERO: "z = 0: the head writes nothing, its value bias included.",
    AblationKind.MEAN: "z = its mean over this prompt's positions (without ⟨bos⟩).",
    AblationKind.RESAMPLE: "z of the counterfactual prompt, at the same position.",
}


def layout() -> html.Div:
    first = PageState()
    kinds = dbc.RadioItems(
        id="kind",
        options=[
            {"label": html.Span(kind.value, title=kind.about), "value": kind.value}
            for kind in AblationKind
        ],
        value=first.kind,
        className="segments",
        inputClassName="btn-check",
        labelClassName="segment",
        labelCheckedClassName="active",
    )
    marks = {-1: "−1", 0: "0", 1: "1", 2: "2"}
    scale = dcc.Slider(id="scale", min=-1, max=2, step=0.05, value=first.scale, marks=marks)
    marks = {0: "0", 1: "1", 2: "2", 3: "3", 4: "4", 5: "5"}
    threshold = dcc.Slider(id="threshold", min=0, max=5, step=0.05, value=0.5, marks=marks)
    seed = dcc.Input(id="seed", type="number", min=0, max=2**32 - 1, step=1, value=first.seed)
    return html.Div(
        [
            kinds,
            html.Div(
                [
                    # One line holds either what the kind does or the setting it uses.
                    html.P(_SHORT[AblationKind.ZERO], id="kind-about", className="hint"),
                    _row("z times", scale, _ROWS[AblationKind.SCALE]),
                    _row("z = 0 below", threshold, _ROWS[AblationKind.SPARSIFY]),
                    _row("shuffled with seed", seed, _ROWS[AblationKind.PERMUTE]),
                ],
                className="settings",
            ),
        ],
        className="intervention",
    )


def _row(label: str, control: Any, name: str) -> html.Div:
    label = html.Label(label, htmlFor=control.id)
    return html.Div([label, control], id=name, className="setting", hidden=True)


def shown_settings(kind: str) -> tuple[str, bool, bool, bool, bool]:
    """What the kind does, and whether that, scale, threshold and seed are hidden."""
    chosen = AblationKind(kind)
    return _SHORT.get(chosen, ""), chosen in _ROWS, *(chosen is not owner for owner in _ROWS)


def register(app: Dash, workbench: Any) -> None:
    for name in ("kind", "scale", "threshold", "seed"):
        mirror(app, name, name)

    @app.callback(
        Output("kind-about", "children"),
        Output("kind-about", "hidden"),
        *(Output(row, "hidden") for row in _ROWS.values()),
        Input(ABLATION, "data"),
    )
    def show(ablation: dict | None) -> tuple:
        return shown_settings((ablation or PageState().to_json())["kind"])
