"""Strength of a test set: of single networks, and of a column whose networks err on the same images."""

import numpy as np
import pytest
from scipy.special import ndtri

from rdstats.array import SlopeTerms, fold_counts, fold_terms, pooled_slope, weak_test_set
from rdstats.errors import InputError

NAN = np.nan


def terms_of(denominator, error=1.0):
    d = np.asarray(denominator, float)
    return SlopeTerms(1.1 * d, d, np.ones_like(d), np.broadcast_to(error, d.shape))


def test_weak_test_set_looks_at_the_median():
    assert weak_test_set([[8.0, 9.0, 3.0], [1.5, 4.5, 2.0], [4.0, 4.0, 4.0]]).tolist() == [False, True, False]
    assert weak_test_set([[8.0, 1.5], [NAN, 4.5], [3.0, 2.0]], axis=0).tolist() == [False, True]
    assert weak_test_set([NAN, NAN])
    assert weak_test_set([])
    assert not weak_test_set([np.inf, 5.0])


def test_pooled_strength_by_hand():
    d = np.array([5.0, 4.0, 6.0])
    deleted = d[:, None] + np.array([[0.5, -0.5, 0.1], [0.4, -0.4, 0.0], [0.3, -0.3, 0.0]])
    total = deleted.sum(axis=0)
    error = np.sqrt(2 / 3 * np.sum((total - total.mean()) ** 2))
    result = pooled_slope(terms_of(d), deleted=deleted)
    np.testing.assert_allclose(result.strength, 15 / error, rtol=1e-12)
    plain = pooled_slope(terms_of(d))
    np.testing.assert_allclose(plain.strength, 15 / np.sqrt(3), rtol=1e-12)
    # only the strength depends on it
    for name in ("estimate", "se", "n", "lower", "upper", "reason"):
        np.testing.assert_array_equal(getattr(result, name), getattr(plain, name))


def test_shared_errors_decide():
    d = np.full(16, 2.0)
    shared = d[:, None] + np.linspace(-1, 1, 10)
    assert pooled_slope(terms_of(d)).reason == "no_variation"  # strength 8 if the errors were independent
    result = pooled_slope(terms_of(d), deleted=shared)
    assert result.strength < 4
    assert (result.reason, np.isnan(result.estimate)) == ("not_estimable", True)


def test_missing_seeds_axes_and_unknown_folds():
    d = np.array([5.0, NAN, 4.0, 6.0])
    deleted = np.array([5.0, 1.0, 4.0, 6.0])[:, None] + np.array([0.2, -0.2, 0.3])
    whole = pooled_slope(terms_of(d[[0, 2, 3]]), deleted=deleted[[0, 2, 3]])
    np.testing.assert_allclose(pooled_slope(terms_of(d), deleted=deleted).strength, whole.strength, rtol=1e-12)
    stacked = terms_of(np.stack([d, d, d, d, d], axis=1))
    first = pooled_slope(stacked, axis=0, deleted=np.stack([deleted] * 5, axis=1))
    np.testing.assert_allclose(first.strength, np.full(5, whole.strength), rtol=1e-12)
    deleted[2, 1] = NAN
    unknown = pooled_slope(terms_of(d), deleted=deleted).strength
    np.testing.assert_allclose(unknown, 15 / np.sqrt(3), rtol=1e-12)


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_strength_is_that_of_repeated_test_sets(shared):
    """30 networks of equal recalls on 10 x 300 images; `shared`: correlation of what is hard for two of them.

    The error of sum D from single networks is 1.1 (independent) and .28 (correlation .9) times the true one, that
    from folds 1.1 in both cases.
    """
    rng = np.random.default_rng(9)
    recall = 0.9 + 0.03 * np.linspace(-1, 1, 10)
    labels = np.repeat(np.arange(10), 300)
    sums, errors, single = [], [], []
    for _ in range(60):
        hard = np.sqrt(shared) * rng.normal(size=3000)
        latent = hard + np.sqrt(1 - shared) * rng.normal(size=(30, 3000))
        shown = np.where(latent < ndtri(recall)[labels], labels, (labels + 1) % 10)
        counts = fold_counts(labels, shown, shown, np.arange(3000) % 10, classes=10, folds=10)
        result = fold_terms(counts)
        total = result.terms.denominator.sum()
        sums.append(total)
        strong = result.terms._replace(error=result.terms.error)
        errors.append(total / pooled_slope(strong, deleted=result.deleted).strength)
        single.append(total / pooled_slope(strong).strength)
    # the sd of 60 values has a relative error of 1 / sqrt(120), 4 of these
    ratio = np.sqrt(np.mean(np.square(errors))) / np.std(sums, ddof=1)
    assert 1.1 * (1 - 4 / np.sqrt(120)) < ratio < 1.1 * (1 + 4 / np.sqrt(120))
    naive = np.sqrt(np.mean(np.square(single))) / np.std(sums, ddof=1)
    assert (naive < 0.5) == (shared > 0)


def test_wrong_input():
    with pytest.raises(InputError, match="deleted: expected an axis of 2 or more folds"):
        pooled_slope(terms_of([5.0, 4.0]), deleted=np.ones((2, 1)))
    with pytest.raises(InputError, match="shapes"):
        pooled_slope(terms_of([5.0, 4.0]), deleted=np.ones((3, 4)))
