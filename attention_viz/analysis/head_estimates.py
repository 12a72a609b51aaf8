"""What ablating one head more would do, to first order: which heads are worth running first.

Attribution patching at the heads' outputs (Nanda 2023, "Attribution Patching"): (edited z − z) ·
gradient of the score at z, summed over positions, in the run with a set of heads ablated already.
One backward pass gives it for all heads. It only orders what is run; no estimate is a result.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis.edits import Edit, Place
from attention_viz.analysis.one_pass import editor_of
from attention_viz.analysis.question import Asked
from attention_viz.models.attention import Attended, Listener, listening
from attention_viz.models.decoder import first_tensor
from attention_viz.records.ids import HeadId

TURN_TOKENS = 8e9  # parameters × tokens of the rows that go back together; half a second on 2 cores

Score = Callable[[Float[Tensor, "row vocabulary"]], Float[Tensor, " row"]]


def estimate_effects(
    asked: Asked, sets: Sequence[Sequence[HeadId]], edit: Edit, score: Score
) -> Float[Tensor, "set layer head"]:
    """Change of the score when a head is ablated beside each set, to first order; on the CPU."""
    tokens = len(asked.tokens) * asked.model.info.parameters
    most = max(1, int(TURN_TOKENS / tokens))
    found = []
    for start in range(0, len(sets), most):
        with asked.turn():
            found.append(_estimate(asked, sets[start : start + most], edit, score))
    return torch.cat(found)


def _estimate(
    asked: Asked, sets: Sequence[Sequence[HeadId]], edit: Edit, score: Score
) -> Float[Tensor, "set layer head"]:
    by_layer = defaultdict(list)
    for row, heads in enumerate(sets):
        for head in heads:
            by_layer[head.layer].append((row, head.head, edit))
    change = editor_of(asked, by_layer)
    heard: list[tuple[Tensor, Attended | None]] = []

    def hear(layer: int, z: Tensor, attended: Attended | None) -> Tensor:
        z = change(layer, z.clone(), attended)
        heard.append((z if z.requires_grad else z.requires_grad_(), attended))
        return z

    with torch.enable_grad():
        final = _run(asked, len(sets), Listener(output=hear))
        logits = asked.decoder.read_out(final[:, asked.position])[:, : asked.vocabulary.size]
        gradients = torch.autograd.grad(score(logits).sum(), [z for z, _ in heard])
    with torch.no_grad():
        effects = [
            _effects(layer, z.detach(), attended, gradient, edit)
            for layer, ((z, attended), gradient) in enumerate(zip(heard, gradients, strict=True))
        ]
    return torch.stack(effects, 1).cpu()


def _run(asked: Asked, rows: int, listener: Listener) -> Float[Tensor, "row pos d_model"]:
    """The final residual stream of so many copies of the prompt."""
    final: list[Tensor] = []
    hook = asked.decoder.blocks[-1].register_forward_hook(
        lambda _, args, output: final.append(first_tensor(output))
    )
    try:
        with listening(listener):
            asked.decoder.run_blocks(asked.ids.expand(rows, -1))
    finally:
        hook.remove()
    return final[0]


def _effects(
    layer: int,
    z: Float[Tensor, "row pos head d_head"],
    attended: Attended | None,
    gradient: Float[Tensor, "row pos head d_head"],
    edit: Edit,
) -> Float[Tensor, "row head"]:
    count, heads = z.shape[0], z.shape[2]
    rows = torch.arange(count, device=z.device).repeat_interleave(heads)
    which = torch.arange(heads, device=z.device).repeat(count)
    own = z[rows, :, which]
    change = edit(Place(layer, rows, which, attended), own) - own
    return (change * gradient[rows, :, which]).sum((1, 2)).reshape(count, heads)
