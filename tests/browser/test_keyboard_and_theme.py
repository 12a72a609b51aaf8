"""The page by keyboard alone, and the theme, which the link keeps."""

from selenium.webdriver.common.keys import Keys

from tests.browser.wording import HEADS

# The order in which Tab meets what it meets; a grid of heads is one stop.
STOPS = [
    "model-menu",
    "examples",
    "copy-link",
    "help-open",
    "theme-switch",
    "prompt",
    "counterfactual",
    "run",
    "token 0",
    "metric",
    "cell",
    "heads-dropdown",
    "find",
    "sweep",
    "tab-attention",
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
    person.until(lambda: person.text("#pick-flip-to"), "the example's token to flip to")
    person.js("document.activeElement.blur(); window.scrollTo(0, 0)")
    met = []
    for _ in range(90):
        person.presses(Keys.TAB)
        stop = focused(person)
        met.append("cell" if stop in HEADS else stop)
        if met[-1] == STOPS[-1]:
            break
    assert [stop for stop in met if stop in STOPS] == STOPS, met


def test_menus_open_and_close_by_keyboard(person):
    person.until(lambda: len(person.effects()) == len(HEADS), "the whole page")
    person.js("document.getElementById('tab-attention').focus()")
    person.presses(Keys.ARROW_RIGHT)
    person.until(lambda: person.is_shown("#view-ablation"), "the next view by an arrow key")
    person.presses("?")
    person.until(lambda: "Ablation kinds" in person.text("#help"), "the help by its key")
    person.presses(Keys.ESCAPE)
    person.until(lambda: not person.is_shown("#help"), "the help closed")


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
        const named = at.closest('[id]:not([id^=react-], [id^=radix-])');
        return at.dataset.head || named?.id;"""
    return person.js(script)


def middle(person, head):
    script = """
        const box = document.querySelector(`.head-grid [data-head=${arguments[0]}]`)
            .getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2];"""
    return person.js(script, head)


def background(person):
    return person.js("return getComputedStyle(document.body).backgroundColor")
