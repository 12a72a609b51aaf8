"""Direct logit attribution: what each component writes to answer − distractor by itself.

All contributions sum to the logit difference, before a soft cap where the family has one
(`models.direct`).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis.question import Asked
from attention_viz.models.direct import components_of, constant_of, read_parts, unembedded
from attention_viz.records.circuits.circuit import Contribution

UNEMBEDDING_BIAS = "unembedding bias"


@torch.no_grad()
def direct_contributions(asked: Asked) -> tuple[Contribution, ...]:
    """Contributions of all components, in logits; they sum to the clean logit difference.

    The last one is the constant: the final norm's bias read by the unembedding, and the
    unembedding's bias. Raises BadInput where it is not known what single heads write.
    """
    with asked.turn():
        names, read = read_components(asked)
        pair = torch.tensor([asked.answer, asked.distractor], device=read.device)
        answer, distractor = unembedded(asked.decoder, read, pair).unbind(1)
        values = (answer - distractor).tolist()
        constant = constant_of(asked.decoder, pair)
    named = [Contribution(name, value) for name, value in zip(names, values, strict=True)]
    return (*named, Contribution(UNEMBEDDING_BIAS, (constant[0] - constant[1]).item()))


def read_components(asked: Asked) -> tuple[list[str], Float[Tensor, "component d_model"]]:
    """What the unembedding reads of each component at the read-out, and the components' names.

    The final norm's scale is held; its bias belongs to no component. Raises BadInput where it is
    not known what single heads write.
    """
    names, written = components_of(asked.decoder, asked.run, asked.position)
    total = asked.run.residual[-1][0, asked.position]
    return names, read_parts(asked.decoder, written, total)
