"""What every view's part of the page can do."""

from dataclasses import dataclass, replace
from typing import Any, Self


@dataclass(frozen=True)
class ViewState:
    """The choices of one view; all fields are plain JSON values (tuples for lists).

    A view says itself what of it is about one prompt or one model only.
    """

    def change(self, **values: Any) -> Self:
        return replace(self, **values)

    def when_prompt_changes(self) -> Self:
        """What is left of the view's choices when another prompt is run."""
        return self

    def when_model_changes(self) -> Self:
        """What is left of them on another model."""
        return self
