"""How many requests an action may take, and how many Dash components a view may mount.

No times: a busy machine must not fail these. `python -m tests.benchmarks.page` measures those, with
the same actions and goals.
"""

import pytest

from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question
from tests.browser.actions import ACTIONS, GOALS, HAS_BARS, MOST_COMPONENTS, VIEWS, Action, Case
from tests.browser.probe import Probe


def most_requests(action: Action) -> int | None:
    """Of the strictest goal; None where there is none."""
    goals = [GOALS[key].requests for key in action.results if key in GOALS]
    return min((most for most in goals if most is not None), default=None)


BUDGETED = [action for action in ACTIONS if most_requests(action) is not None]


@pytest.fixture
def case(site):
    """A question that the site has not been asked."""
    family = PairsRequest(Question(EMBEDDED, ""), family="indirect object ABBA", count=2)
    return Case(0, *site.workbench.measure(family).pairs)


@pytest.fixture
def probe(person, site):
    """The window of somebody who has just opened the page."""
    probe = Probe(person.browser, site.url)
    probe.browser.get("about:blank")  # the probe is in pages that are opened from now on
    yield probe
    probe.browser.get(site.url)  # at its end a journey looks at the network's log, which is read


@pytest.mark.parametrize("action", BUDGETED, ids=lambda action: " ".join(action.results))
def test_an_action_keeps_within_its_requests(action, probe, case):
    action.before(probe, case)
    seen = probe.does(
        action.gesture, action.results, done=action.done, facts=case.facts, link=action.link(case)
    )
    assert seen.traffic.requests <= most_requests(action)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_mounts_few_components(view, probe, case):
    probe.shows(case.link(view=view, heads=case.heads), HAS_BARS)
    assert 0 < probe.rests()["components"] <= MOST_COMPONENTS
