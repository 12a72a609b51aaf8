"""A room per view, of the view's name in `records.page.VIEWS`.

A room is a package with `layout()`, the view's skeleton, `PARTS`, what is drawn into it, and
`ACTS`, what a person can ask of it.
"""

from importlib import import_module
from types import ModuleType

from attention_viz.records.page import View


def room(view: View) -> ModuleType:
    """The package of a view."""
    return import_module(f"{__name__}.{view.name}")
