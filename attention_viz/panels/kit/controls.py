"""Native controls that stand for one field of the page; the browser keeps both equal.

An address is "SECTION.FIELD": "shared.kind", "settings.scale", "circuit.edges".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from attention_viz.panels.kit import html


def segments(address: str, options: Mapping[str, Any], label: str, **props: Any) -> html.Node:
    """A few choices beside each other, one of them taken: radio buttons, one Tab stop."""
    name = props.pop("id", address.replace(".", "-"))
    choices = [_segment(address, name, value, text) for value, text in options.items()]
    return html.Div(
        choices, id=name, className="segments", role="radiogroup", **{"aria-label": label}, **props
    )


def _segment(address: str, group: str, value: str, text: Any) -> html.Node:
    radio = html.Input(
        type="radio", name=group, value=value, className="btn-check", **{"data-field": address}
    )
    return html.Label([radio, html.Span(text, className="segment")], className="form-check")


def menu(address: str, options: Mapping[Any, str] | Sequence[Any], **props: Any) -> html.Node:
    """A menu of which one line is taken; its values may be numbers.

    Options are {value: text}, or elements made by the caller.
    """
    lines: Any = options
    if isinstance(options, Mapping):
        lines = [html.Option(text, value=value) for value, text in options.items()]
        if any(isinstance(value, int) for value in options):
            props["data-number"] = True
    name = props.pop("id", address.replace(".", "-"))
    css = f"form-select {props.pop('className', '')}".strip()
    return html.Select(lines, id=name, className=css, **{"data-field": address}, **props)


def steps(address: str, values: Sequence[float], **props: Any) -> html.Node:
    """A slider over a list of numbers, each as far from the next."""
    data = {"data-values": html.to_json(list(values))}
    return slider(address, 0, len(values) - 1, 1, **data, **props)


def slider(address: str, least: float, most: float, step: float, **props: Any) -> html.Node:
    """A number on a line; `live=False` sets it when it is let go."""
    name = props.pop("id", address.replace(".", "-"))
    if not props.pop("live", True):
        props["data-late"] = True
    return html.Input(
        id=name,
        type="range",
        min=least,
        max=most,
        step=step,
        className="form-range",
        **{"data-field": address, "data-number": True},
        **props,
    )


def number_box(address: str, least: float, most: float, step: float = 1, **props: Any) -> html.Node:
    """A number to type."""
    name = props.pop("id", address.replace(".", "-"))
    css = f"form-control {props.pop('className', '')}".strip()
    return html.Input(
        id=name,
        type="number",
        min=least,
        max=most,
        step=step,
        className=css,
        **{"data-field": address, "data-number": True},
        **props,
    )


def switch(address: str, label: str, **props: Any) -> html.Node:
    """Yes or no."""
    name = props.pop("id", address.replace(".", "-"))
    box = html.Input(
        id=name, type="checkbox", className="form-check-input", **{"data-field": address}
    )
    return html.Label([box, html.Span(label)], className="switch", **props)


def shown_if(address: str, *values: Any) -> dict[str, str]:
    """Attributes of an element that is there only while the field has one of these values."""
    return {"data-shown-if": html.to_json([address, list(values)]), "hidden": True}


def told(address: str, digits: int | None = None, percent: bool = False) -> html.Node:
    """The field's value, written; the browser keeps it up to date."""
    kind = "percent" if percent else "" if digits is None else str(digits)
    return html.Output(className="told", **{"data-told": address, "data-digits": kind})
