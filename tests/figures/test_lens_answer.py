"""The answer's probability after each layer."""

from dataclasses import replace

import pytest

from attention_viz.figures import palette
from attention_viz.figures.lens_answer import draw_answer
from tests.builders import lens_of

READ_OUT = 5
CLEAN, ABLATED = (replace(lens_of(seed=seed), position=READ_OUT) for seed in (0, 1))


def test_each_run_has_its_own_line_at_the_read_out():
    lines = draw_answer(CLEAN, ABLATED).data
    assert [line.name for line in lines] == ["clean", "ablated"]
    for line, lens in zip(lines, (CLEAN, ABLATED), strict=True):
        assert list(line.y) == lens.answer_probability[:, READ_OUT].tolist()
        ranks = [
            (name, int(rank[READ_OUT]))
            for name, rank in zip(lens.rows, lens.answer_rank, strict=True)
        ]
        assert [tuple(facts) for facts in line.customdata] == ranks
        assert line.hovertemplate.startswith(f"{line.name}, after %{{customdata[0]}}")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_runs_have_the_colours_that_runs_have(theme):
    colours = palette.theme_of(theme)
    drawn = [line.line.color for line in draw_answer(CLEAN, ABLATED, theme).data]
    assert drawn == [colours.clean, colours.ablated]


def test_layers_go_from_the_embedding_to_the_right_and_the_answer_is_named():
    layout = draw_answer(CLEAN).layout
    assert list(layout.xaxis.ticktext) == ["embed", "L0", "L1", "L2", "L3"]
    assert list(layout.xaxis.tickvals) == list(draw_answer(CLEAN).data[0].x) == [0, 1, 2, 3, 4]
    assert layout.yaxis.title.text == "probability of ␣Mary"
    assert not layout.showlegend and draw_answer(CLEAN, ABLATED).layout.showlegend


def test_both_runs_are_read_at_the_clean_ones_read_out():
    elsewhere = replace(ABLATED, position=2)
    assert list(draw_answer(CLEAN, elsewhere).data[1].y) == list(
        draw_answer(CLEAN, ABLATED).data[1].y
    )
