"""The numbers an ablation can change, at the read-out position."""

from enum import StrEnum


class Metric(StrEnum):
    """Effect = metric(ablated) − metric(clean), in the metric's own unit."""

    KL = "kl"
    LOGIT_DIFF = "logit_diff"
    PROBABILITY = "probability"
    RANK = "rank"
    ENTROPY = "entropy"

    @property
    def unit(self) -> str:
        return _ABOUT[self][0]

    @property
    def title(self) -> str:
        return _ABOUT[self][1]

    @property
    def about(self) -> str:
        return _ABOUT[self][2]

    @property
    def is_signed(self) -> bool:
        """Whether an effect can have either sign (KL can't be negative)."""
        return self is not Metric.KL


_ABOUT = {
    Metric.KL: (
        "nats",
        "KL divergence",
        "how far the next-token distribution moved, KL(clean ‖ ablated)",
    ),
    Metric.LOGIT_DIFF: (
        "logits",
        "logit difference",
        "logit of the answer minus logit of the distractor; negative effect: the head helped",
    ),
    Metric.PROBABILITY: (
        "probability",
        "probability of the answer",
        "softmax probability of the answer; negative effect: the head helped",
    ),
    Metric.RANK: (
        "ranks",
        "rank of the answer",
        "place of the answer among all tokens, 1 is the top; positive effect: the head helped",
    ),
    Metric.ENTROPY: (
        "nats",
        "entropy",
        "spread of the next-token distribution; positive effect: less certain without the head",
    ),
}
