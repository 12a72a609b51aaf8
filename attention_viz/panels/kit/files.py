"""Files to take away: a button, and what to write into the file."""

from collections.abc import Callable
from typing import Any

from attention_viz.exports.tables import to_csv
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button
from attention_viz.records.bench import Bench
from attention_viz.records.page import PageState

Table = tuple[Any, Any]  # headers, rows


def csv_button(name: str, title: str = "Save the table as CSV") -> html.Node:
    """The button of the act that `csv_act` makes under the same name."""
    return act_button("CSV", f"{name}-csv", id=f"{name}-csv", className="btn btn-sm", title=title)


def csv_act(name: str, make: Callable[[Bench, PageState], Table]) -> dict[str, Act]:
    """The act that saves the table `make(bench, state)`; it may raise AttentionVizError."""

    def save(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
        return Outcome(file=(f"attention-viz-{name}.csv", to_csv(*make(bench, state))))

    return {f"{name}-csv": save}
