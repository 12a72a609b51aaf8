"""Runs whose numbers overflow are refused, with the place where that begins.

A number that is not finite spreads: from its position to all that attend to it, and from its layer
to all above. The lowest layer that has one, and the first position there, is where it came from.
"""

from typing import TYPE_CHECKING

from torch import Tensor

from attention_viz.records.errors import BadInput

if TYPE_CHECKING:
    from attention_viz.models.decoder import Run

_REMEDY = "Ask another prompt, a smaller scale, or a model whose numbers stay in range."


def need_finite_run(run: "Run", *, is_edited: bool = False) -> None:
    """Raises BadInput where the residual stream has NaN or inf: which, at what layer and position.

    Only what leaves the last block is looked at where all is well.
    """
    if is_finite(run.residual[-1]):
        return
    entering = next(i for i, residual in enumerate(run.residual) if not is_finite(residual))
    residual = run.residual[entering]
    position, row = (~residual.isfinite().all(-1)).T.nonzero()[0].tolist()
    kind = "NaN" if residual[row, position].isnan().any() else "inf"
    where = f"after layer {entering - 1}" if entering else "in the embedding, before layer 0"
    whose = "this ablated run" if is_edited else "the run of this prompt"
    raise BadInput(
        f"There is no answer: {whose} has {kind}, first {where} at position {position}.", _REMEDY
    )


def need_finite(values: Tensor, what: str) -> None:
    """Raises BadInput where not all values are finite; `what` is how the message begins."""
    if not is_finite(values):
        raise BadInput(f"{what} has numbers that are not finite.", _REMEDY)


def is_finite(values: Tensor) -> bool:
    """A sum is quick, and finite only where all are; it may overflow where they are."""
    values = values.detach()
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())
