"""Roles over many pairs are those of each prompt, counted."""

from dataclasses import replace

import pytest

from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.analysis.roles.role_rates import general_roles, rate_roles
from attention_viz.analysis.roles.roles import head_roles
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.roles import Role, RolesRequest
from attention_viz.records.question import Question

FAMILY = "indirect object ABBA"


@pytest.fixture(scope="module")
def request_(embedded_model):
    return PairsRequest(Question("embedded", ""), FAMILY, 3)


@pytest.fixture(scope="module")
def each(embedded_model, request_):
    """The roles of every pair's prompt, as the page shows them."""
    found = []
    for pair in read_pairs(embedded_model, request_).pairs:
        question = replace(
            request_.question,
            prompt=pair.text.clean,
            counterfactual=pair.text.counterfactual,
            answer=pair.answer.id,
            distractor=pair.distractor.id,
        )
        found.append(head_roles(embedded_model, RolesRequest(question)))
    return found


def test_rates_are_those_of_single_prompts(embedded_model, request_, each):
    rates = rate_roles(embedded_model, request_)
    assert {Role.NAME_MOVER, Role.S_INHIBITION} <= {rate.role for rate in rates}
    for rate in rates:
        scores = [dict(roles.of(rate.head).scores)[rate.role] for roles in each]
        scores = [score for score in scores if score is not None]
        least = RolesRequest(request_.question).threshold_of(rate.role)
        assert rate.reached.of == rate.score.of == len(scores)
        assert rate.reached.count == sum(score >= least for score in scores) > 0
        assert rate.score.value == pytest.approx(sum(scores) / len(scores), abs=1e-6)
    counts = [rate.reached.count for rate in rates if rate.role is Role.NAME_MOVER]
    assert counts == sorted(counts, reverse=True)


def test_general_roles_are_the_models_own(embedded_model, request_, each):
    general = general_roles(embedded_model, request_)
    assert set(general) == {Role.PREVIOUS_TOKEN, Role.DUPLICATE_TOKEN, Role.INDUCTION}
    for role, scores in general.items():
        for roles in each[0].roles:
            one = scores[roles.head.layer, roles.head.head].item()
            assert one == pytest.approx(dict(roles.scores)[role], abs=1e-5)
