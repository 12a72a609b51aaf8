"""Scores of every edge: gradient estimates (EAP, EAP-IG) or exact direct path patching.

EAP (Syed et al. 2023): what replacing the writer's result in that one reader's input would change
in the metric, to first order. EAP-IG (Hanna et al. 2024, "Have Faith in Faithfulness") takes the
gradient's mean over inputs between counterfactual and clean (`Points`). The metric is the logit
difference answer − distractor, in logits, averaged over the pairs.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float

from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.circuits.pairs import PairSet, PairsRequest
from attention_viz.records.circuits.replacing import Replacing
from attention_viz.records.metrics import Sense
from attention_viz.records.question import Question


class Method(StrEnum):
    """How an edge is scored."""

    EAP = "eap"
    EAP_IG = "eap-ig"
    EXACT = "exact"

    @property
    def is_exact(self) -> bool:
        """Whether the intervention was run, rather than estimated from gradients."""
        return self is Method.EXACT


class Direction(StrEnum):
    """Where the gradient is taken, and which way the edge is patched."""

    NOISE = "noise"  # gradient on the clean run × (replacement − clean); the authors' way
    DENOISE = "denoise"  # gradient on the counterfactual run × (clean − counterfactual)

    @property
    def sense(self) -> Sense:
        """Which scores help: those of edges that cost something when replaced, or restore it."""
        return Sense.HELPS_BELOW if self is Direction.NOISE else Sense.HELPS_ABOVE


class Points(StrEnum):
    """Where EAP-IG takes its m gradients, k/m of the way from the counterfactual to the clean."""

    RIGHT = "right"  # k = 1 … m: Hanna et al. 2024, their library until February 2025; the default
    LEFT = "left"  # k = 0 … m − 1: their library since then
    MID = "mid"  # k = ½ … m − ½: midpoints, the closest to the integral

    def shares(self, steps: int) -> tuple[float, ...]:
        """The ways gone, from 0 (counterfactual) to 1 (clean)."""
        first = {Points.RIGHT: 1.0, Points.LEFT: 0.0, Points.MID: 0.5}[self]
        return tuple((first + k) / steps for k in range(steps))

    def label(self, steps: int) -> str:
        """ "5 steps" where they are the paper's, "5 steps from k = 0", "5 midpoints"."""
        if self is Points.MID:
            return f"{steps} midpoints"
        return f"{steps} steps" + ("" if self is Points.RIGHT else " from k = 0")


EDGE_ABLATIONS = (AblationKind.RESAMPLE, AblationKind.MEAN, AblationKind.ZERO)


@dataclass(frozen=True)
class AttributionRequest:
    """Score every edge.

    `ablation` is what writers' results are replaced by: resample (the counterfactual's), mean
    (over all clean prompts of the pairs and their positions without beginning of text), zero.
    Raises BadInput: denoise or EAP-IG with another ablation than resample; no pair that can be
    asked.
    """

    pairs: PairsRequest
    method: Method = Method.EAP_IG
    steps: int = 5  # of EAP-IG
    ablation: AblationKind = AblationKind.RESAMPLE
    direction: Direction = Direction.NOISE
    points: Points = Points.RIGHT  # of EAP-IG
    replacing: Replacing = Replacing()  # of mean and zero

    @property
    def question(self) -> Question:
        return self.pairs.question

    @property
    def label(self) -> str:
        """How the scores are named wherever they are shown."""
        name = {
            Method.EAP: "EAP",
            Method.EAP_IG: f"EAP-IG, {self.points.label(self.steps)}",
            Method.EXACT: "exact",
        }
        way = "" if self.direction is Direction.NOISE else ", denoising"
        return f"{name[self.method]}, {self.replacing.label(self.ablation)}{way}"


@dataclass(frozen=True, eq=False)
class Attribution:
    """One score per edge, in logits: the change of the logit difference when it is patched."""

    request: AttributionRequest
    pairs: PairSet
    graph: Graph
    scores: Float[np.ndarray, "writer reader"]  # nan where there is no edge
    clean: float  # logit difference of the clean prompts, mean over pairs
    replaced: float  # of everything replaced: with resample, of the counterfactual prompts
    seconds: float


@dataclass(frozen=True)
class EdgePositionsRequest:
    """The scores of an AttributionRequest by position; pairs of one length only."""

    attribution: AttributionRequest

    @property
    def question(self) -> Question:
        return self.attribution.question

    @property
    def pairs(self) -> PairsRequest:
        return self.attribution.pairs


@dataclass(frozen=True, eq=False)
class EdgePositions:
    """Edge scores by the position at which the writer's result is read; they sum to `scores`."""

    request: EdgePositionsRequest
    scores: Float[np.ndarray, "pos writer reader"]
