"""What of a writer the kinds `mean` and `zero` replace, and which mean it is.

The input is a writer too. Where a model adds position embeddings to its tokens' (GPT-2), what the
input writes holds both: replaced whole, the model is no longer told where a token stands. The
EAP-IG authors' library and MIB replace the token embedding alone; with rotary positions there is
nothing else to replace. `resample` puts another prompt's value at the same position: the position
embeddings are the same, and neither choice says anything about it.
"""

from dataclasses import dataclass
from enum import StrEnum

from attention_viz.records.ablation import AblationKind


class InputPart(StrEnum):
    """What is replaced of the input's embeddings."""

    BOTH = "both"  # the token's and the position's
    TOKEN = "token"  # the token's alone; the position's stay


class MeanOver(StrEnum):
    """Over what a mean is taken, beside the pairs' clean prompts."""

    ALL = "all"  # all positions without beginning of text: one vector for every writer
    POSITION = "position"  # none: a mean for every position, of prompts of one length


@dataclass(frozen=True)
class Replacing:
    """The choices that a kind of replacement leaves."""

    input: InputPart = InputPart.BOTH
    mean: MeanOver = MeanOver.ALL

    @classmethod
    def of(cls, kind: AblationKind, input: str, mean: str) -> "Replacing":
        """What of these choices says something about that kind; the others are as if not made."""
        is_resample, is_mean = kind is AblationKind.RESAMPLE, kind is AblationKind.MEAN
        return cls(
            InputPart.BOTH if is_resample else InputPart(input),
            MeanOver(mean) if is_mean else MeanOver.ALL,
        )

    def label(self, kind: AblationKind) -> str:
        """The kind with what was chosen: "mean per position, position embeddings kept"."""
        over = " per position" if self.mean is MeanOver.POSITION else ""
        kept = ", position embeddings kept" if self.input is InputPart.TOKEN else ""
        return f"{kind.value}{over}{kept}"
