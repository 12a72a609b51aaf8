"""Roles of heads, from measured attention; "unclear" is an answer."""

from dataclasses import dataclass
from enum import StrEnum

from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question


class Role(StrEnum):
    """What a head's attention looks like."""

    PREVIOUS_TOKEN = "previous token"
    DUPLICATE_TOKEN = "duplicate token"
    INDUCTION = "induction"
    ANSWER = "attends to the answer"
    UNCLEAR = "unclear"

    @property
    def about(self) -> str:
        return _ABOUT[self]


_ABOUT = {
    Role.PREVIOUS_TOKEN: "mean attention from each token to the one before it, "
    "on repeated random tokens",
    Role.DUPLICATE_TOKEN: "mean attention from a repeated token to its earlier occurrence, "
    "on repeated random tokens",
    Role.INDUCTION: "mean attention from a repeated token to the token after its earlier "
    "occurrence, on repeated random tokens (Olsson et al. 2022)",
    Role.ANSWER: "attention from the read-out to the answer's occurrences in this prompt",
    Role.UNCLEAR: "no score reaches the threshold",
}


@dataclass(frozen=True)
class RolesRequest:
    """Scores of all roles for all heads of the model."""

    question: Question
    threshold: float = 0.4  # a role is given at this score or above


@dataclass(frozen=True)
class HeadRole:
    """The role with the greatest score, and every score behind it."""

    head: HeadId
    role: Role
    score: float  # attention weight, 0 to 1, of `role`; of the best role where unclear
    scores: tuple[tuple[Role, float | None], ...]  # None: can't be measured on this prompt


@dataclass(frozen=True)
class HeadRoles:
    """One HeadRole per head, layer by layer."""

    request: RolesRequest
    roles: tuple[HeadRole, ...]

    def of(self, head: HeadId) -> HeadRole:
        return next(role for role in self.roles if role.head == head)
