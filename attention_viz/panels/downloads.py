"""Files to take away: a button, a download, and what to write into the file."""

from collections.abc import Callable
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update

from attention_viz.exports.tables import to_csv
from attention_viz.panels.common import state_of, toast
from attention_viz.panels.ids import PAGE, TOAST
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.page import PageState

Table = tuple[Any, Any]  # headers, rows


def csv_button(name: str, title: str = "Save the table as CSV") -> html.Span:
    """The button of `offer_csv` with the same name."""
    button = html.Button("CSV", id=f"{name}-csv", className="btn btn-sm", title=title)
    return html.Span([button, dcc.Download(id=f"{name}-file")])


def offer_csv(app: Dash, name: str, make: Callable[[PageState], Table]) -> None:
    """Write the table that belongs to the page when the button is pressed."""

    @app.callback(
        Output(f"{name}-file", "data"),
        Output(TOAST, "data", allow_duplicate=True),
        Input(f"{name}-csv", "n_clicks"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def save(_clicks, page):
        return csv_file(f"attention-viz-{name}.csv", make, page)


def csv_file(filename: str, make: Callable[[PageState], Table], page: dict) -> tuple[Any, Any]:
    """What goes into the download, and into the toasts where it can't be made."""
    try:
        return dcc.send_bytes(to_csv(*make(state_of(page))), filename), no_update
    except AttentionVizError as error:
        return no_update, toast(error)
