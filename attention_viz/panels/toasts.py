"""Short messages in the corner: what went wrong or well, and what to do."""

from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, html, no_update

from attention_viz.panels.ids import TOAST

_MOST = 3  # shown at once
_SECONDS = {"danger": 12, "warning": 9, "success": 5, "info": 5}


def layout() -> html.Div:
    return html.Div(id="toasts", className="toasts", **{"aria-live": "polite"})


def draw_toast(item: dict[str, Any]) -> dbc.Toast:
    return dbc.Toast(
        [
            html.Div(item["message"], className="toast-message"),
            html.Div(item["remedy"], className="toast-remedy") if item["remedy"] else None,
        ],
        id={"type": "toast", "at": item["at"]},
        header=item["title"],
        icon=item["kind"],
        duration=_SECONDS[item["kind"]] * 1000,
        dismissable=True,
        is_open=True,
        className=f"toast-{item['kind']}",
    )


def stack(items: list[dict[str, Any]], shown: list[dict] | None) -> list[Any]:
    """The newest first, without those closed, and without one that says the same again."""
    fresh = [draw_toast(item) for item in reversed(items)]
    said = {item["message"] for item in items}
    kept = [
        toast
        for toast in shown or []
        if toast["props"].get("is_open") and _message(toast) not in said
    ]
    return (fresh + kept)[:_MOST]


def _message(toast: dict[str, Any]) -> str:
    return toast["props"]["children"][0]["props"]["children"]


def register(app: Dash, workbench: object) -> None:
    @app.callback(
        Output("toasts", "children"),
        Input(TOAST, "data"),
        State("toasts", "children"),
        prevent_initial_call=True,
    )
    def draw(items: list | None, shown: list | None) -> Any:
        return stack(items, shown) if items else no_update
