"""Colours: centred on 0, readable, the same in CSS and in plotly."""

import numpy as np
import pytest

from attention_viz.figures import palette

THEMES = ("light", "dark")


@pytest.mark.parametrize("theme", THEMES)
def test_diverging_is_neutral_at_0_and_full_at_the_limit(theme):
    colours = palette.theme_of(theme)
    assert palette.diverging(0.0, 3.0, theme)[0] == colours.neutral
    assert palette.diverging(3.0, 3.0, theme)[0] == colours.positive
    assert palette.diverging(-3.0, 3.0, theme)[0] == colours.negative
    assert palette.diverging(-99.0, 3.0, theme)[0] == colours.negative
    assert palette.diverging(1.0, 0.0, theme)[0] == colours.neutral


@pytest.mark.parametrize("theme", THEMES)
def test_what_was_not_measured_has_its_own_colour(theme):
    colours = palette.theme_of(theme)
    assert palette.diverging(float("nan"), 1.0, theme)[0] == colours.missing != colours.neutral
    assert palette.sequential(None, theme)[0] == colours.missing != colours.faint


@pytest.mark.parametrize("theme", THEMES)
def test_every_value_can_be_read(theme):
    cells = [palette.diverging(v, 1.0, theme) for v in np.linspace(-1, 1, 81)]
    cells += [palette.sequential(v, theme) for v in np.linspace(0, 1, 41)]
    assert min(palette.contrast(background, ink) for background, ink in cells) > 3.9


@pytest.mark.parametrize("theme", THEMES)
def test_white_ink_can_be_read_on_every_role(theme):
    roles = palette.theme_of(theme).roles.values()
    assert min(palette.contrast(colour, "#ffffff") for colour in roles) > 4.5


def test_contrast_is_the_one_of_wcag():
    assert palette.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert palette.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_sequential_grows_monotonically():
    light = [palette.contrast(palette.sequential(v)[0], "#ffffff") for v in np.linspace(0, 1, 11)]
    assert light == sorted(light)


def test_plotly_scale_and_css_share_their_colours():
    scale = palette.diverging_scale("dark")
    assert scale[1] == [0.5, palette.diverging(0, 1, "dark")[0]]
    assert all(colour in palette.gradient(scale) for _, colour in scale)
