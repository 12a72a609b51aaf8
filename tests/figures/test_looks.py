"""The figures of the closer looks: record in, traces out."""

from dataclasses import replace

import numpy as np
import pytest

from attention_viz.figures.looks.agreement import draw_agreement
from attention_viz.figures.looks.control import draw_control
from attention_viz.figures.looks.dose import draw_dose
from attention_viz.figures.looks.positions import draw_positions
from attention_viz.figures.looks.redundancy import draw_redundancy
from tests.builders import (
    NASTY,
    agreement_of,
    control_of,
    dose_of,
    positions_of,
    redundancy_of,
    tokens_of,
)

FIGURES = [
    (draw_redundancy, redundancy_of),
    (draw_positions, positions_of),
    (draw_control, control_of),
    (draw_dose, dose_of),
    (draw_agreement, agreement_of),
]


def test_redundancy_draws_the_excess_with_0_in_the_middle():
    found = redundancy_of()
    heat, numbers = draw_redundancy(found).data
    assert np.array_equal(np.array(heat.z), found.excess, equal_nan=True)
    assert heat.zmax == -heat.zmin == np.nanmax(np.abs(found.excess))
    assert heat.colorbar.title.text == "logits"
    assert "together −0.500" in heat.customdata[0][1][1]
    assert "sum of each alone −0.250" in heat.customdata[0][1][1]
    assert len(numbers.text) == 6 and numbers.text[0] == "−0.25"


def test_positions_are_labelled_by_token_and_head():
    found = positions_of()
    figure = draw_positions(found)
    assert list(figure.layout.yaxis.ticktext) == ["L0H1", "L2H2", "L3H0"]
    assert len(figure.layout.xaxis.ticktext) == len(found.tokens)
    assert figure.layout.yaxis.autorange == "reversed"  # the first head on top
    assert figure.data[0].customdata[1][2][0] == "L2H2"  # what a click selects


def test_control_counts_every_set_once_and_marks_the_chosen_one():
    found = control_of()
    bars, own = draw_control(found).data
    assert sum(bars.y) == len(found.random) == 201
    assert own.x[0] == own.x[1] == found.effect
    half = replace(found, random=np.where(np.arange(201) < 50, found.random, np.nan))
    assert sum(draw_control(half).data[0].y) == 50
    none = replace(found, random=np.full(3, np.nan))
    assert not draw_control(none).data


def test_dose_draws_both_tokens_and_the_flip():
    found = dose_of()
    figure = draw_dose(found)
    answer, distractor = figure.data
    assert list(answer.y) == list(found.answer_probability)
    assert (answer.name, distractor.name) == ("␣Mary", "␣John")
    assert figure.layout.shapes[0].x0 == 0.25
    assert "␣John → ␣Mary" in figure.layout.annotations[0].text


def test_agreement_is_on_the_scale_of_correlations():
    heat = draw_agreement(agreement_of()).data[0]
    assert (heat.zmin, heat.zmax) == (-1, 1) and heat.z[0][1] == 0.6


@pytest.mark.parametrize(("draw", "make"), FIGURES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_tokens_of_users_are_drawn_literally(draw, make, theme):
    text = draw(make(tokens_of(NASTY, bos=False)), theme).to_json()
    assert "<b>bold" not in text and "\\u003cb\\u003ebold" not in text
    assert "%{x}" not in text.replace("%{customdata", "").replace("%{y", "")
