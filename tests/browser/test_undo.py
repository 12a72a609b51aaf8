"""Undo and redo by keys, buttons and the browser's Back: each step once, and all of it."""

from selenium.webdriver.common.keys import Keys

from tests.browser.wording import HEADS, MARY


def test_every_step_is_undone_and_done_again(person):
    person.until(lambda: len(person.effects()) == len(HEADS), "the page")
    person.until(lambda: person.state().flip_to is not None, "the example's token to flip to")
    steps = [look(person)]
    for step in (runs_another_prompt, picks_a_head, chooses_scale, slides, opens_the_lens):
        step(person)
        steps.append(person.steady(lambda: look(person)))
    assert all(one != other for one, other in zip(steps, steps[1:], strict=False))

    leaves_boxes(person)
    for before in reversed(steps[:-1]):
        person.presses_together(Keys.CONTROL, "z")
        person.until(lambda before=before: look(person) == before, "the step before")
    assert not person.element("#undo").is_enabled()
    for after in steps[1:]:
        person.presses_together(Keys.CONTROL, Keys.SHIFT, "z")
        person.until(lambda after=after: look(person) == after, "the step again")
    assert not person.element("#redo").is_enabled()

    person.browser.back()
    person.until(lambda: look(person) == steps[-2], "the step before, by Back")
    person.clicks("#redo")
    person.until(lambda: look(person) == steps[-1], "the step again, by its button")
    person.clicks("#undo")
    person.until(lambda: look(person) == steps[-2], "the step before, by its button")
    # Something new ends what could be done again.
    person.opens_view("circuit")
    person.until(lambda: not person.element("#redo").is_enabled(), "nothing to do again")


def test_a_box_undoes_its_own_typing(person):
    person.until(lambda: len(person.effects()) == len(HEADS), "the page")
    person.selects("L2H3")
    box = person.element("#prompt")
    box.send_keys(" x")
    person.presses_together(Keys.CONTROL, "z")
    person.until(lambda: person.value("#prompt") != f"{MARY} x", "the typing undone")
    assert person.selected() == ["L2H3"]


def test_a_pasted_link_is_a_step(person):
    person.until(lambda: len(person.effects()) == len(HEADS), "the page")
    person.selects("L2H3")
    before = person.steady(lambda: look(person))
    other = person.state().change(heads=("L0H5", "L3H1"), kind="mean")
    person.js("window.location.hash = arguments[0]", other.to_fragment())
    person.until(lambda: person.selected() == ["L0H5", "L3H1"], "the link's heads")
    after = person.steady(lambda: look(person))
    leaves_boxes(person)
    person.presses_together(Keys.CONTROL, "z")
    person.until(lambda: look(person) == before, "the page before")
    person.presses_together(Keys.CONTROL, "y")
    person.until(lambda: look(person) == after, "the link again")


def look(person):
    """What somebody would compare, on the page and in the address."""
    return {
        "prompt": person.value("#prompt"),
        "counterfactual": person.value("#counterfactual"),
        "heads": person.selected(),
        "kind": person.chosen("#kind"),
        "scale": person.text("#scale-row .told"),
        "view": person.text("[role=tab][aria-selected=true]"),
        "bars": sorted(person.bars("clean").items()),
        "ablated": sorted(person.bars("ablated").items()),
        "state": person.state(),
    }


def runs_another_prompt(person):
    person.runs_prompt("The Eiffel Tower is in", "")
    person.until(lambda: person.top_token("clean") == "␣Paris", "its answer")


def picks_a_head(person):
    person.clicks_head("L2H3")
    person.until(lambda: person.bars("ablated"), "it ablated")


def chooses_scale(person):
    person.chooses("#kind", "scale")
    person.until(lambda: "scale" in person.text("#prediction .facts"), "scaled instead")


def slides(person):
    """From the middle of the slider to its right, over several values."""
    person.js("document.getElementById('scale').scrollIntoView({block: 'center'})")
    script = """const box = document.getElementById('scale').getBoundingClientRect();
        return [box.left + arguments[0] * box.width, box.top + box.height / 2]"""
    before = person.state().settings
    person.drags(person.js(script, 0.5), person.js(script, 0.8))
    person.until(lambda: person.state().settings != before, "another factor")


def opens_the_lens(person):
    person.opens_view("lens")
    person.until(lambda: person.values("#lens-map"), "the lens")


def leaves_boxes(person):
    person.js("document.activeElement.blur()")
