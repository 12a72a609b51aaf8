"""Roles of heads over many pairs: how often each head has one, and how strongly.

The scores are those of `head_roles` for one prompt after another. Backup is left out: it sweeps all
heads again for every pair.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.analysis.question import ask_pair
from attention_viz.analysis.roles.role_attention import score_answer, score_general
from attention_viz.analysis.roles.role_effects import score_inhibition
from attention_viz.analysis.roles.role_movers import score_movers
from attention_viz.analysis.roles.role_scores import Clean, RoleScores, heads_where
from attention_viz.models.loading import LoadedModel
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.roles import Role, RolesRequest
from attention_viz.records.ids import HeadId
from attention_viz.records.pace import Pace
from attention_viz.records.statistics import Mean, Rate


@dataclass(frozen=True)
class RoleRate:
    """One head in one role, over the pairs on which it could be measured."""

    head: HeadId
    role: Role
    reached: Rate  # of the pairs: the score reaches the role's threshold
    score: Mean


def rate_roles(
    model: LoadedModel, request: PairsRequest, pace: Pace | None = None
) -> tuple[RoleRate, ...]:
    """Rates of the roles that are about a prompt, strongest first within each role.

    Heads that reach a role's threshold on no pair are left out. Raises BadInput where no pair can
    be asked.
    """
    pace = pace or Pace()
    asked_roles = RolesRequest(request.question)
    by_role: dict[Role, list[Float[Tensor, "layer head"]]] = {}
    pairs = read_pairs(model, request, pace).pairs
    for done, pair in enumerate(pairs):
        pace.report(done, len(pairs))
        for found in _of_prompt(Clean(ask_pair(model, request.question, pair, pace)), asked_roles):
            by_role.setdefault(found.role, []).append(found.scores)
    rates: list[RoleRate] = []
    for role, scores in by_role.items():
        of_role = list(_rates(role, torch.stack(scores), asked_roles.threshold_of(role)))
        rates += sorted(of_role, key=lambda rate: (-rate.reached.count, -rate.score.value))
    return tuple(rates)


def general_roles(
    model: LoadedModel, request: PairsRequest, pace: Pace | None = None
) -> dict[Role, Float[Tensor, "layer head"]]:
    """Scores of the roles that are about the model, whatever is asked: on random tokens, twice."""
    pace = pace or Pace()
    pair = read_pairs(model, request, pace).pairs[0]
    clean = Clean(ask_pair(model, request.question, pair, pace))
    return {found.role: found.scores for found in score_general(clean)}


def _of_prompt(clean: Clean, request: RolesRequest) -> Iterator[RoleScores]:
    movers = score_movers(clean)
    yield score_answer(clean)
    yield from movers
    chosen = heads_where(movers[0].scores >= request.threshold_of(Role.NAME_MOVER))
    yield score_inhibition(clean, chosen)


def _rates(
    role: Role, scores: Float[Tensor, "pair layer head"], threshold: float
) -> Iterator[RoleRate]:
    for head in heads_where((scores >= threshold).any(0)):
        own = scores[:, head.layer, head.head]
        own = own[~own.isnan()]
        reached = Rate(int((own >= threshold).sum()), len(own))
        yield RoleRate(head, role, reached, Mean.over(own.tolist()))
