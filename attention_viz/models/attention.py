"""The one place where attention is intercepted: an attention function of our own.

Hugging Face models look their attention function up by name, so registering one reaches every
architecture without knowing its modules' names. It computes what the model would, and lets a
listener change q, k, v before and z after, or read the pattern.

Shapes: q `[batch, head, query, d_head]`; k, v `[batch, key/value head, key, d_head]`;
z `[batch, pos, head, d_head]`; pattern `[batch, head, query, key]`.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

IMPLEMENTATIONS = ("sdpa", "eager")


@dataclass(frozen=True)
class Listener:
    """What to do at each attention layer; each part is optional."""

    inputs: Callable[[int, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]] | None = None
    output: Callable[[int, Tensor], Tensor] | None = None  # (layer, z) → z
    pattern: Callable[[int, Tensor], None] | None = None


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


def use_our_attention(hf, implementation: str) -> None:
    """Route a model's attention through here; `implementation` is "sdpa" or "eager"."""
    for name, mask in (("sdpa", sdpa_mask), ("eager", eager_mask)):
        AttentionInterface.register(_registered(name), _FUNCTIONS[name])
        AttentionMaskInterface.register(_registered(name), mask)
    hf.set_attn_implementation(_registered(implementation))


def _registered(implementation: str) -> str:
    return f"attention_viz_{implementation}"


def _attend(base, module, query, key, value, attention_mask, **kwargs):
    listener = _listener.get()
    if listener is None:
        return base(module, query, key, value, attention_mask, **kwargs)
    if listener.inputs is not None:
        query, key, value = listener.inputs(module.layer_idx, query, key, value)
    if listener.pattern is not None:
        mask = _additive(attention_mask, query, key)
        weights = _own_eager(module)(module, query, key, value, mask, **kwargs)[1]
        listener.pattern(module.layer_idx, weights)
    z, weights = base(module, query, key, value, attention_mask, **kwargs)
    if listener.output is not None:
        z = listener.output(module.layer_idx, z)
    return z, weights


def _sdpa(module, query, key, value, attention_mask, **kwargs):
    return _attend(sdpa_attention_forward, module, query, key, value, attention_mask, **kwargs)


def _eager(module, query, key, value, attention_mask, **kwargs):
    return _attend(_own_eager(module), module, query, key, value, attention_mask, **kwargs)


_FUNCTIONS = {"sdpa": _sdpa, "eager": _eager}


def _own_eager(module) -> Callable:
    """The eager attention of the module's own family (soft caps, sinks … included)."""
    return sys.modules[type(module).__module__].eager_attention_forward


def _additive(mask: Tensor | None, query: Tensor, key: Tensor) -> Tensor:
    """sdpa leaves the causal mask out, or gives it as booleans; eager attention adds numbers."""
    if mask is None:
        shape = (query.shape[-2], key.shape[-2])
        mask = torch.ones(shape, dtype=torch.bool, device=query.device).tril()[None, None]
    if mask.dtype == torch.bool:
        least = torch.finfo(query.dtype).min
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, least)
    return mask
