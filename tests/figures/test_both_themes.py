"""Every drawing made once for both themes is, resolved, what each theme has."""

import json
from functools import partial

import pytest

from attention_viz.figures import palette
from attention_viz.figures.attention import draw_map
from attention_viz.figures.circuits.comparison import (
    comparison_legend,
    comparison_stylesheet,
    draw_comparison,
)
from attention_viz.figures.circuits.faithfulness import draw_curve, draw_minimality
from attention_viz.figures.lens import draw_lens
from attention_viz.figures.lens_answer import draw_answer
from attention_viz.figures.search import draw_steps
from attention_viz.figures.sweep import cell_colours, cell_gradient, draw_bars
from attention_viz.records.circuits.comparison import compare_circuits
from attention_viz.records.metrics import Metric
from tests.builders import curve_of, cut_of, lens_of, maps_of, proof_of, search_of, sweep_of

COMPARISON = compare_circuits(cut_of(), cut_of(seed=1))
DRAWINGS = {
    "map": partial(draw_map, maps_of(), 0, "difference"),
    "lens": partial(draw_lens, lens_of()),
    "answer": partial(draw_answer, lens_of(), lens_of(seed=1)),
    "bars": partial(draw_bars, sweep_of()),
    "cells": partial(cell_colours, sweep_of(metric=Metric.KL)),
    "gradient": partial(cell_gradient, sweep_of()),
    "search": partial(draw_steps, search_of()),
    "curve": partial(draw_curve, curve_of(), at=100),
    "minimality": partial(draw_minimality, proof_of()),
    "comparison": partial(draw_comparison, COMPARISON),
    "comparison's style": partial(comparison_stylesheet),
    "comparison's legend": partial(comparison_legend, COMPARISON),
}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_one_drawing_serves_both_themes(draw, theme):
    assert palette.resolve(text_of(draw(theme="both")), theme) == text_of(draw(theme=theme))


def text_of(drawn):
    return drawn.to_json() if hasattr(drawn, "to_json") else json.dumps(drawn)
