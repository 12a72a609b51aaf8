"""A test of the intervention itself, on every model that is loaded.

What an ablation of z means rests on a few equalities; where one does not hold, the model is
refused, since its numbers would be wrong without anybody seeing it. The forwards before it warm
the model up: the first forward of a fresh process can be off by 2e-4 in log-probability.
"""

import torch
from torch import Tensor

from attention_viz.models.decoder import Decoder, Run
from attention_viz.records.errors import ModelUnavailable
from attention_viz.records.model import SelfCheck

TOLERANCE = 1e-3  # relative; right models come to about 1e-6 in fp32, wrong ones to 0.1 and more


@torch.no_grad()
def run_self_test(decoder: Decoder) -> tuple[SelfCheck, ...]:
    """Test the equalities on a few tokens. Raises ModelUnavailable for one that does not hold."""
    ids = torch.arange(1, 8, device=decoder.device)[None] % decoder.settings.d_vocab
    decoder.run(ids)
    run = decoder.run(ids)
    if len(run.z) != decoder.layers:
        raise _refusal(decoder, f"only {len(run.z)} of {decoder.layers} attention layers are heard")
    checks = (
        SelfCheck("blocks called one by one give the model's logits", _blocks(decoder, ids, run)),
        SelfCheck("head results and bias sum to the attention output", _sum(decoder, ids)),
        SelfCheck("scale 1 is the clean run", _scale_one(decoder, ids, run)),
        SelfCheck("with all heads at zero attention writes its bias only", _zero(decoder, ids)),
    )
    for check in checks:
        if not check.error < TOLERANCE:
            raise _refusal(decoder, f"not true: {check.claim} (off by {check.error:.2g})")
    return checks


def _refusal(decoder: Decoder, reason: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"{type(decoder.hf).__name__} fails the self-test of the intervention: {reason}.",
        "Choose a decoder such as GPT-2, GPT-NeoX/Pythia or Llama.",
    )


def _blocks(decoder: Decoder, ids: Tensor, run: Run) -> float:
    residual = run.residual[0]
    for layer in range(decoder.layers):
        residual = decoder.call_block(layer, residual, run)
    return _difference(decoder.read_out(residual), decoder.hf(input_ids=ids).logits)


def _sum(decoder: Decoder, ids: Tensor) -> float:
    run, written = _attention_outputs(decoder, ids, lambda layer, z: z)
    return max(
        _difference(
            torch.einsum("bphd,hdm->bpm", run.z[layer], decoder.output_weights(layer))
            + decoder.output_bias(layer).to(run.z[layer]),
            written[layer],
        )
        for layer in range(decoder.layers)
    )


def _scale_one(decoder: Decoder, ids: Tensor, run: Run) -> float:
    scaled = decoder.run(ids, edit=lambda layer, z: 1.0 * z)
    return _difference(scaled.residual[-1], run.residual[-1])


def _zero(decoder: Decoder, ids: Tensor) -> float:
    _, clean = _attention_outputs(decoder, ids, lambda layer, z: z)
    _, written = _attention_outputs(decoder, ids, lambda layer, z: torch.zeros_like(z))
    return max(
        ((written[layer] - decoder.output_bias(layer).to(written[layer])).abs().max() / size).item()
        for layer in range(decoder.layers)
        for size in [clean[layer].abs().max()]
    )


def _attention_outputs(decoder: Decoder, ids: Tensor, edit) -> tuple[Run, list[Tensor]]:
    """What each output projection gives, `[batch, pos, d_model]`, in a run with edited z."""
    written: list[Tensor] = []
    hooks = [
        module.register_forward_hook(lambda _, args, output: written.append(output))
        for module in decoder.projections
    ]
    try:
        return decoder.run(ids, edit=edit), written
    finally:
        for hook in hooks:
            hook.remove()


def _difference(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()
