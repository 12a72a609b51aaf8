"""What the ablation view shows beside the study: one of the closer looks."""

from dataclasses import dataclass

from attention_viz.records.page.checks import choice
from attention_viz.records.page.view import ViewState

LOOKS = ("cost", "dose", "redundancy", "positions", "control", "agreement")


@dataclass(frozen=True)
class AblationState(ViewState):
    look: str = choice(LOOKS, LOOKS[0])
