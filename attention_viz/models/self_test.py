"""A test of the intervention itself, on every model that is loaded.

What an ablation of z means rests on a few equalities; where one does not hold, the model is
refused, since its numbers would be wrong without anybody seeing it. Others only carry some views:
where they don't hold, just these are refused, with the reason. Two only allow short cuts: without
them whole forwards are run instead. The tokens are more than a sliding window (narrowed meanwhile),
and rows differ. The forwards before the tests warm the model up: the first forward of a fresh
process can be off by 2e-4 in log-probability.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from attention_viz.models.decoder import Decoder, Edit, Run
from attention_viz.models.direct import sum_error
from attention_viz.models.streams import Streams
from attention_viz.models.stretch import run_from, stretch_error
from attention_viz.models.writes import no_sum
from attention_viz.records.errors import BadInput, ModelUnavailable
from attention_viz.records.model import Capability, SelfCheck

TOLERANCE = 1e-3  # relative; right models come to about 1e-6 in fp32, wrong ones to 0.1 and more
TOKENS = 9
WINDOW = 5  # of layers that see the nearest tokens only, meanwhile
_UNCALLABLE = (TypeError, ValueError, RuntimeError, AttributeError, IndexError)


@torch.no_grad()
def run_self_test(decoder: Decoder) -> tuple[SelfCheck, ...]:
    """Test the equalities on a few tokens. Raises ModelUnavailable where ablations are wrong."""
    ids = decoder.example_ids(2, TOKENS)
    with _narrow_windows(decoder):
        decoder.run(ids)
        run = decoder.run(ids[:1])
        both, written = _attention_outputs(decoder, ids)
        if len(run.z) != decoder.layers:
            heard = f"only {len(run.z)} of {decoder.layers} attention layers are heard"
            raise _refusal(decoder, heard)
        checks = [
            SelfCheck("later tokens change nothing before them", _later(decoder, ids, run)),
            SelfCheck(
                "final norm and unembedding give the model's logits", _logits(decoder, ids, both)
            ),
            *_find_paths(decoder, run, both),
            SelfCheck("scale 1 is the clean run", _scale_one(decoder, ids, both)),
            SelfCheck(
                "with all heads at zero attention writes its bias only",
                _zero(decoder, ids, written),
            ),
        ]
        for check in checks:
            if not check.error < TOLERANCE:
                raise _refusal(decoder, f"not true: {check.claim} (off by {check.error:.2g})")
        return (*checks, *_find_maps(decoder, ids), *_find_sums(decoder, ids, run))


def capabilities_of(decoder: Decoder, readers: Streams | BadInput) -> tuple[Capability, ...]:
    """What was found right in this model, and why the rest was not."""
    maps = "" if decoder.hears_attention else decoder.why_unheard
    writes, edges = decoder.writes, readers
    return (
        Capability("ablation"),
        Capability("lens"),
        Capability("maps", maps),
        Capability("contributions", writes.message if isinstance(writes, BadInput) else ""),
        Capability("edges", edges.message if isinstance(edges, BadInput) else ""),
    )


def _find_paths(decoder: Decoder, run: Run, both: Run) -> list[SelfCheck]:
    """Switch off the short cuts this model does not allow; checks of those it does."""
    claims = []
    decoder.arguments_by_row = _arguments_by_row(run, both)
    blocks = SelfCheck(
        "blocks called one by one, on different rows, give the model's last residual stream",
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
    other = SelfCheck(
        "a run that goes on from another with other tokens is its own",
        _error_of(_goes_on, decoder, run) if decoder.runs_stretches else float("inf"),
    )
    decoder.runs_stretches = decoder.calls_blocks and max(stretch.error, other.error) < TOLERANCE
    if decoder.runs_stretches:
        claims += [stretch, other]
    return claims


def _goes_on(decoder: Decoder, run: Run) -> float:
    """False where blocks are given more of the tokens than the stream (Gemma 4)."""
    ids = decoder.example_ids(2, TOKENS)[:1].clone()
    start = TOKENS - 3
    ids[:, start:] = (ids[:, start:] + 1) % decoder.settings.d_vocab
    found = run_from(decoder, run, ids, start)
    return _difference(found.residual[-1], decoder.run(ids).residual[-1])


def _find_maps(decoder: Decoder, ids: Tensor) -> list[SelfCheck]:
    """Attention maps count only where they are what the heads' outputs were made with."""
    if not decoder.hears_attention:
        return []
    maps = SelfCheck("attention weights times values are z", _error_of(_maps, decoder, ids))
    if maps.error < TOLERANCE:
        return [maps]
    decoder.hears_attention = False
    decoder.why_unheard = f"its attention weights are not what its heads use ({maps.error:.2g} off)"
    return []


