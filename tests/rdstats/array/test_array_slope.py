"""Slope, spread ratio, cosine: references, identities, and the reasons for NaN."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rdstats.array import (
    balance,
    cosine,
    intensification_ratio,
    normalized_balance,
    r_squared,
    reference_score,
    slope,
    slope_reason,
    spread_ratio,
)
from rdstats.errors import InputError

NAN = np.nan
PROPERTY = settings(deadline=None, derandomize=True, max_examples=50)
RECALLS = hnp.arrays(np.float64, (5,), elements=st.floats(0.05, 0.95))
SUPPORTS = hnp.arrays(np.int64, (5,), elements=st.integers(1, 50))


def pair(x, y, support):
    assume(np.ptp(x) > 1e-3)
    assume(np.ptp(y) > 1e-3)
    return normalized_balance(x, support), normalized_balance(y, support)


def test_example_of_the_paper():
    before, after = normalized_balance([0.9, 0.7], [1, 1]), normalized_balance([0.7, 0.5], [1, 1])
    np.testing.assert_allclose(slope(before, after), 4 / 3, rtol=1e-14)
    np.testing.assert_allclose(slope(balance([0.9, 0.7], [1, 1]), balance([0.7, 0.5], [1, 1])), 1, rtol=1e-14)


def test_worked_fractions():
    before, after = [3, 0, -4], [4, 3, 0]
    assert slope(before, after) == 12 / 25
    assert spread_ratio(before, after) == 1
    assert cosine(before, after) == 12 / 25
    assert r_squared(before, after) == (12 / 25) ** 2


def test_matches_regression_without_intercept():
    """statsmodels 0.14 and later: OLS(y, x) without a constant reports the uncentred r squared."""
    from statsmodels.api import OLS

    rng = np.random.default_rng(1)
    before, after = rng.normal(size=(2, 20, 10))
    fits = [OLS(y, x).fit() for x, y in zip(before, after, strict=True)]
    np.testing.assert_allclose(slope(before, after), [fit.params[0] for fit in fits], rtol=1e-10)
    np.testing.assert_allclose(r_squared(before, after), [fit.rsquared for fit in fits], rtol=1e-10)


@given(RECALLS, RECALLS, SUPPORTS)
@PROPERTY
def test_slope_is_cosine_times_spread(x, y, support):
    before, after = pair(x, y, support)
    product = cosine(before, after) * spread_ratio(before, after)
    np.testing.assert_allclose(slope(before, after), product, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(r_squared(before, after), cosine(before, after) ** 2, rtol=1e-12)


@given(RECALLS, RECALLS, SUPPORTS)
@PROPERTY
def test_slope_is_the_accuracy_ratio_times_beta(x, y, support):
    before, after = pair(x, y, support)
    beta = slope(balance(x, support), balance(y, support))
    ratio = reference_score(x, support) / reference_score(y, support)
    np.testing.assert_allclose(slope(before, after), ratio * beta, rtol=1e-9, atol=1e-12)


@given(RECALLS, RECALLS, SUPPORTS)
@PROPERTY
def test_slope_is_the_weighted_mean_of_intensification(x, y, support):
    before, after = pair(x, y, support)
    ratios, weights = intensification_ratio(before, after), before**2
    mean = np.sum(np.where(np.isnan(ratios), 0, weights * ratios)) / np.sum(weights)
    np.testing.assert_allclose(slope(before, after), mean, rtol=1e-9, atol=1e-12)


@given(RECALLS, RECALLS, SUPPORTS, st.permutations(range(5)))
@PROPERTY
def test_permuting_classes_changes_nothing(x, y, support, order):
    before, after = pair(x, y, support)
    for function in (slope, spread_ratio, cosine):
        np.testing.assert_allclose(
            function(before[order], after[order]), function(before, after), rtol=1e-10, atol=1e-13
        )


@given(RECALLS, RECALLS, SUPPORTS, st.floats(0.1, 1.0))
@PROPERTY
def test_scaling(x, y, support, factor):
    """A factor on recall(after) drops out; a factor on the balances after scales the slope."""
    before, after = pair(x, y, support)
    scaled = normalized_balance(factor * y, support)
    np.testing.assert_allclose(slope(before, scaled), slope(before, after), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(slope(before, factor * after), factor * slope(before, after), rtol=1e-9, atol=1e-12)


@given(RECALLS, SUPPORTS)
@PROPERTY
def test_identical_networks_have_slope_exactly_one(x, support):
    before, after = pair(x, x, support)
    assert slope(before, after) == 1
    assert spread_ratio(before, after) == 1


def test_difference_to_the_control():
    """alpha_t - alpha_c = sum Bn (Bn_t - Bn_c) / sum Bn^2."""
    before, after, control = np.random.default_rng(2).normal(size=(3, 50, 10))
    difference = slope(before, after) - slope(before, control)
    np.testing.assert_allclose(slope(before, after - control), difference, rtol=1e-9)


def test_before_broadcasts_over_methods_and_ratios():
    rng = np.random.default_rng(3)
    before, after = rng.normal(size=(4, 1, 1, 10)), rng.normal(size=(4, 2, 3, 10))
    result = slope(before, after)
    assert result.shape == (4, 2, 3)
    np.testing.assert_allclose(result[3, 1, 2], slope(before[3, 0, 0], after[3, 1, 2]), rtol=1e-14)


@pytest.mark.parametrize(
    ("before", "after", "present", "reason"),
    [
        ([0.1, -0.1, NAN], [0.2, -0.2, NAN], None, ""),
        ([0.1, -0.1, NAN], [0.2, -0.2, NAN], [True, True, False], ""),
        ([0.1, -0.1, 0.1], [0.2, -0.2, NAN], None, "undefined_class"),
        ([0.1, -0.1, NAN], [0.2, -0.2, 0.1], None, "undefined_class"),
        ([0.1, -0.1, NAN], [0.2, -0.2, NAN], [True, True, True], "undefined_class"),
        ([NAN, NAN, NAN], [NAN, NAN, NAN], [True, True, False], "undefined_class"),
        ([0.0, 0.0, NAN], [0.2, -0.2, NAN], None, "no_spread"),
        ([0.0, 0.0, 0.1], [0.2, -0.2, 0.1], [True, True, False], "no_spread"),
        ([NAN, NAN, NAN], [NAN, NAN, NAN], None, "missing"),
        ([0.1, -0.1, 0.0], [NAN, NAN, NAN], None, "missing"),
        ([NAN, NAN, NAN], [0.1, -0.1, 0.0], None, "missing"),
        ([0.1, -0.1, 0.0], [NAN, NAN, NAN], [False, False, False], "missing"),
    ],
)
def test_reasons(before, after, present, reason):
    assert slope_reason(before, after, present) == reason
    for function in (slope, spread_ratio, cosine, r_squared):
        assert np.isnan(function(before, after, present)) == (reason != "")


def test_absent_classes_change_nothing():
    assert slope([0.3, NAN, -0.4], [0.4, NAN, 0.1]) == slope([0.3, -0.4], [0.4, 0.1])


@pytest.mark.parametrize("value", [0.9, 0.1, 0.7, 1 / 3, 1.0])
@pytest.mark.parametrize("classes", [3, 10, 100])
def test_equal_recalls_up_to_rounding_have_no_spread(value, classes):
    support = np.arange(1, classes + 1)
    before = normalized_balance(np.full(classes, value), support)
    after = normalized_balance(np.linspace(0.1, 0.9, classes), support)
    assert slope_reason(before, after) == "no_spread"
    assert np.isnan(slope(before, after))
    assert slope(after, before) == 0
    assert spread_ratio(after, before) == 0
    assert np.isnan(cosine(after, before))
    assert slope_reason(after, before) == ""


def test_one_image_in_ten_million_is_spread():
    before = normalized_balance([0.9, 0.9 + 1e-7], [10**7, 10**7])
    assert slope_reason(before, before) == ""
    assert slope(before, before) == 1


def test_cosine_stays_within_one():
    rng = np.random.default_rng(4)
    before = rng.normal(size=(1000, 3))
    assert np.abs(cosine(before, 3 * before)).max() <= 1


def test_present_must_be_boolean():
    with pytest.raises(InputError, match="booleans"):
        slope([0.1, -0.1], [0.1, -0.1], [1.0, NAN])
