"""A decoder as its blocks: runs with activations kept, and single blocks called again.

Which module is the embedding, a block, the output projection, the final norm or the unembedding
is looked up in TransformerLens' architecture adapters, so every family they know works here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformer_lens.factories.architecture_adapter_factory import ArchitectureAdapterFactory
from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_config_from_hf
from transformers.pytorch_utils import Conv1D

from attention_viz.models.attention import (
    Attended,
    Listener,
    listen_at_projections,
    listening,
    use_our_attention,
)
from attention_viz.models.finite import need_finite_run
from attention_viz.models.fused import fuse_activations
from attention_viz.records.errors import BadInput, ModelUnavailable

Edit = Callable[[int, Tensor, Attended | None], Tensor]  # (layer, z, attended) → z

# Where the last block is to be computed only; a context variable, so one thread's choice is its own
_read_at: ContextVar[int | None] = ContextVar("read_at", default=None)


@dataclass
class Run:
    """A forward pass and all that is needed to call its blocks again."""

    residual: list[Tensor] = field(default_factory=list)  # layers + 1 of [batch, pos, d_model]
    z: list[Tensor] = field(default_factory=list)  # layers of [batch, pos, head, d_head]
    attended: list[Attended | None] = field(default_factory=list)  # by layer; None: only z is heard
    pattern: list[Tensor] = field(default_factory=list)  # layers of [batch, head, query, key]
    calls: list[tuple[tuple, dict]] = field(default_factory=list)  # all other block arguments


class Decoder:
    """A Hugging Face causal language model, its attention routed through our function."""

    def __init__(self, hf: nn.Module, *, implementation: str = "sdpa"):
        self.hf = hf.eval().requires_grad_(False)
        use_our_attention(hf, implementation)
        fuse_activations(hf)
        self.settings = _read_settings(hf)
        parts = self.part = _Parts(hf, self.settings)  # modules by TransformerLens' names
        self.embedding: nn.Module = parts("embed")
        self.blocks: nn.ModuleList = parts("blocks")
        self.final_norm: nn.Module = parts("ln_final")
        self.unembedding: nn.Module = parts("unembed")
        self.attentions = [parts(f"blocks.{i}.attn") for i in range(len(self.blocks))]
        self.projections = [parts(f"blocks.{i}.attn.o") for i in range(len(self.blocks))]
        self.layers = len(self.blocks)
        self.heads = self.settings.n_heads
        self.key_value_heads = self.settings.n_key_value_heads or self.heads
        self.d_model = self.settings.d_model
        # With a norm after attention (Gemma 2, OLMo 2) z @ W_O is not what reaches the stream.
        self.writes_to_stream = not parts.has("blocks", "ln1_post")
        self._scale_logits = _scaling_of(hf.config)
        self.row_seconds: float | None = None  # of one token in one block, in the last batches
        self.memory: int | None = None  # bytes that a batch may take; None: half of what is free
        # The self-test says how much of the one-pass engine this model allows.
        self.calls_blocks = True  # else: one whole forward per candidate
        self.reads_one_position = parts.has("blocks", "mlp")  # else: the last block is called whole
        self.hears_attention = self._is_heard()
        if not self.hears_attention:
            listen_at_projections(self.projections, self.heads)
        if self.reads_one_position:  # after the listening: that is to have z at all positions
            for module in (self.projections[-1], parts(f"blocks.{self.layers - 1}.mlp")):
                module.register_forward_pre_hook(_only_read_position)

    @property
    def device(self) -> torch.device:
        return next(self.hf.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.hf.parameters()).dtype

    @torch.no_grad()
    def run(
        self,
        ids: Int[Tensor, "batch pos"],
        *,
        patterns: bool = False,
        edit: Edit | None = None,
    ) -> Run:
        """One forward pass of the model, with its activations kept.

        `edit` is an intervention on the heads' outputs; the kept z is edited. Raises BadInput where
        patterns are asked of a model whose attention is not heard, and for NaN or inf.
        """
        if patterns:
            self.need_attention("Attention patterns")
        run = Run()

        def keep(layer: int, z: Tensor, attended: Attended | None) -> Tensor:
            run.attended.append(attended)
            run.z.append(z if edit is None else edit(layer, z, attended))
            return run.z[-1]

        listener = Listener(
            output=keep,
            pattern=(lambda _, weights: run.pattern.append(weights)) if patterns else None,
        )
        with self._keeping_calls(run), listening(listener):
            self.run_blocks(ids)
        need_finite_run(run, is_edited=edit is not None)
        return run

    def run_blocks(self, ids: Int[Tensor, "batch pos"]) -> None:
        """The model without its unembedding, for what hooks and listeners hear on the way."""
        self.hf.base_model(input_ids=ids.to(self.device), use_cache=False)

    @torch.no_grad()
    def embed(self, ids: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_model"]:
        """The residual stream that enters the first block."""

        class Entered(Exception):
            pass

        entered: list[Tensor] = []

        def stop(_, args, kwargs):
            entered.append(kwargs["hidden_states"] if "hidden_states" in kwargs else args[0])
            raise Entered

        hook = self.blocks[0].register_forward_pre_hook(stop, with_kwargs=True)
        try:
            self.run_blocks(ids)
        except Entered:
            return entered[0]
        finally:
            hook.remove()
        raise AssertionError("the first block was never called")

    def call_block(
        self, layer: int, residual: Float[Tensor, "batch pos d_model"], run: Run
    ) -> Float[Tensor, "batch pos d_model"]:
        """Call a block whole, with every other argument as in `run` (of batch 1)."""
        args, kwargs = run.calls[layer]
        return first_tensor(self.blocks[layer](residual, *args, **kwargs))

    def call_last_block(
        self, residual: Float[Tensor, "batch pos d_model"], run: Run, position: int
    ) -> Float[Tensor, "batch d_model"]:
        """The last block's output at one position: beyond the keys, only that is computed."""
        token = _read_at.set(position if self.reads_one_position else None)
        try:
            return self.call_block(self.layers - 1, residual, run)[:, position]
        finally:
            _read_at.reset(token)

    def has_part(self, name: str) -> bool:
        """Whether the blocks have a part of that TransformerLens name ("ln2", "mlp")."""
        return self.part.has("blocks", name)

    def need_attention(self, what: str) -> None:
        """Raises BadInput where this model's attention can't be reached, only its heads' z."""
        if not self.hears_attention:
            raise BadInput(
                f"{what} can't be had from {type(self.hf).__name__}: its attention is out of reach "
                "in transformers, only what heads write is heard.",
                "Choose a model such as GPT-2, GPT-NeoX/Pythia or Llama.",
            )

    def need_blocks(self, what: str) -> None:
        """Raises BadInput where this model's blocks can't be called one by one."""
        if not self.calls_blocks:
            raise BadInput(
                f"{what} needs single blocks, and those of {type(self.hf).__name__} can't be "
                "called on their own.",
                "Choose a model such as GPT-2, GPT-NeoX/Pythia or Llama.",
            )

    def _is_heard(self) -> bool:
        """Whether every attention layer goes through our function."""
        heard = []

        def hear(layer: int, z: Tensor, _: Attended | None) -> Tensor:
            heard.append(layer)
            return z

        with torch.no_grad(), listening(Listener(output=hear)):
            ids = torch.arange(1, 4, device=self.device)[None] % self.settings.d_vocab
            self.hf(input_ids=ids, use_cache=False)
        return heard == list(range(self.layers))

    def read_out(
        self, residual: Float[Tensor, "*rows d_model"]
    ) -> Float[Tensor, "*rows vocabulary"]:
        """Logits of residual vectors: final norm, unembedding, and the family's own scaling."""
        logits = self.unembedding(self.final_norm(residual))
        return logits if self._scale_logits is None else self._scale_logits(logits)

    def read_tokens(
        self, residual: Float[Tensor, "row d_model"], ids: Int[Tensor, "row token"]
    ) -> Float[Tensor, "row token"]:
        """The logits of a few tokens of each row: what `read_out` gives for them."""
        if type(self.unembedding) is not nn.Linear:
            return self.read_out(residual).gather(1, ids)
        weight, bias = self.unembedding.weight, self.unembedding.bias
        logits = torch.einsum("rd,rtd->rt", self.final_norm(residual), weight[ids])
        if bias is not None:
            logits = logits + bias[ids]
        return logits if self._scale_logits is None else self._scale_logits(logits)

    def output_weights(self, layer: int) -> Float[Tensor, "head d_head d_model"]:
        """W_O of each head: what it writes is z @ W_O[head]."""
        projection = self.projections[layer]
        weight = projection.weight if isinstance(projection, Conv1D) else projection.weight.T
        return weight.reshape(self.heads, -1, self.d_model)

    def output_bias(self, layer: int) -> Float[Tensor, " d_model"]:
        """The output projection's bias, which belongs to no head."""
        bias = getattr(self.projections[layer], "bias", None)
        return torch.zeros(self.d_model, dtype=self.dtype) if bias is None else bias

    @contextmanager
    def _keeping_calls(self, run: Run) -> Iterator[None]:
        def keep(block, args, kwargs):
            kwargs = dict(kwargs)
            residual = kwargs.pop("hidden_states") if "hidden_states" in kwargs else args[0]
            run.residual.append(residual)
            run.calls.append((tuple(args[1:]), kwargs))

        def keep_last(block, args, output):
            run.residual.append(first_tensor(output))

        hooks = [b.register_forward_pre_hook(keep, with_kwargs=True) for b in self.blocks]
        hooks.append(self.blocks[-1].register_forward_hook(keep_last))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _scaling_of(config) -> Callable[[Tensor], Tensor] | None:
    """What some families do to logits after the unembedding (the self-test checks the outcome)."""
    cap = getattr(config, "final_logit_softcapping", None)  # Gemma 2
    if cap:
        return lambda logits: cap * torch.tanh(logits / cap)
    factor = getattr(config, "logit_scale", None)  # Cohere; in MPT it is None
    if isinstance(factor, float):
        return lambda logits: logits * factor
    divisor = getattr(config, "logits_scaling", None)  # Granite
    return None if not divisor or divisor == 1 else lambda logits: logits / divisor


