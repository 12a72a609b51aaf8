"""Colours: one meaning each, readable, told apart by all eyes, the same in both themes."""

import re
from dataclasses import fields
from itertools import combinations

import numpy as np
import pytest

from attention_viz.figures import palette
from attention_viz.records.circuits.edge import Via
from attention_viz.records.circuits.roles import Role
from attention_viz.records.metrics import Metric, Sense
from tests.figures.colour_sight import distance, least_distance

THEMES = ("light", "dark")
SIGNED = [sense for sense in Sense if sense is not Sense.SIZE]
VALUES = [*np.linspace(-1, 1, 21), float("nan")]
# What stands in one drawing and says something else there
TOGETHER = {
    "edges": ["helps", "against", "muted", "accent"],
    "contributions": ["helps", "against", "clean"],
    "runs": ["clean", "ablated"],
    "changes": ["raised", "lowered", "accent"],
    "maps": ["strength", "accent"],
    "two circuits": ["ink", "left", "right"],
}


def colours_of(theme):
    """Every colour that is a field, by name."""
    colours = palette.theme_of(theme)
    named = {f.name: getattr(colours, f.name) for f in fields(colours) if f.name != "name"}
    vias, roles = named.pop("via"), named.pop("roles")
    return named | {f"via {via}": colour for via, colour in vias.items()} | roles


# Both themes at once


@pytest.mark.parametrize("theme", THEMES)
def test_both_is_each_theme_once_resolved(theme):
    both = colours_of("both")
    assert {n: palette.resolve(c, theme) for n, c in both.items()} == colours_of(theme)
    assert palette.theme_of("both").name == "both"


COMPUTED = [
    *(lambda t, v=v, s=s: palette.diverging(v, 0.7, t, s) for v in VALUES for s in SIGNED),
    *(lambda t, v=v: palette.sequential(abs(v), t) for v in VALUES),
    *(lambda t, v=v, s=s: palette.cell(v, 0.5, s, t) for v in VALUES for s in Sense),
    *(lambda t, v=v, s=s: [palette.sign_colour(v, t, s)] for v in (-1, 0, 2) for s in Sense),
    *(lambda t, r=role: [palette.role_colour(r, t)] for role in Role),
    *(lambda t, s=s: [colour for _, colour in palette.scale_of(s, t)] for s in Sense),
    lambda t: [palette.gradient(palette.diverging_scale(t))],
    lambda t: [palette.see_through(colour, 0.16) for colour in colours_of(t).values()],
    lambda t: [palette.ink_on(colour) for colour in colours_of(t).values()],
    lambda t: [meaning.colour(t) for meaning in palette.MEANINGS],
    lambda t: [palette.css_variables(t)],
    lambda t: [str(palette.layout(t)), str(palette.axis(t)), str(palette.empty_figure("x", t))],
]


@pytest.mark.parametrize("theme", THEMES)
def test_what_is_computed_of_both_is_what_each_theme_has(theme):
    for compute in COMPUTED:
        both = [palette.resolve(text, theme) for text in compute("both")]
        assert both == list(compute(theme))


def test_a_pair_is_css_and_equal_colours_are_plain():
    assert palette.BOTH.helps == "var(--x,light-dark(#1d63b0,#45a6f5))"
    assert palette.BOTH.roles["backup"] == palette.LIGHT.roles["backup"]
    assert palette.see_through(palette.BOTH.helps, 0.5) == (
        "var(--x,light-dark(#1d63b080,#45a6f580))"
    )
    assert palette.see_through("#102030", 1.0) == "#102030ff"


def test_contrast_of_both_is_the_worse_one():
    both = palette.contrast(palette.BOTH.muted, palette.BOTH.card)
    each = [palette.contrast(t.muted, t.card) for t in (palette.LIGHT, palette.DARK)]
    assert both == min(each)


def test_the_style_sheets_get_every_colour_by_name():
    rule = palette.css_variables("dark")
    assert rule.startswith(":root{--page:#0f131a;") and rule.endswith("}")
    names = re.findall(r"--([\w-]+):", rule)
    assert len(names) == len(set(names))
    assert {meaning.name for meaning in palette.MEANINGS} < set(names)
    assert {"card", "ink", "ink2", "muted", "line", "on-accent", "bad"} < set(names)
    for theme in ("light", "dark", "both"):
        rule = palette.css_variables(theme)
        assert all(f"--{m.name}:{m.colour(theme)}" in rule for m in palette.MEANINGS)
    chosen = palette.css_variables("both", '[data-theme="x"]')
    assert chosen.startswith('[data-theme="x"]{') and "light-dark(" in chosen


# Meanings


def test_every_meaning_has_its_own_colour_and_words():
    names = [meaning.name for meaning in palette.MEANINGS]
    assert len(set(names)) == len(names)
    assert all(meaning.title and meaning.says for meaning in palette.MEANINGS)
    for theme in THEMES:
        colours = {meaning.name: meaning.colour(theme) for meaning in palette.MEANINGS}
        near = [
            (one, other)
            for one, other in combinations(colours, 2)
            if distance(colours[one], colours[other]) < 8
        ]
        assert near == []
    assert {f"via-{via.value.lower()}" for via in Via} < set(names)


def test_words_of_the_two_sides_are_not_each_others():
    said = {meaning.name: meaning.says for meaning in palette.MEANINGS}
    assert "more of a lead" in said["helps"] and "loses" in said["helps"]
    assert "less of a lead" in said["against"] and "gains" in said["against"]
    assert "above 0" in said["raised"] and "below 0" in said["lowered"]


