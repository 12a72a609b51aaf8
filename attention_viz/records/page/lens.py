"""What the lens view shows: of which run."""

from dataclasses import dataclass

from attention_viz.records.page.checks import choice
from attention_viz.records.page.view import ViewState


@dataclass(frozen=True)
class LensState(ViewState):
    show: str = choice(("clean", "ablated"), "clean")
