"""The pooled line: a reference, its relation to the networks' slopes, which networks enter."""

import numpy as np
import pytest

from rdstats.array import pooled_origin_slope, r_squared, slope
from rdstats.errors import InputError

NAN = np.nan


def test_worked_fractions():
    line = pooled_origin_slope([[3, 0, -4], [1, 1, 0]], [[4, 3, 2], [2, 0, 1]])
    assert line.slope == (4 + 2) / (25 + 2)
    np.testing.assert_allclose(line.r_squared, 6**2 / (27 * 34), rtol=1e-14)
    assert line.n == 2


def test_matches_regression_without_intercept():
    """statsmodels 0.14 and later: OLS(y, x) without a constant on all points reports the uncentred r squared."""
    from statsmodels.api import OLS

    before, after = np.random.default_rng(1).normal(size=(2, 30, 10))
    fit = OLS(after.ravel(), before.ravel()).fit()
    line = pooled_origin_slope(before, after)
    np.testing.assert_allclose([line.slope, line.r_squared], [fit.params[0], fit.rsquared], rtol=1e-10)


def test_mean_of_the_slopes_weighted_by_their_spread():
    before, after = np.random.default_rng(2).normal(size=(2, 6, 4))
    weights = (before**2).sum(-1)
    expected = (weights * slope(before, after)).sum() / weights.sum()
    np.testing.assert_allclose(pooled_origin_slope(before, after).slope, expected, rtol=1e-12)
    alone = pooled_origin_slope(before[:1], after[:1])
    np.testing.assert_allclose(alone.slope, slope(before[0], after[0]), rtol=1e-14)
    np.testing.assert_allclose(alone.r_squared, r_squared(before[0], after[0]), rtol=1e-14)


def test_networks_without_all_their_scores_are_skipped():
    before, after = np.random.default_rng(3).normal(size=(2, 5, 4))
    before[:, 3] = after[:, 3] = NAN
    expected = pooled_origin_slope(before[2:], after[2:])
    after[0], after[1, 1] = NAN, NAN
    line = pooled_origin_slope(before, after)
    assert line.n == 3
    np.testing.assert_allclose([line.slope, line.r_squared], [expected.slope, expected.r_squared], rtol=1e-14)
    present = np.ones((5, 4), bool)
    present[:, 3] = False
    present[0] = False
    assert pooled_origin_slope(before, after, present).n == 3
    assert pooled_origin_slope(before, after, np.ones((5, 4), bool)).reason == "undefined_class"


def test_a_network_without_spread_before_counts_among_the_points():
    line = pooled_origin_slope([[0.1, -0.1], [0.0, 0.0]], [[0.1, -0.1], [0.1, -0.1]])
    assert (line.slope, line.n) == (1, 2)
    np.testing.assert_allclose(line.r_squared, 1 / 2, rtol=1e-14)


@pytest.mark.parametrize(
    ("before", "after", "reason", "n"),
    [
        ([[NAN] * 2] * 2, [[0.1, -0.1]] * 2, "missing", 0),
        ([[0.1, -0.1]] * 2, [[NAN, -0.1], [NAN, NAN]], "undefined_class", 0),
        ([[0.0, 0.0]] * 2, [[0.1, -0.1]] * 2, "no_spread", 2),
        ([[0.1, -0.1], [0.0, 0.0]], [[0.1, -0.1]] * 2, "", 2),
    ],
)
def test_reasons(before, after, reason, n):
    line = pooled_origin_slope(before, after)
    assert (line.reason, line.n) == (reason, n)
    assert np.isnan(line.slope) == np.isnan(line.r_squared) == (reason != "")


def test_no_spread_after_has_slope_zero():
    line = pooled_origin_slope([[0.1, -0.1]] * 2, [[0.0, 0.0]] * 2)
    assert line.slope == 0
    assert np.isnan(line.r_squared)


def test_axis_and_broadcasting_equal_a_loop():
    rng = np.random.default_rng(4)
    before, after = rng.normal(size=(5, 1, 4)), rng.normal(size=(5, 3, 4))
    after[2, 1, 0] = NAN
    along = pooled_origin_slope(before, after, axis=0)
    turned = pooled_origin_slope(np.moveaxis(before, 0, 1), np.moveaxis(after, 0, 1))
    assert along.slope.shape == (3,)
    for j in range(3):
        alone = pooled_origin_slope(before[:, 0], after[:, j])
        for name in ("slope", "r_squared", "n"):
            np.testing.assert_allclose(getattr(along, name)[j], getattr(alone, name), rtol=1e-12)
            np.testing.assert_allclose(getattr(turned, name)[j], getattr(alone, name), rtol=1e-12)
    assert along.n.tolist() == [5, 4, 5]
    assert all(isinstance(part, np.ndarray) for part in alone)
    assert pooled_origin_slope(before, after, axis=-3).slope.tolist() == along.slope.tolist()


@pytest.mark.parametrize("axis", [-1, 1, 2, -3])
def test_the_axis_is_not_the_classes(axis):
    with pytest.raises(InputError, match="axis: received"):
        pooled_origin_slope([[0.1, -0.1]], [[0.1, -0.1]], axis=axis)
