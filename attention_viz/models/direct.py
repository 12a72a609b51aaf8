"""Direct logit attribution: what each component writes to the logits by itself.

The residual stream at a position is a sum of what embedding, heads, biases and MLPs wrote. With the
final norm's scale held at its value in this run, the read-out is linear, so a logit difference is
the sum of their contributions and a constant (Elhage et al. 2021, "A Mathematical Framework for
Transformer Circuits"). The family's factor on logits (Cohere, Granite) is part of it; a soft cap
after that (Gemma 2) is not linear, so contributions are of the logits before it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.models.decoder import Decoder, Run
from attention_viz.models.norms import HeldNorm
from attention_viz.models.writes import no_sum

TESTED = 100  # tokens

Components = Float[Tensor, "component d_model"]


@torch.no_grad()
def components_of(decoder: Decoder, run: Run, position: int) -> tuple[list[str], Components]:
    """Names of all components, and what they wrote at a position of the first row.

    Raises BadInput where it is not known what single heads write.
    """
    writes = decoder.need_writes()
    names, written = ["embed"], [run.residual[0][0, position][None]]
    for layer in range(decoder.layers):
        z = run.z[layer][:1, position][:, None]
        results = writes.head_results(layer, z)[0, :, 0]
        bias = writes.bias(layer, z).reshape(-1)
        step = run.residual[layer + 1][0, position] - run.residual[layer][0, position]
        mlp = step - results.sum(0) - bias
        names += [f"L{layer}H{head}" for head in range(decoder.heads)]
        names += [f"L{layer} attention bias", f"L{layer} MLP"]
        written += [results, bias[None], mlp[None]]
    return names, torch.cat(written)


@torch.no_grad()
def read_parts(decoder: Decoder, parts: Components, total: Float[Tensor, " d_model"]) -> Components:
    """What the unembedding reads of each part, the final norm's scale held at the total's.

    The norm's bias belongs to no part. Raises BadInput for a final norm that is no LayerNorm or
    RMSNorm.
    """
    norm = _final_norm(decoder)
    return norm.part(parts, norm.scale(total[None]))


@torch.no_grad()
def unembedded(decoder: Decoder, read: Components, tokens: Tensor) -> Float[Tensor, "part token"]:
    """Logits of what the unembedding reads, before a soft cap and without its bias."""
    return decoder.logit_factor * (read @ decoder.unembedding.weight[tokens].T)


@torch.no_grad()
def constant_of(decoder: Decoder, tokens: Tensor) -> Float[Tensor, " token"]:
    """Logits that no component writes: the final norm's bias and the unembedding's."""
    logits = decoder.unembedding(_final_norm(decoder).bias[None])[0]
    return decoder.logit_factor * logits[tokens]


@torch.no_grad()
def sum_error(decoder: Decoder, run: Run) -> float:
    """How far all contributions together are from the logits before a soft cap, relative."""
    position = run.residual[-1].shape[1] - 1
    total = run.residual[-1][0, position]
    expected = decoder.logit_factor * decoder.unembedding(decoder.final_norm(total[None]))[0]
    tokens = torch.arange(min(len(expected), TESTED), device=expected.device)
    expected = expected[tokens]
    _, written = components_of(decoder, run, position)
    found = unembedded(decoder, read_parts(decoder, written, total), tokens).sum(0)
    found = found + constant_of(decoder, tokens)
    return ((found - expected).abs().max() / expected.abs().max()).item()


def _final_norm(decoder: Decoder) -> HeldNorm:
    like = torch.zeros(decoder.d_model, device=decoder.device, dtype=decoder.dtype)
    try:
        return HeldNorm.measure(decoder.final_norm, like)
    except (ValueError, RuntimeError, TypeError) as error:
        raise no_sum(decoder, f"its final norm can't be taken apart ({error})") from error
