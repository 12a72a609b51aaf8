"""A norm as what it does to one part of a sum, its scale held at what the whole sum gave it.

With the scale held, LayerNorm and RMSNorm are linear: `(x − mean) · weight / scale + bias`, so what
went into a norm can be told apart behind it. Weight, bias and centring are measured from the
module's own answers, and so is the scale: families name and store them differently (1 + weight in
Gemma, no eps in OLMo, a norm class of its own in Cohere).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

LARGE = 1e3  # beside this, the eps inside a square root is nothing
TOLERANCE = 1e-3

Vectors = Float[Tensor, "*rows d_model"]


@dataclass(frozen=True, eq=False)
class HeldNorm:
    """A norm taken apart. `measure` raises ValueError for a module that is no such norm."""

    norm: nn.Module
    weight: Float[Tensor, " d_model"]
    bias: Float[Tensor, " d_model"]
    centres: bool  # LayerNorm takes the mean off, RMSNorm does not

    @classmethod
    @torch.no_grad()
    def measure(cls, norm: nn.Module, like: Float[Tensor, " d_model"]) -> "HeldNorm":
        """`like` gives size, device and type of the vectors."""
        bias = norm.forward(torch.zeros_like(like)[None])[0]
        probe = torch.linspace(0.5, 1.5, len(like)).to(like)
        probe[1::2] *= -1
        probe = LARGE * (probe - probe.mean())
        constant = norm.forward(torch.full_like(like, LARGE)[None])[0] - bias
        weight = (norm.forward(probe[None])[0] - bias) * probe.pow(2).mean().sqrt() / probe
        held = cls(norm, weight, bias, bool(constant.abs().max() < weight.abs().max() * TOLERANCE))
        held._test(like)
        return held

    def scale(self, total: Vectors) -> Float[Tensor, "*rows 1"]:
        """What the norm divides these sums by."""
        before = self._weigh(total)
        after = self.norm.forward(total) - self.bias
        scale = (before * before).sum(-1, keepdim=True) / (before * after).sum(-1, keepdim=True)
        return scale.nan_to_num(1.0)  # of a sum that is nothing: its parts are nothing too

    def part(self, part: Vectors, scale: Tensor) -> Vectors:
        """What the norm makes of one part of a sum, without its bias, which no part owns."""
        return self._weigh(part) / scale

    def _weigh(self, x: Vectors) -> Vectors:
        return (x - x.mean(-1, keepdim=True) if self.centres else x) * self.weight

    def _test(self, like: Tensor) -> None:
        drawn = torch.randn(2, len(like), generator=torch.Generator().manual_seed(0)).to(like)
        found = self.part(drawn, self.scale(drawn)) + self.bias
        expected = self.norm.forward(drawn)
        error = (found - expected).abs().max() / expected.abs().max()
        if not error < TOLERANCE:
            raise ValueError(f"{type(self.norm).__name__} is neither LayerNorm nor RMSNorm")
