"""The one place where attention is intercepted: an attention function of our own.

Hugging Face models look their attention function up by name, so registering one reaches every
architecture without knowing its modules' names. It computes what the model would, and lets a
listener change q, k, v before and z after, or read the pattern.

Shapes: q `[batch, head, query, d_head]`; k, v `[batch, key/value head, key, d_head]`;
z `[batch, pos, head, d_head]`; pattern `[batch, head, query, key]`.

Where only a stretch of a prompt's positions is run (`stretch.py`), the keys and values of those
before it are put in front here, so that blocks need not know.

A few older families (GPT-J, BLOOM, Falcon …) look nothing up. Their z is taken where it enters the
output projection instead, which reaches less: no q, k, v and no pattern.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask


@dataclass(frozen=True)
class Attended:
    """What the queries of one attention layer looked at."""

    key: Tensor  # [batch, key/value head, key, d_head]
    value: Tensor  # [batch, key/value head, key, d_head]
    mask: Tensor | None  # as the model gave it; None: causal
    queries: int
    heads: int

    @classmethod
    def joined(cls, parts: "Sequence[Attended]") -> "Attended":
        """Of prompts of one length: what hides keys is the same for all, the first's."""
        key, value = (
            torch.cat(each) for each in zip(*((p.key, p.value) for p in parts), strict=True)
        )
        return replace(parts[0], key=key, value=value)

    def rows(self, at: slice | Tensor) -> "Attended":
        """Of some rows of the batch."""
        return replace(self, key=self.key[at], value=self.value[at])

    @cached_property
    def visible(self) -> Tensor:
        """Booleans, broadcast to [batch, head, query, key]."""
        return _boolean(self.mask, self.queries, self.key)

    def uniform(self, rows: Tensor, heads: Tensor) -> Tensor:
        """z `[row, pos, d_head]` of chosen (row, head)s, all visible keys weighted equally."""
        shared = self.heads // self.value.shape[1]  # heads on one key/value head
        value = self.value[rows, heads // shared]
        visible = self.visible.expand(len(self.value), self.heads, -1, -1)[rows, heads]
        weights = visible.to(value.dtype)
        return (weights / weights.sum(-1, keepdim=True)) @ value


@dataclass(frozen=True)
class Listener:
    """What to do at each attention layer; each part is optional."""

    inputs: Callable[[int, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]] | None = None
    # (layer, z, what was attended to; None where only z is heard) → z
    output: Callable[[int, Tensor, Attended | None], Tensor] | None = None
    pattern: Callable[[int, Tensor], None] | None = None


@dataclass(frozen=True)
class Earlier:
    """What a stretch's queries see besides the stretch itself: clean keys and values before it."""

    key: Tensor  # [1 or pair, key/value head, position before the stretch, d_head]
    value: Tensor
    mask: Tensor | None  # of the stretch's queries and of all keys up to its end; None: causal

    def lead(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values: the earlier ones before each row's own."""
        if not self.key.shape[2]:
            return key, value
        return _put_before(self.key, key), _put_before(self.value, value)


def _put_before(earlier: Tensor, own: Tensor) -> Tensor:
    if len(earlier) == 1:
        earlier = earlier.expand(len(own), -1, -1, -1)
    else:  # rows of several pairs, those of one pair side by side
        earlier = earlier.repeat_interleave(len(own) // len(earlier), 0)
    return torch.cat([earlier, own], 2)


_earlier: ContextVar[Earlier | None] = ContextVar("earlier_positions", default=None)


@contextmanager
def continuing(earlier: Earlier | None) -> Iterator[None]:
    """Let the one attention layer that is called meanwhile see earlier positions."""
    token = _earlier.set(earlier)
    try:
        yield
    finally:
        _earlier.reset(token)


_NOBODY = Listener()

# A context variable: a listener in one thread never sees another thread's forward pass.
_listener: ContextVar[Listener | None] = ContextVar("attention_listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let `listener` act on every attention layer run in this thread meanwhile."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def adding(inputs: Callable) -> Iterator[None]:
    """Let `inputs` act too, after whoever is listening already, in this thread meanwhile."""
    listener = _listener.get() or Listener()
    first = listener.inputs

    def both(layer: int, *slots: Tensor):
        return inputs(layer, *(slots if first is None else first(layer, *slots)))

    with listening(replace(listener, inputs=both)):
        yield


def use_our_attention(hf, implementation: str) -> None:
    """Route a model's attention through here; `implementation` is "sdpa" or "eager"."""
    for name, mask in (("sdpa", sdpa_mask), ("eager", eager_mask)):
        AttentionInterface.register(_registered(name), _FUNCTIONS[name])
        AttentionMaskInterface.register(_registered(name), mask)
    hf.set_attn_implementation(_registered(implementation))


def _registered(implementation: str) -> str:
    return f"attention_viz_{implementation}"


def _attend(base, module, query, key, value, attention_mask, **kwargs):
    listener = _listener.get() or _NOBODY
    if listener.inputs is not None:
        query, key, value = listener.inputs(module.layer_idx, query, key, value)
    earlier = _earlier.get()
    if earlier is not None:
        (key, value), attention_mask = earlier.lead(key, value), earlier.mask
    if listener.pattern is not None:
        mask = _additive(attention_mask, query, key)
        weights = _own_eager(module)(module, query, key, value, mask, **kwargs)[1]
        listener.pattern(module.layer_idx, weights)
    z, weights = base(module, query, key, value, attention_mask, **kwargs)
    if listener.output is not None:
        seen = Attended(key, value, attention_mask, query.shape[2], query.shape[1])
        z = listener.output(module.layer_idx, z, seen)
    return z, weights


def _sdpa(module, query, key, value, attention_mask, **kwargs):
    return _attend(sdpa_attention_forward, module, query, key, value, attention_mask, **kwargs)


def _eager(module, query, key, value, attention_mask, **kwargs):
    return _attend(_own_eager(module), module, query, key, value, attention_mask, **kwargs)


_FUNCTIONS = {"sdpa": _sdpa, "eager": _eager}


def _own_eager(module) -> Callable:
    """The eager attention of the module's own family (soft caps, sinks … included)."""
    return sys.modules[type(module).__module__].eager_attention_forward


def listen_at_projections(projections: Sequence[nn.Module], heads: int) -> None:
    """Let listeners have z as it enters the output projections, for good."""

    def hear(layer: int) -> Callable:
        def hook(module, args):
            listener = _listener.get()
            if listener is None or listener.output is None:
                return None
            z = args[0].unflatten(-1, (heads, -1))
            return (listener.output(layer, z, None).flatten(-2), *args[1:])

        return hook

    for layer, module in enumerate(projections):
        module.register_forward_pre_hook(hear(layer))


def _boolean(mask: Tensor | None, queries: int, key: Tensor) -> Tensor:
    """Which keys each query sees; sdpa leaves the causal mask out."""
    if mask is None:
        return causal_mask(queries, key.shape[-2], key.device)
    # An additive mask may hold more than the mask (ALiBi's slopes): only hidden keys are huge.
    return mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2


def causal_mask(queries: int, keys: int, device) -> Tensor:
    """Booleans `[1, 1, query, key]`; the queries are those of the last positions."""
    seen = torch.ones(queries, keys, dtype=torch.bool, device=device)
    return seen.tril(keys - queries)[None, None]


def _additive(mask: Tensor | None, query: Tensor, key: Tensor) -> Tensor:
    """sdpa leaves the causal mask out, or gives it as booleans; eager attention adds numbers."""
    if mask is None:
        mask = _boolean(mask, query.shape[-2], key)
    if mask.dtype == torch.bool:
        least = torch.finfo(query.dtype).min
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, least)
    return mask
