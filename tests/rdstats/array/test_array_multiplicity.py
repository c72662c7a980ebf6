"""Corrections against statsmodels, their order, and members that could not be computed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from statsmodels.stats.multitest import multipletests

from rdstats.array import CORRECTIONS, correct
from rdstats.errors import InputError

NAN = np.nan
PROPERTY = settings(deadline=None, derandomize=True, max_examples=50)
# one Holm call of statsmodels takes 50 ms
REFERENCE = settings(PROPERTY, max_examples=15)
# few distinct values, so that ties occur
P_VALUES = hnp.arrays(
    np.float64, st.integers(1, 8), elements=st.sampled_from([0.0, 1e-9, 0.01, 0.02, 0.04, 0.3, 0.9, 1.0])
)
STATSMODELS = {"bonferroni": "bonferroni", "holm": "holm", "bh": "fdr_bh"}


@pytest.mark.parametrize("method", STATSMODELS)
@given(P_VALUES)
@REFERENCE
def test_matches_statsmodels(method, p):
    """statsmodels.stats.multitest.multipletests(p, method=...)[1], 0.14 and later."""
    expected = multipletests(p, method=STATSMODELS[method])[1]
    np.testing.assert_allclose(correct(p, method), expected, rtol=1e-10)


@pytest.mark.parametrize("method", STATSMODELS)
@given(P_VALUES, st.integers(0, 4))
@REFERENCE
def test_missing_members_enter_as_one(method, p, missing):
    """As NaN on the axis, or only declared through m: both equal members with p = 1."""
    expected = multipletests(np.r_[p, np.ones(missing)], method=STATSMODELS[method])[1][: p.size]
    np.testing.assert_allclose(correct(p, method, m=p.size + missing), expected, rtol=1e-10)
    gappy = correct(np.r_[np.full(missing, NAN), p], method)
    np.testing.assert_allclose(gappy[missing:], expected, rtol=1e-10)
    assert np.isnan(gappy[:missing]).all()


@given(P_VALUES, st.integers(0, 4))
@PROPERTY
def test_order_of_the_corrections(p, missing):
    m = p.size + missing
    bonferroni, holm, bh, none = (correct(p, method, m) for method in CORRECTIONS)
    np.testing.assert_allclose(bonferroni, np.minimum(1, m * p), rtol=1e-14)
    np.testing.assert_array_equal(none, p)
    slack = 1e-12
    assert np.all(p <= holm + slack)
    assert np.all(holm <= bonferroni + slack)
    assert np.all(p <= bh + slack)
    assert np.all(bh <= holm + slack)


def test_worked_columns():
    p = [0.01, 0.04, 0.03, 0.005]
    np.testing.assert_allclose(correct(p), [0.04, 0.16, 0.12, 0.02], rtol=1e-14)
    np.testing.assert_allclose(correct(p, "holm"), [0.03, 0.06, 0.06, 0.02], rtol=1e-14)
    np.testing.assert_allclose(correct(p, "bh"), [0.02, 0.04, 0.04, 0.02], rtol=1e-14)


@pytest.mark.parametrize("method", CORRECTIONS)
def test_vectorised_over_columns_along_any_axis(method):
    p = np.random.default_rng(0).uniform(size=(4, 5, 3))
    p[2, 1, 1] = NAN
    together = correct(p, method, axis=1)
    for i, j in np.ndindex(4, 3):
        np.testing.assert_array_equal(together[i, :, j], correct(p[i, :, j], method))


@pytest.mark.parametrize("method", CORRECTIONS)
def test_padding_with_a_size_for_each_column(method):
    p = np.array([[0.01, 0.02, 0.03, 0.04], [0.9, 0.95, NAN, NAN]])
    result = correct(p, method, m=[4, 2])
    np.testing.assert_array_equal(result[0], correct(p[0], method))
    np.testing.assert_array_equal(result[1, :2], correct(p[1, :2], method))


@pytest.mark.parametrize("method", ["bonferroni", "holm"])
def test_family_wise_error_is_at_most_the_level(method):
    """20,000 families of 5 true nulls: within 4 Monte-Carlo errors."""
    p = np.random.default_rng(7).uniform(size=(20_000, 5))
    rejected = np.mean((correct(p, method) < 0.05).any(axis=-1))
    assert rejected < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 20_000)
    assert rejected > 0.04


def test_refused():
    with pytest.raises(InputError, match="bonferroni, holm, bh, none"):
        correct([0.1], "fdr")
    with pytest.raises(InputError, match="family of 2 declared members cannot hold 3"):
        correct([0.1, 0.2, 0.3], m=2)
    with pytest.raises(InputError, match="whole number"):
        correct([0.1, 0.2], m=2.5)
    with pytest.raises(InputError, match="between 0 and 1"):
        correct([0.1, 1.2])
