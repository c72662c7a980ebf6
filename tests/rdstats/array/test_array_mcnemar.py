"""McNemar mid-p: equal to enumeration and to statsmodels, level kept, extremes and missing counts."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as exact_mcnemar

from rdstats.array.mcnemar import mcnemar
from rdstats.errors import InputError

NAN = np.nan


def of(b, c, both=10):
    """The test for given discordant images."""
    b, c = np.asarray(b, float), np.asarray(c, float)
    return mcnemar(both + b, both + c, np.full(np.broadcast(b, c).shape, both))


def enumerated(b, c):
    """P(more extreme) + P(as extreme) / 2 over all outcomes, as a fraction."""
    n, total = b + c, Fraction(0)
    for k in range(n + 1):
        weight = Fraction(comb(n, k), 2**n)
        if abs(2 * k - n) > abs(b - c):
            total += weight
        elif abs(2 * k - n) == abs(b - c):
            total += weight / 2
    return float(total)


def test_equals_enumeration():
    pairs = [(b, c) for b in range(13) for c in range(13) if b + c]
    found = of(*np.array(pairs).T)
    np.testing.assert_allclose(found.p, [enumerated(b, c) for b, c in pairs], rtol=1e-12)
    np.testing.assert_array_equal(np.stack([found.only_before, found.only_after], -1), pairs)
    assert (found.reason == "").all()


@pytest.mark.parametrize(("b", "c"), [(8, 2), (2, 8), (0, 5), (1, 30), (120, 90), (40, 40), (1000, 1100)])
def test_equals_statsmodels_less_half_the_point_probability(b, c):
    """statsmodels.stats.contingency_tables.mcnemar(exact=True), 0.14; it doubles the tail and stops at 1."""
    exact = exact_mcnemar([[5, b], [c, 5]], exact=True).pvalue
    point = float(Fraction(comb(b + c, min(b, c)), 2 ** (b + c)))
    expected = exact - point if b != c else exact - point / 2
    np.testing.assert_allclose(of(b, c).p, expected, rtol=1e-9)


def test_symmetric_and_in_the_unit_interval():
    rng = np.random.default_rng(0)
    b, c = rng.integers(0, 200, (2, 500))
    np.testing.assert_array_equal(of(b, c).p, of(c, b).p)
    assert ((of(b, c).p > 0) & (of(b, c).p <= 1)).all()


def test_extremes():
    assert 0 < of(5000, 0).p < 1e-300
    none = of(0, 0)
    assert (none.p, none.reason) == (1, "no_change")
    np.testing.assert_allclose(of(1, 0).p, 0.5, rtol=1e-15)


def test_type_one_error_is_near_its_level():
    """At 100 discordant images the mid-p test rejects a true hypothesis in .035 to .05 of the cases."""
    weights = np.array([comb(100, k) for k in range(101)], float) / 2.0**100
    p = of(np.arange(101), 100 - np.arange(101)).p
    assert 0.035 < weights[p <= 0.05].sum() <= 0.06
    np.testing.assert_allclose((weights * p).sum(), 0.5, rtol=1e-12)  # the mean of a mid-p is exactly one half


def test_missing_counts():
    found = mcnemar([90, NAN, 80], [84, 70, 80], [82, 60, NAN])
    assert found.reason.tolist() == ["", "missing", "missing"]
    for part in found[:3]:
        assert np.isnan(part).tolist() == [False, True, True]


def test_shapes_and_order_of_classes():
    before, after, both = (
        np.array([[90, 70, 80], [9, 7, 8]]),
        np.array([84, 70, 85]),
        np.array([[82, 65, 80], [5, 6, 8]]),
    )
    found = mcnemar(before, after, both)
    assert found.p.shape == (2, 3)
    order = [2, 0, 1]
    for a, b in zip(found, mcnemar(before[:, order], after[order], both[:, order]), strict=True):
        np.testing.assert_array_equal(a[:, order], b)
    assert mcnemar(5, 4, 3).p.shape == ()
    assert mcnemar(np.zeros((0, 3)), np.zeros(3), np.zeros(3)).p.shape == (0, 3)


@pytest.mark.parametrize(
    ("counts", "match"),
    [
        (([9, 7], [7, 5], [8, 4]), r"both_correct: received 8 at index \(0,\); at most"),
        (([9, -7], [7, 5], [6, 4]), "correct_before: received -7"),
        (([9, 7], [7, 5.5], [6, 4]), r"correct_after: received 5.5 at index \(1,\); images are whole numbers"),
        (([9, 7], [7, 5, 4], [6, 4]), "shapes"),
    ],
)
def test_wrong_input(counts, match):
    with pytest.raises(InputError, match=match):
        mcnemar(*counts)
