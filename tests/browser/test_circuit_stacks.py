"""A circuit of 30 layers in the browser: its stacks of MLPs open and fold again."""

import pytest

from attention_viz.figures.circuits.folding import stacks_of
from attention_viz.records.circuits.circuit import CircuitRequest
from attention_viz.records.page import PageState
from attention_viz.workbench import REGISTRY
from tests.browser.wording import MARY
from tests.deep import deep_chosen_of, deep_cut_of

PAGE = PageState(prompt=MARY, heads=("L2H3",), view="circuit")


@pytest.fixture
def deep_site(serve_page):
    def measure(model, request, pace):
        return deep_chosen_of(request)

    return serve_page(registry=REGISTRY | {CircuitRequest: measure})


def test_a_stack_opens_by_a_click_and_is_found_again(visit, deep_site):
    stack = stacks_of(deep_cut_of())[0]
    members = {member.id for member in stack.members}
    person = visit(deep_site, PAGE.to_fragment())
    person.until(lambda: stack.id in ids(person), "the circuit, folded")
    assert not members & ids(person)

    person.clicks_at(*person.place_of_node(stack.id))
    person.until(lambda: members <= ids(person), "its MLPs")
    assert stack.id not in ids(person)
    assert set(person.state().circuit.opened) == members

    opened = person.state().to_fragment()
    person.clicks("#undo")
    person.until(lambda: stack.id in ids(person), "the stack again")
    person.clicks("#redo")
    person.until(lambda: members <= ids(person), "its MLPs again")

    other = visit(deep_site, opened)
    other.until(lambda: members <= ids(other), "its MLPs, by the link")
    assert stack.id not in ids(other)

    # back into its stack by the key, then all MLPs at once by the button
    other.clicks_at(*other.place_of_node(stack.members[0].id))
    other.until(lambda: other.is_shown("#circuit-do-close"), "a way back")
    other.clicks("#circuit-do-close")
    other.until(lambda: stack.id in ids(other), "the stack")
    assert other.state().circuit.opened == ()
    other.clicks("#circuit-do-fold")
    other.until(lambda: not other.state().circuit.folds, "nothing folded")
    every = {node.id for node in deep_cut_of().nodes}
    other.until(lambda: ids(other) == every, "every MLP")


def test_the_graph_of_30_layers_can_be_read_in_its_column(visit, deep_site):
    person = visit(deep_site, PAGE.to_fragment())
    person.resizes(1280, 800)
    person.until(lambda: "logits" in ids(person), "the circuit")
    person.settles()
    zoom = "return document.getElementById('circuit-graph')._cyreg.cy.zoom()"
    assert 11 * person.steady(lambda: person.js(zoom)) >= 8


def ids(person):
    return {node["id"] for node in person.graph("nodes")}
