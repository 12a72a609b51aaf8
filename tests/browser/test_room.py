"""What fits where: every view at every width, long prompts, large models, small windows, zoom."""

import pytest
import torch
from selenium.webdriver.common.keys import Keys
from transformers import GPT2Config, GPT2LMHeadModel

from attention_viz.models.catalogue import Catalogue
from attention_viz.records.page import VIEWS, PageState
from tests.browser.wording import HEADS, MARY, SWAPPED
from tests.models_for_tests import WORDS, save_random_model

PAGE = PageState(prompt=MARY, counterfactual=SWAPPED, heads=("L0H5", "L2H3"))
LONG = " ".join(["to the store and"] * 30)  # 120 words
NAMES = [view.name for view in VIEWS]

# Everything in a card that sticks out of it and out of no scrolling box inside it.
_STICKS_OUT = """
    const told = [];
    for (const card of document.querySelectorAll('.card')) {
        const edge = card.getBoundingClientRect();
        for (const each of card.querySelectorAll('*')) {
            const box = each.getBoundingClientRect();
            if (box.right <= edge.right + 1 && box.left >= edge.left - 5) continue;
            if (!each.checkVisibility()) continue;
            if (each.closest('.visually-hidden, .menu, .btn-check')) continue;
            let at = each.parentElement;
            while (at !== card && getComputedStyle(at).overflowX === 'visible') {
                at = at.parentElement;
            }
            if (at === card) told.push(`${each.tagName} #${each.id} .${each.getAttribute('class')}`
                + ` ${Math.round(box.left)}..${Math.round(box.right)} > ${Math.round(edge.right)}`);
        }
    }
    return told;"""
# Text cut by its box that nobody can read by hovering.
_CUT = """
    return [...document.querySelectorAll('body *')].filter((each) => {
        if (!each.childElementCount && !each.textContent.trim()) return false;
        if (each.closest('svg, input, textarea, select, [title], .visually-hidden')) return false;
        const style = getComputedStyle(each);
        return ['hidden', 'clip'].includes(style.overflowX) && each.checkVisibility()
            && each.clientWidth > 1 && each.scrollWidth > each.clientWidth + 1;
    }).map((each) => `${each.tagName} #${each.id} .${each.className}: `
        + each.textContent.trim().slice(0, 60));"""
_SIDEWAYS = """
    const page = document.documentElement;
    const told = page.scrollWidth > window.innerWidth + 1 ? [`page ${page.scrollWidth}`] : [];
    for (const name of ['.rail', '.views']) {
        const box = document.querySelector(name);
        if (box.scrollWidth > box.clientWidth + 1) told.push(`${name} ${box.scrollWidth}`);
    }
    return told;"""
