"""Sampling-corrected slope: exact expectations, the rules for weak denominators, and bounds from two matrices."""

from itertools import product
from math import factorial, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdstats.array import SlopeTerms, balance, normalized_balance, slope
from rdstats.array.sampling import both_correct_bounds, reliability, slope_sampling_corrected, slope_terms, strength
from rdstats.array.sampling_seeds import pooled_slope, seed_slopes
from rdstats.errors import InputError

NAN = np.nan
PROPERTY = settings(deadline=None, derandomize=True, max_examples=40)


def outcomes(n, p):
    """Every split of n images over the cells (both, before only, after only, neither), with its probability."""
    for k in product(range(n + 1), repeat=4):
        if sum(k) == n:
            yield k, factorial(n) / prod(map(factorial, k)) * prod(q**m for q, m in zip(p, k, strict=True))


@pytest.mark.parametrize("reference", ["accuracy", "macro"])
@pytest.mark.parametrize("sizes", [(2, 3), (5, 2), (2, 3, 2)])
def test_numerator_and_denominator_are_exactly_unbiased(sizes, reference):
    """The expectation over all test sets of these sizes is the value of the two networks themselves."""
    cells = np.array([[0.5, 0.2, 0.1, 0.2], [0.2, 0.3, 0.3, 0.2], [0.7, 0.05, 0.2, 0.05]])[: len(sizes)]
    tables = [list(outcomes(n, p)) for n, p in zip(sizes, cells, strict=True)]
    draws = list(product(*tables))
    counts = np.array([[k for k, _ in draw] for draw in draws], dtype=float)
    weight = np.array([prod(q for _, q in draw) for draw in draws])
    both = counts[..., 0]
    terms = slope_terms(both + counts[..., 1], both + counts[..., 2], both, sizes, reference)
    x, y = (balance(cells[:, 0] + cells[:, side], sizes, reference) for side in (1, 2))
    np.testing.assert_allclose(weight.sum(), 1, rtol=1e-12)
    np.testing.assert_allclose((weight * terms.numerator).sum(), (x * y).sum(), atol=1e-10)
    np.testing.assert_allclose((weight * terms.denominator).sum(), (x * x).sum(), atol=1e-10)


def test_worked_fractions():
    """x = .9, .7 and y = .7, .5 of 100 images each: h = 1/2, B = +-.1."""
    terms = slope_terms([90, 70], [70, 50], [68, 45], [100, 100])
    np.testing.assert_allclose(terms.numerator, 0.02 - (0.05 + 0.10) / 198, rtol=1e-12)
    np.testing.assert_allclose(terms.denominator, 0.02 - 0.30 / 198, rtol=1e-12)
    np.testing.assert_allclose(terms.ratio, 0.8 / 0.6, rtol=1e-12)
    u = 0.30 / 99  # D is half the squared difference of the two recalls, whose variance is u
    np.testing.assert_allclose(terms.error, np.sqrt(0.2**2 * u - u**2 / 2), rtol=1e-12)
    np.testing.assert_allclose(strength([90, 70], [100, 100]), terms.denominator / terms.error, rtol=1e-12)
    np.testing.assert_allclose(reliability([90, 70], [100, 100]), terms.denominator / 0.02, rtol=1e-12)


@pytest.mark.parametrize("reference", ["accuracy", "macro"])
def test_the_error_of_the_denominator_is_that_of_a_quadratic_form(reference):
    """With matrices: D is x' Q x less its bias, Q = M'M, M = I - 1 w'; one class has no images."""
    right, n = np.array([90.0, 350, 20, 0]), np.array([100.0, 500, 30, 0])
    error = slope_terms(right, right, right, n, reference).error
    right, n = right[:3], n[:3]
    w = n / n.sum() if reference == "accuracy" else np.full(3, 1 / 3)
    centre = np.eye(3) - np.outer(np.ones(3), w)
    x = right / n
    u = np.diag(x * (1 - x) / (n - 1))
    q = centre.T @ centre
    noise = 2 * np.trace(q @ u @ q @ u)
    np.testing.assert_allclose(error**2, max(4 * x @ q @ u @ q @ x - noise, noise), rtol=1e-10)
    flat = np.round(n * 0.7)  # equal recalls: nothing but noise
    u = np.diag(0.21 / (n - 1))
    error = slope_terms(flat, flat, flat, n, reference).error
    np.testing.assert_allclose(error**2, 2 * np.trace(q @ u @ q @ u), rtol=1e-10)


