"""Fields of the page's state with their checks beside them.

Each function makes a dataclass field; `check` holds a record against its fields. All values are
plain JSON once tuples are lists, because they live in a browser and in links.
"""

from collections.abc import Callable, Iterable
from dataclasses import Field, field, fields
from typing import Any

from attention_viz.records.errors import AttentionVizError, BadInput

MOST_GIVEN = 200  # pairs, edges, names … that a link holds
LONGEST_TEXT = 100_000  # characters


def checked(default: Any, claim: Callable[[Any], bool]) -> Any:
    """A field whose values satisfy `claim`; a claim that raises is not satisfied."""
    return field(default=default, metadata={"claim": claim})


def choice(options: Iterable[Any], default: Any) -> Any:
    """One of a few texts; an enum's members stand for their values."""
    values = [str(getattr(option, "value", option)) for option in options]
    value = getattr(default, "value", default)
    return checked(value, lambda given: isinstance(given, str) and given in values)


def text(default: str = "", most: int = LONGEST_TEXT) -> Any:
    return checked(default, lambda given: is_text(given) and len(given) <= most)


def flag(default: bool) -> Any:
    return checked(default, lambda given: isinstance(given, bool))


def whole(default: int | None, least: int, most: int, *, or_none: bool = False) -> Any:
    """An integer from `least` to `most`."""

    def claim(given: Any) -> bool:
        return (or_none and given is None) or (is_whole(given) and least <= given <= most)

    return checked(default, claim)


def number(default: float, least: float, most: float) -> Any:
    return checked(default, lambda given: is_number(given) and least <= given <= most)


def texts(parse: Callable[[str], Any] | None = None, most: int = MOST_GIVEN) -> Any:
    """A tuple of texts, each of which `parse` must be able to read."""
    return rows(
        lambda given: isinstance(given, str) and (parse is None or bool(parse(given))), most
    )


def rows(is_right: Callable[[Any], bool], most: int = MOST_GIVEN) -> Any:
    """A tuple of at most so many items that are right each."""

    def claim(given: Any) -> bool:
        return isinstance(given, tuple) and len(given) <= most and all(map(is_right, given))

    return checked((), claim)


def are(values: Any, kind: type, count: int | None = None) -> bool:
    """Whether it is a tuple of that type (and length)."""
    is_right = isinstance(values, tuple) and all(isinstance(value, kind) for value in values)
    return is_right and (count is None or len(values) == count)


def is_text(value: Any) -> bool:
    """Whether it is a text, without half characters (lone surrogates): no model reads those."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def check(record: Any) -> None:
    """Raises BadInput for the first field that does not satisfy its claim."""
    for each in fields(record):
        value = getattr(record, each.name)
        if not _holds(each, value):
            raise BadInput(f"The page can't show {each.name} = {short(value)}.", "Open it anew.")


def _holds(each: Field, value: Any) -> bool:
    claim = each.metadata.get("claim")
    try:
        return claim is None or bool(claim(value))
    except (AttentionVizError, TypeError, ValueError):
        return False


def short(value: Any) -> str:
    told = str(value)
    return told if len(told) <= 60 else told[:57] + "…"
