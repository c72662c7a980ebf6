"""BCa interval: the same resamples as scipy give the same bounds, few seeds give none, many columns are quick."""

import time

import numpy as np
import pytest
from scipy import stats

from rdstats.array import t_interval
from rdstats.array.bootstrap import bca_interval
from rdstats.errors import InputError

NAN = np.nan


def of(values, seed=0, **options):
    return bca_interval(values, generator=np.random.default_rng(seed), **options)


@pytest.mark.parametrize("level", [0.9, 0.99])
@pytest.mark.parametrize("skewed", [False, True])
def test_matches_scipy(level, skewed):
    """scipy.stats.bootstrap((x,), np.mean, method="BCa"), scipy 1.17, which draws integers(0, n, (10_000, n))."""
    values = np.random.default_rng(5).normal(1, 0.3, 30)
    values = np.exp(3 * values) if skewed else values
    found = of(values, seed=9, level=level)
    options = {"method": "BCa", "n_resamples": 10_000, "random_state": np.random.default_rng(9)}
    theirs = stats.bootstrap((values,), np.mean, confidence_level=level, **options).confidence_interval
    np.testing.assert_allclose([found.lower, found.upper], [theirs.low, theirs.high], rtol=1e-10)


def test_close_to_t_for_normal_values_and_wider_with_level_and_k():
    values = np.random.default_rng(1).normal(size=40)
    t, bca = t_interval(values), of(values)
    np.testing.assert_allclose([bca.lower, bca.upper], [t.lower, t.upper], atol=0.15 * float(t.upper - t.lower))
    wide, many = of(values, level=0.99), of(values, level=0.95, k=5)
    assert wide.lower < bca.lower < bca.upper < wide.upper
    np.testing.assert_allclose([many.lower, many.upper], [wide.lower, wide.upper], rtol=1e-12)


def test_missing_seeds_are_dropped_and_axes_kept():
    values = np.random.default_rng(2).normal(size=(2, 30))
    gaps = np.insert(values, 4, NAN, axis=1)
    for a, b in zip(of(values), of(gaps.T, axis=0), strict=True):
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=1e-12)
        else:
            np.testing.assert_array_equal(a, b)
    wider = of(values[0], k=[[1], [5]])
    assert wider.lower.shape == (2, 1)
    assert wider.lower[1, 0] < wider.lower[0, 0]
    np.testing.assert_allclose(wider.lower[0, 0], of(values[0]).lower, rtol=1e-12)


@pytest.mark.parametrize(
    ("n", "value", "reason"),
    [
        (0, 1.0, "missing"),
        (2, 1.0, "too_few_seeds"),
        (19, None, "too_few_seeds"),
        (20, None, ""),
        (25, 1.0, "no_variation"),
    ],
)
def test_reasons(n, value, reason):
    values = np.random.default_rng(3).normal(size=30) if value is None else np.full(30, value)
    values[n:] = NAN
    result = of(values)
    assert (result.n, result.reason) == (n, reason)
    assert np.isnan(result.lower) == np.isnan(result.upper) == (reason in ("missing", "too_few_seeds"))
    if reason == "no_variation":
        assert result.lower == result.upper == 1


def test_88_columns_of_30_seeds_take_under_two_seconds():
    values = np.random.default_rng(4).normal(size=(88, 30))
    start = time.process_time()
    of(values)
    assert time.process_time() - start < 2


def test_wrong_input():
    values = np.ones(30)
    with pytest.raises(InputError, match="replicates: received 9999"):
        of(values, replicates=9_999)
    with pytest.raises(InputError, match="level"):
        of(values, level=99)
    with pytest.raises(InputError, match="values"):
        of(np.ones((3, 0)))
