"""A copied link shows the same page in another window."""

import json
from pathlib import Path

from selenium.webdriver.common.keys import Keys

from attention_viz.records.page import PageState
from tests.browser.wording import HEADS

LINKS = json.loads(
    (Path(__file__).parents[1] / "records" / "links" / "version_1.json").read_text("utf-8")
)
CHOSEN = ("L0H5", "L2H3")


def test_a_copied_link_shows_the_same_page(person, visit, site):
    person.until(lambda: len(person.effects()) == len(HEADS), "the sweep")
    person.selects(*CHOSEN)
    person.chooses("#kind", "mean")
    person.clicks("#theme-switch")
    person.opens_view("circuit")
    person.until(lambda: "mean ablation" in person.text("#prediction"), "mean ablation")
    person.until(lambda: len(person.graph("edges")) > 3, "the graph")
    wanted = PageState().change(heads=CHOSEN, kind="mean", view="circuit", theme="dark")
    person.until(lambda: same_choices(person.state(), wanted), "the choices in the address")
    person.clicks("#copy-link")
    person.until(lambda: any("Link copied" in toast for toast in person.told()), "a toast")
    seen = look(person)

    link = paste(person.browser)
    assert PageState.from_fragment(link.removeprefix(person.url)) == person.state()
    other = visit(site, link.removeprefix(person.url))
    other.until(lambda: look(other) == seen, "the same page in another window")
    assert other.window != person.window


def test_a_link_of_the_first_version_opens(visit, site):
    link = next(link for link in LINKS if link["name"] == "heads and zero")
    person = visit(site, link["fragment"])
    wanted = link["state"]
    person.until(lambda: person.selected() == wanted["heads"], "its heads")
    person.until(lambda: person.texts(".matrix-title") == wanted["heads"], "their maps")
    assert person.value("#prompt") == wanted["prompt"]
    assert person.chosen("#attention-show") == wanted["maps"]
    for head in wanted["heads"]:
        person.until(
            lambda head=head: person.lit(f"#map-{head}") == tuple(wanted["focus"]), "its cell"
        )
    state = person.until(lambda: person.state().heads and person.state(), "the address")
    assert person.js("return location.hash").startswith("#v2.")
    assert state.attention.threshold == wanted["maps_threshold"]
    assert state.flip_to == wanted["flip_to"]


def look(person):
    """What somebody would compare."""
    return {
        "prompt": person.js("return document.getElementById('prompt').value"),
        "counterfactual": person.js("return document.getElementById('counterfactual').value"),
        "heads": person.selected(),
        "clean": person.bars("clean"),
        "ablated": person.bars("ablated"),
        "effects": person.effects(),
        "theme": person.theme(),
        "view": [name for name in ("attention", "circuit") if person.is_shown(f"#view-{name}")],
        "kind": person.chosen("#kind"),
        "flip to": person.value("#pick-flip-to-box"),
        "edges": [(edge["id"], edge["label"]) for edge in person.graph("edges")],
        "state": person.state(),
    }


def same_choices(state, wanted):
    names = ("heads", "kind", "view", "theme")
    return all(getattr(state, name) == getattr(wanted, name) for name in names)


def paste(browser):
    """What the clipboard holds, pasted into a page of its own."""
    here = browser.current_window_handle
    browser.switch_to.new_window("tab")
    browser.get("data:text/html,<textarea id='box'></textarea>")
    box = browser.find_element("id", "box")
    box.click()
    box.send_keys(Keys.CONTROL, "v")
    text = box.get_property("value")
    browser.close()
    browser.switch_to.window(here)
    return text
