"""Interventions on heads' outputs z (before W_O), and what one such intervention changes."""

from dataclasses import dataclass
from enum import StrEnum

from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token, Tokens


class AblationKind(StrEnum):
    """What happens to z `[pos, d_head]` of an ablated head."""

    ZERO = "zero"
    SCALE = "scale"
    MEAN = "mean"
    RESAMPLE = "resample"
    PERMUTE = "permute"
    SPARSIFY = "sparsify"
    UNIFORM = "uniform"

    @property
    def about(self) -> str:
        return _ABOUT[self]


_ABOUT = {
    AblationKind.ZERO: "z is set to 0: the head writes nothing, its value bias included",
    AblationKind.SCALE: "z is multiplied by the scale: 0 is zero ablation, 1 is the clean run",
    AblationKind.MEAN: "z is replaced by the head's mean over the prompt's own positions "
    "(without beginning of text), or over reference prompts",
    AblationKind.RESAMPLE: "z is replaced by the head's z in the counterfactual prompt, "
    "same position",
    AblationKind.PERMUTE: "z is shuffled among the positions (all but beginning of text) "
    "by one seeded permutation, the same for every head",
    AblationKind.SPARSIFY: "entries of z smaller in size than the threshold are set to 0",
    AblationKind.UNIFORM: "the attention pattern is replaced by equal weights on all visible keys; "
    "z is then the mean of their values",
}


@dataclass(frozen=True)
class Ablation:
    """An intervention, without the heads it is applied to."""

    kind: AblationKind = AblationKind.ZERO
    scale: float = 0.0  # factor; used by SCALE
    threshold: float = 0.0  # |z| below it becomes 0; used by SPARSIFY
    seed: int = 0  # used by PERMUTE
    positions: tuple[int, ...] | None = None  # where z is edited; None = everywhere
    references: tuple[str, ...] = ()  # prompts for MEAN; () = the prompt's own positions

    @property
    def label(self) -> str:
        """How the ablation is named beside every score."""
        detail = {
            AblationKind.SCALE: f" {self.scale:g}",
            AblationKind.SPARSIFY: f" |z| < {self.threshold:g}",
            AblationKind.PERMUTE: f" seed {self.seed}",
        }.get(self.kind, "")
        return f"{self.kind.value}{detail}"


@dataclass(frozen=True)
class AblationRequest:
    """Ablate these heads together. Raises BadInput where `heads` is empty."""

    question: Question
    heads: tuple[HeadId, ...]
    ablation: Ablation = Ablation()
    top: int = 10  # how many next tokens are listed


@dataclass(frozen=True)
class PredictionRequest:
    """The clean next-token distribution at the read-out."""

    question: Question
    top: int = 10


@dataclass(frozen=True)
class RankedToken:
    """A token in a next-token distribution."""

    token: Token
    probability: float
    logit: float
    rank: int  # 1 = most probable


@dataclass(frozen=True)
class Prediction:
    """A next-token distribution at the read-out, its most probable tokens listed."""

    question: Question
    tokens: Tokens
    position: int
    answer: Token
    distractor: Token
    top: tuple[RankedToken, ...]
    entropy: float  # nats
    logit_diff: float  # logits, answer − distractor


@dataclass(frozen=True)
class TokenChange:
    """One token before and after an ablation."""

    token: Token
    clean: RankedToken
    ablated: RankedToken


@dataclass(frozen=True)
class AblationResult:
    """The clean and the ablated run, side by side."""

    request: AblationRequest
    clean: Prediction
    ablated: Prediction
    kl: float  # nats, KL(clean ‖ ablated)
    changes: tuple[TokenChange, ...]  # every token in either top list, by clean rank

    @property
    def flipped(self) -> bool:
        """Whether another token is top-1 after the ablation."""
        return self.clean.top[0].token.id != self.ablated.top[0].token.id
