"""The logit lens: record in, traces out."""

import html

import numpy as np
import pytest

from attention_viz.figures import palette
from attention_viz.figures.lens import draw_lens
from tests.builders import NASTY, lens_of, tokens_of


def words(figure):
    """[row][position] the cells' texts, line breaks undone."""
    trace = figure.data[1]
    texts = {}
    for x, y, text in zip(trace.x, trace.y, trace.text, strict=True):
        texts[y, x] = html.unescape(text.replace("<br>", ""))
    return texts


def test_colour_is_the_probability_of_the_top_1():
    lens = lens_of()
    heat = draw_lens(lens).data[0]
    np.testing.assert_array_equal(heat.z, lens.probability[:, :, 0])
    assert (heat.zmin, heat.zmax, heat.colorbar.title.text) == (0, 1, "probability")


def test_every_cell_names_its_top_1_and_the_embedding_is_at_the_bottom():
    lens = lens_of()
    figure = draw_lens(lens, width=1100)
    assert words(figure) == {
        (row, at): lens.top[row][at][0].shown for row in range(5) for at in range(15)
    }
    assert figure.layout.yaxis.ticktext[0] == "embed"
    assert figure.layout.yaxis.range[0] < figure.layout.yaxis.range[1]


def test_long_words_are_wrapped_and_shortened_but_whole_in_the_hover():
    long = " antidisestablishmentarianism"
    lens = lens_of(tokens=tokens_of((long,) * 20))
    figure = draw_lens(lens, width=560)
    text = figure.data[1].text[0]
    assert "<br>" in text and "…" in text and text.endswith("sm")
    assert "␣antidisestablishmentarianism" in figure.data[0].customdata[0][0][2]


@pytest.mark.parametrize("width", [450, 620, 900])
def test_texts_fit_their_cells(width):
    lens = lens_of(tokens=tokens_of(tuple(" w" + "o" * (i % 14) + "rd" for i in range(15))))
    figure = draw_lens(lens, width=width)
    margin = figure.layout.margin
    cell = (figure.layout.width - margin.l - margin.r) / 15
    assert figure.layout.width == pytest.approx(width, abs=2)
    for text, size in zip(figure.data[1].text, figure.data[1].textfont.size, strict=True):
        longest = max(len(html.unescape(line)) for line in text.split("<br>"))
        assert 7.5 <= size <= 11
        assert longest * size * palette.MONO_EM <= cell


def test_it_grows_for_long_prompts():
    lens = lens_of(layers=12, tokens=tokens_of(tuple(f" w{i}" for i in range(40))))
    figure = draw_lens(lens, width=620)
    assert figure.layout.width > 40 * 23
    assert len(figure.data[1].text) == 13 * 40


def test_hover_lists_the_top_k_with_probabilities():
    lens = lens_of(top=5)
    row, position, hover = draw_lens(lens).data[0].customdata[3][10]
    assert (row, position) == (3, 10)
    assert hover.startswith("after L2, at <b>␣John_2</b> (10)")
    for token, probability in zip(lens.top[3][10], lens.probability[3, 10], strict=True):
        assert f"{probability:.3f}  <b>{token.shown}</b>" in hover
    assert f"rank {lens.answer_rank[3, 10]}" in hover


def test_the_read_out_is_outlined_and_so_is_the_focus():
    readout, focus = draw_lens(lens_of(), focus_position=3).layout.shapes
    assert (readout.x0, readout.x1) == (13.5, 14.5)
    assert (focus.x0, focus.x1) == (2.5, 3.5)
    assert len(draw_lens(lens_of(), focus_position=99).layout.shapes) == 1


def test_markup_in_tokens_is_literal():
    figure = draw_lens(lens_of(tokens=tokens_of(NASTY)), width=1200)
    everything = " ".join([*figure.data[1].text, *figure.layout.xaxis.ticktext])
    assert "<b>bold" not in everything and "%{" not in everything and "$" not in everything


def test_one_token():
    figure = draw_lens(lens_of(tokens=tokens_of("Hi")))
    assert len(figure.data[1].text) == 5
