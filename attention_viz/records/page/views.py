"""The views of the page: one line each, and no other list of them anywhere.

A view's panel is `panels/views/NAME`; everything else about it (its tab, its help, its place in
the state and in the link) is read from its line.
"""

from dataclasses import dataclass

from attention_viz.records.page.ablation import AblationState
from attention_viz.records.page.attention import AttentionState
from attention_viz.records.page.circuit import CircuitState
from attention_viz.records.page.lens import LensState
from attention_viz.records.page.view import ViewState


@dataclass(frozen=True)
class View:
    """One view: its name (stem of its modules and address of its state), state, and help."""

    name: str
    state: type[ViewState]
    help: str

    @property
    def title(self) -> str:
        """What its tab says."""
        return self.name.capitalize()


VIEWS = (
    View(
        "attention",
        AttentionState,
        "Where the selected heads look: rows are queries, columns are keys.",
    ),
    View(
        "ablation",
        AblationState,
        "Numbers before and after, all heads ranked, the steps of the search, and closer looks.",
    ),
    View(
        "circuit",
        CircuitState,
        "What the selected heads write to the logits and to each other, measured by path "
        "patching. Edges from tokens are attention weights. Edge scores draws the strongest of all "
        "edges of the model, and says how much of the answer they explain.",
    ),
    View("lens", LensState, "What the model would say if it stopped after each layer."),
)
