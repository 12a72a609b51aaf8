"""What is known of a model before and after it is loaded."""

from dataclasses import dataclass

EMBEDDED = "embedded"


@dataclass(frozen=True)
class ModelEntry:
    """A line of the catalogue, fixed when the server starts."""

    name: str  # what requests, links and the menu say
    source: str  # a folder, a GGUF file or a hub name; never taken from a browser
    is_local: bool
    about: str = ""
    licence: str = ""  # as SPDX names it
    is_gguf: bool = False  # the source is a file of llama.cpp's format
    sha256: str | None = None  # of a file that is to be this one and no other

    @property
    def place(self) -> str:
        """Where it comes from, in words."""
        if not self.is_local:
            return "hub"
        return "GGUF file" if self.is_gguf else "local folder"


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
    chats: bool = False  # its tokenizer has a chat template
    folder: str = ""  # where other programs can load it, or its name on the hub; "": nowhere
    # whether position embeddings are added to the tokens' (GPT-2), which edges can keep or replace
    adds_positions: bool = False
    checks: tuple[SelfCheck, ...] = ()  # passed when it was loaded; otherwise it was refused
    capabilities: tuple[Capability, ...] = ()
    convention: str = ""  # how head results count, where that has to be said beside scores
    notes: tuple[str, ...] = ()  # what else to know of its weights and its vocabulary


@dataclass(frozen=True)
class ModelStatus:
    """Where a model stands."""

    entry: ModelEntry
    state: str  # "not loaded", "loading", "ready", "failed"
    info: ModelInfo | None = None
    message: str = ""  # progress or the reason of the failure
