"""Jackknife over images: equal to a loop over images, covering, and the variance of crossed seeds and images."""

import numpy as np
import pytest
from scipy import stats

from rdstats.array import t_interval
from rdstats.array.jackknife import crossed_interval, image_jackknife
from rdstats.array.sampling import slope_sampling_corrected
from rdstats.errors import InputError

NAN = np.nan


def counts_of(labels, before, after, classes):
    """Counts of single images: before, after, both right, support."""
    parts = (before, after, before & after, np.ones_like(before))
    return [np.bincount(labels[part], minlength=classes) for part in parts]


@pytest.mark.parametrize("reference", ["accuracy", "macro"])
def test_equals_a_loop_over_images(reference):
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(3), [80, 30, 50])
    before = rng.random(160) < np.array([0.95, 0.1, 0.7])[labels]
    after = np.where(rng.random(160) < 0.6, before, rng.random(160) < 0.6)
    slopes = []
    for i in range(160):
        kept = np.arange(160) != i
        slopes.append(slope_sampling_corrected(*counts_of(labels[kept], before[kept], after[kept], 3), reference))
    result = image_jackknife(*counts_of(labels, before, after, 3), reference)
    se = np.sqrt(159 / 160 * np.sum((slopes - np.mean(slopes)) ** 2))
    np.testing.assert_allclose(result.se, se, rtol=1e-10)
    full = slope_sampling_corrected(*counts_of(labels, before, after, 3), reference)
    np.testing.assert_allclose(result.estimate, full, rtol=1e-12)
    # scipy.stats.t.ppf, scipy 1.12 and later
    np.testing.assert_allclose(result.lower, full - stats.t.ppf(0.975, 159) * se, rtol=1e-10)
    assert (result.n, result.reason) == (160, "")


def test_covers_the_slope_of_the_two_networks():
    rng = np.random.default_rng(2)
    cells = np.array([[0.80, 0.10, 0.02, 0.08], [0.60, 0.15, 0.05, 0.20], [0.30, 0.10, 0.10, 0.50]])
    drawn = np.stack([rng.multinomial(200, p, 600) for p in cells], axis=1)
    both = drawn[..., 0]
    result = image_jackknife(both + drawn[..., 1], both + drawn[..., 2], both, [200, 200, 200])
    x, y = cells[:, 0] + cells[:, 1], cells[:, 0] + cells[:, 2]
    truth = x.mean() / y.mean() * np.cov(x, y)[0, 1] / x.var(ddof=1)
    share = np.mean((result.lower <= truth) & (truth <= result.upper))
    assert (result.reason == "").all()
    assert abs(share - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 600)
    # the standard error is that of repeated test sets: 4 errors of a standard deviation of 600 values
    np.testing.assert_allclose(np.sqrt(np.mean(result.se**2)), result.estimate.std(), rtol=4 / np.sqrt(1200))


def test_cells_absent_classes_and_identical_networks():
    right, images = [90, NAN, 40, 0], [100, NAN, 100, 0]
    same = image_jackknife(right, right, right, images)
    other = image_jackknife([90, 40], [80, 50], [75, 35], [100, 100])
    assert same.reason == "no_variation"
    np.testing.assert_allclose([same.lower, same.upper], 1, rtol=1e-12)
    together = image_jackknife([90, 40], [80, 50], [75, 35], [100, 100], k=[1, 2])
    np.testing.assert_array_equal(together.se, [other.se, other.se])
    assert together.lower[1] < together.lower[0] == other.lower


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        (([NAN, NAN], [NAN, NAN], [NAN, NAN], [NAN, NAN]), "missing"),
        (([90, NAN], [80, 50], [75, 35], [100, 100]), "missing"),
        (([90, 1], [80, 1], [75, 1], [100, 2]), "too_few_images"),
        (([71, 70], [80, 50], [55, 35], [100, 100]), "weak_denominator"),
        (([90, 40], [0, 0], [0, 0], [100, 100]), "undefined"),
    ],
)
def test_reasons(counts, reason):
    result = image_jackknife(*counts)
    assert result.reason == reason
    assert np.isnan([result.estimate, result.se, result.lower, result.upper]).all()


