"""Posterior draws: the credible interval is the t interval, sd follows chi-square, missing columns stay NaN."""

import numpy as np
import pytest
from scipy import stats

from rdstats.array import t_interval
from rdstats.array.posterior import posterior_draws
from rdstats.errors import InputError

NAN = np.nan
DRAWS = 20_000
COLUMNS = np.random.default_rng(0).normal([[1.0], [0.2], [-3.0]], [[0.3], [0.01], [2.0]], (3, 8))


def of(values, seed=1, draws=DRAWS, **options):
    return posterior_draws(values, generator=np.random.default_rng(seed), draws=draws, **options)


def test_credible_interval_is_the_t_interval():
    """The share of draws below each bound of the t interval is binomial around its tail."""
    result = of(COLUMNS)
    for level in (0.5, 0.9, 0.99):
        bounds, tail = t_interval(COLUMNS, level=level), (1 - level) / 2
        error = np.sqrt(tail * (1 - tail) / DRAWS)
        assert (np.abs((result.mean < bounds.lower).mean(0) - tail) < 4 * error).all()
        assert (np.abs((result.mean > bounds.upper).mean(0) - tail) < 4 * error).all()


def test_sd_follows_the_scaled_inverse_chi_square():
    """(n - 1) s^2 / sigma^2 is chi-square of n - 1 degrees of freedom, scipy.stats.chi2."""
    result = of(COLUMNS)
    pivot = 7 * COLUMNS.var(axis=-1, ddof=1) / result.sd**2
    for q in (0.1, 0.5, 0.9):
        share = (pivot < stats.chi2.ppf(q, 7)).mean(0)
        assert (np.abs(share - q) < 4 * np.sqrt(q * (1 - q) / DRAWS)).all()


def test_mean_given_sd_is_normal_with_variance_over_n():
    result = of(COLUMNS)
    z = (result.mean - COLUMNS.mean(-1)) / (result.sd / np.sqrt(8))
    assert (np.abs(z.mean(0)) < 4 / np.sqrt(DRAWS)).all()
    assert (np.abs(z.var(0) - 1) < 4 * np.sqrt(2 / DRAWS)).all()


def test_columns_and_seeds_are_independent_of_their_layout():
    first, turned = of(COLUMNS, draws=10), of(COLUMNS.T, draws=10, axis=0)
    assert first.mean.shape == (10, 3)
    np.testing.assert_allclose(first.mean, turned.mean, rtol=1e-12)
    assert abs(np.corrcoef(of(COLUMNS).mean.T)[0, 1]) < 4 / np.sqrt(DRAWS)
    np.testing.assert_allclose(of(np.insert(COLUMNS, 2, NAN, axis=1), draws=10).mean, first.mean, rtol=1e-12)


def test_reasons():
    values = np.array([[NAN] * 4, [1.0, 2.0, NAN, NAN], [1.5] * 4, [1.0, 2.0, 3.0, NAN]])
    result = of(values, draws=50)
    assert result.reason.tolist() == ["missing", "too_few_seeds", "no_variation", ""]
    assert result.n.tolist() == [0, 2, 4, 3]
    assert np.isnan(result.mean[:, :2]).all()
    assert np.isnan(result.sd[:, :2]).all()
    assert (result.mean[:, 2] == 1.5).all()
    assert (result.sd[:, 2] == 0).all()
    assert np.isfinite(result.mean[:, 3]).all()


def test_wrong_input():
    with pytest.raises(InputError, match="draws"):
        of([1.0, 2.0, 3.0], draws=0)
    with pytest.raises(InputError, match="values"):
        of([1.0, np.inf, 3.0], draws=1)
