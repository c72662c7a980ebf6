"""Paired effect sizes: worked values, signs, and columns that do not vary."""

import numpy as np
import pytest

from rdstats.array import paired_ttest
from rdstats.array.effect import effect_size
from rdstats.errors import InputError

NAN = np.nan


def test_worked_fractions():
    """d = 1, 2, 3, 2: mean 2, variance 2/3; columns 2, 4, 6, 4 and 1, 2, 3, 2: variances 8/3 and 2/3."""
    result = effect_size([2, 4, 6, 4], [1, 2, 3, 2])
    np.testing.assert_allclose(result.g_av, (1 - 3 / 11) * 2 / np.sqrt(5 / 3), rtol=1e-14)
    np.testing.assert_allclose(result.d_z, 2 / np.sqrt(2 / 3), rtol=1e-14)
    assert (result.n, result.reason) == (4, "")


def test_d_z_is_the_paired_statistic_over_root_n():
    first, second = np.random.default_rng(0).normal(0.2, 1.0, (2, 5, 12))
    result = effect_size(first, second)
    np.testing.assert_allclose(result.d_z * np.sqrt(12), paired_ttest(first, second).statistic, rtol=1e-12)
    swapped = effect_size(second.T, first.T, axis=0)
    np.testing.assert_allclose([swapped.g_av, swapped.d_z], [-result.g_av, -result.d_z], rtol=1e-12)


def test_incomplete_pairs_leave_both_columns():
    gaps = effect_size([2, 4, 6, 4, 9, NAN], [1, 2, 3, 2, NAN, 9])
    for a, b in zip(gaps, effect_size([2, 4, 6, 4], [1, 2, 3, 2]), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("first", "second", "n", "reason"),
    [
        ([NAN] * 3, [1.0, 2.0, 3.0], 0, "missing"),
        ([1.0, 2.0, NAN], [0.0, 1.5, 3.0], 2, "too_few_seeds"),
        ([1.0, 1.0, 1.0], [2.0, 2.0, 2.0], 3, "no_variation"),
    ],
)
def test_reasons(first, second, n, reason):
    result = effect_size(first, second)
    assert (result.n, result.reason) == (n, reason)
    assert np.isnan([result.g_av, result.d_z]).all()


def test_equal_differences_have_no_d_z():
    result = effect_size([1.5, 2.5, 3.5], [1.0, 2.0, 3.0])
    assert np.isnan(result.d_z)
    np.testing.assert_allclose(result.g_av, (1 - 3 / 7) * 0.5, rtol=1e-14)
    assert result.reason == ""


def test_wrong_shapes():
    with pytest.raises(InputError, match="shapes"):
        effect_size([1.0, 2.0, 3.0], [1.0, 2.0])