def test_crossed_variance_by_hand():
    slopes = np.array([1.0, 1.2, 1.1])
    deleted = np.array([[0.9, 1.1], [1.1, 1.4], [1.2, 1.0]])
    v_img = 0.5 * np.sum((deleted.mean(0) - deleted.mean()) ** 2)
    v = np.mean(0.5 * np.sum((deleted - deleted.mean(1, keepdims=True)) ** 2, axis=1))
    var = np.var(slopes, ddof=1) / 3 + max(0, (3 * v_img - v) / 2)
    result = crossed_interval(slopes, deleted)
    np.testing.assert_allclose(result.se, np.sqrt(var), rtol=1e-12)
    assert var == np.var(slopes, ddof=1) / 3  # here the shared part is clipped at 0
    shared = crossed_interval(slopes, slopes[:, None] + np.array([-0.1, 0.1]))
    # each seed's and the mean's jackknife variance are .01: shared part (3 - 1)/2 x .01
    np.testing.assert_allclose(shared.se**2, np.var(slopes, ddof=1) / 3 + 0.01, rtol=1e-12)
    np.testing.assert_allclose(shared.image_share, 0.01 / (np.var(slopes, ddof=1) / 3 + 0.01), rtol=1e-12)
    np.testing.assert_allclose([result.sd, shared.sd], 0.1, rtol=1e-12)
    assert result.image_share == 0


def test_crossed_variance_is_that_of_a_mean_over_seeds_and_images():
    """Slopes a_i + mean over images of (b_k + e_ik): variance (T + E/m)/n + S/m."""
    rng = np.random.default_rng(3)
    runs, n, images, folds = 3000, 6, 40, 10
    seed = rng.normal(0, 0.1, (runs, n, 1))
    cells = seed + rng.normal(0, 0.5, (runs, 1, images)) + rng.normal(0, 0.5, (runs, n, images))
    parts = cells.reshape(runs, n, folds, -1).mean(-1)
    slopes = parts.mean(-1)
    deleted = (parts.sum(-1, keepdims=True) - parts) / (folds - 1)
    result = crossed_interval(slopes, deleted)
    truth = (0.01 + 0.25 / images) / n + 0.25 / images
    error = np.std(result.se**2) / np.sqrt(runs)
    assert abs(np.mean(result.se**2) - truth) < 4 * error + 1e-5  # clipping at 0 adds a little
    assert np.mean(t_interval(slopes).sd ** 2) / n < truth / 2


def test_missing_seeds_in_the_crossed_interval():
    slopes = np.array([1.0, 1.2, 1.1, NAN, 1.3])
    deleted = slopes[:, None] + np.array([[-0.1, 0.1], [0.0, 0.1], [0.1, -0.1], [0, 0], [0.2, NAN]])
    whole = crossed_interval(slopes[:3], deleted[:3])
    for a, b in zip(crossed_interval(slopes, deleted), whole, strict=True):
        np.testing.assert_array_equal(a, b)
    assert crossed_interval(slopes[:2], deleted[:2]).reason == "too_few_seeds"
    assert crossed_interval(slopes[3:], deleted[3:]).reason == "missing"
    constant = crossed_interval([1.0, 1.0, 1.0], np.ones((3, 2)))
    assert (constant.reason, constant.lower) == ("no_variation", 1)
    assert np.isnan(constant.image_share)
    many = crossed_interval(slopes[:3], deleted[:3], k=[1, 2])
    assert {part.shape for part in many} == {(2,)}


def test_wrong_input():
    with pytest.raises(InputError, match="at least 2 folds"):
        crossed_interval([1.0, 1.1], [[1.0], [1.1]])
    with pytest.raises(InputError, match="shapes"):
        crossed_interval([1.0, 1.1], np.ones((3, 2)))
    with pytest.raises(InputError, match="level"):
        image_jackknife([90, 40], [80, 50], [75, 35], [100, 100], level=95)