def test_the_error_of_the_denominator_is_what_draws_show():
    """20,000 test sets of 4 classes of 300 images; tolerance 4 Monte-Carlo errors of a standard deviation."""
    x, n = np.array([0.9, 0.7, 0.8, 0.6]), np.full(4, 300)
    right = np.random.default_rng(5).binomial(n, x, (20_000, 4))
    terms = slope_terms(right, right, right, n)
    variances = terms.error**2
    error = np.hypot(variances.std() / variances.mean() / np.sqrt(20_000), np.sqrt(2 / 20_000))
    assert terms.denominator.var() == pytest.approx(variances.mean(), rel=4 * error)


@pytest.mark.parametrize("reference", ["accuracy", "macro"])
def test_many_images_give_the_raw_slope(reference):
    one, two, both, n = (np.array(part) * 10**7 for part in ([90, 70, 10], [70, 60, 5], [65, 50, 1], [100, 90, 20]))
    raw = slope(*(normalized_balance(part / n, n, reference) for part in (one, two)))
    np.testing.assert_allclose(slope_sampling_corrected(one, two, both, n, reference), raw, rtol=1e-6)


@given(st.lists(st.integers(1, 19), min_size=4, max_size=4, unique=True))
@PROPERTY
def test_identical_networks_have_slope_one(right):
    np.testing.assert_allclose(slope_sampling_corrected(right, right, right, [20, 20, 25, 30]), 1.0, rtol=1e-12)


