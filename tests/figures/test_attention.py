"""Attention maps: record in, spec out."""

from dataclasses import replace

import numpy as np
import pytest

from attention_viz.figures import palette
from attention_viz.figures.attention import FOLLOW, draw_map, map_scale
from attention_viz.figures.circuits.node import draw_pattern
from attention_viz.records.circuits.node import NodeDetail, NodeRequest
from attention_viz.records.errors import BadInput
from tests.builders import NASTY, maps_of, pairs_of, tokens_of


def triangle(weights):
    """Rounded as sent, up to the diagonal."""
    return [pytest.approx(row[: i + 1].tolist(), abs=6e-5) for i, row in enumerate(weights)]


def test_weights_are_drawn_and_what_causality_hides_is_not_there():
    maps = maps_of()
    spec = draw_map(maps, 1)
    assert spec["values"] == triangle(maps.clean[1]) and spec["triangle"]
    assert (spec["scale"]["low"], spec["scale"]["high"]) == (0, 1)
    assert spec["scale"]["colours"][-1] == palette.LIGHT.strength


def test_ablated_and_difference():
    maps = maps_of()
    assert draw_map(maps, 0, "ablated")["values"] == triangle(maps.ablated[0])
    difference = draw_map(maps, 0, "difference")
    assert difference["values"] == triangle(maps.ablated[0] - maps.clean[0])
    scale = difference["scale"]
    assert (scale["low"], scale["high"], scale["unit"]) == (
        -1, 1, "attention weight, ablated − clean"
    )  # fmt: skip
    assert scale["colours"] == [
        palette.LIGHT.lowered, palette.LIGHT.neutral, palette.LIGHT.raised
    ]  # fmt: skip
    assert map_scale("difference").spec() == scale


@pytest.mark.parametrize("show", ["ablated", "difference"])
def test_a_run_that_was_not_made_is_refused(show):
    with pytest.raises(BadInput):
        draw_map(maps_of(ablated=False), 0, show)


def test_unknown_show_is_refused():
    with pytest.raises(BadInput):
        draw_map(maps_of(), 0, "average")


def test_a_threshold_leaves_values_and_colours_as_they_are():
    everything, some = draw_map(maps_of(), 0), draw_map(maps_of(), 0, threshold=0.2)
    assert some.pop("least") == 0.2 and "least" not in everything
    assert some == everything


def test_focus_and_threshold_can_follow_the_page_in_the_browser():
    spec = draw_map(maps_of(), 0, follow=FOLLOW)
    assert spec["follow"] == {"focus": "attention.focus", "least": "attention.threshold"}


def test_the_tooltip_names_both_ends_and_tells_the_other_runs():
    maps = maps_of()
    spec = draw_map(maps, 1)
    assert (spec["rows"]["word"], spec["columns"]["word"]) == ("from", "to")
    assert spec["rows"]["names"][10] == "␣John_2" and spec["columns"]["names"][4] == "␣John"
    [ablated] = spec["hover"]
    assert ablated["name"] == "ablated" and ablated["values"] == triangle(maps.ablated[1])
    assert [h["name"] for h in draw_map(maps, 0, "difference")["hover"]] == ["clean", "ablated"]
    assert draw_map(maps_of(ablated=False), 0)["hover"] == []


def test_a_click_is_a_cell_in_focus():
    assert draw_map(maps_of(), 0)["click"] == {"change": {"attention.focus": "[row,col]"}}
    assert draw_map(maps_of(), 0)["rows"]["at"] == list(range(15))


def test_the_focus_is_outlined_while_it_is_there():
    assert draw_map(maps_of(), 0, focus=(14, 4))["focus"] == [14, 4]
    assert "focus" not in draw_map(maps_of(), 0, focus=(14, 15))


def test_tokens_with_markup_are_literal_text():
    names = draw_map(maps_of(tokens=tokens_of(NASTY)), 0)["rows"]["names"]
    assert names[0] == "<b>bold</b>" and names[6] == "␇␀"


def test_the_head_is_named_and_said():
    spec = draw_map(maps_of(), 1)
    assert spec["title"] == "L3H1" and "Attention map of L3H1" in spec["about"]
    assert "bar" not in spec and draw_map(maps_of(), 1, colour_bar=True)["bar"]


@pytest.mark.parametrize("count", [1, 2, 60, 120])
def test_any_number_of_tokens(count):
    spec = draw_map(maps_of(tokens=tokens_of(tuple(f" word{i}" for i in range(count)))), 0)
    assert len(spec["rows"]["names"]) == len(spec["values"]) == len(spec["values"][-1]) == count
    assert spec["cells"]["least"] >= 12
    assert np.isfinite([value for row in spec["values"] for value in row]).all()


def test_a_nodes_pattern_is_its_map_with_the_read_outs_row_outlined():
    maps = maps_of()
    request = NodeRequest(pairs_of(), "L3H1")
    detail = NodeDetail(request, maps.tokens, 14, 1.5, (), (), None, maps.clean[1])
    spec = draw_pattern(detail)
    assert spec["values"] == triangle(maps.clean[1]) and spec["focus"] == [14, None]
    assert spec["title"] == "" and "L3H1" in spec["about"] and "click" not in spec
    with pytest.raises(BadInput):
        draw_pattern(replace(detail, pattern=None))
