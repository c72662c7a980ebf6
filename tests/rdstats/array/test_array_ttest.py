"""Paired and independent t tests against scipy, and the properties of the specification."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from rdstats.array import ALTERNATIVES, independent_ttest, paired_ttest
from rdstats.errors import InputError

NAN = np.nan
PROPERTY = settings(deadline=None, derandomize=True, max_examples=40)
SAMPLES = hnp.arrays(np.float64, (2, 6), elements=st.floats(-5, 5)).filter(
    lambda v: np.std(v[0] - v[1]) > 1e-3 and np.std(v[0]) > 1e-3
)
TESTS = {
    "paired": paired_ttest,
    "welch": independent_ttest,
    "pooled": lambda *args, **kwargs: independent_ttest(*args, equal_variance=True, **kwargs),
}
SCIPY = {
    "paired": stats.ttest_rel,
    "welch": lambda *args, **kwargs: stats.ttest_ind(*args, equal_var=False, **kwargs),
    "pooled": stats.ttest_ind,
}


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("kind", TESTS)
def test_matches_scipy(kind, alternative):
    """scipy.stats.ttest_rel, ttest_ind(equal_var=...) with confidence_interval(), scipy 1.12 and later."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(1, 0.2, (40, 12)), rng.normal(1.1, 0.5, (40, 12))
    ours = TESTS[kind](first, second, alternative=alternative, level=0.95, m=4)
    theirs = SCIPY[kind](first, second, axis=-1, alternative=alternative)
    np.testing.assert_allclose(ours.statistic, theirs.statistic, rtol=1e-10)
    np.testing.assert_allclose(ours.p, theirs.pvalue, rtol=1e-10)
    np.testing.assert_allclose(ours.df, theirs.df, rtol=1e-10)
    interval = SCIPY[kind](first, second, axis=-1).confidence_interval(1 - 0.05 / 4)
    np.testing.assert_allclose(ours.lower, interval.low, rtol=1e-10)
    np.testing.assert_allclose(ours.upper, interval.high, rtol=1e-10)
    np.testing.assert_allclose(ours.estimate, first.mean(-1) - second.mean(-1), rtol=1e-10)


@pytest.mark.parametrize("kind", ["welch", "pooled"])
def test_groups_of_different_size_with_gaps(kind):
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=9), rng.normal(size=14)
    gappy = np.insert(first, [2, 5], NAN)
    ours, theirs = TESTS[kind](gappy, second), SCIPY[kind](first, second)
    np.testing.assert_allclose([ours.statistic, ours.p, ours.df], [*theirs, theirs.df], rtol=1e-10)
    assert ours.n == 23


def test_paired_keeps_complete_pairs_only():
    first, second = np.array([1.0, NAN, 1.3, 1.2, 0.9]), np.array([1.1, 5.0, 1.2, NAN, 1.3])
    ours, theirs = paired_ttest(first, second), stats.ttest_rel(first[[0, 2, 4]], second[[0, 2, 4]])
    assert ours.n == 3
    np.testing.assert_allclose([ours.statistic, ours.p], theirs, rtol=1e-10)
    np.testing.assert_allclose(ours.estimate, -0.4 / 3, rtol=1e-12)


@pytest.mark.parametrize("kind", TESTS)
@given(SAMPLES)
@PROPERTY
def test_swapping_groups(kind, samples):
    test = TESTS[kind]
    one, two = test(*samples), test(*samples[::-1])
    np.testing.assert_allclose(one.statistic, -two.statistic, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(one.p, two.p, rtol=1e-9)
    np.testing.assert_allclose([one.lower, one.upper], [-two.upper, -two.lower], rtol=1e-9, atol=1e-12)
    less, swapped = test(*samples, alternative="less"), test(*samples[::-1], alternative="less")
    np.testing.assert_allclose(less.p, 1 - swapped.p, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(less.p + test(*samples, alternative="greater").p, 1, rtol=1e-12)


@pytest.mark.parametrize("kind", TESTS)
def test_alternative_is_about_first(kind):
    low, high = [1.0, 1.1, 1.2, 1.15], [2.0, 2.1, 2.3, 2.2]
    assert TESTS[kind](low, high, alternative="less").p < 0.01
    assert TESTS[kind](low, high, alternative="greater").p > 0.99
    assert TESTS[kind](low, high).estimate < 0
    assert TESTS[kind](low, high).statistic < 0


@pytest.mark.parametrize("kind", TESTS)
def test_interval_is_two_sided_whatever_the_alternative(kind):
    first, second = np.random.default_rng(2).normal(size=(2, 8))
    plain, less = TESTS[kind](first, second), TESTS[kind](first, second, alternative="less")
    assert (plain.lower, plain.upper) == (less.lower, less.upper)
    wide = TESTS[kind](first, second, m=10)
    assert wide.upper - wide.lower > plain.upper - plain.lower
    assert wide.p == plain.p


@pytest.mark.parametrize("kind", TESTS)
@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ([NAN, NAN, NAN], [1.0, 2.0, 3.0], "missing"),
        ([1.0, 2.0, NAN], [1.5, 2.0, 3.0], "too_few_seeds"),
        ([0.1, 0.1, 0.1], [0.3, 0.3, 0.3], "no_variation"),
    ],
)
def test_reasons(kind, first, second, reason):
    result = TESTS[kind](first, second)
    assert result.reason == reason
    assert np.isnan(result.statistic)
    assert np.isnan(result.p)
    assert np.isnan(result.estimate) == (reason == "missing")
    if reason == "no_variation":
        assert result.lower == result.upper == result.estimate
    else:
        assert np.isnan(result.lower)
        assert np.isnan(result.df)


def test_constant_shift_has_no_variation_only_when_paired():
    first = np.array([0.1, 0.7, 1.3, 0.4])
    assert paired_ttest(first + 0.3, first).reason == "no_variation"
    assert independent_ttest(first + 0.3, first).reason == ""


def test_one_constant_group_is_enough_for_welch():
    result = independent_ttest([1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0])
    assert result.reason == ""
    assert result.df == 3


def test_axis_and_array_m():
    rng = np.random.default_rng(3)
    first, second, m = rng.normal(size=(8, 2, 3)), rng.normal(size=(8, 2, 3)), np.array([1, 2, 4])
    result = paired_ttest(first, second, m=m, axis=0)
    assert all(part.shape == (2, 3) for part in result)
    np.testing.assert_allclose(result.upper[1, 2], paired_ttest(first[:, 1, 2], second[:, 1, 2], m=4).upper, rtol=1e-12)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("kind", TESTS)
def test_type_one_error_is_the_level(kind, alternative):
    """20,000 samples under the null, 8 seeds, equal variances (Welch is exact only in the limit)."""
    rng = np.random.default_rng(6)
    first, second = rng.normal(size=(2, 20_000, 8))
    rejected = np.mean(TESTS[kind](first, second, alternative=alternative).p < 0.05)
    slack = 0.003 if kind == "welch" else 0.0
    assert abs(rejected - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 20_000) + slack


def test_refused():
    with pytest.raises(InputError, match="two-sided, less, greater"):
        paired_ttest([1, 2, 3], [1, 2, 4], alternative="smaller")
    with pytest.raises(InputError, match=r"first \(3,\), second \(4,\)"):
        paired_ttest([1, 2, 3], [1, 2, 4, 5])
