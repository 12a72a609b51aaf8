"""One node of the computation: what it promotes and suppresses, and what ablating it changes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attention_viz.records.ablation import Ablation
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token, Tokens


@dataclass(frozen=True)
class NodeRequest:
    """A head "L2H3", an MLP "L2MLP", or "input", the embeddings; of a family, its first pair.

    A question of its own needs no counterfactual unless the ablation does.
    """

    pairs: PairsRequest
    node: str
    ablation: Ablation = Ablation()
    top: int = 8  # tokens listed at each end

    @property
    def question(self) -> Question:
        return self.pairs.question


@dataclass(frozen=True)
class WrittenToken:
    """What a node writes directly to a token's logit."""

    token: Token
    logits: float  # more than to the mean token of the vocabulary


@dataclass(frozen=True, eq=False)
class NodeDetail:
    """A node in the clean run of one prompt; None is what this model does not allow.

    `contribution`, `promoted` and `suppressed` are the node's direct write at the read-out: through
    the final norm, its scale as in this run, and the unembedding.
    """

    request: NodeRequest
    tokens: Tokens
    position: int  # read-out
    contribution: float | None  # to answer − distractor, logits
    promoted: tuple[WrittenToken, ...]  # the greatest first; () where contribution is None
    suppressed: tuple[WrittenToken, ...]  # the least first
    effect: float | None  # change of the logit difference when its output is ablated, logits
    pattern: Float[np.ndarray, "query key"] | None  # of a head: attention weights
