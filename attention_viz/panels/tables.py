"""Tables of results: every figure's numbers for those who read rather than look."""

from collections.abc import Iterable, Sequence
from typing import Any

from dash import dcc, html

from attention_viz.panels.common import head_chip, number, token_text
from attention_viz.records.ids import HeadId
from attention_viz.records.tokens import Token


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], label: str) -> html.Div:
    """A table that scrolls in its box; `label` is read out by screen readers.

    Cells are records or numbers: heads become chips, tokens keep their blanks visible.
    """
    head = html.Thead(html.Tr([html.Th(text, scope="col") for text in headers]))
    body = html.Tbody([html.Tr([_cell(value) for value in row]) for row in rows])
    return html.Div(
        html.Table([head, body], className="data-table", **{"aria-label": label}),
        className="table-box",
        tabIndex=0,
    )


def _cell(value: Any) -> html.Td:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return html.Td(content(value), className="number" if is_number else None)


def content(value: Any) -> Any:
    """How a value stands in a table; a component stands as it is."""
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, HeadId):
        return head_chip(value)
    if isinstance(value, Token):
        return token_text(value)
    if isinstance(value, float):
        return number(value)
    return value


def fold(
    title: str, *children: Any, name: str | None = None, is_open: bool = False
) -> html.Details:
    """Something to unfold: the table alternative of a figure."""
    props = {} if name is None else {"id": name}
    return html.Details(
        [html.Summary(title), html.Div(children, className="fold-body")],
        className="fold",
        open=is_open,
        **props,
    )


def facts(*pairs: tuple[str, Any]) -> html.Dl:
    """Short facts: what it is, and its value with its unit."""
    return html.Dl(
        [html.Div([html.Dt(name), html.Dd(value)]) for name, value in pairs], className="facts-list"
    )


def figure(name: Any, height: int | None = None, **props: Any) -> dcc.Graph:
    """A plotly figure without the clutter.

    With a height it is as wide as its box and nothing jumps when it is drawn; without, it has
    the size it was drawn with.
    """
    return dcc.Graph(
        id=name,
        responsive=height is not None,
        style={} if height is None else {"height": f"{height}px"},
        config={"displayModeBar": False, "displaylogo": False, "doubleClick": False},
        **props,
    )


def room(name: str, default: int) -> dcc.Store:
    """How many px a figure may be wide; the browser tells (see `data-room` in the assets)."""
    return dcc.Store(id=name, data=default)


def width_of(told: Any, default: int) -> int:
    """The width a browser told, or the default where it is none."""
    is_width = isinstance(told, int | float) and not isinstance(told, bool)
    return int(told) if is_width and 100 <= told < 10_000 else default
