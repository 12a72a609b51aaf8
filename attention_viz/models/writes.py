"""How what heads and MLPs give reaches the residual stream, layer by layer.

In most families a head writes z @ W_O as it is. Some multiply it (Granite), some put a norm in
between (Gemma 2 and 3, OLMo 2, GLM-4). With that norm's scale held at the value it had in the
head's own run, it is linear: a head has written its share of the sum, and all shares add up to what
the stream got. That is the convention of every head result here; edges and contributions say so.

Factors are measured, not read from configurations: random numbers are put in place of what
attention and MLP give, and the step of the residual stream must be made of them alone.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from attention_viz.models.architecture import REMEDY
from attention_viz.models.norms import HeldNorm
from attention_viz.records.errors import BadInput

if TYPE_CHECKING:
    from attention_viz.models.decoder import Decoder, Run

TOLERANCE = 1e-3  # relative
CONVENTION = "each head counted at its own run's scale of the norm after attention"

Z = Float[Tensor, "batch pos head d_head"]


class Writes:
    """What heads write to a decoder's residual stream. Raises BadInput where it is no sum."""

    def __init__(self, decoder: "Decoder"):
        self._decoder = decoder
        layers = decoder.architecture.layers
        ids = decoder.example_ids(2, 6)
        self._posts = [self._held(layer.attention_post) for layer in layers]
        self._attention_modules = [layer.attention_post or layer.projection for layer in layers]
        self._mlp_modules, factors = self._measure(ids)
        self.factors, self.mlp_factors = _rounded(factors[:, 0]), _rounded(factors[:, 1])

    @property
    def convention(self) -> str:
        """What has to be said beside every score of these results; "" where it goes by itself."""
        return CONVENTION if any(self._posts) else ""

    @property
    def is_plain(self) -> bool:
        """Whether every head writes z @ W_O as it is."""
        return not any(self._posts) and set(self.factors) == {1.0}

    def head_results(
        self, layer: int, z: Z, at: Z | None = None
    ) -> Float[Tensor, "batch head pos d_model"]:
        """What each head writes to the stream; `at`: z of the run whose scale is held, if not z."""
        results = torch.einsum("bphd,hdm->bhpm", z, self._decoder.output_weights(layer))
        post, factor = self._posts[layer], self.factors[layer]
        if post is not None:
            results = post.part(results, self._scale(layer, z if at is None else at))
        return results if factor == 1 else factor * results

    def bias(self, layer: int, z: Z) -> Float[Tensor, "*batch_pos d_model"]:
        """What attention writes beside its heads, in the run that z is of."""
        bias, post = self._decoder.output_bias(layer).to(z), self._posts[layer]
        if post is not None:
            scale = self._scale(layer, z)[:, 0]
            bias = post.part(bias.expand(*z.shape[:2], -1), scale) + post.bias
        return self.factors[layer] * bias

    @property
    def has_changing_bias(self) -> bool:
        """Whether the bias passes through a norm, so that every run has another."""
        return any(
            post is not None and bool(self._decoder.output_bias(layer).any())
            for layer, post in enumerate(self._posts)
        )

    def _scale(self, layer: int, z: Z) -> Float[Tensor, "batch 1 pos 1"]:
        """What the norm after attention divides by in the run that z is of."""
        post = self._posts[layer]
        weights = self._decoder.output_weights(layer)
        given = torch.einsum("bphd,hdm->bpm", z, weights) + self._decoder.output_bias(layer).to(z)
        return post.scale(given)[:, None]

    def _need_plain_projections(self, run: "Run", entered: list[Tensor]) -> None:
        """Raises BadInput where something lies between the heads and W_O (BitNet's norm)."""
        for given, z in zip(entered, run.z, strict=True):
            if not torch.allclose(given.reshape(-1), z.reshape(-1), rtol=TOLERANCE, atol=1e-6):
                raise no_sum(self._decoder, "what its heads give is changed before W_O")

    def _held(self, norm: nn.Module | None) -> HeldNorm | None:
        if norm is None:
            return None
        decoder = self._decoder
        like = torch.zeros(decoder.d_model, device=decoder.device, dtype=decoder.dtype)
        try:
            return HeldNorm.measure(norm, like)
        except (ValueError, RuntimeError, TypeError) as error:
            raise no_sum(decoder, f"the norm after attention can't be taken apart ({error})") from (
                error
            )

    @torch.no_grad()
    def _measure(self, ids: Int[Tensor, "batch pos"]) -> tuple[list[nn.Module], Tensor]:
        """Modules whose output is what the MLPs write, and the factors [layer, attention/MLP]."""
        layers = self._decoder.architecture.layers
        for choice in range(min((len(layer.mlp_writers) for layer in layers), default=0)):
            mlps = [layer.mlp_writers[choice] for layer in layers]
            try:
                factors, error = self._fit(ids, mlps)
            except (TypeError, ValueError, RuntimeError, AttributeError, IndexError):
                continue
            if error < TOLERANCE:
                return mlps, factors
        raise no_sum(
            self._decoder,
            "what attention and MLP give is not simply added to its residual stream",
        )

    def _fit(self, ids: Tensor, mlps: Sequence[nn.Module]) -> tuple[Tensor, float]:
        """The step of the stream as a sum of random outputs of attention and MLP."""
        given: dict[nn.Module, Tensor] = {}
        generator = torch.Generator().manual_seed(0)

        def invent(module: nn.Module, output: Tensor) -> Tensor:
            drawn = torch.randn(output.shape, generator=generator).to(output)
            given[module] = drawn
            return drawn.clone()  # Falcon adds to it in place

        modules = [*self._attention_modules, *mlps]
        entered: list[Tensor] = []
        with _hearing(modules, invent), ExitStack() as stack:
            for module in self._decoder.projections:
                hook = module.register_forward_pre_hook(lambda _, args: entered.append(args[0]))
                stack.callback(hook.remove)
            run = self._decoder.run(ids)
        self._need_plain_projections(run, entered)
        factors, worst = [], 0.0
        for layer, mlp in enumerate(mlps):
            step = (run.residual[layer + 1] - run.residual[layer]).double().flatten()
            parts = [given[self._attention_modules[layer]], given[mlp]]
            parts = torch.stack([each.double().flatten() for each in parts], 1)
            found = torch.linalg.lstsq(parts, step[:, None]).solution
            rest = (step - (parts @ found)[:, 0]).abs().max() / step.abs().max()
            worst = max(worst, rest.item() if rest == rest else float("inf"))
            factors.append(found[:, 0])
        return torch.stack(factors), worst

    @torch.no_grad()
    def error(self, ids: Int[Tensor, "batch pos"]) -> float:
        """How far results, bias and the MLP's own output are from the step of the stream."""
        heard: dict[nn.Module, Tensor] = {}

        def keep(module: nn.Module, output: Tensor) -> Tensor:
            heard[module] = output.clone()
            return output

        with _hearing(self._mlp_modules, keep):
            run = self._decoder.run(ids)
        return max(self._step_error(run, layer, heard) for layer in range(self._decoder.layers))

    def _step_error(self, run: "Run", layer: int, heard: dict[nn.Module, Tensor]) -> float:
        step = run.residual[layer + 1] - run.residual[layer]
        z = run.z[layer]
        mlp = self.mlp_factors[layer] * heard[self._mlp_modules[layer]].reshape(step.shape)
        made = self.head_results(layer, z).sum(1) + self.bias(layer, z) + mlp
        return ((made - step).abs().max() / step.abs().max()).item()


def no_sum(decoder: "Decoder", reason: str) -> BadInput:
    """The refusal of what needs head results that add up."""
    return BadInput(
        f"What single heads of {type(decoder.hf).__name__} write can't be told: {reason}.", REMEDY
    )


def _rounded(factors: Tensor) -> list[float]:
    return [1.0 if abs(each - 1) < 1e-5 else each for each in factors.tolist()]


@contextmanager
def _hearing(
    modules: Sequence[nn.Module], hear: Callable[[nn.Module, Tensor], Tensor]
) -> Iterator[None]:
    """Let `hear` replace what modules give; some give it as the first of several."""

    def hook(module, args, output):
        if isinstance(output, tuple):
            return (hear(module, output[0]), *output[1:])
        return hear(module, output)

    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_hook(hook).remove)
        yield
