"""Interventions on heads' outputs z (before W_O), and what one such intervention changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token, Tokens


@dataclass(frozen=True)
class Setting:
    """A number that a kind of ablation takes, as page, command line, labels and files read it."""

    name: str  # the field of `Ablation` that holds it
    label: str  # what stands beside its control
    told: str  # how it is named beside a score; {} is the value
    default: float
    least: float
    most: float
    step: float
    about: str
    slider: tuple[float, float] | None = None  # ends of its slider; None: a number to type

    @property
    def is_whole(self) -> bool:
        return isinstance(self.default, int)

    def tell(self, value: float) -> str:
        """ "|z| < 0.5": no two values are told alike."""
        if self.is_whole:
            return self.told.format(value)
        short = f"{value:g}"
        return self.told.format(short if float(short) == value else repr(float(value)))

    def holds(self, value: Any) -> bool:
        """Whether it may be set to this."""
        is_number = isinstance(value, int if self.is_whole else int | float)
        return is_number and not isinstance(value, bool) and self.least <= value <= self.most


@dataclass(frozen=True)
class Kind:
    """A kind of ablation: what it does to z, at length and in one line, and what it takes."""

    about: str
    short: str
    settings: tuple[Setting, ...] = ()
    takes_references: bool = False  # prompts that its values may come from
    needs_counterfactual: bool = False
    needs_attention: bool = False  # what queries see, which some model families keep to themselves
    is_compared: bool = True  # False: it ranks heads as another kind does, by what it is


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
        return KINDS[self].about

    @property
    def short(self) -> str:
        return KINDS[self].short

    @property
    def settings(self) -> tuple[Setting, ...]:
        return KINDS[self].settings

    @property
    def takes_references(self) -> bool:
        return KINDS[self].takes_references

    @property
    def needs_counterfactual(self) -> bool:
        return KINDS[self].needs_counterfactual

    @property
    def needs_attention(self) -> bool:
        return KINDS[self].needs_attention


# The one place where a kind says what it takes.
KINDS: dict[AblationKind, Kind] = {
    AblationKind.ZERO: Kind(
        "z is set to 0: the head writes nothing, its value bias included",
        "z = 0: the head writes nothing, its value bias included.",
    ),
    AblationKind.SCALE: Kind(
        "z is multiplied by the scale: 0 is zero ablation, 1 is the clean run",
        "z times a factor: 0 is zero ablation, 1 the clean run.",
        (
            Setting(
                "scale",
                "z times",
                "{}",
                default=0.0,
                least=-10.0,
                most=10.0,
                step=0.05,
                about="factor on z: 0 is zero ablation, 1 the clean run",
                slider=(-1.0, 2.0),
            ),
        ),
        is_compared=False,  # a dose of zero ablation, 0 the same
    ),
    AblationKind.MEAN: Kind(
        "z is replaced by the head's mean over the prompt's own positions "
        "(without beginning of text), or over reference prompts",
        "z = its mean over this prompt's positions (without ⟨bos⟩).",
        takes_references=True,
    ),
    AblationKind.RESAMPLE: Kind(
        "z is replaced by the head's z in the counterfactual prompt, same position",
        "z of the counterfactual prompt, at the same position.",
        needs_counterfactual=True,
    ),
    AblationKind.PERMUTE: Kind(
        "z is shuffled among the positions (all but beginning of text) "
        "by one seeded permutation, the same for every head",
        "z shuffled among the positions (without ⟨bos⟩).",
        (
            Setting(
                "seed",
                "shuffled with seed",
                "seed {}",
                default=0,
                least=0,
                most=2**32 - 1,
                step=1,
                about="seed of the permutation",
            ),
        ),
    ),
    AblationKind.SPARSIFY: Kind(
        "entries of z smaller in size than the threshold are set to 0",
        "Entries of z near 0 are set to 0.",
        (
            Setting(
                "threshold",
                "z = 0 below",
                "|z| < {}",
                default=0.5,
                least=0.0,
                most=1000.0,
                step=0.05,
                about="entries of z smaller in size become 0",
                slider=(0.0, 5.0),
            ),
        ),
    ),
    AblationKind.UNIFORM: Kind(
        "the attention pattern is replaced by equal weights on all visible keys; "
        "z is then the mean of their values",
        "Attention replaced by equal weights on all visible keys.",
        needs_attention=True,
    ),
}
# Every setting there is, by name
SETTINGS: dict[str, Setting] = {
    setting.name: setting for kind in KINDS.values() for setting in kind.settings
}


@dataclass(frozen=True)
class Ablation:
    """An intervention, without the heads it is applied to.

    Each setting that a kind declares is a field here; a kind uses its own and no other.
    """

    kind: AblationKind = AblationKind.ZERO
    scale: float = SETTINGS["scale"].default
    threshold: float = SETTINGS["threshold"].default
    seed: int = SETTINGS["seed"].default
    positions: tuple[int, ...] | None = None  # where z is edited; None = everywhere
    references: tuple[str, ...] = ()  # prompts for MEAN; () = the prompt's own positions

    @classmethod
    def of(cls, kind: AblationKind, settings: Mapping[str, Any], **more: Any) -> "Ablation":
        """An ablation with what its kind uses of these settings; the others keep their defaults.

        So that two that do the same are equal.
        """
        own = {s.name: settings[s.name] for s in kind.settings if s.name in settings}
        return cls(kind, **own, **more)

    @classmethod
    def of_each_kind(
        cls, settings: Mapping[str, Any] = MappingProxyType({}), **more: Any
    ) -> tuple["Ablation", ...]:
        """One of every kind that is compared with the others."""
        return tuple(
            cls.of(kind, settings, **more) for kind in AblationKind if KINDS[kind].is_compared
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The kind's own settings, by name."""
        return {setting.name: getattr(self, setting.name) for setting in self.kind.settings}

    @property
    def label(self) -> str:
        """How the ablation is named beside every score: "sparsify |z| < 0.5"."""
        told = (setting.tell(getattr(self, setting.name)) for setting in self.kind.settings)
        return " ".join((self.kind.value, *told))


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
