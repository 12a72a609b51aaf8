"""The numbers an ablation can change, at the read-out position."""

from enum import StrEnum


class Sense(StrEnum):
    """What the sign of a number says about the answer."""

    HELPS_BELOW = "helps below 0"  # an ablation's or a patch's effect: the answer loses by it
    HELPS_ABOVE = "helps above 0"  # what a part writes, and what restoring it gives back
    CHANGE = "change"  # a sign, but neither side is the answer's
    SIZE = "size"  # no sign: from 0 upward


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
        return self.sense is not Sense.SIZE

    @property
    def sense(self) -> Sense:
        """What the sign of an ablation's effect says of the head.

        KL moves away from the clean run whichever way, and a spread that grows is no loss of the
        answer: neither speaks of it. A rank is better when smaller, so it has the other sign.
        """
        return _SENSE[self]


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

_SENSE = {
    Metric.KL: Sense.SIZE,
    Metric.LOGIT_DIFF: Sense.HELPS_BELOW,
    Metric.PROBABILITY: Sense.HELPS_BELOW,
    Metric.RANK: Sense.HELPS_ABOVE,
    Metric.ENTROPY: Sense.CHANGE,
}
