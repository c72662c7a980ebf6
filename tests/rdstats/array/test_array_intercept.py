"""The line with intercept: a reference, what it has in common with the line through the origin, reasons."""

import numpy as np
import pytest
from scipy import stats

from rdstats.array import normalized_balance, slope, slope_intercept, slope_reason
from rdstats.errors import InputError

NAN = np.nan


def test_worked_fractions():
    line = slope_intercept([1, 2, 3], [1, 4, 4])
    np.testing.assert_allclose(line[:3], [3 / 2, 0, 3 / 4], rtol=1e-14, atol=1e-15)
    line = slope_intercept([0, 1, 2, 3], [1, 0, 3, 4])
    np.testing.assert_allclose(line[:3], [6 / 5, 1 / 5, 36 / 50], rtol=1e-14)
    assert line.reason == ""


def test_matches_scipy():
    """scipy.stats.linregress, 1.12 and later."""
    before, after = np.random.default_rng(1).normal(size=(2, 20, 10)) + 0.3
    line = slope_intercept(before, after)
    for i in range(20):
        fit = stats.linregress(before[i], after[i])
        np.testing.assert_allclose(
            [part[i] for part in line[:3]], [fit.slope, fit.intercept, fit.rvalue**2], rtol=1e-10
        )


def test_recall_on_equal_classes_goes_through_the_origin_anyway():
    x, y = np.random.default_rng(2).uniform(0.3, 0.9, (2, 20, 10))
    before, after = (normalized_balance(values, np.full(10, 50)) for values in (x, y))
    line = slope_intercept(before, after)
    np.testing.assert_allclose(line.slope, slope(before, after), rtol=1e-10)
    np.testing.assert_allclose(line.intercept, 0, atol=1e-14)


def test_unequal_classes_have_an_intercept():
    support = np.array([10, 10, 80])
    before, after = normalized_balance([0.9, 0.8, 0.6], support), normalized_balance([0.8, 0.9, 0.3], support)
    line = slope_intercept(before, after)
    assert abs(line.intercept) > 0.05
    assert abs(line.slope - slope(before, after)) > 0.05


@pytest.mark.parametrize(
    ("before", "after", "present", "reason"),
    [
        ([0.1, -0.1, NAN], [0.2, -0.2, NAN], None, ""),
        ([0.1, -0.1, 0.3], [0.2, -0.2, NAN], [True, True, False], ""),
        ([0.1, -0.1, 0.1], [0.2, -0.2, NAN], None, "undefined_class"),
        ([0.1, -0.1, NAN], [0.2, -0.2, NAN], [True, True, True], "undefined_class"),
        ([0.0, 0.0, 0.0], [0.2, -0.2, 0.0], None, "no_spread"),
        ([0.3, 0.1 + 0.2, NAN], [0.2, -0.2, NAN], None, "no_spread"),
        ([0.3, NAN, NAN], [0.2, NAN, NAN], None, "no_spread"),
        ([0.1, -0.1, 0.0], [NAN, NAN, NAN], None, "missing"),
        ([0.1, -0.1, 0.0], [0.1, -0.1, 0.0], [False, False, False], "missing"),
    ],
)
def test_reasons(before, after, present, reason):
    line = slope_intercept(before, after, present)
    assert line.reason == reason
    assert [bool(np.isnan(part)) for part in line[:3]] == [reason != ""] * 3
    if reason in ("missing", "undefined_class"):
        assert slope_reason(before, after, present) == reason


def test_absent_classes_change_nothing():
    some = slope_intercept([0.3, -0.4, 0.2], [0.4, 0.1, 0.3])
    padded = slope_intercept([0.3, NAN, -0.4, 0.2], [0.4, NAN, 0.1, 0.3])
    np.testing.assert_allclose(padded[:3], some[:3], rtol=1e-14)


def test_no_variation_after():
    line = slope_intercept([0.1, -0.1, 0.3], [0.2, 0.2, 0.2])
    np.testing.assert_allclose([line.slope, line.intercept], [0, 0.2], rtol=1e-14)
    assert np.isnan(line.r_squared)
    assert line.reason == ""


def test_vectorised_call_equals_a_loop_over_cells():
    rng = np.random.default_rng(5)
    before, after = rng.normal(size=(3, 1, 4)), rng.normal(size=(3, 2, 4))
    after[1, 0, 2] = NAN
    together = slope_intercept(before, after)
    for i, j in np.ndindex(3, 2):
        alone = slope_intercept(before[i, 0], after[i, j])
        np.testing.assert_allclose([part[i, j] for part in together[:3]], alone[:3], rtol=1e-12)
        assert together.reason[i, j] == alone.reason
    assert all(isinstance(part, np.ndarray) for part in alone)


def test_wrong_input():
    with pytest.raises(InputError, match="booleans"):
        slope_intercept([0.1, -0.1], [0.1, -0.1], [1.0, NAN])
