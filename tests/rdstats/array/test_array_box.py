"""Quartiles and whiskers: NumPy's quantiles, Tukey's rule, loop over cells."""

import numpy as np
import pytest

import rdstats.array as ra
from rdstats.errors import InputError


def test_quartiles_are_numpys():
    values = np.random.default_rng(0).normal(size=(4, 5, 17))
    values[0, 1, 3:] = np.nan
    values[2, 0, ::4] = np.nan
    values[3, 4] = np.nan
    found = ra.box_summary(values)
    for index in np.ndindex(4, 5):
        own = values[index][~np.isnan(values[index])]
        assert found.n[index] == own.size
        if own.size:
            wanted = np.quantile(own, [0.25, 0.5, 0.75])
            got = [field[index] for field in (found.first, found.median, found.third)]
            np.testing.assert_allclose(got, wanted, rtol=1e-12)
            reach = 1.5 * (wanted[2] - wanted[0])
            inside = own[(own >= wanted[0] - reach) & (own <= wanted[2] + reach)]
            assert (found.low[index], found.high[index]) == (inside.min(), inside.max())
    assert all(np.isnan(field[3, 4]) for field in found[:5])


def test_an_outlier_is_beyond_the_whisker():
    # quartiles 2 and 4, so whiskers may reach from -1 to 7
    assert [float(v) for v in ra.box_summary([1, 2, 3, 4, 7.01])] == [1, 2, 3, 4, 4, 5]
    assert [float(v) for v in ra.box_summary([1, 2, 3, 4, 7.0])] == [1, 2, 3, 4, 7, 5]


def test_one_value_and_none():
    assert [float(v) for v in ra.box_summary([3.0])] == [3, 3, 3, 3, 3, 1]
    empty = ra.box_summary(np.empty((2, 0)))
    assert empty.n.tolist() == [0, 0]
    assert np.isnan(empty.median).all()
    assert np.isnan(empty.low).all()


@pytest.mark.parametrize("values", [3.0, [1.0, np.inf]])
def test_wrong_values(values):
    with pytest.raises(InputError, match="values"):
        ra.box_summary(values)
