"""A test of the intervention itself, on every model that is loaded.

What an ablation of z means rests on a few equalities; where one does not hold, the model is
refused, since its numbers would be wrong without anybody seeing it. Two equalities only allow
short cuts: where they don't hold, whole forwards are run instead. The forwards before it warm
the model up: the first forward of a fresh process can be off by 2e-4 in log-probability.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from attention_viz.models.decoder import Decoder, Run
from attention_viz.models.stretch import stretch_error
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
        SelfCheck("final norm and unembedding give the model's logits", _logits(decoder, ids, run)),
        *_find_paths(decoder, ids, run),
        SelfCheck("head results and bias sum to the attention output", _sum(decoder, ids)),
        SelfCheck("scale 1 is the clean run", _scale_one(decoder, ids, run)),
        SelfCheck("with all heads at zero attention writes its bias only", _zero(decoder, ids)),
    )
    for check in checks:
        if not check.error < TOLERANCE:
            raise _refusal(decoder, f"not true: {check.claim} (off by {check.error:.2g})")
    return checks


def _find_paths(decoder: Decoder, ids: Tensor, run: Run) -> list[SelfCheck]:
    """Switch off the short cuts this model does not allow; checks of those it does."""
    claims = []
    blocks = SelfCheck(
        "blocks called one by one give the model's last residual stream",
        _error_of(_blocks, decoder, run),
    )
    decoder.calls_blocks = blocks.error < TOLERANCE
    if decoder.calls_blocks:
        claims.append(blocks)
    last = SelfCheck(
        "the last block computed at one position only gives the same",
        _error_of(_last_block, decoder, run) if decoder.reads_one_position else float("inf"),
    )
    decoder.reads_one_position = decoder.calls_blocks and last.error < TOLERANCE
    if decoder.reads_one_position:
        claims.append(last)
    stretch = SelfCheck(
        "some positions called alone, clean keys and values before them, give the same",
        _error_of(stretch_error, decoder, run) if decoder.runs_stretches else float("inf"),
    )
    decoder.runs_stretches = decoder.calls_blocks and stretch.error < TOLERANCE
    if decoder.runs_stretches:
        claims.append(stretch)
    return claims


def _error_of(test: Callable[..., float], *arguments) -> float:
    """What the test measures; a block that can't even be called is infinitely wrong."""
    try:
        return test(*arguments)
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError):
        return float("inf")


def _refusal(decoder: Decoder, reason: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"{type(decoder.hf).__name__} fails the self-test of the intervention: {reason}.",
        "Choose a decoder such as GPT-2, GPT-NeoX/Pythia or Llama.",
    )


def _logits(decoder: Decoder, ids: Tensor, run: Run) -> float:
    return _difference(decoder.read_out(run.residual[-1]), decoder.hf(input_ids=ids).logits)


def _blocks(decoder: Decoder, run: Run) -> float:
    residual = run.residual[0]
    for layer in range(decoder.layers):
        residual = decoder.call_block(layer, residual, run)
    return _difference(residual, run.residual[-1])


def _last_block(decoder: Decoder, run: Run) -> float:
    entering, leaving = run.residual[-2:]
    return max(
        _difference(decoder.call_last_block(entering, run, position), leaving[:, position])
        for position in (2, entering.shape[1] - 1)
    )


def _sum(decoder: Decoder, ids: Tensor) -> float:
    run, written = _attention_outputs(decoder, ids, lambda layer, z, attended: z)
    return max(
        _difference(
            torch.einsum("bphd,hdm->bpm", run.z[layer], decoder.output_weights(layer))
            + decoder.output_bias(layer).to(run.z[layer]),
            written[layer],
        )
        for layer in range(decoder.layers)
    )


def _scale_one(decoder: Decoder, ids: Tensor, run: Run) -> float:
    scaled = decoder.run(ids, edit=lambda layer, z, attended: 1.0 * z)
    return _difference(scaled.residual[-1], run.residual[-1])


def _zero(decoder: Decoder, ids: Tensor) -> float:
    _, clean = _attention_outputs(decoder, ids, lambda layer, z, attended: z)
    _, written = _attention_outputs(decoder, ids, lambda layer, z, attended: torch.zeros_like(z))
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