def test_classes_without_images_do_not_count():
    full = slope_terms([9, 7], [7, 5], [6, 4], [10, 12])
    padded = slope_terms([9, NAN, 7, 0], [7, NAN, 5, 0], [6, NAN, 4, 0], [10, NAN, 12, 0])
    for a, b in zip(full, padded, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


@pytest.mark.parametrize(
    "counts",
    [
        ([9, NAN], [7, 5], [6, 4], [10, 12]),
        ([9, 7], [7, 5], [6, NAN], [10, 12]),
        ([NAN, NAN], [NAN, NAN], [NAN, NAN], [NAN, NAN]),
        ([9, 1], [7, 1], [6, 1], [10, 1]),
    ],
)
def test_missing_counts_and_single_images_are_nan(counts):
    assert np.isnan(slope_terms(*counts).numerator)
    assert np.isnan(slope_sampling_corrected(*counts))


def test_perfect_networks():
    assert strength([10, 0], [10, 10]) == np.inf
    assert np.isnan(strength([10, 11, 13], [10, 11, 13]))
    assert np.isnan(reliability([10, 11, 13], [10, 11, 13]))
    assert np.isnan(slope_sampling_corrected([9, 7], [0, 0], [0, 0], [10, 10]))


@pytest.mark.parametrize(
    ("counts", "match"),
    [
        (([9, 7], [7, 5], [8, 4], [10, 10]), r"both_correct: received 8 at index \(0,\); at most"),
        (([9, 7], [7, 5], [6, 1], [10, 10]), r"both_correct: received 1 at index \(1,\); at least"),
        (([11, 7], [7, 5], [6, 4], [10, 10]), "correct"),
        (([9, 7], [7, 5], [6, 4, 3], [10, 10]), "number of classes"),
    ],
)
def test_contradicting_counts_are_refused(counts, match):
    with pytest.raises(InputError, match=match):
        slope_terms(*counts)


def test_bounds_are_attained_and_hold_every_possible_value():
    one, two, n = np.array([9, 7, 3]), np.array([7, 5, 4]), np.array([10, 12, 6])
    bounds = both_correct_bounds(one, two, n)
    np.testing.assert_array_equal(bounds.lower, [6, 0, 1])
    np.testing.assert_array_equal(bounds.upper, [7, 5, 3])
    spans = (range(int(a), int(b) + 1) for a, b in zip(bounds.lower, bounds.upper, strict=True))
    slopes = slope_sampling_corrected(one, two, np.array(list(product(*spans))), n)
    np.testing.assert_allclose([slopes.min(), slopes.max()], [bounds.slope_lower, bounds.slope_upper], rtol=1e-12)


def terms_of(numerator, denominator, error, ratio=1.0):
    return SlopeTerms(*np.broadcast_arrays(*(np.asarray(p, float) for p in (numerator, denominator, ratio, error))))


def test_pooled_slope_by_hand():
    numerator, denominator, ratio = np.array([4.0, 6, 5, 5.5]), np.array([5.0, 4, 6, 5]), np.array([1, 1.1, 0.9, 1])
    result = pooled_slope(terms_of(numerator, denominator, 1, ratio))
    scaled = numerator * ratio
    left = [np.delete(scaled, i).sum() / np.delete(denominator, i).sum() for i in range(4)]
    se = np.sqrt(3 / 4 * np.sum((left - np.mean(left)) ** 2))
    np.testing.assert_allclose(result.estimate, scaled.sum() / 20, rtol=1e-12)
    np.testing.assert_allclose(result.se, se, rtol=1e-12)
    # 3.182446305284263 = scipy.stats.t.ppf(.975, 3)
    np.testing.assert_allclose(result.upper, scaled.sum() / 20 + 3.182446305284263 * se, rtol=1e-10)
    np.testing.assert_allclose(result.strength, 10, rtol=1e-12)
    assert result.reason == ""


def test_pooled_slope_drops_missing_seeds_and_takes_any_axis():
    values = np.array([4.0, NAN, 6, 5, 5.5])
    gaps = pooled_slope(terms_of(values, 5, 1))
    whole = pooled_slope(terms_of(values[[0, 2, 3, 4]], 5, 1))
    stacked = pooled_slope(terms_of(np.stack([values, 2 * values], axis=1), 5, 1), axis=0)
    for a, b, c in zip(gaps, whole, stacked, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c[0])


@pytest.mark.parametrize(
    ("error", "seed_reason", "pooled_reason"),
    [
        (1.25, "", ""),  # strength 4
        (1.26, "weak_denominator", ""),
        (2.5, "weak_denominator", ""),  # strength 2, pooled 4
        (2.51, "weak_denominator", "not_estimable"),
        (NAN, "weak_denominator", ""),
    ],
)
def test_weak_denominators(error, seed_reason, pooled_reason):
    terms = terms_of([4.0, 6, 5, 5.5], 5, error)
    each, pooled = seed_slopes(terms), pooled_slope(terms)
    assert each.reason.tolist() == [seed_reason] * 4
    assert np.isnan(each.value).all() == (seed_reason != "")
    assert pooled.reason == pooled_reason
    assert np.isnan(pooled.estimate) == (pooled_reason != "")


def test_the_median_decides_for_all_seeds():
    terms = terms_of([4.0, NAN, 5, -0.5], [5.0, 5, 5, -0.1], 1)
    result = seed_slopes(terms)
    assert result.reason.tolist() == ["", "missing", "", ""]
    np.testing.assert_allclose(result.value, [0.8, NAN, 1.0, 5.0], rtol=1e-12)
    assert result.strength == 5


@pytest.mark.parametrize(
    ("numerator", "denominator", "n", "reason"),
    [
        ([NAN, NAN, NAN], 5, 0, "missing"),
        ([5, 6, NAN], 5, 2, "too_few_seeds"),
        ([5, 5, 5], 5, 3, "no_variation"),
        ([5, 6, 7], -5, 3, "not_estimable"),
    ],
)
def test_reasons_of_the_pooled_slope(numerator, denominator, n, reason):
    result = pooled_slope(terms_of(numerator, denominator, 1))
    assert (result.n, result.reason) == (n, reason)
    assert np.isnan(result.lower) == (reason != "no_variation")


def test_a_dense_network_is_shared_by_all_ratios():
    rng = np.random.default_rng(3)
    n = np.array([30, 40, 50])
    both = rng.integers(5, 10, (4, 2, 3))
    before, after = both.max(axis=1) + 4, both + 3
    terms = slope_terms(before[:, None], after, both, n)
    assert {part.shape for part in terms} == {(4, 2)}
    for i, j in np.ndindex(4, 2):
        alone = slope_terms(before[i], after[i, j], both[i, j], n)
        for a, b in zip(terms, alone, strict=True):
            np.testing.assert_allclose(a[i, j], b, rtol=1e-12)
