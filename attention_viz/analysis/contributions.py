"""Direct logit attribution: what each component writes to answer − distractor by itself.

The residual stream at the read-out is a sum of what embedding, heads, biases and MLPs wrote. With
the final norm's scale held at its value in this run, the read-out is linear, so the logit
difference is the sum of their contributions and the unembedding's own constant (Elhage et al.
2021, "A Mathematical Framework for Transformer Circuits").
"""

import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis.question import Asked
from attention_viz.models.decoder import Decoder
from attention_viz.records.circuits.circuit import Contribution
from attention_viz.records.errors import BadInput

UNEMBEDDING_BIAS = "unembedding bias"


@torch.no_grad()
def direct_contributions(asked: Asked) -> tuple[Contribution, ...]:
    """Contributions of all components, in logits; they sum to the clean logit difference.

    The last one is the constant: the final norm's bias read by the unembedding, and the
    unembedding's bias. Raises BadInput where heads don't write straight to the stream.
    """
    with asked.turn():
        names, read = read_components(asked)
        direction, constant = _direction(asked)
        values = read @ direction
    named = [Contribution(name, value) for name, value in zip(names, values.tolist(), strict=True)]
    return (*named, Contribution(UNEMBEDDING_BIAS, constant))


def read_components(asked: Asked) -> tuple[list[str], Float[Tensor, "component d_model"]]:
    """What the unembedding reads of each component at the read-out, and the components' names.

    The final norm's scale is held; its bias belongs to no component. Raises BadInput where heads
    don't write straight to the stream.
    """
    if not asked.decoder.writes_to_stream:
        raise BadInput(
            f"{asked.model.info.architecture} has a norm between heads and residual stream: "
            "direct contributions are not defined.",
            "Choose a model without it, such as GPT-2, Pythia or Llama.",
        )
    names, written = _components(asked)
    total = asked.run.residual[-1][0, asked.position]
    return names, _normed_with_fixed_scale(asked.decoder, written, total)


def _components(asked: Asked) -> tuple[list[str], Float[Tensor, "component d_model"]]:
    """What everything wrote to the residual stream at the read-out."""
    decoder, run, position = asked.decoder, asked.run, asked.position
    names, written = ["embed"], [run.residual[0][0, position][None]]
    for layer in range(decoder.layers):
        results = torch.einsum(
            "hd,hdm->hm", run.z[layer][0, position], decoder.output_weights(layer)
        )
        bias = decoder.output_bias(layer).to(results)
        step = run.residual[layer + 1][0, position] - run.residual[layer][0, position]
        mlp = step - results.sum(0) - bias
        names += [f"L{layer}H{head}" for head in range(decoder.heads)]
        names += [f"L{layer} attention bias", f"L{layer} MLP"]
        written += [results, bias[None], mlp[None]]
    return names, torch.cat(written)


def _direction(asked: Asked) -> tuple[Float[Tensor, " d_model"], float]:
    """Unembedding direction of answer − distractor, and the constant no component writes."""
    unembedding = asked.decoder.unembedding
    pair = [asked.answer, asked.distractor]
    direction = unembedding.weight[pair[0]] - unembedding.weight[pair[1]]
    nothing = torch.zeros_like(asked.run.residual[-1][0, :1])
    logits = asked.decoder.read_out(nothing)[0]
    return direction, (logits[pair[0]] - logits[pair[1]]).item()


def _normed_with_fixed_scale(
    decoder: Decoder,
    parts: Float[Tensor, "component d_model"],
    total: Float[Tensor, " d_model"],
) -> Float[Tensor, "component d_model"]:
    """Final norm of each part, divided by the scale of the total instead of its own."""
    norm = decoder.final_norm
    own = _scale(norm, parts)[:, None]
    bias = norm(torch.zeros_like(total))
    return (norm(parts) - bias) * own / _scale(norm, total)


def _scale(norm, x: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows"]:
    """What the norm divides by: standard deviation for LayerNorm, root mean square for RMSNorm."""
    eps = next(getattr(norm, name) for name in ("eps", "variance_epsilon") if hasattr(norm, name))
    if isinstance(norm, torch.nn.LayerNorm):
        x = x - x.mean(-1, keepdim=True)
    return (x.pow(2).mean(-1) + eps).sqrt()
