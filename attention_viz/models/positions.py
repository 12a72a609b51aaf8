"""Position embeddings that a model adds to its tokens': learned ones (GPT-2) or fixed ones.

Found by a run whose token embeddings are zero, not by architecture: what still enters the first
block is what positions add. Rotary positions and ALiBi are part of attention, and add nothing.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.models.decoder import Decoder


@torch.no_grad()
def position_embeddings(decoder: Decoder, length: int) -> Float[Tensor, "pos d_model"] | None:
    """What positions 0 … length − 1 add to the stream that enters the first block.

    None where it is the same at all of them, or depends on the token (a norm over the sum): there
    is then no part of the input that would be the position's.
    """
    ids = torch.zeros(1, max(2, min(length, _most(decoder))), dtype=torch.long)
    ids = ids.to(decoder.device)
    hook = decoder.embedding.register_forward_hook(lambda _, args, output: output * 0)
    try:
        added = decoder.embed(ids)[0]
    finally:
        hook.remove()
    if torch.equal(added, added[:1].expand_as(added)):
        return None
    tokens = decoder.embed(ids)[0] - added  # of one token: the same everywhere, if that is a sum
    if not torch.allclose(tokens, tokens[:1].expand_as(tokens), rtol=1e-3, atol=1e-5):
        return None
    return added[:length]


def _most(decoder: Decoder) -> int:
    return getattr(decoder.hf.config, "max_position_embeddings", None) or 2**31
