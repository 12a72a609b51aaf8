"""Edges of the computation: a writer of the residual stream, and the input of a reader."""

import re
from dataclasses import dataclass
from enum import StrEnum

from attention_viz.records.errors import BadInput

INPUT = "input"  # the embeddings, as a writer
OUTPUT = "logits"


class Via(StrEnum):
    """Where an edge enters its reader."""

    Q = "Q"
    K = "K"
    V = "V"
    MLP = "MLP"
    LOGITS = "logits"
    ATTENTION = "attention"  # a token edge: attention weight, not an intervention

    @property
    def is_causal(self) -> bool:
        """Whether the edge is about an intervention, run or estimated."""
        return self is not Via.ATTENTION

    @property
    def unit(self) -> str:
        return "logits" if self.is_causal else "attention weight"


_EDGE = re.compile(r"\s*(\S+)\s*->\s*([^\s.]+)(?:\.([QKV]))?\s*", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class EdgeId:
    """ "L0H1->L2H3.K", "input->L0MLP", "L2H3->logits"; K and V of grouped queries: "L2KV1.K"."""

    writer: str
    reader: str
    via: Via

    @classmethod
    def parse(cls, text: str) -> "EdgeId":
        """Read what str() gives. Raises BadInput for anything else."""
        match = _EDGE.fullmatch(text)
        if match is None or (match[3] is None) != _is_whole(match[2]):
            raise BadInput(f"{text!r} is not an edge.", "Write L0H1->L2H3.K or L2H3->logits.")
        if match[3] is not None:
            return cls(match[1], match[2], Via(match[3].upper()))
        return cls(match[1], match[2], Via.LOGITS if match[2] == OUTPUT else Via.MLP)

    def __str__(self) -> str:
        slot = "" if _is_whole(self.reader) else f".{self.via.value}"
        return f"{self.writer}->{self.reader}{slot}"


def _is_whole(reader: str) -> bool:
    """Whether a reader has one input only."""
    return reader == OUTPUT or reader.endswith("MLP")
