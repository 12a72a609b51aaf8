"""HTML made on the server: the elements a panel draws, and their text.

Elements are written as Dash's are (`html.Div([…], className="card")`), but they are plain values:
a page of results costs the browser no components. Text is escaped here and nowhere else.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from html import escape
from typing import Any

_VOID = {"br", "hr", "img", "input"}
_NAMES = {"className": "class", "htmlFor": "for"}


class Node:
    """An element: its tag, children (texts, numbers, elements, None, lists of these), attributes.

    Attributes are named as in Dash: `className`, `htmlFor`; `style` is a dict; True stands alone
    (`hidden`), False and None are left out. Names with dashes come by `**{"data-head": "L2H3"}`.
    """

    __slots__ = ("children", "props", "tag")

    def __init__(self, tag: str, children: Any = None, **props: Any):
        self.tag = tag
        self.children = children
        self.props = props

    @property
    def id(self) -> str | None:
        return self.props.get("id")

    def __repr__(self) -> str:
        return to_html(self)


def _element(tag: str) -> Callable[..., Node]:
    return partial(Node, tag)


A, Aside, B, Br, Button, Code, Dd, Details, Div, Dl, Dt, Em, Fieldset, Footer = map(
    _element,
    "a aside b br button code dd details div dl dt em fieldset footer".split(),
)
H1, H2, H3, H4, H5, Header, I, Img, Input, Kbd, Label, Legend, Li, Main, Mark = map(  # noqa: E741
    _element,
    "h1 h2 h3 h4 h5 header i img input kbd label legend li main mark".split(),
)
Nav, Ol, Optgroup, Option, Output, P, Pre, Q, Section, Select, Small, Span = map(
    _element, "nav ol optgroup option output p pre q section select small span".split()
)
Strong, Sub, Summary, Sup, Table, Tbody, Td, Textarea, Th, Thead, Tr, Ul = map(
    _element, "strong sub summary sup table tbody td textarea th thead tr ul".split()
)


def to_html(part: Any) -> str:
    """The markup of elements and texts; None and False are nothing."""
    return "".join(_write(part))


def _write(part: Any) -> Iterator[str]:
    if part is None or isinstance(part, bool):
        return
    if isinstance(part, Node):
        yield f"<{part.tag}{_attributes(part.props)}>"
        if part.tag not in _VOID:
            yield from _write(part.children)
            yield f"</{part.tag}>"
    elif isinstance(part, list | tuple):
        for child in part:
            yield from _write(child)
    else:
        yield escape(str(part), quote=False)


def _attributes(props: dict[str, Any]) -> str:
    texts = []
    for name, value in props.items():
        if value is None or value is False:
            continue
        name = _NAMES.get(name, name if "-" in name else name.lower())
        if value is True:
            texts.append(f" {name}")
            continue
        if isinstance(value, dict):
            value = _style(value) if name == "style" else to_json(value)
        texts.append(f' {name}="{escape(str(value))}"')
    return "".join(texts)


def _style(style: dict[str, Any]) -> str:
    return ";".join(f"{_dashed(name)}:{value}" for name, value in style.items())


def _dashed(name: str) -> str:
    """ "fontSize" as CSS writes it."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)


def to_json(value: Any) -> str:
    """Compact JSON for an attribute; a number that is none (nan) is null."""
    return json.dumps(_finite(value), separators=(",", ":"), ensure_ascii=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
