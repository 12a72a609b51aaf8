"""Activations written out in Python, replaced by torch's fused ones that compute the same.

GPT-2's `gelu_new` takes eight passes over the widest tensor of the model; torch's tanh GELU is one.
"""

from torch import nn
from transformers.activations import FastGELUActivation, GELUTanh, NewGELUActivation

_SLOW = (NewGELUActivation, FastGELUActivation)


def fuse_activations(hf: nn.Module) -> None:
    """Replace slow spellings of GELU in place; the numbers stay the same to rounding."""
    for module in list(hf.modules()):
        for name, child in module.named_children():
            if type(child) in _SLOW:
                setattr(module, name, GELUTanh())
