"""Churn, its bounds and the intervals of shares: against enumeration, brute force and statsmodels."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, multinomial

from rdstats.array import both_correct_bounds, churn, churn_bounds, confusion_matrix, paired_change, share_interval
from rdstats.errors import InputError

NAN = float("nan")


def test_churn_is_the_share_of_changed_predictions():
    before = [[0, 1, 2, 2], [0, 0, 0, 0]]
    assert churn(before, [0, 1, 2, 0]).tolist() == [1 / 4, 2 / 4]
    assert churn(before[0], before[0]).tolist() == 0
    assert np.isnan(churn([0, NAN], [0, 1]))


@pytest.mark.parametrize(("before", "after"), [([0, 1], [0]), (["a"], ["b"])])
def test_churn_refuses(before, after):
    with pytest.raises(InputError):
        churn(before, after)


def test_bounds_of_churn_are_reached_and_never_left():
    """Every way in which two models can share five images of one class and three of another."""
    labels = np.array([0] * 4 + [1] * 2)
    before = np.array([0, 0, 1, 2, 1, 1])
    seen = {}
    for after in product(range(3), repeat=6):
        matrices = confusion_matrix(labels, before, classes=3), confusion_matrix(labels, after, classes=3)
        own = seen.setdefault(matrices[1].tobytes(), (matrices, []))
        own[1].append(float(churn(before, after)))
    assert len(seen) > 50
    for matrices, values in seen.values():
        bounds = churn_bounds(*matrices)
        assert (bounds.lower, bounds.upper) == pytest.approx((min(values), max(values)), abs=1e-12)


def test_bounds_of_churn_are_vectorised_and_take_gaps():
    one = np.array([[9, 1], [3, 7]], float)
    two = np.array([[7, 3], [5, 5]], float)
    both = churn_bounds([one, np.full((2, 2), NAN)], two[np.newaxis] * [[[1]], [[0]]])
    assert both.lower.tolist() == pytest.approx([4 / 20, NAN], nan_ok=True)
    assert both.upper.tolist() == pytest.approx([12 / 20, NAN], nan_ok=True)
    with pytest.raises(InputError, match="other numbers of images"):
        churn_bounds(one, two + 1)
    with pytest.raises(InputError, match="one size"):
        churn_bounds([one[0]], [one[0]])


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_wilson_as_statsmodels_has_it(level):
    from statsmodels.stats.proportion import proportion_confint

    counts, n = np.array([0, 1, 7, 50, 99, 100]), 100
    found = share_interval(counts, n, level=level)
    expected = proportion_confint(counts, n, 1 - level, method="wilson")
    np.testing.assert_allclose(found.lower, expected[0], rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(found.upper, expected[1], rtol=1e-10)
    assert np.isnan(share_interval(0, 0).estimate)
    with pytest.raises(InputError, match="at most the images"):
        share_interval(2, 1)


def coverage(n, p_lost, p_gained, level):
    """Exact coverage of the interval of a paired change: over all numbers of images lost and gained."""
    lost, gained = np.array([(b, c) for b in range(n + 1) for c in range(n + 1 - b)]).T
    found = paired_change(lost, gained, n, level=level)
    chances = [p_lost, p_gained, 1 - p_lost - p_gained]
    mass = multinomial.pmf(np.stack([lost, gained, n - lost - gained], -1), n, chances)
    truth = p_gained - p_lost
    return mass[(found.lower <= truth) & (truth <= found.upper)].sum()


@pytest.mark.parametrize(
    ("n", "p_lost", "p_gained"), [(30, 0.1, 0.1), (50, 0.2, 0.05), (80, 0.05, 0.02), (60, 0.02, 0.3)]
)
def test_interval_of_a_paired_change_covers(n, p_lost, p_gained):
    assert 0.94 < coverage(n, p_lost, p_gained, 0.95) < 0.995
    assert 0.885 < coverage(n, p_lost, p_gained, 0.90) < 0.985


def test_paired_change_by_hand():
    """b = 15, c = 5, n = 100: p = 16/102, q = 6/102, se = sqrt((22/102 - (10/102)^2)/102)."""
    found = paired_change(15, 5, 100)
    half = 1.959963984540054 * np.sqrt((22 / 102 - (10 / 102) ** 2) / 102)
    assert float(found.estimate) == -0.1
    np.testing.assert_allclose([found.lower, found.upper], [-10 / 102 - half, -10 / 102 + half], rtol=1e-12)


def test_the_largest_disagreement_covers_all_others():
    before, after, n = 80.0, 70.0, 100.0
    least = float(both_correct_bounds([before], [after], [n]).lower[0])
    widest = paired_change(before - least, after - least, n)
    for both in np.arange(least, 71):
        one = paired_change(before - both, after - both, n)
        assert widest.lower <= one.lower
        assert one.upper <= widest.upper
        assert one.estimate == widest.estimate


def test_simultaneous_intervals_are_wider_and_ends_stay_inside():
    one, five = paired_change(3, 1, 10), paired_change(3, 1, 10, k=5)
    assert five.lower < one.lower
    assert five.upper > one.upper
    all_lost = paired_change(5, 0, 5)
    assert all_lost.lower == -1
    assert np.isnan(paired_change(0, 0, 0).lower)
    for wrong in ({"level": 1.5}, {"k": 0}):
        with pytest.raises(InputError):
            paired_change(1, 1, 10, **wrong)
    with pytest.raises(InputError, match="at most the images"):
        paired_change(8, 3, 10)


def test_mid_p_and_interval_agree_far_from_the_limit():
    lost, gained = np.array([30, 3]), np.array([5, 3])
    found = paired_change(lost, gained, 100)
    p = 2 * binom.cdf(np.minimum(lost, gained), lost + gained, 0.5)
    assert ((found.upper < 0) == (p < 0.01)).all()
