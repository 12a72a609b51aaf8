"""A test of readers on first use: given another stream, each reads it as the model itself would."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor

from attention_viz.models.attention import Listener
from attention_viz.models.decoder import Run
from attention_viz.models.readers import NewInput, Residual, made_in_block

if TYPE_CHECKING:
    from attention_viz.models.streams import Streams

TOLERANCE = 1e-3  # relative


@torch.no_grad()
def check_readers(streams: "Streams", ids: Int[Tensor, "batch pos"], run: Run) -> None:
    """Raises ValueError for readers that are not those of the model. `run` is of one row."""
    if len(streams.readers) != streams.graph.readers_per_layer - 1:
        raise ValueError(f"there are {len(streams.readers)} in a layer")
    _check_together(streams, ids)
    _check_each(streams, run)


def _check_together(streams: "Streams", ids: Tensor) -> None:
    """All readers given another stream: as if attention and MLP had read that."""
    decoder, count = streams.decoder, len(streams.readers)
    noise = _noise(decoder.embed(ids))

    def give(layer: int, residual: Tensor, is_mlp: bool) -> list[NewInput]:
        given = residual + (1 + layer) * noise
        return [NewInput(i, slice(None), given) for i in range(1 if is_mlp else count)]

    found = streams.run_split(ids, give, Listener())
    with ExitStack() as hooks:
        for layer in range(decoder.layers):
            _disturb(streams, layer, hooks, (1 + layer) * noise)
        expected = decoder.run(ids).residual[-1]
    error = ((found - expected).abs().max() / expected.abs().max()).item()
    if not error < TOLERANCE:
        raise ValueError(f"off by {error:.2g}")


def _check_each(streams: "Streams", run: Run) -> None:
    """One reader given another stream: its q, k or v changes, and nobody else's."""
    decoder, count, clean = streams.decoder, len(streams.readers), run.residual[0]
    noisy = clean + _noise(clean)
    plain = made_in_block(decoder, clean, run)
    other = made_in_block(decoder, noisy, run)

    def give(layer: int, residual: Tensor, is_mlp: bool) -> list[NewInput]:
        rows = [torch.tensor([row], device=clean.device) for row in range(count)]
        return [] if is_mlp else [NewInput(row, rows[row], noisy) for row in range(count)]

    with streams.splitting(give, [0]):
        given = made_in_block(decoder, clean.expand(count, -1, -1), run)
    heads = [(slot, head) for slot, made in enumerate(given) for head in range(made.shape[1])]
    for row, (slot, head) in enumerate(heads):
        for at, made in enumerate(given):
            expected = plain[at][0].clone()
            if at == slot:
                expected[head] = other[at][0, head]
            if not torch.allclose(made[row], expected, rtol=TOLERANCE, atol=TOLERANCE):
                raise ValueError(f"reader {row} does not read by itself")


def _disturb(streams: "Streams", layer: int, hooks: ExitStack, noise: Residual) -> None:
    """Let attention and MLP read another stream, at their own door."""
    parts = streams.layers[layer]

    def change(_, args, kwargs):
        if args:
            return (args[0] + noise.reshape(args[0].shape), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": kwargs["hidden_states"] + noise}

    doors = (parts.attention_norm or parts.attention, parts.mlp_norm or parts.mlp)
    for door in dict.fromkeys(doors):
        hooks.callback(door.register_forward_pre_hook(change, with_kwargs=True).remove)


def _noise(entering: Residual) -> Residual:
    """Noise half as large as a stream."""
    drawn = torch.randn(entering.shape, generator=torch.Generator().manual_seed(0))
    return 0.5 * drawn.to(entering) * entering.std()
