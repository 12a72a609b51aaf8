"""The figures of the closer looks: record in, drawing out."""

from dataclasses import replace

import numpy as np
import pytest

from attention_viz.figures import palette
from attention_viz.figures.looks.agreement import draw_agreement
from attention_viz.figures.looks.control import draw_control
from attention_viz.figures.looks.dose import draw_dose
from attention_viz.figures.looks.family import draw_family
from attention_viz.figures.looks.positions import draw_positions
from attention_viz.figures.looks.redundancy import draw_redundancy
from attention_viz.records.metrics import Metric
from tests.builders import (
    NASTY,
    agreement_of,
    control_of,
    dose_of,
    family_of,
    positions_of,
    redundancy_of,
    tokens_of,
)


def test_redundancy_draws_the_excess_with_0_in_the_middle():
    found = redundancy_of()
    spec = draw_redundancy(found)
    assert np.array_equal(np.array(spec["values"], dtype=float), found.excess, equal_nan=True)
    assert spec["scale"]["high"] == -spec["scale"]["low"] == np.nanmax(np.abs(found.excess))
    assert spec["scale"]["unit"] == "logits" and spec["written"] == 2
    lines = {line["name"]: line["values"] for line in spec["hover"]}
    assert lines["together"][0][1] == -0.5 and lines["sum of each alone"][0][1] == -0.25
    assert lines["together"][0][0] is None and lines["alone"][0][0] == found.single[0]
    assert spec["click"] == {"head": "both"}


def test_a_difference_from_a_sum_takes_no_side():
    assert draw_redundancy(redundancy_of())["scale"]["colours"] == [
        palette.LIGHT.lowered, palette.LIGHT.neutral, palette.LIGHT.raised
    ]  # fmt: skip


def test_positions_are_labelled_by_token_and_head():
    found = positions_of()
    spec = draw_positions(found)
    assert spec["rows"]["names"] == ["L0H1", "L2H2", "L3H0"] and "up" not in spec
    assert spec["columns"]["names"] == list(found.tokens.labels)
    assert spec["click"] == {"head": "row"}
    np.testing.assert_allclose(spec["values"], found.effect, atol=6e-5)
    assert spec["scale"]["high"] == pytest.approx(np.abs(found.effect).max(), abs=6e-5)
    assert spec["hover"][0]["values"][1] == [pytest.approx(found.whole[1], abs=6e-5)] * 15


def test_positions_end_at_the_read_out():
    found = positions_of()
    early = draw_positions(replace(found, effect=found.effect[:, :5], position=4))
    assert early["columns"]["names"] == list(found.tokens.labels[:5])
    assert early["columns"]["at"] == [0, 1, 2, 3, 4] and len(early["values"][0]) == 5


@pytest.mark.parametrize(
    ("metric", "colours"),
    [
        (Metric.LOGIT_DIFF, ["helps", "neutral", "against"]),
        (Metric.PROBABILITY, ["helps", "neutral", "against"]),
        (Metric.RANK, ["against", "neutral", "helps"]),
        (Metric.ENTROPY, ["lowered", "neutral", "raised"]),
        (Metric.KL, ["faint", "strength"]),
    ],
)
def test_the_colour_says_what_the_metric_does(metric, colours):
    found = positions_of()
    found = replace(found, request=replace(found.request, metric=metric))
    drawn = draw_positions(found)["scale"]["colours"]
    assert drawn == [getattr(palette.LIGHT, colour) for colour in colours]


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
    assert list(distractor.y) == list(found.distractor_probability)
    assert (answer.name, distractor.name) == ("␣Mary", "␣John")
    assert figure.layout.shapes[0].x0 == 0.25
    assert "␣John → ␣Mary" in figure.layout.annotations[0].text


def test_dose_tells_each_factors_numbers_and_names_the_runs():
    figure = draw_dose(dose_of())
    assert (
        figure.data[0].customdata[0]
        == figure.data[1].customdata[0]
        == ("z × −1.00<br>logit difference −2.000 logits<br>KL 4.000 nats")
    )
    axis = figure.layout.xaxis
    names = dict(zip(axis.tickvals, axis.ticktext, strict=True))
    assert "ablated" in names[0] and "clean" in names[1] and "reversed" in names[-1]


def test_control_tells_each_bar_and_its_line_stands_up():
    bars, own = draw_control(control_of()).data
    assert bars.x[0] == pytest.approx(-0.975) and bars.width[0] == pytest.approx(0.05)
    assert bars.customdata[0] == f"{bars.y[0]} of 201 sets<br>−1.000 to −0.950 logits"
    assert own.y[0] == 0 and own.y[1] > max(bars.y)
    assert own.textposition == "middle right", "into the figure"
    right = draw_control(replace(control_of(), effect=0.5)).data[1]
    assert right.textposition == "middle left"


def test_agreement_is_on_the_scale_of_correlations():
    found = replace(agreement_of(), correlation=np.array([[1.0, 0.6], [0.5, 1.0]]))
    spec = draw_agreement(found)
    assert (spec["scale"]["low"], spec["scale"]["high"]) == (-1, 1)
    assert spec["values"] == [[1, 0.6], [0.5, 1]]
    assert spec["rows"]["names"] == spec["columns"]["names"] == ["zero", "mean"]
    assert spec["scale"]["colours"][0] == palette.LIGHT.lowered, "no side is the answer's"
    assert "click" not in spec


@pytest.mark.parametrize(("draw", "make"), [(draw_control, control_of), (draw_dose, dose_of)])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_tokens_of_users_are_drawn_literally_by_plotly(draw, make, theme):
    text = draw(make(tokens_of(NASTY, bos=False)), theme).to_json()
    assert "<b>bold" not in text and "\\u003cb\\u003ebold" not in text
    assert "%{x}" not in text.replace("%{customdata", "").replace("%{y", "")


def test_a_strip_has_a_column_for_every_pair_and_outlines_those_that_flip():
    spec = draw_family(family_of())
    assert spec["values"] == [[3, 2, -0.5], [-1, 1, -0.75]]
    assert spec["rows"]["names"] == ["clean", "ablated"]
    assert spec["columns"]["names"] == ["1", "2", "3"]
    assert spec["marks"] == [[0, "flips to ␣John"]]
    assert spec["click"] == {"act": "open-pair"}
    assert (spec["scale"]["low"], spec["scale"]["high"]) == (-3, 3)
    lines = {line["name"]: line["texts"] for line in spec["hover"]}
    words = spec["words"]
    assert [words[place] for place in lines["top-1"][1]] == ["␣John", "␣Mary", "␣store"]
    apart = [words[place] for place in lines[""][0]]
    assert apart == ["", "", "not answered right by the clean model"]