def _only_read_position(module, args):
    """Before the parts of the last block that act on each position by itself.

    What they give has one position, and is added to the residual stream at all of them: right at
    the one that is read, and nobody looks at the others.
    """
    position = _read_at.get()
    return None if position is None else (args[0][:, position : position + 1], *args[1:])


class _Parts:
    """Looks modules up by their TransformerLens names."""

    def __init__(self, hf: nn.Module, settings):
        self._hf = hf
        self._adapter = ArchitectureAdapterFactory.select_architecture_adapter(settings)

    def has(self, listed: str, part: str) -> bool:
        return part in self._adapter.component_mapping[listed].submodules

    def __call__(self, path: str) -> nn.Module:
        return self._adapter.get_component(self._hf, path)


def _read_settings(hf: nn.Module):
    """TransformerLens' configuration of the model. Raises ModelUnavailable for others."""
    name = type(hf).__name__
    try:
        dtype = next(hf.parameters()).dtype
        return build_bridge_config_from_hf(hf.config, name, name, dtype)
    except Exception as error:
        raise ModelUnavailable(
            f"TransformerLens does not know the architecture {name} ({error}).",
            "Choose a decoder such as GPT-2, GPT-NeoX/Pythia or Llama.",
        ) from error


def first_tensor(output) -> Tensor:
    """Some families' blocks return a tuple."""
    return output[0] if isinstance(output, tuple) else output
