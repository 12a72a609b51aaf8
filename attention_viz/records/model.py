"""What is known of a model before and after it is loaded."""

from dataclasses import dataclass

EMBEDDED = "embedded"


@dataclass(frozen=True)
class ModelEntry:
    """A line of the catalogue, fixed when the server starts."""

    name: str  # what requests, links and the menu say
    source: str  # a folder or a hub name; never taken from a browser
    is_local: bool
    about: str = ""


@dataclass(frozen=True)
class SelfCheck:
    """One equality that was tested on the loaded model."""

    claim: str
    error: float  # largest difference, relative to the largest number compared


@dataclass(frozen=True)
class Capability:
    """A part of the measurements, and whether the self-test found it right in a model."""

    name: str  # "ablation", "lens", "maps", "contributions", "edges"
    reason: str = ""  # why it is refused; "": right


@dataclass(frozen=True)
class ModelInfo:
    """Sizes of a loaded model."""

    name: str
    architecture: str  # "GPT2LMHeadModel"
    layers: int
    heads: int
    key_value_heads: int
    d_model: int
    d_head: int
    vocabulary: int
    context: int  # tokens
    parameters: int
    device: str
    dtype: str
    prepends_bos: bool  # TransformerLens' habit for this model
    seconds: float  # to load
    engine: str = "one pass"  # or "whole forwards", one per candidate, where blocks can't be called
    # whether position embeddings are added to the tokens' (GPT-2), which edges can keep or replace
    adds_positions: bool = False
    checks: tuple[SelfCheck, ...] = ()  # passed when it was loaded; otherwise it was refused
    capabilities: tuple[Capability, ...] = ()
    convention: str = ""  # how head results count, where that has to be said beside scores


@dataclass(frozen=True)
class ModelStatus:
    """Where a model stands."""

    entry: ModelEntry
    state: str  # "not loaded", "loading", "ready", "failed"
    info: ModelInfo | None = None
    message: str = ""  # progress or the reason of the failure
