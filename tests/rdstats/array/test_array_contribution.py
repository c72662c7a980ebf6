"""Contributions of classes to the slope: worked fractions, their sum, and where they are missing."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rdstats.array import intensification_ratio, slope, slope_contribution, slope_reason
from rdstats.errors import InputError

NAN = np.nan
BALANCES = hnp.arrays(np.float64, (5,), elements=st.floats(-1, 1))


def test_worked_fractions():
    np.testing.assert_array_equal(slope_contribution([3, 0, -4], [4, 3, 2]), [12 / 25, 0, -8 / 25])
    np.testing.assert_array_equal(slope_contribution([3, 0, -4], [3, 0, -4]), [9 / 25, 0, 16 / 25])


@given(BALANCES, BALANCES)
@settings(deadline=None, derandomize=True, max_examples=50)
def test_they_add_up_to_the_slope_and_are_weighted_ratios(before, after):
    assume(np.abs(before).max() > 1e-3)
    parts = slope_contribution(before, after)
    np.testing.assert_allclose(parts.sum(), slope(before, after), rtol=1e-10, atol=1e-13)
    weights = slope_contribution(before, before)
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-12)
    ratio = intensification_ratio(before, after)
    some = ~np.isnan(ratio)
    np.testing.assert_allclose(parts[some], (weights * ratio)[some], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(
    ("before", "after", "present"),
    [
        ([0.1, -0.1, NAN], [0.2, -0.2, NAN], None),
        ([0.1, -0.1, 0.1], [0.2, -0.2, NAN], None),
        ([0.1, -0.1, NAN], [0.2, -0.2, NAN], [True, True, True]),
        ([0.1, -0.1, 0.3], [0.2, -0.2, 0.3], [True, True, False]),
        ([0.0, 0.0, 0.0], [0.2, -0.2, 0.0], None),
        ([0.1, -0.1, 0.0], [NAN, NAN, NAN], None),
    ],
)
def test_missing_with_the_slope_and_for_classes_that_are_not_there(before, after, present):
    parts = slope_contribution(before, after, present)
    here = ~np.isnan(before) if present is None else np.array(present)
    fine = slope_reason(before, after, present) == ""
    np.testing.assert_array_equal(np.isnan(parts), ~(here & fine))
    if fine:
        np.testing.assert_allclose(np.nansum(parts), slope(before, after, present), rtol=1e-12)


def test_vectorised_call_equals_a_loop_over_cells():
    rng = np.random.default_rng(5)
    before, after = rng.normal(size=(3, 1, 4)), rng.normal(size=(3, 2, 4))
    after[1, 0, 2] = NAN
    together = slope_contribution(before, after)
    assert together.shape == (3, 2, 4)
    for i, j in np.ndindex(3, 2):
        np.testing.assert_allclose(together[i, j], slope_contribution(before[i, 0], after[i, j]), rtol=1e-12)


def test_wrong_input():
    with pytest.raises(InputError, match=r"shapes \(\.\.\., C\)"):
        slope_contribution([0.1, -0.1], [0.1, -0.1, 0.0])
    with pytest.raises(InputError, match="booleans"):
        slope_contribution([0.1, -0.1], [0.1, -0.1], [1, 1])
