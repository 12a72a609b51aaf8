"""Tables of results: every figure's numbers for those who read rather than look."""

from collections.abc import Iterable, Sequence
from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import head_chip, number, token_text
from attention_viz.records.ids import HeadId
from attention_viz.records.tokens import Token


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], label: str) -> html.Node:
    """A table that scrolls in its box; `label` is read out by screen readers.

    Cells are records or numbers: heads become chips, tokens keep their blanks visible.
    """
    rows = list(rows)
    if not rows:
        return html.P(f"{label}: nothing to list.", className="note")
    head = html.Thead(html.Tr([html.Th(text, scope="col") for text in headers]))
    body = html.Tbody([html.Tr([_cell(value) for value in row]) for row in rows])
    return html.Div(
        html.Table([head, body], className="data-table", **{"aria-label": label}),
        className="table-box",
        tabIndex=0,
    )


def _cell(value: Any) -> html.Node:
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


def fold(title: str, *children: Any, name: str | None = None, is_open: bool = False) -> html.Node:
    """Something to unfold: the table alternative of a figure."""
    props = {} if name is None else {"id": name}
    return html.Details(
        [html.Summary(title), html.Div(children, className="fold-body")],
        className="fold",
        open=is_open,
        **props,
    )


def facts(*pairs: tuple[str, Any]) -> html.Node:
    """Short facts: what it is, and its value with its unit."""
    return html.Dl(
        [html.Div([html.Dt(name), html.Dd(value)]) for name, value in pairs], className="facts-list"
    )
