"""Roles of heads, each from a measured behaviour and with the evidence; "unclear" is an answer.

Roles after Olsson et al. 2022, "In-context Learning and Induction Heads", and Wang et al. 2023,
"Interpretability in the Wild: a Circuit for Indirect Object Identification in GPT-2 Small".
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float, Int

from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token


class Role(StrEnum):
    """What a head does."""

    PREVIOUS_TOKEN = "previous token"
    DUPLICATE_TOKEN = "duplicate token"
    INDUCTION = "induction"
    ANSWER = "attends to the answer"
    NAME_MOVER = "name mover"
    NEGATIVE_NAME_MOVER = "negative name mover"
    S_INHIBITION = "S-inhibition"
    BACKUP = "backup"
    UNCLEAR = "unclear"

    @property
    def about(self) -> str:
        """What its score is, and whether it is about the model or about this prompt."""
        return _ABOUT[self]


_ABOUT = {
    Role.PREVIOUS_TOKEN: "about the model: mean attention from each token to the one before it, "
    "on repeated random tokens",
    Role.DUPLICATE_TOKEN: "about the model: mean attention from a repeated token to its earlier "
    "occurrence, on repeated random tokens",
    Role.INDUCTION: "about the model: mean attention from a repeated token to the token after its "
    "earlier occurrence, on repeated random tokens (Olsson et al. 2022)",
    Role.ANSWER: "about this prompt: attention from the read-out to the answer's occurrences",
    Role.NAME_MOVER: "about this prompt: attention from the read-out to the answer × the share of "
    "tokens that the head's OV circuit copies into the top 5, where the head writes towards the "
    "answer (Wang et al. 2023)",
    Role.NEGATIVE_NAME_MOVER: "about this prompt: attention from the read-out to the answer × the "
    "share of tokens that the negated OV circuit has in the top 5, where the head writes against "
    "the answer (Wang et al. 2023)",
    Role.S_INHIBITION: "about this prompt: how much less the name movers above attend to the "
    "answer rather than the distractor when the head is patched into their queries alone",
    Role.BACKUP: "about this prompt: how much more the head helps the answer once the name movers "
    "(else the strongest heads) are ablated, as a share of the clean logit difference",
    Role.UNCLEAR: "no score reaches its threshold",
}

# Attention scores have the request's. The others: a quarter of the attention copied without fail;
# a twentieth of the movers' attention turned away; a tenth of the logit difference held back.
_THRESHOLDS = {
    Role.NAME_MOVER: 0.25,
    Role.NEGATIVE_NAME_MOVER: 0.25,
    Role.S_INHIBITION: 0.05,
    Role.BACKUP: 0.1,
}


@dataclass(frozen=True)
class RolesRequest:
    """Scores of all roles for all heads of the model."""

    question: Question
    threshold: float = 0.4  # of mean attention weights: the general roles and the answer's

    def threshold_of(self, role: Role) -> float:
        """The score at which the role is given."""
        return _THRESHOLDS.get(role, self.threshold)


@dataclass(frozen=True)
class GeneralRequest:
    """The scores of previous-token, duplicate-token and induction heads: about the model alone."""

    model: str
    bos: bool  # whether beginning of text stands before the repeated random tokens


@dataclass(frozen=True, eq=False)
class GeneralScores:
    """Measured once per model; see `RolesRequest` for what is made of it."""

    request: GeneralRequest
    roles: tuple[Role, ...]
    scores: Float[np.ndarray, "role layer head"]
    tokens: tuple[int, ...]  # ids of the first sequence
    query: Int[np.ndarray, "role layer head"]  # the position of a typical row in it
    row: Float[np.ndarray, "role layer head key"]  # that row, 0 beyond the query


@dataclass(frozen=True)
class SeenWeight:
    """An attention weight and the tokens at both its ends."""

    query: int  # position
    query_token: Token
    key: int
    key_token: Token
    weight: float


@dataclass(frozen=True)
class RoleNumber:
    """A number that a score was made of."""

    label: str
    value: float | None  # None: not measured, because another factor had ruled the role out
    unit: str


@dataclass(frozen=True)
class RoleEvidence:
    """What shows a role: an attention row of the head, and the numbers behind the score."""

    role: Role
    label: str  # which row it is
    weights: tuple[SeenWeight, ...]  # its three greatest; () where attention is out of reach
    numbers: tuple[RoleNumber, ...] = ()


@dataclass(frozen=True)
class HeadRole:
    """The role that exceeds its threshold by the greatest factor, and every score behind it."""

    head: HeadId
    role: Role
    score: float | None  # of `role`; of the best role where unclear; None: none was measured
    scores: tuple[tuple[Role, float | None], ...]  # None: can't be measured on this prompt
    # Of every role that reaches its threshold, the given one first; of the best where unclear
    evidence: tuple[RoleEvidence, ...] = ()


@dataclass(frozen=True)
class HeadRoles:
    """One HeadRole per head, layer by layer."""

    request: RolesRequest
    roles: tuple[HeadRole, ...]
    seconds: float = 0.0

    def of(self, head: HeadId) -> HeadRole:
        return next(role for role in self.roles if role.head == head)
