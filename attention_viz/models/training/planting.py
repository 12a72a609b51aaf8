"""Gives one head of the first layer a start as a previous-token head.

Induction heads need a previous-token head below them, and neither earns anything before the other
is there: that plateau can last longer than a short training. So one head's queries and keys start
as waves of the position, the query's turned back by one token: q(t)·k(s) is greatest where
s = t - 1.
Everything else, its values and outputs too, starts at random, and training may change the head like
any other. The waves are read off the model's own position embeddings by ridge regression.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

SAMPLES = 40  # random tokens for each position
SHARPNESS = 10.0  # makes the token before get some 0.9 of the attention at the start


def draw_waves(positions: Tensor, count: int) -> Tensor:
    """[position, 2 * count] sines and cosines of 0.4 to 2 radians a token."""
    angle = positions[:, None].float() * torch.linspace(0.4, 2.0, count)
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def fit_ridge(inputs: Tensor, targets: Tensor, *, ridge: float = 1.0) -> Tensor:
    """[input, target] weights that give the targets from the inputs."""
    gram = inputs.T @ inputs + ridge * torch.eye(inputs.shape[1])
    return torch.linalg.solve(gram, inputs.T @ targets)


@torch.no_grad()
def plant_previous_token_head(model, *, head: int = 0, seed: int = 0) -> None:
    """Sets the queries and keys of a first-layer head of a GPT-2; values and outputs stay."""
    config, body = model.config, model.transformer
    size = config.n_embd // config.n_head
    generator = torch.Generator().manual_seed(seed)
    positions = torch.arange(config.n_positions).repeat(SAMPLES)
    tokens = torch.randint(1, config.vocab_size, positions.shape, generator=generator)
    inputs = body.h[0].ln_1(body.wte(tokens) + body.wpe(positions))
    scale = math.sqrt(SHARPNESS)
    keys = fit_ridge(inputs, scale * draw_waves(positions, size // 2))
    queries = fit_ridge(inputs, scale * draw_waves(positions - 1, size // 2))
    attention = body.h[0].attn.c_attn
    for offset, weights in ((0, queries), (config.n_embd, keys)):
        span = slice(offset + head * size, offset + (head + 1) * size)
        attention.weight[:, span] = weights
        attention.bias[span] = 0.0
