"""Every view in both themes against axe-core: WCAG 2 A and AA, and its best practices.

axe/axe.min.js is axe-core 4.14.1 (Deque Systems, MPL 2.0, see axe/LICENSE); tests alone use it.
"""

from pathlib import Path

import pytest

from attention_viz.records.page import VIEWS, PageState
from tests.browser.wording import MARY, SWAPPED

AXE = Path(__file__).parent / "axe" / "axe.min.js"
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


def test_what_opens_has_no_violations(visit, site):
    """Help, menus, a list, folds, a message."""
    person = visit(site, PAGE.change(view="ablation").to_fragment())
    person.until(lambda: person.bars("ablated"), "the page")
    person.unfolds("Table: all heads")
    person.runs_prompt("")
    person.until(person.toasts, "a message")
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
    script = """return axe.run(document, {runOnly: arguments[0], resultTypes: ['violations']})
        .then(({violations}) => violations.flatMap(({id, help, nodes}) => nodes.map((node) =>
            `${id}: ${help}: ${node.target.join(' ')}: ` + node.any.map((each) => each.message)
                .join('; ').slice(0, 200))))"""
    return person.js(script, RULES)
