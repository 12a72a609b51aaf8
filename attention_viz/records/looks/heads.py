"""What looks at a few heads have in common: the heads chosen, or else the strongest."""

from dataclasses import dataclass

from attention_viz.records.ablation import Ablation
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.question import Question

MOST_HEADS = 20  # of the greatest effect, where none are chosen


@dataclass(frozen=True)
class HeadsRequest:
    """Ablate these heads; where they are too few for the look, the MOST_HEADS strongest."""

    question: Question
    heads: tuple[HeadId, ...] = ()
    ablation: Ablation = Ablation()
    metric: Metric = Metric.LOGIT_DIFF
