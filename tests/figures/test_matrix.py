"""The spec of a matrix: what every heat map of the page says."""

import json

import numpy as np
import pytest

from attention_viz.figures import palette
from attention_viz.figures.matrix import Axis, Cells, Hover, draw_matrix, limit_of, scale_of
from attention_viz.records.metrics import Sense
from tests.builders import NASTY

VALUES = np.array([[0.123456, np.nan, -0.0], [1.0, 0.5, 0.25], [0.0, 2.0, 3.0]])
NAMES = ("a", "b", "c")


def drawn(values=VALUES, **changes):
    size = values.shape
    given = {"scale": scale_of(Sense.SIZE, "attention weight"), "about": "A matrix"}
    rows, columns = Axis("from", NAMES[: size[0]]), Axis.of_tokens("to", NAMES[: size[1]])
    return draw_matrix(values, rows, columns, **(given | changes))


def test_numbers_have_four_decimals_and_what_is_not_there_is_null():
    assert drawn()["values"] == [[0.1235, None, 0], [1, 0.5, 0.25], [0, 2, 3]]
    assert "NaN" not in json.dumps(drawn(np.full((2, 2), np.nan)))


def test_a_triangle_has_nothing_right_of_its_diagonal():
    spec = drawn(is_triangle=True, hover=[Hover("twice", 2 * VALUES, [NAMES] * 3)])
    assert spec["values"] == [[0.1235], [1, 0.5], [0, 2, 3]]
    assert [len(row) for row in spec["hover"][0]["values"]] == [1, 2, 3]
    assert [len(row) for row in spec["hover"][0]["texts"]] == [1, 2, 3]


def test_axes_have_names_words_and_positions():
    spec = drawn()
    assert spec["rows"] == {"word": "from", "names": ["a", "b", "c"]}
    assert spec["columns"]["at"] == [0, 1, 2]


def test_texts_are_said_once_and_stand_in_their_cells():
    text = [["x", "y", "x"], ["x", "x", "x"], ["z", "x", "y"]]
    spec = drawn(text=text, hover=[Hover("again", texts=text)])
    assert spec["words"] == ["x", "y", "z"]
    assert [[spec["words"][i] for i in row] for row in spec["text"]] == text
    assert spec["hover"][0]["texts"] == spec["text"]


def test_a_line_of_the_tooltip_says_how_its_numbers_are_written():
    spec = drawn(hover=[Hover("a", VALUES, digits=2, is_signed=True, unit="nats"), Hover("b")])
    values = drawn()["values"]
    assert spec["hover"] == [
        {"name": "a", "values": values, "digits": 2, "signed": True, "unit": "nats"},
        {"name": "b"},
    ]


def test_nothing_undrawable_is_sent_and_markup_is_literal():
    values = np.ones((len(NASTY), 1))
    spec = draw_matrix(
        values,
        Axis("", NASTY),
        Axis("", ("\x07",)),
        scale=scale_of(Sense.SIZE, ""),
        about="",
        text=[[text] for text in NASTY],
    )
    assert spec["rows"]["names"][0] == "<b>bold</b>" and spec["columns"]["names"] == ["␇"]
    everything = "".join([*spec["words"], *spec["rows"]["names"]])
    assert "\ufffe" not in everything and all(ord(letter) >= 0x20 for letter in everything)


def test_scales_say_their_sides_and_ends():
    size = drawn()["scale"]
    assert (size["low"], size["high"], size["ends"], size["signed"]) == (0, 1, ["0", "1"], False)
    assert size["colours"] == [palette.LIGHT.faint, palette.LIGHT.strength]
    effect = drawn(scale=scale_of(Sense.HELPS_BELOW, "logits", 2.5))["scale"]
    assert (effect["low"], effect["high"], effect["ends"]) == (-2.5, 2.5, ["−2.50", "+2.50"])
    assert effect["colours"][0] == palette.LIGHT.helps and "helps" in effect["sides"][0]
    rank = drawn(scale=scale_of(Sense.HELPS_ABOVE, "ranks"))["scale"]
    assert rank["colours"][-1] == palette.LIGHT.helps and "helps" in rank["sides"][1]
    assert "sides" not in drawn(scale=scale_of(Sense.CHANGE, "nats"))["scale"]


def test_only_what_was_asked_for_is_in_it():
    plain = {"about", "title", "rows", "columns", "values", "scale", "cells", "colours", "hover"}
    assert set(drawn()) == plain
    more = drawn(least=0.1, focus=(1, None), marks={2: "read-out"}, click={"head": "row"})
    assert more["least"] == 0.1 and more["focus"] == [1, None]
    assert more["marks"] == [[2, "read-out"]] and more["click"] == {"head": "row"}
    assert drawn(focus=(0, 0))["focus"] == [0, 0]
    assert drawn(written=0)["written"] == 0


@pytest.mark.parametrize("focus", [(3, 0), (0, 3), (-1, 0), (None, 9)])
def test_a_focus_of_another_prompt_is_let_go(focus):
    assert "focus" not in drawn(focus=focus)


def test_cells_are_square_unless_they_have_a_height():
    assert "height" not in drawn()["cells"]
    assert drawn(cells=Cells(height=26))["cells"]["height"] == 26


def test_a_limit_is_never_0():
    assert limit_of(VALUES) == limit_of(-VALUES) == 3.0
    assert limit_of(np.zeros(3)) == limit_of(np.full(3, np.nan)) == 1.0