# What can be pressed or typed into, outside of the window and of every box that scrolls sideways.
_OUT_OF_REACH = """
    const stops = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
    return [...document.querySelectorAll(stops)].filter((each) => {
        const box = each.getBoundingClientRect();
        if (each.closest('.visually-hidden, .skip-link, .btn-check')) return false;
        if (!each.checkVisibility() || !box.width) return false;
        if (each.matches('.visually-hidden, .btn-check')) return false;
        if (box.left >= -1 && box.right <= window.innerWidth + 1) return false;
        for (let at = each.parentElement; at; at = at.parentElement) {
            if (['auto', 'scroll'].includes(getComputedStyle(at).overflowX)) return false;
        }
        return true;
    }).map((each) => `${each.tagName} #${each.id} .${each.className} ${each.textContent}`);"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", NAMES)
def test_a_view_opened_by_its_link_fits_every_width(visit, site, view, theme):
    fragment = PAGE.change(view=view, theme=theme).to_fragment()
    person = visit(site, fragment)
    for width in (1024, 1280, 1920):
        person.resizes(width, 900)
        person.opens(fragment)
        person.until(lambda: person.bars("ablated") and person.is_shown(f"#view-{view}"), "view")
        person.settles()
        assert person.theme() == theme
        fits(person, f"{view} at {width} px")
        assert person.js(_CUT) == [], width
    # Narrower and wider without a reload, as a window is dragged.
    for width in (1024, 1500):
        person.resizes(width, 900)
        person.settles()
        person.until(lambda: not person.js(_STICKS_OUT), "figures as wide as their cards")


def test_tabbing_moves_the_rail_up_and_down_only(visit, site):
    person = visit(site, PAGE.to_fragment())
    person.resizes(1024, 700)
    person.until(lambda: person.bars("ablated"), "the page")
    person.settles()
    moved = """return [...document.querySelectorAll('html, body, .rail, .rail *, .views')]
        .filter((box) => box.scrollLeft && !box.matches('input, textarea'))
        .map((box) => box.className)"""
    for _ in range(45):
        person.presses(Keys.TAB)
        assert person.js(moved) == []


@pytest.mark.parametrize("view", NAMES)
@pytest.mark.parametrize(("width", "height", "scale"), [(320, 640, 1), (640, 400, 2)])
def test_a_small_or_zoomed_window_scrolls_down_only(visit, site, view, width, height, scale):
    fragment = PAGE.change(view=view).to_fragment()
    person = visit(site, fragment)
    person.resizes(width, height, scale)
    person.opens(fragment)
    person.until(lambda: person.bars("ablated") and person.is_shown(f"#view-{view}"), "the view")
    person.settles()
    fits(person, f"{view} at {width} px")
    assert person.js(_OUT_OF_REACH) == []
    # The menus unfold into the window, too.
    for menu in ("#examples", "#build-menu"):
        person.clicks(f"{menu} > summary")
        person.until(lambda menu=menu: person.is_shown(f"{menu} .menu-item"), "the menu")
        assert person.js(_SIDEWAYS) == [] and person.js(_OUT_OF_REACH) == []
        person.clicks(f"{menu} > summary")
    person.clicks("#clear-heads")
    person.until(lambda: not person.selected(), "what is far down can be pressed")


def fits(person, where):
    told = person.js(_STICKS_OUT)
    assert not told, f"{where}: {told[:5]}"
    assert person.js(_SIDEWAYS) == [], where


# Long prompts


def test_names_stay_in_sight_while_a_long_map_scrolls(visit, site):
    state = PageState(prompt=LONG, heads=("L2H3",))
    person = visit(site, state.to_fragment())
    map_ = "#map-L2H3"
    person.until(lambda: len(person.values(map_)) >= 120, "its map")
    row, column = 90, 70
    scrolls_to(person, map_, row, column)
    assert person.js("return document.querySelector('#map-L2H3 .matrix-box').scrollTop") > 0
    person.clicks_at(*cell(person, map_, row, column))
    person.until(lambda: person.state().attention.focus == (row, column), "the cell named")
    person.until(lambda: person.lit(map_) == (row, column), "its names lit")


def test_names_stay_in_sight_while_a_long_lens_scrolls(visit, site):
    person = visit(site, PageState(prompt=LONG, view="lens").to_fragment())
    lens = "#lens-map"
    person.until(lambda: len(person.matrix(lens)["columns"]["names"]) >= 120, "its lens")
    rows = len(person.values(lens))
    scrolls_to(person, lens, rows - 1, 60)
    assert person.js("return document.querySelector('#lens-map .matrix-box').scrollLeft") > 0
    person.clicks_at(*cell(person, lens, rows - 1, 60))
    person.until(lambda: person.state().position == 60, "the column named")


def scrolls_to(person, map_, row, column):
    """Scroll a map in its box until the cell is in its middle; names of both axes are there."""
    script = """
        const box = document.querySelector(`${arguments[0]} .matrix-box`);
        box.scrollIntoView({block: 'center'});
        const names = (axis) => document.querySelectorAll(`${arguments[0]} .matrix-${axis} span`);
        const [row, column] = [names('rows')[arguments[1]], names('columns')[arguments[2]]];
        box.scrollTop = row.offsetTop - box.clientHeight / 3;
        box.scrollLeft = column.offsetLeft - box.clientWidth / 3;"""
    person.js(script, map_, row, column)
    seen = """
        const edge = document.querySelector(`${arguments[0]} .matrix-box`).getBoundingClientRect();
        return ['rows', 'columns'].every((axis, i) => {
            const name = document.querySelectorAll(
                `${arguments[0]} .matrix-${axis} span`)[arguments[1 + i]];
            const box = name.getBoundingClientRect();
            const at = document.elementFromPoint(
                (box.left + box.right) / 2, (box.top + box.bottom) / 2);
            return at && (at === name || at.contains(name)) && box.left >= edge.left - 1
                && box.right <= edge.right + 1 && box.bottom <= edge.bottom + 1;
        });"""
    person.until(lambda: person.js(seen, map_, row, column), "both names in sight")


def cell(person, map_, row, column):
    """Where the names of row and column meet, px of the window."""
    script = """
        const at = (axis, i) => document.querySelectorAll(
            `${arguments[0]} .matrix-${axis} span`)[i].getBoundingClientRect();
        const [row, column] = [at('rows', arguments[1]), at('columns', arguments[2])];
        return [(column.left + column.right) / 2, (row.top + row.bottom) / 2];"""
    return tuple(person.steady(lambda: person.js(script, map_, row, column)))


# The rail without scrolling


def test_prediction_and_search_are_seen_together(visit, site):
    person = visit(site, PAGE.to_fragment())
    person.resizes(1280, 800)
    person.until(lambda: person.bars("ablated"), "the page")
    person.settles()
    assert_seen_together(person)


def test_they_are_with_a_model_of_32_layers_of_32_heads(visit, serve_page, tmp_path):
    catalogue = Catalogue.standard([str(save_wide_model(tmp_path))])
    name = catalogue.entries[-1].name
    person = visit(serve_page(catalogue))
    person.resizes(1280, 800)
    person.until(lambda: len(person.effects()) == len(HEADS), "the embedded model")
    person.runs_prompt("w3 w14 w15", "")
    person.picks_in_menu("model-menu", name)
    person.until(lambda: len(person.grid()) == 32 * 32, "a grid of 32 × 32 heads")
    person.clicks_head("L0H31")
    person.until(lambda: person.bars("ablated"), "the last head of the first layer")
    script = """return [...document.querySelectorAll('.head-grid .cell')].map((cell) =>
        [cell.offsetWidth, cell.offsetHeight])"""
    assert min(min(size) for size in person.js(script)) >= 16
    assert_seen_together(person)
    assert person.js(_SIDEWAYS) == []


def assert_seen_together(person):
    script = """
        document.querySelector('.rail').scrollTop = 0;
        return ['.prediction-card', '#find', '#sweep'].map((name) => {
            const box = document.querySelector(name).getBoundingClientRect();
            return box.top >= 0 && box.bottom <= window.innerHeight;
        })"""
    assert person.js(script) == [True, True, True]


def save_wide_model(path):
    folder = save_random_model("gpt2", path)  # whose tokenizer it takes
    torch.manual_seed(0)
    sizes = {"n_layer": 32, "n_head": 32, "n_embd": 64, "n_positions": 64}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=WORDS + 1, **sizes))
    model.save_pretrained(folder)
    return folder
