"""Expected slopes: worked example, published figures, and the solver against its equation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, logit

from rdstats.array import (
    class_weights,
    normalized_balance,
    shift_delta,
    slope,
    slope_excess,
    slope_expected_error,
    slope_expected_shift,
)
from rdstats.errors import InputError

NAN = np.nan
PROPERTY = settings(deadline=None, derandomize=True, max_examples=50)
SCORES = hnp.arrays(np.float64, (6,), elements=st.floats(0.001, 0.999))
SUPPORTS = hnp.arrays(np.int64, (6,), elements=st.integers(1, 100))
EPS = np.finfo(np.float64).eps


def test_worked_example():
    half = [0.5, 0.5]
    np.testing.assert_allclose(slope_expected_error(0.8, 0.6), 8 / 3, rtol=1e-14)
    np.testing.assert_allclose(shift_delta([0.9, 0.7], 0.6, half), -1.06972, atol=5e-6)
    np.testing.assert_allclose(slope_expected_shift([0.9, 0.7], [0.7, 0.5], half), 2.0717, atol=5e-5)


def test_error_proportional_reproduces_the_figures_of_table_13():
    """STATISTICS 1: from the accuracies of Table 13 alone (before .886)."""
    result = slope_expected_error(0.886, [0.934, 0.920, 0.882, 0.824])
    np.testing.assert_array_equal(result.round(3), [0.549, 0.676, 1.040, 1.660])


@given(SCORES, st.floats(0.2, 1.0))
@PROPERTY
def test_error_proportional_is_the_slope_of_scaled_errors(scores, factor):
    support = np.ones(6)
    after = 1 - factor * (1 - scores)
    before_bn, after_bn = normalized_balance(scores, support), normalized_balance(after, support)
    if np.ptp(scores) > 1e-3:
        expected = slope_expected_error(scores.mean(), after.mean())
        np.testing.assert_allclose(slope(before_bn, after_bn), expected, rtol=1e-8)


def test_error_proportional_where_undefined():
    result = slope_expected_error([0.0, 1.0, 0.5, NAN, 0.5], [0.5, 0.5, 0.0, 0.5, 1.0])
    np.testing.assert_array_equal(result, [NAN, NAN, NAN, NAN, 0])


@given(SCORES, SUPPORTS, st.floats(-6, 6))
@PROPERTY
def test_solver_recovers_the_shift(scores, support, delta):
    weights = class_weights(support)
    moved = expit(logit(scores) + delta)
    target = np.sum(weights * moved)
    # how far a rounding error of the target moves delta
    slack = 8 * EPS / np.sum(weights * moved * (1 - moved))
    np.testing.assert_allclose(shift_delta(scores, target, weights), delta, rtol=1e-12, atol=1e-12 + slack)


@given(SCORES, SUPPORTS, st.floats(1e-6, 1 - 1e-6))
@PROPERTY
def test_solver_meets_its_equation(scores, support, target):
    weights = class_weights(support)
    delta = shift_delta(scores, target, weights)
    np.testing.assert_allclose(np.sum(weights * expit(logit(scores) + delta)), target, rtol=1e-13, atol=4 * EPS)


@pytest.mark.parametrize("target", [1e-12, 1e-6, 0.3, 0.999999])
def test_solver_with_extreme_scores(target):
    scores, weights = [1e-12, 1e-3, 1 - 1e-9, 0.5], np.full(4, 0.25)
    delta = shift_delta(scores, target, weights)
    np.testing.assert_allclose(np.sum(weights * expit(logit(scores) + delta)), target, rtol=1e-12)


@given(SCORES, SUPPORTS)
@PROPERTY
def test_no_change_gives_exactly_one(scores, support):
    weights = class_weights(support)
    assert shift_delta(scores, np.sum(weights * scores), weights) == 0
    if np.ptp(scores) > 1e-3:
        assert slope_expected_shift(scores, scores, weights) == 1


@given(SCORES, SUPPORTS, st.floats(-3, 3))
@PROPERTY
def test_a_shift_is_its_own_expectation(scores, support, delta):
    weights = class_weights(support)
    after = expit(logit(scores) + delta)
    if np.ptp(scores) > 1e-2:
        observed = slope(normalized_balance(scores, support), normalized_balance(after, support))
        np.testing.assert_allclose(slope_expected_shift(scores, after, weights), observed, rtol=1e-8, atol=1e-9)


def test_only_the_reference_score_after_enters():
    weights = class_weights([10, 10, 20])
    one = slope_expected_shift([0.9, 0.7, 0.8], [0.5, 0.7, 0.6], weights)
    two = slope_expected_shift([0.9, 0.7, 0.8], [0.7, 0.5, 0.6], weights)
    np.testing.assert_allclose(one, two, rtol=1e-12)


def test_scores_of_zero_and_one_stay():
    # .25 (1 + 0 + 2 expit(delta)) = .35 needs expit(delta) = .2
    delta = shift_delta([1.0, 0.0, 0.5, 0.5], 0.35, np.full(4, 0.25))
    np.testing.assert_allclose(delta, logit(0.2), rtol=1e-13)
    # balances (.5, -.5, 0, 0) / .5 -> (.65, -.35, -.15, -.15) / .35
    result = slope_expected_shift([1.0, 0.0, 0.5, 0.5], [0.35] * 4, np.full(4, 0.25))
    np.testing.assert_allclose(result, (0.65 + 0.35) / 0.35 / 2, rtol=1e-12)


@pytest.mark.parametrize(
    ("before", "target"),
    [
        ([0.9, 0.7], 0.0),
        ([0.9, 0.7], 1.0),
        ([0.9, 0.7], NAN),
        ([0.9, NAN], 0.6),
        ([1.0, 0.7], 0.5),
        ([1.0, 0.7], 0.2),
        ([0.0, 0.7], 0.6),
        ([1.0, 0.0], 0.6),
        ([1.0, 1.0], 1.0),
    ],
)
def test_unreachable_targets(before, target):
    assert np.isnan(shift_delta(before, target, [0.5, 0.5]))


def test_unreachable_cells_leave_the_others_alone():
    before = np.array([[0.9, 0.7], [1.0, 0.0], [NAN, NAN], [0.9, 0.7]])
    weights = np.array([[0.5, 0.5], [0.5, 0.5], [NAN, NAN], [0.5, 0.5]])
    result = shift_delta(before, [0.6, 0.6, 0.6, 0.8], weights)
    np.testing.assert_array_equal(np.isnan(result), [False, True, True, False])
    assert result[0] == shift_delta([0.9, 0.7], 0.6, [0.5, 0.5])


def test_absent_classes_change_nothing():
    plain = slope_expected_shift([0.9, 0.7], [0.7, 0.5], [0.5, 0.5])
    padded = slope_expected_shift([0.9, NAN, 0.7, 0.2], [0.7, NAN, 0.5, 0.9], [0.5, 0, 0.5, 0])
    assert padded == plain


@pytest.mark.parametrize(("before", "after"), [([0.9, NAN], [0.7, 0.5]), ([0.9, 0.7], [0.7, NAN])])
def test_undefined_class(before, after):
    assert np.isnan(slope_expected_shift(before, after, [0.5, 0.5]))


def test_equal_scores_have_no_expected_slope():
    assert np.isnan(slope_expected_shift([0.9, 0.9], [0.7, 0.5], [0.5, 0.5]))


def test_excess():
    result = slope_excess([2.0, 2.0, -0.5, 0.0, NAN], [1.0, -1.0, 1.0, 0.5, 1.0])
    np.testing.assert_allclose(result, [np.log(2), 3, -1.5, -0.5, NAN], rtol=1e-14)


def test_refused():
    with pytest.raises(InputError, match="weights: sum to 20"):
        shift_delta([0.9, 0.7], 0.6, [10, 10])
    with pytest.raises(InputError, match="between 0 and 1"):
        slope_expected_error(80, 60)
    with pytest.raises(InputError, match="target"):
        shift_delta([[0.9, 0.7]] * 3, [0.6, 0.6], [0.5, 0.5])
