"""Intervals against values known from elsewhere."""

import numpy as np
import pytest

from attention_viz.records.statistics import Interval, Mean, Rate


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I,
        # method 3 (score, no continuity correction)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 1 - 0.1170, 1.0),
    ],
)
def test_wilsons_interval(count, of, low, high):
    found = Rate(count, of).interval
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_wilsons_ends_are_where_the_count_is_as_far_away_as_allowed():
    """The score test: at an end p, |count − n p| = z √(n p (1 − p))."""
    rate = Rate(7, 50)
    for p in (rate.interval.low, rate.interval.high):
        assert abs(7 - 50 * p) == pytest.approx(1.959963984540054 * (50 * p * (1 - p)) ** 0.5)


def test_of_nothing_there_is_no_rate():
    assert Rate(0, 0).share is None and Rate(0, 0).interval is None
    assert Rate(3, 4).share == 0.75


def test_a_mean_has_the_interval_of_its_bootstrap():
    values = np.random.default_rng(3).normal(2.0, 1.0, 400)
    found = Mean.over(values)
    assert found.value == pytest.approx(values.mean()) and found.of == 400
    half = 1.96 * values.std() / 20  # the normal interval, which 400 values come near to
    expected = (found.value - half, found.value + half)
    assert (found.interval.low, found.interval.high) == pytest.approx(expected, abs=0.02)


def test_the_bootstrap_is_seeded():
    values = [0.0, 1.0, 5.0, 2.0, -1.3, 0.7, 0.2, 9.1]
    assert Mean.over(values) == Mean.over(values) != Mean.over(values, seed=1)


def test_few_values_have_no_interval_and_none_no_mean():
    assert Mean.over([]) is None
    assert Mean.over([3.0]) == Mean(3.0, None, 1)
    assert Mean.over([3.0, 3.0]).interval == Interval(3.0, 3.0)
