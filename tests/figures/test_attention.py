"""Attention maps: record in, traces out."""

import numpy as np
import pytest

from attention_viz.figures.attention import draw_map
from attention_viz.figures.escape import signed
from attention_viz.records.errors import BadInput
from tests.builders import NASTY, maps_of, tokens_of


def heat(figure):
    return figure.data[0]


def grid(figure):
    return np.array(heat(figure).z, dtype=float)


def test_weights_are_drawn_and_what_causality_hides_is_empty():
    maps = maps_of()
    z = grid(draw_map(maps, 1))
    visible = np.tril(np.ones_like(z, dtype=bool))
    np.testing.assert_array_equal(z[visible], maps.clean[1][visible])
    assert np.isnan(z[~visible]).all()
    assert (heat(draw_map(maps, 1)).zmin, heat(draw_map(maps, 1)).zmax) == (0, 1)


def test_ablated_and_difference():
    maps = maps_of()
    lower = np.tril_indices(15)
    np.testing.assert_array_equal(grid(draw_map(maps, 0, "ablated"))[lower], maps.ablated[0][lower])
    difference = draw_map(maps, 0, "difference")
    np.testing.assert_array_equal(grid(difference)[lower], (maps.ablated[0] - maps.clean[0])[lower])
    assert (heat(difference).zmin, heat(difference).zmid, heat(difference).zmax) == (-1, 0, 1)


@pytest.mark.parametrize("show", ["ablated", "difference"])
def test_a_run_that_was_not_made_is_refused(show):
    with pytest.raises(BadInput):
        draw_map(maps_of(ablated=False), 0, show)


def test_unknown_show_is_refused():
    with pytest.raises(BadInput):
        draw_map(maps_of(), 0, "average")


@pytest.mark.parametrize("show", ["clean", "difference"])
def test_threshold_hides_smaller_weights_and_leaves_the_colours(show):
    all_of_it, some = draw_map(maps_of(), 0, show), draw_map(maps_of(), 0, show, threshold=0.2)
    kept = np.abs(grid(all_of_it)) >= 0.2
    assert 0 < kept.sum() < np.isfinite(grid(all_of_it)).sum()
    assert np.isnan(grid(some)[~kept]).all()
    np.testing.assert_array_equal(grid(some)[kept], grid(all_of_it)[kept])
    assert (heat(some).zmin, heat(some).zmax) == (heat(all_of_it).zmin, heat(all_of_it).zmax)


def test_clicks_name_positions_and_hover_names_tokens_and_both_weights():
    maps = maps_of()
    cell = heat(draw_map(maps, 0)).customdata[10][4]
    assert list(cell[:4]) == [10, 4, "␣John_2", "␣John"]
    clean, ablated = maps.clean[0, 10, 4], maps.ablated[0, 10, 4]
    assert cell[4:6] == pytest.approx([clean, ablated], abs=1e-4)
    assert cell[6] == signed(ablated - clean, 3)
    assert "ablated" in heat(draw_map(maps, 0)).hovertemplate
    assert "ablated" not in heat(draw_map(maps_of(ablated=False), 0)).hovertemplate


def test_tokens_with_markup_are_shown_literally():
    figure = draw_map(maps_of(tokens=tokens_of(NASTY)), 0)
    labels = figure.layout.xaxis.ticktext
    assert labels[0] == "&lt;b&gt;bold&lt;/b&gt;"
    assert heat(figure).customdata[1][0][2:4] == ["␣%&#123;x}", "&lt;b&gt;bold&lt;/b&gt;"]


def test_rows_go_down_cells_are_square_and_the_head_is_named():
    layout = draw_map(maps_of(), 1).layout
    assert layout.yaxis.range[0] > layout.yaxis.range[1]
    assert layout.yaxis.scaleanchor == "x"
    assert layout.title.text == "L3H1"
    plot = (
        layout.width - layout.margin.l - layout.margin.r,
        layout.height - layout.margin.t - layout.margin.b,
    )
    assert plot[0] == plot[1]


def test_focus_outlines_its_row_and_column():
    figure = draw_map(maps_of(), 0, focus=(14, 4))
    row, column = figure.layout.shapes
    assert (row.y0, row.y1, row.x0, row.x1) == (13.5, 14.5, -0.5, 14.5)
    assert (column.x0, column.x1) == (3.5, 4.5)
    assert "<b>" in figure.layout.yaxis.ticktext[14] and "<b>" in figure.layout.xaxis.ticktext[4]
    assert not draw_map(maps_of(), 0, focus=(14, 15)).layout.shapes


def test_colour_bar_names_its_unit_on_demand():
    assert heat(draw_map(maps_of(), 0)).showscale is False
    shown = heat(draw_map(maps_of(), 0, "difference", colour_bar=True))
    assert shown.showscale and "difference of attention" in shown.colorbar.title.text


@pytest.mark.parametrize("count", [1, 2, 30, 60])
def test_any_number_of_tokens(count):
    tokens = tokens_of(tuple(f" word{i}" for i in range(count)))
    layout = draw_map(maps_of(tokens=tokens), 0).layout
    side = layout.width - layout.margin.l - layout.margin.r
    assert side / count >= 12
    assert len(layout.xaxis.ticktext) == count
