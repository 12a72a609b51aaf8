"""The attention view: paging, clicks by position, the token beside, and the table."""

import numpy as np
import pytest
from dash import Dash, no_update

from attention_viz.panels import attention, attention_token
from attention_viz.panels.attention import (
    PER_PAGE,
    clicked_cell,
    draw_maps,
    draw_page,
    page_of,
    strongest,
)
from attention_viz.panels.attention_token import choices, draw_cell, show_cell, show_facts
from tests.builders import maps_of
from tests.panels.views import MARY, callback_named, find_all, text_of

ALL_HEADS = tuple(f"L{layer}H{head}" for layer in (2, 3) for head in range(4))


@pytest.fixture(scope="module")
def ready(workbench):
    workbench.wait("embedded")
    return workbench


def test_without_heads_the_view_teaches(workbench):
    shown = draw_page(workbench, MARY.change(heads=()))
    assert shown.figures == ()
    assert "Pick heads" in text_of(shown.message)
    assert [button.children for button in find_all(shown.message, "Button")] == ["Find heads"]


@pytest.mark.parametrize(
    ("count", "page", "expected"),
    [(0, 0, (0, 1)), (6, 0, (0, 1)), (7, 1, (1, 2)), (7, 9, (1, 2)), (13, -1, (0, 3))],
)
def test_pages_stay_within_what_there_is(count, page, expected):
    assert page_of(count, page) == expected


def test_the_last_page_shows_the_heads_left(ready):
    shown = draw_page(ready, MARY.change(heads=ALL_HEADS, maps_page=1))
    assert (shown.page, shown.pages) == (1, 2)
    titles = [figure.layout.title.text for figure in shown.figures]
    assert titles == list(ALL_HEADS[PER_PAGE:])


def test_the_difference_is_of_all_selected_heads_ablated_together(ready):
    first_layer = tuple(f"L0H{head}" for head in range(8))
    one, both = (
        draw_page(ready, MARY.change(heads=heads, maps="difference")).figures[0]
        for heads in (("L3H1",), ("L3H1", *first_layer))
    )
    assert np.nanmax(np.abs(one.data[0].z)) == 0  # its own pattern comes before its output
    assert np.nanmax(np.abs(both.data[0].z)) > 0.01


def test_what_is_wrong_is_said_in_place(ready):
    shown = draw_page(ready, MARY.change(heads=("L9H9",)))
    assert shown.figures == ()
    assert "L9H9" in text_of(shown.message)


def test_maps_stand_beside_each_other_only_where_they_fit():
    state = MARY.change(heads=("L2H3", "L3H1"))
    maps = maps_of()
    for room in (300, 620, 1200):
        figures = draw_maps(maps, range(2), state, room)
        columns = max(1, room // int(figures[0].layout.width))
        assert columns == (1 if room == 300 else 2)


def test_a_click_is_a_query_and_a_key():
    click = {"points": [{"x": 10, "y": 14, "curveNumber": 0}]}
    assert clicked_cell([None, click, None]) == (14, 10)
    assert clicked_cell([None, None]) is None


@pytest.mark.parametrize(("focus", "wanted"), [(None, [14, 10]), ((14, 10), None)])
def test_a_second_click_on_the_cell_clears_it(focus, wanted):
    app = Dash()
    attention._register_clicks(app)
    click = callback_named(app, "click")
    page = MARY.change(focus=focus).to_json()
    patch, clicks = click([{"points": [{"x": 10, "y": 14}]}, None], page)
    (operation,) = patch.to_plotly_json()["operations"]
    assert operation["location"] == ["focus"]
    assert operation["params"]["value"] == wanted
    assert clicks == [None, None]  # so that the same cell can be clicked again
    assert click([None, None], page) == (no_update, [no_update] * 2)


def test_the_strongest_weights_come_first_and_know_their_positions():
    maps = maps_of(ablated=False)
    headers, rows = strongest(maps, 1, "clean", most=12)
    assert len(headers) == len(rows[0]) == 5
    weights = [row[4] for row in rows]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == maps.clean[1].max()
    for row in rows:
        assert row[4] == maps.clean[1][row[1], row[3]]


def test_differences_are_ranked_by_size():
    maps = maps_of()
    _, rows = strongest(maps, 0, "difference", most=5)
    change = maps.ablated[0] - maps.clean[0]
    sizes = [abs(change[row[1], row[3]]) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == np.abs(change).max()


def test_the_second_john_is_another_token_than_the_first(ready):
    options, value = choices(ready, MARY.change(focus=(10, 4)))
    assert value == 10
    labels = {option["value"]: option["label"] for option in options}
    assert labels[4] == "␣John · 4"
    assert labels[10] == "␣John_2 · 10"


def test_without_a_focus_the_read_out_is_shown(ready):
    assert choices(ready, MARY)[1] == 14
    assert choices(ready, MARY.change(position=4))[1] == 4
    assert choices(ready, MARY.change(focus=(99, 3)))[1] == 14  # of an older, longer prompt


def test_the_token_panel_shows_what_the_model_says_there(ready):
    shown = show_facts(ready, MARY, 14)
    text = text_of(shown)
    assert "position 14" in text
    assert "nats" in text
    assert "␣ Mary" in text
    (button,) = find_all(shown, "Button")
    assert button.to_plotly_json()["props"]["data-position"] == "14"


def test_a_cell_has_its_weight_in_every_head():
    maps = maps_of()
    text = text_of(draw_cell(maps, 14, 10))
    for index, head in enumerate(maps.request.heads):
        clean, ablated = (float(run[index][14, 10]) for run in (maps.clean, maps.ablated))
        assert f"{head} {clean:.3f} {ablated:.3f}" in text


def test_a_focus_of_an_older_prompt_is_not_shown(ready):
    assert show_cell(ready, MARY.change(focus=(99, 3))) is None


def test_only_the_active_view_computes(workbench):
    app = Dash()
    attention.register(app, None)  # a workbench that was asked would fail
    draw = callback_named(app, "draw")
    results = draw("lens", {}, [], {}, {}, "light", 600, MARY.to_json())
    assert results[2:] == (no_update,) * 5
    assert attention_token.layout() is not None
