"""A decoder as its blocks: runs with activations kept, and single blocks called again.

Which module is what is looked up in `architecture`, so every family that TransformerLens knows
works here.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from attention_viz.models.architecture import REMEDY, Architecture
from attention_viz.models.attention import (
    Attended,
    Earlier,
    Listener,
    continuing,
    listen_at_projections,
    listening,
    use_our_attention,
)
from attention_viz.models.finite import need_finite_run
from attention_viz.models.fused import fuse_activations
from attention_viz.models.writes import Writes
from attention_viz.records.errors import BadInput

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
    # Of a stretch of a run (see stretch.py): its first position, and by layer what lies before it
    start: int = 0
    earlier: list[Earlier] | None = None

    @classmethod
    def joined(cls, runs: "Sequence[Run]") -> "Run":
        """Runs of prompts of one length as one batch; its blocks are called as the first run's."""
        residual, z, attended = (
            list(zip(*layers, strict=True))
            for layers in zip(*((run.residual, run.z, run.attended) for run in runs), strict=True)
        )
        return cls(
            list(map(torch.cat, residual)),
            list(map(torch.cat, z)),
            [Attended.joined(parts) if all(parts) else None for parts in attended],
            calls=runs[0].calls,
        )

    def row(self, index: int) -> "Run":
        """One prompt of the batch; its blocks are called as this run's."""
        at = slice(index, index + 1)
        return Run(
            [each[at] for each in self.residual],
            [each[at] for each in self.z],
            [each and each.rows(at) for each in self.attended],
            calls=self.calls,
        )

    def is_called_as(self, other: "Run") -> bool:
        """Whether the blocks had the same arguments in both, the residual stream aside."""
        return _are_same(self.calls, other.calls)


