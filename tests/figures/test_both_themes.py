"""Every drawing made once for both themes is, resolved, what each theme has."""

import importlib
import inspect
import json
import pkgutil
import time
from functools import partial

import numpy as np
import pytest

from attention_viz import figures
from attention_viz.figures import palette
from attention_viz.figures.attention import draw_map, map_scale
from attention_viz.figures.circuits.circuit import draw_circuit, draw_contributions, draw_graph
from attention_viz.figures.circuits.circuit_legend import folded_legend, legend
from attention_viz.figures.circuits.circuit_style import stylesheet
from attention_viz.figures.circuits.comparison import (
    comparison_legend,
    comparison_stylesheet,
    draw_compared,
    draw_comparison,
    side_colours,
)
from attention_viz.figures.circuits.faithfulness import draw_curve, draw_minimality
from attention_viz.figures.circuits.node import draw_pattern
from attention_viz.figures.lens import draw_lens
from attention_viz.figures.lens_answer import draw_answer
from attention_viz.figures.looks.agreement import draw_agreement
from attention_viz.figures.looks.control import draw_control
from attention_viz.figures.looks.dose import draw_dose
from attention_viz.figures.looks.family import draw_family
from attention_viz.figures.looks.positions import draw_positions
from attention_viz.figures.looks.redundancy import draw_redundancy
from attention_viz.figures.matrix import Axis, draw_matrix, scale_of
from attention_viz.figures.search import draw_steps
from attention_viz.figures.sweep import cell_colours, cell_gradient, draw_bars
from attention_viz.records.circuits.comparison import compare_circuits
from attention_viz.records.circuits.node import NodeDetail, NodeRequest
from attention_viz.records.ids import parse_heads
from attention_viz.records.metrics import Metric, Sense
from tests.builders import (
    agreement_of,
    circuit_of,
    control_of,
    curve_of,
    cut_of,
    dose_of,
    family_of,
    lens_of,
    maps_of,
    pairs_of,
    positions_of,
    proof_of,
    redundancy_of,
    search_of,
    sweep_of,
)

MAPS = maps_of()
DETAIL = NodeDetail(
    NodeRequest(pairs_of(), "L3H1"), MAPS.tokens, 14, 1.5, (), (), None, MAPS.clean[1]
)
COMPARISON = compare_circuits(cut_of(), cut_of(seed=1))
CUT = cut_of()


def matrix_of(theme):
    scale = scale_of(Sense.CHANGE, "", theme=theme)
    return draw_matrix(
        np.eye(2), Axis("", "ab"), Axis("", "ab"), scale=scale, about="", theme=theme
    )


# By function; each takes theme="light", "dark" or "both". The palette's own are in test_palette.
DRAWINGS = {
    draw_map: [partial(draw_map, MAPS, 0, show) for show in ("clean", "ablated", "difference")],
    map_scale: [lambda theme: map_scale("difference", theme).spec()],
    draw_pattern: [partial(draw_pattern, DETAIL)],
    draw_lens: [partial(draw_lens, lens_of())],
    draw_answer: [partial(draw_answer, lens_of(), lens_of(seed=1))],
    draw_bars: [
        partial(draw_bars, sweep_of(metric=metric), parse_heads("L2H3")) for metric in Metric
    ],
    cell_colours: [partial(cell_colours, sweep_of(metric=metric)) for metric in Metric],
    cell_gradient: [partial(cell_gradient, sweep_of(metric=metric)) for metric in Metric],
    draw_steps: [partial(draw_steps, search_of())],
    draw_curve: [partial(draw_curve, curve_of(), at=100)],
    draw_minimality: [partial(draw_minimality, proof_of())],
    draw_circuit: [partial(draw_circuit, CUT), partial(draw_circuit, circuit_of())],
    draw_graph: [partial(draw_graph, CUT)],
    draw_contributions: [partial(draw_contributions, circuit_of())],
    legend: [partial(legend, CUT), partial(legend, circuit_of())],
    folded_legend: [partial(folded_legend, CUT)],
    stylesheet: [stylesheet],
    draw_comparison: [partial(draw_comparison, COMPARISON)],
    draw_compared: [partial(draw_compared, COMPARISON)],
    comparison_stylesheet: [comparison_stylesheet],
    comparison_legend: [partial(comparison_legend, COMPARISON)],
    side_colours: [side_colours],
    draw_redundancy: [partial(draw_redundancy, redundancy_of())],
    draw_positions: [partial(draw_positions, positions_of())],
    draw_control: [partial(draw_control, control_of())],
    draw_dose: [partial(draw_dose, dose_of())],
    draw_agreement: [partial(draw_agreement, agreement_of())],
    draw_family: [partial(draw_family, family_of())],
    scale_of: [lambda theme, s=sense: scale_of(s, "", theme=theme).spec() for sense in Sense],
    draw_matrix: [matrix_of],
}


def test_every_function_with_a_theme_is_tried_here():
    found = set()
    for module in pkgutil.walk_packages(figures.__path__, f"{figures.__name__}."):
        if module.name != palette.__name__:
            found |= themed(module.name)
    assert found == set(DRAWINGS)


def themed(module):
    """The public functions of a module that take a theme."""
    own = vars(importlib.import_module(module))
    return {
        each
        for name, each in own.items()
        if inspect.isfunction(each)
        and each.__module__ == module
        and not name.startswith("_")
        and "theme" in inspect.signature(each).parameters
    }


@pytest.mark.parametrize("function", DRAWINGS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_one_drawing_serves_both_themes(function, theme):
    for draw in DRAWINGS[function]:
        assert palette.resolve(text_of(draw(theme="both")), theme) == text_of(draw(theme=theme))


@pytest.mark.parametrize("metric", [Metric.LOGIT_DIFF, Metric.KL])
def test_the_grid_of_a_large_model_is_coloured_at_once(metric):
    """All effects differ, as measured ones do."""
    sweep = sweep_of(32, 32, metric)
    low = -1 if metric.is_signed else 0
    sweep.effect[:] = np.linspace(low, 1, 1024).reshape(32, 32)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        cells = cell_colours(sweep, "both")
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.04
    assert len({cell for row in cells for cell in row}) > 200


def text_of(drawn):
    return drawn.to_json() if hasattr(drawn, "to_json") else json.dumps(drawn)
