"""How long would a measurement take? Asked before it starts; short ones start by themselves."""

from dataclasses import dataclass

from attention_viz.records.circuits.circuit import CircuitRequest
from attention_viz.records.question import Question
from attention_viz.records.sweep import SweepRequest

BY_ITSELF = 5.0  # seconds; the page starts what takes less without being asked


@dataclass(frozen=True)
class DurationRequest:
    """How long a sweep of all heads, or the circuit of chosen heads, takes on this device."""

    of: SweepRequest | CircuitRequest

    @property
    def question(self) -> Question:
        return self.of.question


@dataclass(frozen=True)
class Duration:
    """At the speed measured on this model and device so far."""

    evaluations: int
    seconds: float

    @property
    def is_short(self) -> bool:
        return self.seconds <= BY_ITSELF
