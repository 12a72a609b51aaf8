"""The logit lens: record in, spec out."""

import numpy as np
import pytest

from attention_viz.figures import palette
from attention_viz.figures.lens import draw_lens
from tests.builders import NASTY, lens_of, tokens_of


def words(spec, texts=None):
    """[row][position] the cells' texts."""
    return [[spec["words"][place] for place in row] for row in texts or spec["text"]]


def hover(spec):
    return {line["name"]: line for line in spec["hover"]}


def test_colour_is_the_probability_of_the_top_1():
    lens = lens_of()
    spec = draw_lens(lens)
    np.testing.assert_allclose(spec["values"], lens.probability[:, :, 0], atol=6e-5)
    scale = spec["scale"]
    assert (scale["low"], scale["high"], scale["unit"]) == (0, 1, "probability")
    assert scale["colours"][-1] == palette.LIGHT.strength and spec["bar"]


def test_every_cell_names_its_top_1_and_the_embedding_is_at_the_bottom():
    lens = lens_of()
    spec = draw_lens(lens)
    assert words(spec) == [[cell[0].shown for cell in row] for row in lens.top]
    assert spec["rows"]["names"] == ["embed", "L0", "L1", "L2", "L3"] and spec["up"]


def test_long_words_are_whole_whatever_room_there_is():
    long = " antidisestablishmentarianism"
    spec = draw_lens(lens_of(tokens=tokens_of((long,) * 20)))
    assert spec["words"] == ["␣antidisestablishmentarianism"]
    assert spec["cells"]["height"] < 2 * 18, "one line"


def test_the_tooltip_lists_the_top_k_entropy_and_the_answer():
    lens = lens_of(top=5)
    spec = draw_lens(lens)
    lines = hover(spec)
    for k in range(5):
        line = lines[f"{k + 1}."]
        assert words(spec, line["texts"])[3][10] == lens.top[3][10][k].shown
        assert line["values"][3][10] == pytest.approx(lens.probability[3, 10, k], abs=6e-5)
    entropy, answer, rank = lines["entropy"], lines["answer ␣Mary"], lines["rank of ␣Mary"]
    assert entropy["unit"] == "nats"
    assert entropy["values"][3][10] == pytest.approx(lens.entropy[3, 10], abs=6e-5)
    assert answer["values"][3][10] == pytest.approx(lens.answer_probability[3, 10], abs=6e-5)
    assert (rank["values"][3][10], rank["digits"]) == (lens.answer_rank[3, 10], 0)


def test_the_read_out_is_marked_and_the_focus_outlined():
    spec = draw_lens(lens_of(), focus_position=3)
    assert spec["marks"] == [[14, "read-out"]] and spec["focus"] == [None, 3]
    assert "focus" not in draw_lens(lens_of(), focus_position=99)
    assert "focus" not in draw_lens(lens_of())


def test_a_click_moves_the_read_out():
    assert draw_lens(lens_of())["click"] == {"position": "col"}
    assert draw_lens(lens_of())["columns"]["at"][-1] == 14


def test_markup_in_tokens_is_literal_text():
    spec = draw_lens(lens_of(tokens=tokens_of(NASTY)))
    assert spec["columns"]["names"][0] == "<b>bold</b>"
    assert all(ord(letter) >= 0x20 for word in spec["words"] for letter in word)


@pytest.mark.parametrize(("layers", "count"), [(4, 1), (30, 120)])
def test_any_size(layers, count):
    spec = draw_lens(lens_of(layers, tokens_of(tuple(f" w{i}" for i in range(count)))))
    assert np.shape(spec["text"]) == np.shape(spec["values"]) == (layers + 1, count)
