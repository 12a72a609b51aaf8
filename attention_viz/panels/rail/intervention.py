"""How the selected heads are ablated: the kind, and the settings that kind declares."""

from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.controls import number_box, segments, shown_if, slider, told
from attention_viz.records.ablation import AblationKind, Setting

_ADDRESS = "shared.kind"


def layout() -> html.Node:
    kinds = segments(
        _ADDRESS,
        {kind.value: html.Span(kind.value, title=kind.about) for kind in AblationKind},
        "Kind of ablation",
        id="kind",
    )
    # One line holds either what the kind does or the settings it takes.
    lines = [_about(kind) for kind in AblationKind if not kind.settings]
    rows = [_row(kind, setting) for kind in AblationKind for setting in kind.settings]
    return html.Div(
        [kinds, html.Div([*lines, *rows], className="settings")], className="intervention"
    )


def _about(kind: AblationKind) -> html.Node:
    return html.P(kind.short, className="hint kind-about", **shown_if(_ADDRESS, kind.value))


def _row(kind: AblationKind, setting: Setting) -> html.Node:
    address = f"settings.{setting.name}"
    control: Any = number_box(
        address, setting.least, setting.most, setting.step, id=setting.name, title=setting.about
    )
    if setting.slider is not None:
        line = slider(address, *setting.slider, setting.step, id=setting.name, title=setting.about)
        control = html.Span([line, told(address, 2)], className="slider")
    label = html.Label(setting.label, htmlFor=setting.name)
    return html.Div(
        [label, control],
        className="setting",
        id=f"{setting.name}-row",
        **shown_if(_ADDRESS, kind.value),
    )
