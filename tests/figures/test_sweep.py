"""The grid's colours and the bars of a sweep."""

from dataclasses import replace

import numpy as np
import pytest

from attention_viz.figures import palette
from attention_viz.figures.escape import signed
from attention_viz.figures.sweep import cell_colours, cell_gradient, colour_limit, draw_bars
from attention_viz.records.ids import HeadId, parse_heads
from attention_viz.records.metrics import Metric
from tests.builders import sweep_of


def running(sweep, measured):
    """The sweep with only the first `measured` heads done."""
    effect = sweep.effect.copy().ravel()
    effect[measured:] = np.nan
    return replace(sweep, effect=effect.reshape(sweep.effect.shape))


def test_colours_follow_sign_and_size():
    sweep = sweep_of()
    cells = cell_colours(sweep)
    assert (len(cells), len(cells[0])) == sweep.effect.shape
    layer, head = np.unravel_index(np.abs(sweep.effect).argmax(), sweep.effect.shape)
    strongest = palette.LIGHT.against if sweep.effect[layer, head] > 0 else palette.LIGHT.helps
    assert cells[layer][head][0] == strongest
    assert colour_limit(sweep) == np.abs(sweep.effect).max()


def test_no_effect_at_all_is_neutral():
    sweep = replace(sweep_of(), effect=np.zeros((4, 8)))
    assert {cell[0] for row in cell_colours(sweep) for cell in row} == {palette.LIGHT.neutral}


def test_a_running_sweep_has_gaps():
    sweep = running(sweep_of(), 5)
    cells = cell_colours(sweep)
    assert cells[0][7][0] == palette.LIGHT.missing != cells[0][0][0]
    assert len(draw_bars(sweep).data[0].y) == 5


def test_a_sweep_with_nothing_measured_says_so():
    sweep = running(sweep_of(), 0)
    assert colour_limit(sweep) == 0
    figure = draw_bars(sweep)
    assert not figure.data and "No head" in figure.layout.annotations[0].text


def test_bars_are_sorted_by_size_and_coloured_by_sign():
    sweep = sweep_of()
    bars = draw_bars(sweep, most=10).data[0]
    sizes = [abs(y) for y in bars.y]
    assert len(sizes) == 10 and sizes == sorted(sizes, reverse=True)
    assert sizes[0] == np.abs(sweep.effect).max()
    for y, colour, facts in zip(bars.y, bars.marker.color, bars.customdata, strict=True):
        head = HeadId.parse(facts[0])
        assert y == sweep.effect[head.layer, head.head]
        assert colour == (palette.LIGHT.against if y > 0 else palette.LIGHT.helps)
        assert facts[1] == f"{signed(y, 3)} logits"
        assert facts[2] == sweep.top[head.layer][head.head].shown


def test_selected_heads_are_outlined():
    figure = draw_bars(sweep_of(), parse_heads("L2H3, L0H0"))
    bars, names = figure.data[0], list(figure.layout.xaxis.ticktext)
    outlined = {f[0] for f, w in zip(bars.customdata, bars.marker.line.width, strict=True) if w > 0}
    assert outlined == {"L2H3", "L0H0"}
    heads = [facts[0] for facts in bars.customdata]
    assert names == [f"<b>{head}</b>" if head in outlined else head for head in heads]
    assert list(bars.x) == list(figure.layout.xaxis.tickvals) == list(range(len(heads)))


def test_the_axis_names_metric_and_unit():
    assert "(logits)" in draw_bars(sweep_of()).layout.yaxis.title.text
    kl = sweep_of(metric=Metric.KL)
    assert "KL divergence (nats)" in draw_bars(kl).layout.yaxis.title.text
    assert draw_bars(kl).layout.yaxis.range[0] == 0


def test_the_grid_bar_starts_at_0_where_effects_can_not_be_negative():
    assert palette.LIGHT.helps in cell_gradient(sweep_of())
    kl = cell_gradient(sweep_of(metric=Metric.KL))
    assert palette.LIGHT.helps not in kl and f"{palette.LIGHT.faint} 0%" in kl


@pytest.mark.parametrize(
    ("metric", "below", "above"),
    [
        (Metric.LOGIT_DIFF, "helps", "against"),
        (Metric.PROBABILITY, "helps", "against"),
        (Metric.RANK, "against", "helps"),
        (Metric.ENTROPY, "lowered", "raised"),
        (Metric.KL, None, "strength"),
    ],
)
def test_a_heads_colour_says_what_it_does_for_the_answer(metric, below, above):
    sweep = sweep_of(metric=metric)
    bars = draw_bars(sweep).data[0]
    found = {y > 0: colour for y, colour in zip(bars.y, bars.marker.color, strict=True)}
    assert found[True] == getattr(palette.LIGHT, above)
    assert found.get(False) == (below and getattr(palette.LIGHT, below))
    layer, head = np.unravel_index(np.nanargmax(sweep.effect), sweep.effect.shape)
    strongest = sweep.effect[layer, head] == np.abs(sweep.effect).max()
    assert not strongest or cell_colours(sweep)[layer][head][0] == found[True]
