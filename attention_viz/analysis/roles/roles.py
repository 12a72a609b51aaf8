"""Roles of heads; a role is given only where its score reaches its threshold.

Each role's score and evidence are measured in a module of their own: `role_attention` (previous
token, duplicate token, induction, attends to the answer), `role_movers` (name movers and negative
ones), `role_effects` (S-inhibition, backup). Scores of different roles have different scales, so
they are compared as multiples of their thresholds.
"""

import math
import time

from attention_viz.analysis.question import ask
from attention_viz.analysis.roles.role_attention import score_answer, score_general
from attention_viz.analysis.roles.role_effects import score_backup, score_inhibition
from attention_viz.analysis.roles.role_movers import score_movers
from attention_viz.analysis.roles.role_scores import Clean, RoleScores, heads_where
from attention_viz.analysis.sweep import all_heads
from attention_viz.models.loading import LoadedModel
from attention_viz.records.circuits.roles import HeadRole, HeadRoles, Role, RolesRequest
from attention_viz.records.ids import HeadId
from attention_viz.records.pace import Pace

# A head that attends to the answer for one of these is better named by it.
_WHY_ATTENDED = {Role.INDUCTION, Role.NAME_MOVER, Role.NEGATIVE_NAME_MOVER}


def head_roles(model: LoadedModel, request: RolesRequest, pace: Pace | None = None) -> HeadRoles:
    """Scores, role and evidence of every head.

    Without a counterfactual prompt, S-inhibition and backup patch with zeros. What a model or a
    prompt does not allow is None. Raises BadInput where the question can't be asked.
    """
    started = time.perf_counter()
    asked = ask(model, request.question, pace)
    clean = Clean(asked)
    movers = score_movers(clean)
    name_movers = heads_where(movers[0].scores >= request.threshold_of(Role.NAME_MOVER))
    measured = [
        *score_general(clean),
        score_answer(clean),
        *movers,
        score_inhibition(clean, name_movers),
        score_backup(clean, name_movers),
    ]
    roles = tuple(_role_of(head, measured, request) for head in all_heads(asked))
    return HeadRoles(request, roles, time.perf_counter() - started)


def _role_of(head: HeadId, measured: list[RoleScores], request: RolesRequest) -> HeadRole:
    """The best role that reaches its threshold, with the evidence of all that do."""
    values = {each.role: each.scores[head.layer, head.head].item() for each in measured}
    scores = {role: None if math.isnan(value) else value for role, value in values.items()}
    known = [role for role in scores if scores[role] is not None]
    known.sort(key=lambda role: -scores[role] / max(request.threshold_of(role), 1e-9))
    reached = [role for role in known if scores[role] >= request.threshold_of(role)]
    if _WHY_ATTENDED & set(reached):
        reached = [role for role in reached if role is not Role.ANSWER]
    shown = reached or known[:1]
    show = {each.role: each.evidence for each in measured}
    return HeadRole(
        head=head,
        role=reached[0] if reached else Role.UNCLEAR,
        score=scores[shown[0]] if shown else None,
        scores=tuple(scores.items()),
        evidence=tuple(show[role](head) for role in shown),
    )