class Decoder:
    """A Hugging Face causal language model, its attention routed through our function."""

    def __init__(self, hf: nn.Module, *, implementation: str = "sdpa"):
        self.hf = hf.eval().requires_grad_(False)
        for config in (hf.config, hf.config.get_text_config()):
            config.return_dict = True  # a checkpoint may say otherwise
        use_our_attention(hf, implementation)
        fuse_activations(hf)
        parts = self.architecture = Architecture(hf)
        self.settings = parts.settings
        self.embedding: nn.Module = parts.embedding
        self.blocks: nn.ModuleList = parts.blocks
        self.final_norm: nn.Module = parts.final_norm
        self.unembedding: nn.Module = parts.unembedding
        self.projections = [layer.projection for layer in parts.layers]
        self.layers = len(self.blocks)
        self.heads = self.settings.n_heads
        self.key_value_heads = self.settings.n_key_value_heads or self.heads
        self.d_model = self.settings.d_model
        self.d_head = self.output_weights(0).shape[1]  # of z; keys may be longer
        self.logit_factor, self.logit_cap = _scaling_of(hf.config)
        self._writes: Writes | BadInput | None = None
        self.row_seconds: float | None = None  # of one token in one block, in the last batches
        self.memory: int | None = None  # bytes that a batch may take; None: half of what is free
        # The self-test says how much of the one-pass engine this model allows.
        self.calls_blocks = True  # else: one whole forward per candidate
        last = parts.layers[-1].acts_by_position
        self.reads_one_position = bool(last)  # else: the last block is called whole
        self.arguments_by_row: set[int | str] = set()  # of blocks: first dimension × rows
        self.hears_attention = self._is_heard()
        self.why_unheard = (
            "its attention is out of reach in transformers, only what heads write is heard"
        )
        self.runs_stretches = self.hears_attention  # else: rows carry every position
        if not self.hears_attention:
            listen_at_projections(self.projections, self.heads)
        if self.reads_one_position:  # after the listening: that is to have z at all positions
            for module in last:
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

    def run_blocks(self, ids: Int[Tensor, "batch pos"], stretch: Run | None = None) -> None:
        """The model without its unembedding, for what hooks and listeners hear on the way.

        Of a stretch of a run of the same prompts, just that: rows of one prompt side by side.
        """
        if stretch is not None:
            residual = stretch.residual[0]
            residual = residual.repeat_interleave(len(ids) // len(residual), 0)
            for layer in range(self.layers):
                residual = self.call_block(layer, residual, stretch)
            return
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
        """Call a block whole, with every other argument as in `run` (of batch 1).

        Of a stretch of a run, `residual` has the stretch's positions.
        """
        args, kwargs = self._for_rows(run.calls[layer], len(residual))
        with continuing(run.earlier[layer] if run.earlier else None):
            return first_tensor(self.blocks[layer](residual, *args, **kwargs))

    def _for_rows(self, call: tuple[tuple, dict], rows: int) -> tuple[tuple, dict]:
        """A call's arguments for more rows; most are for any number, BLOOM's ALiBi is for one."""
        args, kwargs = call
        if rows == 1 or not self.arguments_by_row:
            return call

        def fit(name: int | str, value):
            if name not in self.arguments_by_row:
                return value
            return value.repeat(rows, *[1] * (value.ndim - 1))

        args = tuple(fit(name, value) for name, value in enumerate(args))
        return args, {name: fit(name, value) for name, value in kwargs.items()}

    def call_last_block(
        self, residual: Float[Tensor, "batch pos d_model"], run: Run, position: int
    ) -> Float[Tensor, "batch d_model"]:
        """The last block's output at one position of `residual`: only that, beyond the keys."""
        token = _read_at.set(position if self.reads_one_position else None)
        try:
            return self.call_block(self.layers - 1, residual, run)[:, position]
        finally:
            _read_at.reset(token)

    def lose_writes(self, reason: BadInput) -> None:
        """What single heads write was found wrong: nothing that needs it is answered."""
        self._writes = reason

    @property
    def writes(self) -> Writes | BadInput:
        """How head results reach the stream, or why that can't be told; found on first use."""
        if self._writes is None:
            try:
                self._writes = Writes(self)
            except BadInput as error:
                self._writes = error
        return self._writes

    @property
    def writes_to_stream(self) -> bool:
        """Whether what single heads write to the stream is known."""
        return isinstance(self.writes, Writes)

    def need_writes(self) -> Writes:
        """Raises BadInput, with the reason, where it is not known what single heads write."""
        if isinstance(self.writes, BadInput):
            raise self.writes.again()
        return self.writes

    def example_ids(self, rows: int, length: int) -> Int[Tensor, "row pos"]:
        """Different rows of tokens, for tests of the model itself."""
        ids = torch.arange(1, rows * length + 1, device=self.device).reshape(rows, length)
        return ids % self.settings.d_vocab

    def need_attention(self, what: str) -> None:
        """Raises BadInput where this model's attention can't be reached, only its heads' z."""
        if not self.hears_attention:
            raise BadInput(
                f"{what} can't be had from {type(self.hf).__name__}: {self.why_unheard}.",
                REMEDY,
            )

    def need_blocks(self, what: str) -> None:
        """Raises BadInput where this model's blocks can't be called one by one."""
        if not self.calls_blocks:
            raise BadInput(
                f"{what} needs single blocks, and those of {type(self.hf).__name__} can't be "
                "called on their own.",
                REMEDY,
            )

    def _is_heard(self) -> bool:
        """Whether every attention layer goes through our function."""
        heard = []

        def hear(layer: int, z: Tensor, _: Attended | None) -> Tensor:
            heard.append(layer)
            return z

        with torch.no_grad(), listening(Listener(output=hear)):
            ids = torch.arange(1, 4, device=self.device)[None] % self.settings.d_vocab
            self.run_blocks(ids)
        return heard == list(range(self.layers))

    def read_out(
        self, residual: Float[Tensor, "*rows d_model"]
    ) -> Float[Tensor, "*rows vocabulary"]:
        """Logits of residual vectors: final norm, unembedding, and the family's own scaling."""
        logits = self.unembedding(self.final_norm(residual))
        return self._scale(logits)

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
        return self._scale(logits)

    def _scale(self, logits: Tensor) -> Tensor:
        logits = logits if self.logit_factor == 1 else logits * self.logit_factor
        cap = self.logit_cap
        return logits if cap is None else cap * torch.tanh(logits / cap)

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


def _scaling_of(config) -> tuple[float, float | None]:
    """What some families do to logits after the unembedding: a factor and then a soft cap.

    The self-test checks the outcome.
    """
    config = config.get_text_config()
    cap = getattr(config, "final_logit_softcapping", None)  # Gemma 2
    factor = getattr(config, "logit_scale", None)  # Cohere; in MPT it may be None or a word
    divisor = getattr(config, "logits_scaling", None)  # Granite
    scale = factor if isinstance(factor, float | int) else 1 / divisor if divisor else 1
    return float(scale), cap or None


def _only_read_position(module, args):
    """Before the parts of the last block that act on each position by itself.

    What they give has one position, and is added to the residual stream at all of them: right at
    the one that is read, and nobody looks at the others.
    """
    position = _read_at.get()
    return None if position is None else (args[0][:, position : position + 1], *args[1:])


def _are_same(one, other) -> bool:
    """Whether two arguments of blocks are the same; objects that are no values, by their type."""
    if isinstance(one, Tensor):
        is_like = isinstance(other, Tensor) and one.shape == other.shape
        return is_like and torch.equal(one, other)
    if isinstance(one, dict):
        is_like = isinstance(other, dict) and one.keys() == other.keys()
        return is_like and all(_are_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        is_like = isinstance(other, list | tuple) and len(one) == len(other)
        return is_like and all(map(_are_same, one, other))
    return one == other or (type(one) is type(other) and not isinstance(one, int | float | str))


def first_tensor(output) -> Tensor:
    """Some families' blocks return a tuple."""
    return output[0] if isinstance(output, tuple) else output
