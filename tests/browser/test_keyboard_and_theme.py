"""The page by keyboard alone, and the theme, which the link keeps."""

from selenium.webdriver.common.keys import Keys

from tests.browser.wording import HEADS

# The order in which Tab meets what it meets; a grid of heads is one stop.
STOPS = [
    "skip",
    "model-menu",
    "undo",
    "examples",
    "copy-link",
    "help-open",
    "theme-switch",
    "prompt",
    "counterfactual",
    "build-menu",
    "run",
    "token 14",
    "metric",
    "cell",
    "heads-menu",
    "kind",
    "pick-answer-box",
    "find",
    "sweep",
    "tab-attention",
    "attention-show",
    "attention-threshold",
    "map-L2H3",
]


def test_heads_are_picked_with_arrow_keys(person):
    person.until(lambda: len(person.effects()) == len(HEADS), "the grid")
    person.js("document.querySelector('[data-head=L2H3].cell').focus()")
    person.presses(Keys.SPACE)
    person.until(lambda: person.selected() == ["L2H3"], "L2H3 by Space")
    person.presses(Keys.ARROW_RIGHT, Keys.ARROW_UP)
    assert focused(person) == "L3H4"
    person.presses(Keys.ENTER)
    person.until(lambda: person.selected() == ["L2H3", "L3H4"], "L3H4 by Enter")
    person.presses(Keys.HOME)
    assert focused(person) == "L3H0"
    person.presses(Keys.END, Keys.ARROW_DOWN)
    assert focused(person) == "L2H7"
    person.until(lambda: person.bars("ablated"), "the selection ablated")
    # The grid may be drawn anew meanwhile; the selected heads stay pressed.
    assert person.selected() == ["L2H3", "L3H4"]


def test_heads_are_picked_by_a_drag(person):
    person.until(lambda: len(person.effects()) == len(HEADS), "the grid")
    person.drags(middle(person, "L1H2"), middle(person, "L1H4"))
    person.until(lambda: person.selected() == ["L1H2", "L1H3", "L1H4"], "three heads by a drag")


def test_tab_meets_everything_in_the_order_it_is_read(person):
    person.until(lambda: len(person.effects()) == len(HEADS), "the whole page")
    person.selects("L2H3")
    person.until(lambda: person.values("#map-L2H3"), "its map")
    person.settles()
    person.js("document.getElementById('skip').focus()")
    met = [focused(person)]
    for _ in range(90):
        met.append(tabs(person))
        if met[-1] == STOPS[-1]:
            break
    # Each once: a group of tokens, heads, tabs, choices or cells is one stop.
    assert [stop for stop in met if stop in STOPS] == STOPS, met
    assert tabs(person) != STOPS[-1], "one stop for all cells of a map"


def test_the_skip_link_comes_first_and_leads_to_the_view(person):
    person.until(lambda: len(person.effects()) == len(HEADS), "the whole page")
    assert tabs(person) == "skip"
    assert person.js("return document.getElementById('skip').getBoundingClientRect().left") >= 0
    person.presses(Keys.ENTER)
    person.until(lambda: focused(person) == "view", "the view focused")


def test_help_keeps_the_focus_and_gives_it_back(person):
    person.until(lambda: len(person.effects()) == len(HEADS), "the whole page")
    person.clicks("#help-open")
    person.until(lambda: "Ablation kinds" in person.text("#help"), "the help")
    inside = "return Boolean(document.activeElement.closest('.help'))"
    person.until(lambda: person.js(inside), "the focus in it")
    for _ in range(6):
        person.presses(Keys.TAB)
        assert person.js(inside)
    person.presses(Keys.ESCAPE)
    person.until(lambda: not person.is_shown("#help"), "the help closed")
    person.until(lambda: focused(person) == "help-open", "the focus where it was")


