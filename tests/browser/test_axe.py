"""Every view in both themes against axe-core: WCAG 2 A and AA, and its best practices.

axe/axe.min.js is axe-core 4.14.1 (Deque Systems, MPL 2.0, see axe/LICENSE); tests alone use it.
"""

from pathlib import Path

import pytest

from attention_viz.records.page import VIEWS, PageState
from tests.browser.wording import MARY, SWAPPED

AXE = Path(__file__).parent / "axe" / "axe.min.js"
# The effect in a cell of the head grid is a short form (".03") of the number in its name
# ("L0H3: KL divergence 0.0312 nats, …"), which begins with what a person would say: L0H3. Results
# of an older prompt, which fade on purpose, aren't looked at here: a note says what they are.
ALLOWED = {"label-content-name-mismatch": ".head-grid .cell"}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGE = PageState(prompt=MARY, counterfactual=SWAPPED, heads=("L0H5", "L2H3"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", [view.name for view in VIEWS])
def test_a_view_has_no_violations(visit, site, view, theme):
    person = visit(site, PAGE.change(view=view, theme=theme).to_fragment())
    person.until(lambda: person.bars("ablated") and person.is_shown(f"#view-{view}"), "the view")
    person.until(lambda: person.theme() == theme, "the theme")
    person.settles()
    assert violations(person) == []


def test_a_node_of_the_circuit_has_no_violations(visit, site):
    person = visit(site, PAGE.change(view="circuit").to_fragment())
    person.until(lambda: len(person.graph("nodes")) > 3, "the graph")
    person.clicks_at(*person.place_of_node("L2H3"))
    person.until(lambda: person.text("#circuit-detail").startswith("Head L2H3"), "its detail")
    person.settles()
    assert violations(person) == []


def test_what_opens_has_no_violations(visit, site):
    """Help, menus, a list, folds, a message."""
    person = visit(site, PAGE.change(view="ablation").to_fragment())
    person.until(lambda: person.bars("ablated"), "the page")
    person.unfolds("Table: all heads")
    person.clicks("#copy-link")
    person.until(person.toasts, "a message")
    person.settles()
    person.types_into_list("pick-flip-to-box", "Par")
    person.until(lambda: "␣Paris" in person.texts(".combo-list code"), "the list")
    assert violations(person) == []
    person.leaves_list()
    person.clicks("#examples summary")
    assert violations(person) == []
    person.clicks("#help-open")
    person.until(lambda: person.is_shown("#help .offcanvas-body, .help"), "the help")
    person.steady(lambda: person.js("return document.querySelector('.help')?.className"))
    assert violations(person) == []


def violations(person) -> list[str]:
    """What is wrong and where, a line each."""
    person.js(AXE.read_text(encoding="utf-8"))
    script = """const [rules, allowed] = arguments;
        const isAllowed = (id, node) => id in allowed
            && document.querySelector(node.target.join(' '))?.matches(allowed[id]);
        return axe.run(document, {runOnly: rules, resultTypes: ['violations']})
            .then(({violations}) => violations.flatMap(({id, help, nodes}) =>
                nodes.filter((node) => !isAllowed(id, node)).map((node) =>
                    `${id}: ${help}: ${node.target.join(' ')}: `
                        + node.any.map((each) => each.message).join('; ').slice(0, 200))))"""
    return person.js(script, RULES, ALLOWED)
