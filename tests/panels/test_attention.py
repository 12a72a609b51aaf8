"""The attention view: paging, cells by position, the token beside, and the table."""

import base64
import json
from typing import Any

import numpy as np
import pytest

from attention_viz.panels.kit.acts import perform
from attention_viz.panels.kit.html import to_html
from attention_viz.panels.kit.parts import Reading
from attention_viz.panels.views import attention
from attention_viz.panels.views.attention.maps import (
    PER_PAGE,
    draw_one,
    page_of,
    show_maps,
    show_pager,
    strongest,
)
from attention_viz.panels.views.attention.token import draw_cell, show_cell
from attention_viz.records.page import PageState
from tests.builders import NASTY, maps_of, tokens_of
from tests.panels.fakes import FakeWorkbench
from tests.panels.views import MARY, answer, draw, find_all, text_of

ALL_HEADS = tuple(f"L{layer}H{head}" for layer in (2, 3) for head in range(4))
ONE_PAGE = MARY.change(heads=ALL_HEADS[:2])


@pytest.fixture(scope="module")
def ready(workbench):
    workbench.wait("embedded")
    return workbench


def specs(drawn: Any) -> list[dict]:
    """What the maps drawn are made of."""
    maps = [node for node in find_all(drawn, "div") if "data-matrix" in node.props]
    return [json.loads(node.props["data-matrix"]) for node in maps]


def weights_of(spec: dict) -> list[np.ndarray]:
    """A map's rows: no query has a weight for a later key."""
    return [np.array(row, dtype=float) for row in spec["values"]]


def show(state: PageState, **values: Any) -> PageState:
    return state.put("attention", **values)


def test_without_heads_the_view_teaches():
    bench = FakeWorkbench()
    shown = show_maps(bench, MARY.change(heads=()))
    assert specs(shown) == [] and "Pick heads" in text_of(shown)
    (button,) = find_all(shown, "button")
    assert text_of(button) == "Find heads" and button.props["data-act"] == "find"
    for name in ("attention-pager", "attention-legend", "attention-cell"):
        assert answer(attention, name, bench, MARY.change(heads=()))["html"] == "", name


@pytest.mark.parametrize(
    ("count", "page", "expected"),
    [(0, 0, (0, 1)), (6, 0, (0, 1)), (7, 1, (1, 2)), (7, 9, (1, 2)), (13, -1, (0, 3))],
)
def test_pages_stay_within_what_there_is(count, page, expected):
    assert page_of(count, page) == expected


@pytest.mark.parametrize("page", [1, 9])
def test_the_last_page_shows_the_heads_left(ready, page):
    state = show(MARY.change(heads=ALL_HEADS), page=page)
    shown = show_maps(ready, state)
    assert [spec["title"] for spec in specs(shown)] == list(ALL_HEADS[PER_PAGE:])
    pager = show_pager(ready, state)
    assert "2 of 2" in text_of(pager)
    turns = [json.loads(b.props["data-change"]) for b in find_all(pager, "button")]
    assert turns == [{"attention.page": 0}, {"attention.page": 0}]


def test_one_page_has_no_pager(ready):
    assert show_pager(ready, ONE_PAGE) is None


def test_maps_have_a_row_and_a_column_for_every_token(ready):
    (one, two) = specs(show_maps(ready, ONE_PAGE))
    for spec in (one, two):
        rows = weights_of(spec)
        assert [len(row) for row in rows] == list(range(1, 16)) and spec["triangle"]
        assert np.allclose([row.sum() for row in rows], 1, atol=1e-3)
        assert spec["rows"]["names"][4] == "␣John" and spec["rows"]["names"][10] == "␣John_2"
    assert (one["title"], two["title"]) == ALL_HEADS[:2]


def test_the_difference_is_of_all_selected_heads_ablated_together(ready):
    first_layer = tuple(f"L0H{head}" for head in range(8))
    one, both = (
        specs(show_maps(ready, show(MARY.change(heads=heads), show="difference")))[0]
        for heads in (("L3H1",), ("L3H1", *first_layer))
    )
    largest = [max(np.abs(row).max() for row in weights_of(spec)) for spec in (one, both)]
    assert largest[0] == 0  # its own pattern comes before its output
    assert largest[1] > 0.01


def test_what_is_wrong_is_said_in_place(ready):
    shown = answer(attention, "attention-maps", ready, MARY.change(heads=("L9H9",)))["html"]
    assert "L9H9" in shown and "data-matrix" not in shown


def test_the_cell_clicked_and_the_threshold_are_followed_in_the_browser(ready):
    """So neither a click nor the slider asks the server for maps."""
    state = show(ONE_PAGE, focus=(14, 10), threshold=0.25)
    for spec in specs(show_maps(ready, state)):
        assert spec["follow"] == {"focus": "attention.focus", "least": "attention.threshold"}
        assert spec["click"] == {"change": {"attention.focus": "[row,col]"}}
    read = answer(attention, "attention-maps", ready, state)["reads"]
    assert not {"attention.focus", "attention.threshold", "shared.position"} & set(read)
    assert "attention.focus" in answer(attention, "attention-cell", ready, state)["reads"]


def test_maps_are_known_by_their_heads():
    maps = maps_of()
    names = [
        node.id
        for index in range(2)
        for node in find_all(draw_one(maps, index, ONE_PAGE), "div")
        if node.id
    ]
    assert names == ["map-L2H3", "map-L3H1"]


