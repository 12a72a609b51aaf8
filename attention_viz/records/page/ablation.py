"""What the ablation view shows beside the study: one of the closer looks."""

from dataclasses import dataclass

from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.circuits.pairs import MOST_PAIRS
from attention_viz.records.looks.family import PairFlip
from attention_viz.records.page.checks import choice, number, whole
from attention_viz.records.page.view import ViewState

LOOKS = ("cost", "dose", "redundancy", "positions", "control", "agreement", "family")


@dataclass(frozen=True)
class AblationState(ViewState):
    look: str = choice(LOOKS, LOOKS[0])
    # Of the look over a family: a family's name, or "given" for the pairs of the page's file
    family: str = choice((*(family.name for family in FAMILIES), "given"), FAMILIES[0].name)
    pair_count: int = whole(20, 1, MOST_PAIRS)  # of a family
    flip: str = choice(PairFlip, PairFlip.DISTRACTOR)  # what a search over it looks for
    share: float = number(0.8, 0.01, 1)  # of the pairs, that is to flip