def _find_sums(decoder: Decoder, ids: Tensor, run: Run) -> list[SelfCheck]:
    """What single heads write counts only where everything written adds up."""
    if isinstance(decoder.writes, BadInput):
        return []
    tests: list[tuple[str, Callable[[], float]]] = [
        (
            "head results, bias and MLP output are the step of the residual stream",
            lambda: decoder.need_writes().error(ids),
        ),
        ("contributions sum to the logits", lambda: sum_error(decoder, run)),
    ]
    checks = []
    for claim, test in tests:
        try:
            check = SelfCheck(claim, _error_of(test))
        except BadInput as reason:
            decoder.lose_writes(reason)
            return []
        if not check.error < TOLERANCE:
            reason = f"not true: {claim} (off by {check.error:.2g})"
            decoder.lose_writes(no_sum(decoder, reason))
            return []
        checks.append(check)
    return checks


def _error_of(test: Callable[..., float], *arguments) -> float:
    """What the test measures; a block that can't even be called is infinitely wrong."""
    try:
        return test(*arguments)
    except _UNCALLABLE:
        return float("inf")


@contextmanager
def _narrow_windows(decoder: Decoder) -> Iterator[None]:
    """Sliding windows shorter than the test's prompt, so that they are tested."""
    config = decoder.hf.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    if not isinstance(window, int) or window <= WINDOW:
        yield
        return
    config.sliding_window = WINDOW
    try:
        yield
    finally:
        config.sliding_window = window


def _refusal(decoder: Decoder, reason: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"{type(decoder.hf).__name__} fails the self-test of the intervention: {reason}.",
        "Choose a decoder such as GPT-2, GPT-NeoX/Pythia or Llama.",
    )


def _later(decoder: Decoder, ids: Tensor, run: Run) -> float:
    """Refuses bidirectional models by what they do."""
    changed = ids[:1].clone()
    changed[0, -1] = (changed[0, -1] + 1) % decoder.settings.d_vocab
    other = decoder.run(changed)
    error = _difference(other.residual[-1][:, :-1], run.residual[-1][:, :-1])
    if not error < TOLERANCE:
        raise ModelUnavailable(
            f"{type(decoder.hf).__name__} is bidirectional: its tokens see later ones.",
            "Choose a decoder such as GPT-2, GPT-NeoX/Pythia or Llama.",
        )
    return error


def _logits(decoder: Decoder, ids: Tensor, both: Run) -> float:
    return _difference(decoder.read_out(both.residual[-1]), decoder.hf(input_ids=ids).logits)


def _arguments_by_row(run: Run, twice: Run) -> set[int | str]:
    """Arguments of blocks whose first dimension grows with the rows, and is not 1 for one row."""
    found: set[int | str] = set()
    for (args, kwargs), (more, others) in zip(run.calls, twice.calls, strict=True):
        single = {**dict(enumerate(args)), **kwargs}
        double = {**dict(enumerate(more)), **others}
        for name, value in single.items():
            other = double.get(name)
            if isinstance(value, Tensor) and isinstance(other, Tensor) and value.ndim:
                if len(value) > 1 and len(other) == 2 * len(value):
                    found.add(name)
    return found


def _two_rows(residual: Tensor) -> Tensor:
    """The clean stream and another one."""
    drawn = torch.randn(residual.shape, generator=torch.Generator().manual_seed(0))
    return torch.cat([residual, residual + drawn.to(residual) * residual.std()])


def _blocks(decoder: Decoder, run: Run) -> float:
    """Two rows at once against the run itself, and against the other row alone."""
    rows = _two_rows(run.residual[0])
    alone = rows[1:]
    for layer in range(decoder.layers):
        rows = decoder.call_block(layer, rows, run)
        alone = decoder.call_block(layer, alone, run)
    return _difference(rows, torch.cat([run.residual[-1], alone]))


def _last_block(decoder: Decoder, run: Run) -> float:
    entering = _two_rows(run.residual[-2])
    leaving = decoder.call_block(decoder.layers - 1, entering, run)
    return max(
        _difference(decoder.call_last_block(entering, run, position), leaving[:, position])
        for position in (2, entering.shape[1] - 1)
    )


def _maps(decoder: Decoder, ids: Tensor) -> float:
    run = decoder.run(ids, patterns=True)
    errors = []
    for pattern, attended, z in zip(run.pattern, run.attended, run.z, strict=True):
        value = attended.value.repeat_interleave(attended.heads // attended.value.shape[1], 1)
        errors.append(_difference((pattern.to(value) @ value).transpose(1, 2), z))
    return max(errors)


def _scale_one(decoder: Decoder, ids: Tensor, both: Run) -> float:
    scaled = decoder.run(ids, edit=lambda layer, z, attended: 1.0 * z)
    return _difference(scaled.residual[-1], both.residual[-1])


def _zero(decoder: Decoder, ids: Tensor, clean: list[Tensor]) -> float:
    _, written = _attention_outputs(decoder, ids, lambda layer, z, attended: torch.zeros_like(z))
    return max(
        ((written[layer] - decoder.output_bias(layer).to(written[layer])).abs().max() / size).item()
        for layer in range(decoder.layers)
        for size in [clean[layer].abs().max()]
    )


def _attention_outputs(
    decoder: Decoder, ids: Tensor, edit: Edit | None = None
) -> tuple[Run, list[Tensor]]:
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