def test_the_legend_has_the_unit_and_says_which_run(ready):
    clean = answer(attention, "attention-legend", ready, MARY)
    assert "attention weight" in clean["html"] and "ablation" not in clean["html"]
    assert "shared.kind" not in clean["reads"]
    scaled = MARY.change(kind="scale", scale=0.5)
    ablated = answer(attention, "attention-legend", ready, show(scaled, show="ablated"))["html"]
    assert "scale 0.5 ablation of the heads together" in ablated
    change = answer(attention, "attention-legend", ready, show(scaled, show="difference"))["html"]
    assert "−1" in change and "+1" in change and "change of attention weight" in change


# The table


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


def test_the_table_is_of_the_head_chosen_there(ready):
    local = {"attention.table": "L3H1"}
    tools = answer(attention, "attention-table-tools", ready, MARY, **local)["html"]
    assert 'value="L3H1" selected' in tools and 'data-act="attention-csv"' in tools
    table = answer(attention, "attention-table", ready, MARY, **local)["html"]
    assert "Strongest attention weights of L3H1" in table
    for other in ({}, {"attention.table": "L0H0"}):  # not selected any more
        table = answer(attention, "attention-table", ready, MARY, **other)["html"]
        assert f"Strongest attention weights of {MARY.heads[0]}" in table


def test_all_weights_are_saved(ready):
    told = perform(ready, attention.ACTS, MARY, "attention-csv", {})
    lines = base64.b64decode(told["file"]["data"]).decode().splitlines()
    assert told["file"]["name"].endswith(".csv")
    assert len(lines) > 1 + 3 * 15 and any("L3H1" in line for line in lines)
    (said,) = perform(ready, attention.ACTS, MARY.change(heads=()), "attention-csv", {})["says"]
    assert "No heads" in said["message"]


# The token beside


def menu(bench: Any, state: PageState, **local: Any) -> tuple[dict, int]:
    """The menu's lines by position, and the one chosen."""
    told = answer(attention, "attention-token", bench, state, **local)
    assert told["html"]
    options = find_all(draw(attention, "attention-token", bench, Reading(state, local)), "option")
    (chosen,) = [o.props["value"] for o in options if o.props["selected"]]
    return {o.props["value"]: text_of(o) for o in options}, chosen


def test_the_second_john_is_another_token_than_the_first(ready):
    labels, chosen = menu(ready, show(MARY, focus=(10, 4)))
    assert chosen == 10
    assert labels[4] == "␣John · 4"
    assert labels[10] == "␣John_2 · 10"


def test_without_a_focus_the_read_out_is_shown(ready):
    assert menu(ready, MARY)[1] == 14
    assert menu(ready, MARY.change(position=4))[1] == 4
    assert menu(ready, show(MARY, focus=(99, 3)))[1] == 14  # of an older, longer prompt


def test_the_token_chosen_beside_goes_before_the_cell(ready):
    focused = show(MARY, focus=(10, 4))
    assert menu(ready, focused, **{"attention.token": 3})[1] == 3
    for nonsense in (99, -1, "3", None, []):
        assert menu(ready, focused, **{"attention.token": nonsense})[1] == 10


def test_the_token_panel_shows_what_the_model_says_there(ready):
    shown = draw(attention, "attention-token-facts", ready, _reading(MARY))
    text = text_of(shown)
    assert "position 14" in text
    assert "nats" in text
    assert "␣ Mary" in text
    (button,) = find_all(shown, "button")
    assert button.props["data-position"] == 14
    told = answer(attention, "attention-token-facts", ready, MARY, **{"attention.token": 4})
    assert 'data-position="4"' in told["html"] and "local.attention.token" in told["reads"]


def _reading(state: PageState) -> Any:
    return Reading(state)


def test_a_cell_has_its_weight_in_every_head():
    maps = maps_of()
    shown = draw_cell(maps, 14, 10)
    text = text_of(shown)
    for index, head in enumerate(maps.request.heads):
        clean, ablated = (float(run[index][14, 10]) for run in (maps.clean, maps.ablated))
        assert f"{head} {clean:.3f} {ablated:.3f}" in text
    ends = [b.props for b in find_all(shown, "button") if "data-choose" in b.props]
    assert [json.loads(end["data-choose"]) for end in ends] == [
        {"attention.token": 14},
        {"attention.token": 10},
    ]


def test_a_focus_of_an_older_prompt_is_not_shown(ready):
    assert show_cell(ready, show(MARY, focus=(99, 3))) is None
    assert show_cell(ready, show(MARY, focus=(14, 10))) is not None


def test_hostile_tokens_stay_text():
    tokens = tokens_of(NASTY)
    maps = maps_of(tokens=tokens)
    for part in (draw_cell(maps, 3, 0), draw_one(maps, 0, ONE_PAGE)):
        assert "<b>bold" not in to_html(part)


def test_what_needs_no_heads_is_there_without_them(ready):
    """A person reads tokens before any head is picked."""
    none = MARY.change(heads=())
    assert menu(ready, none)[1] == 14
    assert "position" in answer(attention, "attention-token-facts", ready, none)["html"]


def test_while_the_model_is_loaded_every_part_waits():
    bench = FakeWorkbench(embedded=("loading", "reading weights"))
    for part in attention.PARTS:
        told = answer(attention, part.name, bench, show(MARY, focus=(3, 2)))
        is_of_the_page = part.name in (
            "attention-pager",
            "attention-legend",
            "attention-table-tools",
        )
        assert told["waits"] is not is_of_the_page, part.name
