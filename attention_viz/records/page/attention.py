"""What the attention view shows: of which run, from which weight on, which page, which cell."""

from dataclasses import dataclass

from attention_viz.records.page.checks import are, checked, choice, is_whole, number, whole
from attention_viz.records.page.view import ViewState


@dataclass(frozen=True)
class AttentionState(ViewState):
    show: str = choice(("clean", "ablated", "difference"), "clean")
    page: int = whole(0, 0, 10_000)
    threshold: float = number(0.0, 0, 1)
    # highlighted (query, key) positions
    focus: tuple[int, int] | None = checked(
        None,
        lambda given: (
            given is None or (are(given, int, 2) and all(is_whole(at) and at >= 0 for at in given))
        ),
    )

    def when_prompt_changes(self) -> "AttentionState":
        return self.change(page=0, focus=None)

    def when_model_changes(self) -> "AttentionState":
        return self.change(page=0, focus=None)
