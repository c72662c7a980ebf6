"""t intervals and verdicts: reference values, monotonicity, and what is said about few seeds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from rdstats.array import t_interval, verdict
from rdstats.errors import InputError

NAN = np.nan
PROPERTY = settings(deadline=None, derandomize=True, max_examples=40)
VALUES = hnp.arrays(np.float64, (7,), elements=st.floats(-5, 5)).filter(lambda v: np.std(v) > 1e-3)


@pytest.mark.parametrize("k", [1, 4, 25])
@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("n", [3, 10, 30])
def test_matches_scipy(n, level, k):
    """scipy.stats.t.interval(1 - (1 - level) / k, n - 1, mean, sem), scipy 1.12 and later."""
    values = np.random.default_rng(n).normal(1, 0.3, size=(6, n))
    result = t_interval(values, level=level, k=k)
    low, high = stats.t.interval(1 - (1 - level) / k, n - 1, values.mean(-1), stats.sem(values, axis=-1))
    np.testing.assert_allclose(result.lower, low, rtol=1e-10)
    np.testing.assert_allclose(result.upper, high, rtol=1e-10)
    np.testing.assert_allclose(result.sd, values.std(axis=-1, ddof=1), rtol=1e-12)


def test_five_ratios_at_95_are_the_99_of_the_paper():
    values = np.random.default_rng(0).normal(size=30)
    five, one = t_interval(values, level=0.95, k=5), t_interval(values, level=0.99)
    np.testing.assert_allclose(five.lower, one.lower, rtol=1e-10)


@given(VALUES)
@PROPERTY
def test_intervals_widen_with_level_and_k_and_shrink_with_n(values):
    width = [float(r.upper - r.lower) for r in (t_interval(values, level=v) for v in (0.8, 0.95, 0.99))]
    assert width[0] < width[1] < width[2]
    assert float(np.ptp(t_interval(values, k=3)[3:5])) > width[1]
    doubled = t_interval(np.r_[values, values, values.mean()])
    # the sd of the doubled sample is no larger, so the interval is narrower
    assert doubled.upper - doubled.lower < width[1]


def test_missing_seeds_are_dropped():
    values = np.array([1.0, NAN, 1.2, 1.4, NAN])
    with_gaps, without = t_interval(values), t_interval([1.0, 1.2, 1.4])
    assert with_gaps.n == 3
    for a, b in zip(with_gaps, without, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("values", "n", "mean", "reason"),
    [
        ([NAN, NAN, NAN], 0, NAN, "missing"),
        ([1.5, NAN, NAN], 1, 1.5, "too_few_seeds"),
        ([1.5, 2.5, NAN], 2, 2.0, "too_few_seeds"),
    ],
)
def test_too_few(values, n, mean, reason):
    result = t_interval(values)
    assert (result.n, result.reason) == (n, reason)
    np.testing.assert_array_equal(result.mean, mean)
    assert np.isnan(result.lower)
    assert np.isnan(result.upper)
    assert np.isnan(result.sd) == (n < 2)


@pytest.mark.parametrize("value", [1.0, 0.1, 1e6 + 0.1, 0.0, -0.7])
def test_no_variation(value):
    # seven times .1 is not .7 in float64
    result = t_interval(np.full(7, value))
    assert result.reason == "no_variation"
    assert result.lower == result.upper == result.mean
    assert verdict(result.lower, result.upper, result.n, result.reason, null=value + 1) == "?"


def test_k_is_an_array_and_axis_is_free():
    values = np.random.default_rng(1).normal(size=(10, 2, 3))
    k = np.array([1, 4, 5])
    result = t_interval(values, k=k, axis=0)
    assert result.lower.shape == result.reason.shape == result.n.shape == (2, 3)
    np.testing.assert_allclose(result.lower[1, 2], t_interval(values[:, 1, 2], k=5).lower, rtol=1e-12)
    many = t_interval(values[:, 0, 0], k=k)
    assert all(part.shape == (3,) for part in many)


@pytest.mark.parametrize(
    ("lower", "upper", "n", "reason", "expected"),
    [
        (0.8, 0.9, 5, "", "<"),
        (1.1, 1.2, 5, "", ">"),
        (0.9, 1.1, 5, "", "?"),
        (1.0, 1.2, 5, "", "?"),
        (0.8, 1.0, 5, "", "?"),
        (1.1, 1.2, 4, "", "?"),
        (NAN, NAN, 5, "", "?"),
        (1.1, NAN, 5, "", "?"),
        (1.1, 1.1, 5, "no_variation", "?"),
        (1.1, np.inf, 5, "", ">"),
    ],
)
def test_verdict(lower, upper, n, reason, expected):
    assert verdict(lower, upper, n, reason) == expected


def test_verdict_about_another_value():
    np.testing.assert_array_equal(verdict(0.1, 0.2, 9, "", null=[0.0, 0.15, 1.0]), [">", "?", "<"])


def test_coverage():
    """Share of 95 % intervals that hold the mean, 20,000 samples of 8: within 4 Monte-Carlo errors."""
    result = t_interval(np.random.default_rng(5).normal(size=(20_000, 8)))
    covered = np.mean((result.lower < 0) & (result.upper > 0))
    assert abs(covered - 0.95) < 4 * np.sqrt(0.05 * 0.95 / 20_000)


def test_refused():
    with pytest.raises(InputError, match="at least 1"):
        t_interval([1, 2, 3], k=0)
    with pytest.raises(InputError, match="shapes"):
        t_interval(np.zeros((4, 3)), k=[1, 2])
