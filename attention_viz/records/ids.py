"""Names of heads, in the papers' language ("L9H6"), parsed once."""

import re
from dataclasses import dataclass

from attention_viz.records.errors import BadInput

_HEAD = re.compile(r"L(\d+)H(\d+)", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class HeadId:
    """One attention head; layers and heads count from 0."""

    layer: int
    head: int

    @classmethod
    def parse(cls, text: str) -> "HeadId":
        """Read "L9H6". Raises BadInput for anything else."""
        match = _HEAD.fullmatch(text.strip())
        if match is None:
            raise BadInput(f"{text!r} is not a head.", "Write layer and head like L9H6.")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"L{self.layer}H{self.head}"


def parse_heads(text: str) -> tuple[HeadId, ...]:
    """Read "L2H3, L3H1" in the order given, each head once."""
    parts = [part for part in re.split(r"[,\s]+", text.strip()) if part]
    return tuple(dict.fromkeys(HeadId.parse(part) for part in parts))
