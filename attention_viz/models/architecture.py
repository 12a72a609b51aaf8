"""Which module of a model is what: looked up in TransformerLens' architecture adapters.

Every family they know is found here, or refused in one line that names the cause. Whether the
modules do what their names say is not believed but tested (`writes`, `streams`, `self_test`).
"""

from dataclasses import dataclass

from torch import nn
from transformer_lens.factories.architecture_adapter_factory import ArchitectureAdapterFactory
from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_config_from_hf

from attention_viz.records.errors import ModelUnavailable

REMEDY = "Choose a decoder such as GPT-2, GPT-NeoX/Pythia or Llama."


@dataclass(frozen=True)
class Layer:
    """The parts of one block; None for norms that the family does not have."""

    attention: nn.Module
    projection: nn.Module  # W_O
    attention_norm: nn.Module | None  # between the stream and attention
    attention_post: nn.Module | None  # between attention and the stream (Gemma 2, OLMo 2)
    mlp_norm: nn.Module | None  # the attention's own where they share one
    mlp: nn.Module | None  # its input is what the MLP reads
    mlp_writers: tuple[nn.Module, ...]  # modules whose output may be what the MLP writes
    acts_by_position: tuple[nn.Module, ...]  # from W_O on: parts that need one position only


class Architecture:
    """The parts of a model. Raises ModelUnavailable for a family that can't be taken apart."""

    def __init__(self, hf: nn.Module):
        self._hf = hf
        self.settings = self._read_settings()
        self._adapter = self._find_adapter()
        self.blocks: nn.ModuleList = self._need("blocks", "has no blocks")
        _need_attention(hf)
        self.embedding = self._need("embed", "has no embedding")
        self.unembedding = self._need("unembed", "has no unembedding")
        self.final_norm = self._need("ln_final", "has no final norm before its unembedding")
        self.layers = [self._layer(index) for index in range(len(self.blocks))]

    def _read_settings(self):
        """TransformerLens' configuration of the model."""
        name = type(self._hf).__name__
        try:
            dtype = next(self._hf.parameters()).dtype
            return build_bridge_config_from_hf(self._hf.config, name, name, dtype)
        except Exception as error:
            raise self._refusal("is of an architecture that TransformerLens can't read") from error

    def _find_adapter(self):
        try:
            return ArchitectureAdapterFactory.select_architecture_adapter(self.settings)
        except Exception as error:
            raise self._refusal(
                "is of an architecture that TransformerLens doesn't know"
            ) from error

    def _layer(self, index: int) -> Layer:
        block = f"blocks.{index}"
        first, second = self._find(f"{block}.ln1"), self._find(f"{block}.ln2")
        mlp, inner = self._find(f"{block}.mlp"), self._find(f"{block}.mlp.in")
        if mlp is self.blocks[index]:  # OPT's has no module of its own
            mlp = None
        post = self._find(f"{block}.ln2_post")
        writers = [post] if post else [mlp, self._find(f"{block}.mlp.out")]
        attention = self._need(f"{block}.attn", "has layers without attention")
        projection = self._need(f"{block}.attn.o", "has attention without an output projection")
        return Layer(
            attention=attention,
            projection=projection,
            attention_norm=first,
            attention_post=self._find(f"{block}.ln1_post"),
            mlp_norm=second or first,
            mlp=mlp or inner,
            mlp_writers=tuple(each for each in writers if each is not None),
            acts_by_position=() if mlp is None else (projection, mlp),
        )

    def _find(self, path: str) -> nn.Module | None:
        listed, _, inner = path.partition(".")
        parts = self._adapter.component_mapping
        for name in (listed, *(each for each in inner.split(".") if each and not each.isdigit())):
            if name not in parts:
                return None
            component = parts[name]
            parts = getattr(component, "submodules", {})
        try:
            return self._adapter.get_component(self._hf, path)
        except (AttributeError, ValueError, KeyError, IndexError, TypeError):
            return None

    def _need(self, path: str, lack: str):
        found = self._find(path)
        if found is None:
            raise self._refusal(lack)
        return found

    def _refusal(self, cause: str) -> ModelUnavailable:
        return refusal(self._hf, cause)


def refusal(hf: nn.Module, cause: str) -> ModelUnavailable:
    """One line that names the model's class and why it is not taken."""
    return ModelUnavailable(f"{type(hf).__name__} {cause}.", REMEDY)


def _need_attention(hf: nn.Module) -> None:
    """Raises ModelUnavailable where some layers, or all, are something other than attention."""
    config = hf.config.get_text_config()
    for name in ("layer_types", "layers_block_type", "block_types"):
        kinds = set(getattr(config, name, None) or ())
        others = sorted(kind for kind in kinds if "attention" not in kind or "linear" in kind)
        if others:
            raise refusal(hf, f"has layers without attention ({', '.join(others)})")
    if not getattr(config, "num_attention_heads", None):
        raise refusal(hf, "has no attention heads")
