"""Fieller's interval is the inverted paired t test; the seed-instrumented slope sees only what runs share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rdstats.array import balance, paired_ttest, slope
from rdstats.array.ratio import fieller_interval, seed_instrumented_slope
from rdstats.errors import InputError

NAN = np.nan
PROPERTY = settings(deadline=None, derandomize=True, max_examples=60)
COLUMN = hnp.arrays(np.float64, (6,), elements=st.floats(-2, 3)).filter(lambda v: np.std(v) > 1e-2)
FIRST = np.array([1.0, 1.1, 1.2, 1.4])


@given(COLUMN, COLUMN)
@PROPERTY
def test_holds_the_ratios_that_the_paired_test_does_not_reject(first, second):
    result = fieller_interval(first, second, level=0.9)
    thetas = np.linspace(-40, 40, 801) + 0.0123
    kept = paired_ttest(first, thetas[:, None] * second, level=0.9).p >= 0.1
    inside = (thetas >= result.lower) & (thetas <= result.upper)
    expected = {"bounded": inside, "complement": ~inside, "whole line": np.ones(801, dtype=bool)}[str(result.form)]
    np.testing.assert_array_equal(kept, expected)


def test_worked_bounded_set():
    """Ends where t(theta) = 3.182446305284263 = scipy.stats.t.ppf(.975, 3)."""
    second = np.array([1.1, 1.3, 1.5, 1.5])
    result = fieller_interval(FIRST, second)
    statistics = [float(paired_ttest(FIRST, end * second).statistic) for end in (result.lower, result.upper)]
    np.testing.assert_allclose(statistics, [3.182446305284263, -3.182446305284263], rtol=1e-9)
    np.testing.assert_allclose(result.ratio, 1.175 / 1.35, rtol=1e-12)


@pytest.mark.parametrize(
    ("second", "form", "reason"),
    [
        ([1.1, 1.3, 1.5, 1.5], "bounded", ""),
        ([0.1, -0.3, 0.5, 0.2], "complement", "unbounded"),
        ([0.0, 0.0, 0.0, 0.0], "", "zero_denominator"),
        ([2.0, 2.0, 2.0, 2.0], "bounded", ""),
        ([1.0, NAN, NAN, 1.2], "", "too_few_seeds"),
        ([NAN, NAN, NAN, NAN], "", "missing"),
    ],
)
def test_forms_and_reasons(second, form, reason):
    result = fieller_interval(FIRST, second)
    assert (result.form, result.reason) == (form, reason)
    assert np.isnan(result.lower) == np.isnan(result.upper) == (form == "")


def test_whole_line_and_no_variation():
    whole = fieller_interval([0.1, -0.2, 0.15, -0.1], [0.2, 0.1, -0.3, 0.05])
    assert (whole.form, whole.reason, whole.lower, whole.upper) == ("whole line", "unbounded", -np.inf, np.inf)
    fixed = fieller_interval([1.0] * 4, [2.0] * 4)
    assert (fixed.form, fixed.reason, fixed.lower, fixed.upper) == ("bounded", "no_variation", 0.5, 0.5)


def test_columns_at_once():
    rng = np.random.default_rng(0)
    first, second = rng.normal(1, 0.2, (5, 3, 8)), rng.normal([[2], [0.1], [0]], 0.3, (5, 3, 8))
    first[0, 0, 2] = NAN
    together = fieller_interval(np.moveaxis(first, -1, 0), np.moveaxis(second, -1, 0), axis=0, k=[1, 2, 3])
    for i, j in np.ndindex(5, 3):
        for a, b in zip(together, fieller_interval(first[i, j], second[i, j], k=j + 1), strict=True):
            np.testing.assert_array_equal(a[i, j], b)


def balances(rng, seeds, *, run=0.02, growth=1.0):
    """One class pattern, independent run noise before and after; classes balanced."""
    pattern = np.linspace(-0.1, 0.1, 10)
    x, y = (0.7 + g * pattern + rng.normal(0, run, (seeds, 10)) for g in (1.0, growth))
    return balance(x, np.ones(10)), balance(y, np.ones(10))


def test_loop_over_seeds():
    rng = np.random.default_rng(1)
    before, after = balances(rng, 7)
    ratio = rng.uniform(0.9, 1.1, 7)

    def pooled(kept):
        z = before[kept].sum(0) - before[kept]
        return np.sum(ratio[kept, None] * z * after[kept]) / np.sum(z * before[kept])

    everyone = np.arange(7)
    result = seed_instrumented_slope(before, after, ratio)
    z = before.sum(0) - before
    np.testing.assert_allclose(result.value, ratio * (z * after).sum(1) / (z * before).sum(1), rtol=1e-12)
    left = np.array([pooled(np.delete(everyone, i)) for i in range(7)])
    np.testing.assert_allclose(result.estimate, pooled(everyone), rtol=1e-12)
    np.testing.assert_allclose(result.se, np.sqrt(6 / 7 * np.sum((left - left.mean()) ** 2)), rtol=1e-10)
    assert (result.n, result.reason) == (7, "")
    products = before @ before.T
    kept = [np.delete(everyone, i) for i in range(7)]
    means = [np.mean(products[np.ix_(k, k)][~np.eye(6, dtype=bool)]) for k in kept]
    noise = np.sqrt(6 / 7 * np.sum((means - np.mean(means)) ** 2))
    np.testing.assert_allclose(result.strength, products[~np.eye(7, dtype=bool)].mean() / noise, rtol=1e-10)


@pytest.mark.parametrize("growth", [1.0, 1.5])
def test_sees_the_growth_of_the_common_pattern_where_the_raw_slope_does_not(growth):
    before, after = balances(np.random.default_rng(2), 300, run=0.05, growth=growth)
    result = seed_instrumented_slope(before, after, np.ones(300))
    assert abs(result.estimate - growth) < 4 * result.se
    assert slope(before, after).mean() < growth - 0.2


def test_jackknife_error_is_that_of_repeated_studies():
    rng = np.random.default_rng(3)
    before, after = (part.reshape(400, 12, 10) for part in balances(rng, 4800, run=0.03))
    result = seed_instrumented_slope(before, after, np.ones(12))
    assert (result.reason == "").all()
    np.testing.assert_allclose(np.mean(result.se**2), result.estimate.var(), rtol=4 * np.sqrt(2 / 400))


@pytest.mark.parametrize(
    ("run", "weak", "reason"), [(0.005, False, ""), (0.05, True, ""), (1.0, True, "not_estimable")]
)
def test_weak_denominators(run, weak, reason):
    before, after = balances(np.random.default_rng(4), 12, run=run)
    result = seed_instrumented_slope(before, after, np.ones(12))
    assert (result.value_reason == "weak_denominator").all() == weak
    assert np.isnan(result.value).all() == weak
    assert result.reason == reason
    assert np.isnan(result.estimate) == (reason != "")


def test_missing_runs_and_classes():
    before, after = balances(np.random.default_rng(5), 8, run=0.01)
    ratio = np.ones(8)
    ratio[2] = NAN
    gap = seed_instrumented_slope(before, after, ratio)
    assert (gap.n, gap.value_reason[2]) == (7, "missing")
    z = before.sum(0) - before[0]  # the dense network of seed 2 is known and still part of z
    np.testing.assert_allclose(gap.value[0], (z * after[0]).sum() / (z * before[0]).sum(), rtol=1e-12)
    padded = [np.insert(part, 3, NAN, axis=-1) for part in (before, after)]
    np.testing.assert_array_equal(seed_instrumented_slope(*padded, ratio).value, gap.value)
    lost = after.copy()
    lost[:, 3] = NAN
    assert seed_instrumented_slope(before, lost, ratio).reason == "missing"


def test_four_seeds_are_too_few():
    before, after = balances(np.random.default_rng(6), 5, run=0.01)
    assert seed_instrumented_slope(before, after, np.ones(5)).reason == ""
    four = seed_instrumented_slope(before[:4], after[:4], np.ones(4))
    assert (four.n, four.reason) == (4, "too_few_seeds")
    assert four.value_reason.tolist() == ["too_few_seeds"] * 4
    assert np.isnan([four.estimate, four.lower, *four.value]).all()


def test_columns_of_instrumented_slopes():
    rng = np.random.default_rng(7)
    before, after = (part.reshape(2, 3, 6, 10) for part in balances(rng, 36))
    ratio = rng.uniform(0.9, 1.1, (2, 3, 6))
    after[1, 2, 4] = NAN
    together = seed_instrumented_slope(before, after, ratio, k=2)
    for cell in np.ndindex(2, 3):
        for a, b in zip(together, seed_instrumented_slope(before[cell], after[cell], ratio[cell], k=2), strict=True):
            if a.dtype.kind == "f":
                np.testing.assert_allclose(a[cell], b, rtol=1e-10)
            else:
                np.testing.assert_array_equal(a[cell], b)


def test_wrong_input():
    with pytest.raises(InputError, match=r"\(\.\.\., n, C\)"):
        seed_instrumented_slope([0.1, -0.1], [0.1, -0.1], [1.0])
    with pytest.raises(InputError, match="ratio"):
        seed_instrumented_slope(np.ones((5, 3)), np.ones((5, 3)), np.ones(4))
    with pytest.raises(InputError, match="shapes"):
        fieller_interval(FIRST, [1.0, 2.0, 3.0])
