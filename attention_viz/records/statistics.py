"""What a sample says of what it was drawn from: intervals for rates and for means."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

RESAMPLES = 1000  # of a bootstrap
_Z = 1.959963984540054  # the middle 95 % of a normal distribution lie within ± so many deviations


@dataclass(frozen=True)
class Interval:
    """Ends of a 95 % interval: where the value may well be, with other pairs of the same kind."""

    low: float
    high: float


@dataclass(frozen=True)
class Rate:
    """How many of how many, with Wilson's score interval."""

    count: int
    of: int

    @property
    def share(self) -> float | None:
        """None of nothing."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> Interval | None:
        """Wilson 1927: right near 0 and 1 and for few pairs too, where ± errors are not."""
        if not self.of:
            return None
        share, n = self.count / self.of, self.of
        middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
        # An end where all or none are is exactly that, whatever rounding makes of it.
        return Interval(min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))

    @property
    def told(self) -> str:
        """ "16 of 20 (80 %, 95 % interval 58 to 92 %)"."""
        if self.interval is None:
            return "none of 0"
        low, high = (round(100 * end) for end in (self.interval.low, self.interval.high))
        share = round(100 * self.count / self.of)
        return f"{self.count} of {self.of} ({share} %, 95 % interval {low} to {high} %)"


@dataclass(frozen=True)
class Mean:
    """A mean, with the middle 95 % of the means of seeded bootstrap samples."""

    value: float
    interval: Interval | None  # None of fewer than two values
    of: int  # values

    @classmethod
    def over(cls, values: Sequence[float], seed: int = 0) -> "Mean | None":
        """None where there are no values."""
        if not len(values):
            return None
        given = np.asarray(values, dtype=float)
        return cls(float(given.mean()), _bootstrap(given, seed), len(given))


def _bootstrap(values: np.ndarray, seed: int) -> Interval | None:
    if len(values) < 2:
        return None
    drawn = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(1), [2.5, 97.5])
    return Interval(float(low), float(high))
