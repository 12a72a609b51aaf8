"""Open, examples, heads by grid and by name, their maps, a cell, its tokens."""

from selenium.webdriver.common.keys import Keys

from tests.browser.wording import (
    DEFAULT_QUESTION,
    HEADS,
    MARY,
    SWAPPED,
    by_token,
    rounded,
    shown,
    to_number,
)

FIRST_MAP, SECOND_MAP = ".map:nth-child(1) .matrix", ".map:nth-child(2) .matrix"


def test_the_page_opens_with_an_example_that_was_run(person, site):
    person.until(lambda: len(person.effects()) == len(HEADS), "every head swept")
    assert person.element("#prompt").get_attribute("value") == MARY
    assert person.element("#counterfactual").get_attribute("value") == SWAPPED
    assert person.token_chips()[:3] == ["⟨bos⟩", "When", "␣Mary"]
    assert person.top_token("clean") == "␣Mary"
    assert person.selected() == []

    person.until(lambda: person.state().flip_to is not None, "the example's token to flip to")
    asked = site.cli("ablate", *DEFAULT_QUESTION, "--heads", "L0H0")
    exact = by_token(asked["clean"]["top"])
    bars = person.bars("clean")
    assert bars == {token: rounded(exact[token], 6) for token in bars} and len(bars) == 5


def test_another_example_and_back(person):
    person.until(lambda: person.top_token("clean") == "␣Mary", "the first example's bars")
    person.picks_example("Landmark")
    person.until(lambda: person.top_token("clean") == "␣Paris", "where the tower is")
    assert person.element("#prompt").get_attribute("value") == "The Eiffel Tower is in"
    assert person.element("#counterfactual").get_attribute("value") == ""
    assert person.state().prompt == "The Eiffel Tower is in"
    person.picks_example("Indirect object")
    person.until(lambda: person.top_token("clean") == "␣Mary", "the first example again")
    person.until(lambda: person.state().prompt == MARY, "its prompt in the address")


def test_heads_by_grid_and_by_name_show_their_maps(person, site):
    person.until(person.grid, "the head grid")
    person.until(lambda: "No heads selected" in person.text("#attention-maps"), "what to do")
    person.clicks_head("L2H3")
    person.until(lambda: map_titles(person) == ["L2H3"], "one map")
    person.picks_in_list("heads-menu", "L0H5", typed="L0H5")
    person.until(lambda: map_titles(person) == ["L0H5", "L2H3"], "two maps, layer by layer")
    person.until(lambda: person.selected() == ["L0H5", "L2H3"], "both pressed in the grid")
    assert person.texts("#head-pills .pill") == ["L0H5 ×", "L2H3 ×"]

    person.clicks("#head-pills [data-head=L0H5]")
    person.until(lambda: map_titles(person) == ["L2H3"], "one map again")
    person.selects("L0H0", "L0H5", "L1H1", "L1H2", "L2H3", "L3H1", "L3H2")
    person.until(lambda: person.text("#attention-pages") == "1 of 2", "two pages of maps")
    person.clicks("#attention-next")
    person.until(lambda: map_titles(person) == ["L3H2"], "the seventh map")


def test_a_clicked_cell_is_lit_in_every_map_and_its_tokens_told(person, site):
    person.selects("L0H5", "L2H3")
    person.until(lambda: map_titles(person) == ["L0H5", "L2H3"], "two maps")
    chips = person.token_chips()
    query, key = len(chips) - 1, 10
    assert (chips[key], chips.index("␣John")) == ("␣John", 4), "the second John, not the first"
    weights = person.values(FIRST_MAP)
    assert sum(weights[query]) == rounded(1, 4)

    person.clicks_at(*person.place_in_matrix(FIRST_MAP, query, key))
    for each in (FIRST_MAP, SECOND_MAP):
        person.until(lambda each=each: person.lit(each) == (query, key), f"{each} lit")
    person.until(lambda: person.state().attention.focus == (query, key), "the cell in the address")
    person.until(lambda: fact(person, "position") == str(query), "the query's facts")
    person.until(lambda: "␣John_2 · 10" in person.text("#attention-cell"), "the cell's ends")
    rows = dict(person.table("Weights of the cell"))
    other = person.values(SECOND_MAP)
    assert {head: float(weight) for head, weight in rows.items()} == {
        "L0H5": rounded(weights[query][key], 3),
        "L2H3": rounded(other[query][key], 3),
    }

    person.clicks("#attention-cell .token-chip:nth-of-type(2)")
    person.until(lambda: fact(person, "position") == "10", "the facts of the second John")
    exact = site.cli("lens", *DEFAULT_QUESTION)["top"][-1][10]
    person.until(lambda: "␣John" in fact(person, "token"), "the token")
    told = person.texts("#attention-token-facts .ranking-row")[: len(exact)]
    for row, expected in zip(told, exact, strict=True):
        token, probability = row.rsplit(" ", 1)
        assert token.replace(" ", "") == shown(expected["token"])
        assert to_number(probability) == rounded(expected["probability"], 3)


def test_ablated_maps_and_the_threshold(person):
    person.selects("L0H5", "L2H3")
    person.until(lambda: map_titles(person) == ["L0H5", "L2H3"], "two maps")
    clean = person.values(SECOND_MAP)
    person.chooses("#attention-show", "ablated")
    person.until(lambda: person.values(SECOND_MAP) != clean, "the ablated run's map")
    ablated = person.values(SECOND_MAP)
    person.chooses("#attention-show", "ablated − clean")
    change = ablated[-1][10] - clean[-1][10]
    person.until(lambda: person.values(SECOND_MAP)[-1][10] == rounded(change, 3), "the difference")
    person.chooses("#attention-show", "clean")
    person.until(lambda: person.values(SECOND_MAP) == clean, "the clean run's map again")

    person.js("document.getElementById('attention-threshold').focus()")
    person.presses(Keys.END)
    person.until(lambda: threshold(person) == 1, "the greatest threshold")
    person.presses(Keys.HOME, *5 * [Keys.ARROW_RIGHT])
    person.until(lambda: threshold(person) == rounded(0.05, 4), "a threshold")
    assert person.text("#attention-threshold + .told") == "0.05"
    # A triangle: no query looks at what comes after it.
    count = len(clean)
    seen = [
        [len(row) > at and row[at] is not None and row[at] >= 0.05 for at in range(count)]
        for row in clean
    ]
    assert any(map(any, seen)) and not all(row[0] for row in seen)
    person.until(lambda: person.painted(SECOND_MAP) == seen, "weak weights hidden")


def map_titles(person):
    return person.texts("#attention-maps .matrix-title")


def fact(person, name):
    script = """return [...document.querySelectorAll('#attention-token-facts .facts-list > div')]
        .find(pair => pair.querySelector('dt').innerText === arguments[0])
        .querySelector('dd').innerText"""
    return person.js(script, name)


def threshold(person):
    return person.state().attention.threshold