@pytest.mark.parametrize(
    ("sense", "below", "above"),
    [
        (Sense.HELPS_BELOW, "helps", "against"),
        (Sense.HELPS_ABOVE, "against", "helps"),
        (Sense.CHANGE, "lowered", "raised"),
    ],
)
@pytest.mark.parametrize("theme", THEMES)
def test_a_sign_has_the_colour_of_what_it_means(sense, below, above, theme):
    colours = palette.theme_of(theme)
    for value, name in ((-2.0, below), (2.0, above)):
        assert palette.sign_meaning(value, sense) == name
        assert palette.sign_colour(value, theme, sense) == getattr(colours, name)
        assert palette.diverging(value, 2.0, theme, sense)[0] == getattr(colours, name)
    assert palette.sign_meaning(0.0, sense) == "nil"
    assert palette.sign_colour(0.0, theme, sense) == colours.muted


def test_metrics_say_what_an_ablations_effect_means():
    senses = {metric: metric.sense for metric in Metric}
    assert senses == {
        Metric.KL: Sense.SIZE,
        Metric.LOGIT_DIFF: Sense.HELPS_BELOW,
        Metric.PROBABILITY: Sense.HELPS_BELOW,
        Metric.RANK: Sense.HELPS_ABOVE,
        Metric.ENTROPY: Sense.CHANGE,
    }
    assert [metric for metric in Metric if not metric.is_signed] == [Metric.KL]


# For all eyes


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
def test_colours_that_stand_together_are_told_apart_by_all_eyes(names, theme):
    colours = palette.theme_of(theme)
    for one, other in combinations(names, 2):
        apart = least_distance(getattr(colours, one), getattr(colours, other))
        floor = 10 if {one, other} == {"helps", "accent"} else 15  # an outline, not a line
        assert apart >= floor, (one, other)


@pytest.mark.parametrize("theme", THEMES)
def test_arrow_heads_and_roles_are_told_apart(theme):
    colours = palette.theme_of(theme)
    arrows = [colour for via, colour in colours.via.items() if via.is_causal]
    assert min(least_distance(*pair) for pair in combinations(arrows, 2)) >= 15
    # A role's name stands in the legend with its heads.
    roles = list(colours.roles.values())
    assert min(distance(*pair) for pair in combinations(roles, 2)) >= 25
    assert min(least_distance(*pair) for pair in combinations(roles, 2)) >= 12


@pytest.mark.parametrize("theme", THEMES)
def test_marks_and_texts_can_be_seen_on_a_card(theme):
    colours = palette.theme_of(theme)
    texts = ("ink", "ink2", "muted", "accent", "ok", "bad", "warn", "helps", "against")
    assert min(palette.contrast(getattr(colours, name), colours.card) for name in texts) >= 4.5
    assert palette.contrast(colours.muted, colours.page) >= 4.5
    marks = ("strength", "raised", "lowered", "clean", "ablated", "left", "right", "mlp")
    drawn = [getattr(colours, name) for name in marks] + list(colours.via.values())
    assert min(palette.contrast(colour, colours.card) for colour in drawn) >= 3


@pytest.mark.parametrize("theme", THEMES)
def test_diverging_is_neutral_at_0_and_full_at_the_limit(theme):
    colours = palette.theme_of(theme)
    assert palette.diverging(0.0, 3.0, theme)[0] == colours.neutral
    assert palette.diverging(3.0, 3.0, theme)[0] == colours.raised
    assert palette.diverging(-99.0, 3.0, theme)[0] == colours.lowered
    assert palette.diverging(1.0, 0.0, theme)[0] == colours.neutral


@pytest.mark.parametrize("sense", Sense)
def test_a_cells_colour_is_full_at_its_limit_and_not_before(sense):
    full, half = (palette.cell(value, 8.0, sense)[0] for value in (8.0, 4.0))
    assert full == palette.scale_of(sense)[-1][1] != half
    assert half == palette.cell(0.5, 1.0, sense)[0]
    assert palette.cell(0.0, 0.0, sense)[0] == palette.cell(0.0, 1.0, sense)[0]


@pytest.mark.parametrize("theme", THEMES)
def test_what_was_not_measured_has_its_own_colour(theme):
    colours = palette.theme_of(theme)
    assert palette.diverging(float("nan"), 1.0, theme)[0] == colours.missing != colours.neutral
    assert palette.sequential(None, theme)[0] == colours.missing != colours.faint
    assert palette.cell(None, 1.0, Sense.SIZE, theme)[0] == colours.missing


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("sense", Sense)
def test_every_value_can_be_read(theme, sense):
    start = 0 if sense is Sense.SIZE else -1
    cells = [palette.cell(v, 1.0, sense, theme) for v in np.linspace(start, 1, 81)]
    assert min(palette.contrast(background, ink) for background, ink in cells) > 3.9


@pytest.mark.parametrize("theme", THEMES)
def test_white_ink_can_be_read_on_every_role_and_mlp(theme):
    colours = palette.theme_of(theme)
    filled = [*colours.roles.values(), colours.mlp]
    assert min(palette.contrast(colour, "#ffffff") for colour in filled) > 4.5


def test_contrast_is_the_one_of_wcag():
    assert palette.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert palette.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_sequential_grows_monotonically():
    light = [palette.contrast(palette.sequential(v)[0], "#ffffff") for v in np.linspace(0, 1, 11)]
    assert light == sorted(light)


def test_scales_and_css_share_their_colours():
    scale = palette.diverging_scale("dark")
    assert scale[1] == [0.5, palette.diverging(0, 1, "dark")[0]]
    stops = [colour for _, colour in scale]
    left, zero, right = stops
    assert palette.gradient(scale) == (
        f"linear-gradient(90deg, {left} 0%, {zero} 50%, {right} 100%)"
    )