def test_arrow_keys_move_in_groups(person):
    person.until(lambda: len(person.effects()) == len(HEADS), "the whole page")
    person.selects("L2H3")
    person.until(lambda: person.values("#map-L2H3"), "its map")
    person.js("document.querySelector('.token.on').focus()")
    person.presses(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ENTER)
    person.until(lambda: person.state().position == 12, "read out two tokens before")
    person.js("document.querySelector('#kind :checked').focus()")
    person.presses(Keys.ARROW_RIGHT)
    person.until(lambda: person.chosen("#kind") == "scale", "the next kind")
    person.js("document.querySelector('#map-L2H3 .matrix-box').focus()")
    person.presses(Keys.ARROW_UP, Keys.ARROW_RIGHT, Keys.ENTER)
    focus = person.until(lambda: person.state().attention.focus, "a cell by keys")
    person.until(lambda: person.lit("#map-L2H3") == focus, "it lit")


def test_menus_open_and_close_by_keyboard(person):
    person.until(lambda: len(person.effects()) == len(HEADS), "the whole page")
    person.js("document.getElementById('tab-attention').focus()")
    person.presses(Keys.ARROW_RIGHT)
    person.until(lambda: person.is_shown("#view-ablation"), "the next view by an arrow key")
    person.presses("?")
    person.until(lambda: "Ablation kinds" in person.text("#help"), "the help by its key")
    person.presses(Keys.ESCAPE)
    person.until(lambda: not person.is_shown("#help"), "the help closed")
    person.js("document.querySelector('#examples summary').focus()")
    person.presses(Keys.ENTER)
    person.until(lambda: person.is_shown("#examples .menu-item"), "the examples")
    person.presses(Keys.TAB, Keys.ESCAPE)
    person.until(lambda: not person.is_shown("#examples .menu-item"), "the examples closed")
    assert focused(person) == "examples"


def test_the_theme_is_switched_without_the_server(person):
    person.until(lambda: len(person.effects()) == len(HEADS), "the page")
    person.selects("L2H3")
    person.opens_view("ablation")
    person.until(lambda: person.is_shown("#sweep-plot[data-drawn]"), "a figure")
    person.settles()
    asked = person.requests()
    ink = """return getComputedStyle(document.querySelector('#sweep-plot .xtick text')).fill"""
    before = person.js(ink)
    person.clicks("#theme-switch")
    person.until(lambda: person.theme() == "dark", "the dark theme")
    person.until(lambda: person.js(ink) != before, "the figure in its colours")
    person.settles()
    assert person.requests() == asked


def test_the_theme_is_kept_in_the_link(person, visit, site):
    person.until(lambda: person.grid(), "the page")
    assert person.theme() == "light"
    light = background(person)
    person.clicks("#theme-switch")
    person.until(lambda: person.theme() == "dark", "the dark theme")
    assert background(person) != light
    person.until(lambda: person.state().theme == "dark", "dark in the address")

    other = visit(site, person.state().to_fragment())
    other.until(lambda: other.grid(), "the page")
    other.until(lambda: other.theme() == "dark", "dark in another window")
    assert background(other) == background(person.looks_here())
    person.reloads()
    person.until(lambda: person.theme() == "dark", "dark after a reload")
    person.clicks("#theme-switch")
    person.until(lambda: person.theme() == "light", "light again")
    person.until(lambda: background(person) == light, "its background")


def focused(person):
    """The head or the id of what has the focus; "token 3" for a token of the prompt."""
    script = """
        const at = document.activeElement;
        if (at.matches('.token')) return `token ${at.dataset.position}`;
        if (at.matches('.pill')) return `pill ${at.dataset.head}`;
        return at.dataset.head || at.closest('[id]')?.id;"""
    return person.js(script)


def tabs(person):
    """Where Tab leads; all heads are one place."""
    person.presses(Keys.TAB)
    stop = focused(person)
    return "cell" if stop in HEADS else stop


def middle(person, head):
    script = """
        const box = document.querySelector(`.head-grid [data-head=${arguments[0]}]`)
            .getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2];"""
    return person.js(script, head)


def background(person):
    return person.js("return getComputedStyle(document.body).backgroundColor")
