"""Error rates of the tests and coverage of the intervals. Tolerance: four Monte-Carlo errors."""

import numpy as np
import pytest

from rdstats.array import (
    correct,
    crossed_interval,
    fieller_interval,
    image_jackknife,
    independent_ttest,
    normalized_balance,
    paired_ttest,
    slope,
    slope_sampling_corrected,
    t_interval,
    tost,
)

RUNS = 20_000


def near(share, target, runs=RUNS):
    return abs(share - target) < 4 * np.sqrt(target * (1 - target) / runs)


def covered(interval, truth):
    return np.mean((interval.lower <= truth) & (truth <= interval.upper))


@pytest.mark.parametrize("level", [0.01, 0.10])
@pytest.mark.parametrize("alternative", ["two-sided", "less"])
def test_type_one_error_of_paired_columns(alternative, level):
    """Columns of one seed are correlated and of different spread: only their difference counts."""
    rng = np.random.default_rng(1)
    first = rng.normal(1, 0.1, (RUNS, 6))
    second = 1 + 3 * (first - 1) + rng.normal(0, 0.05, (RUNS, 6))
    assert near(np.mean(paired_ttest(first, second, alternative=alternative).p < level), level)


@pytest.mark.parametrize("alternative", ["two-sided", "less"])
def test_type_one_error_with_unequal_groups(alternative):
    """5 seeds against 20: pooled variances keep the level where they are equal, and only there."""
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(RUNS, 5)), rng.normal(size=(RUNS, 20))

    def rejected(spread, **options):
        return np.mean(independent_ttest(spread * first, second, alternative=alternative, **options).p < 0.05)

    assert near(rejected(1, equal_variance=True), 0.05)
    assert rejected(4, equal_variance=True) > 0.15
    assert abs(rejected(4) - 0.05) < 0.01  # Welch's degrees of freedom are an approximation


CONSECUTIVE = ([0, 1, 2, 3], [1, 2, 3, 4], "less")
EVERY_PAIR = (*np.triu_indices(4, 1), "two-sided")


@pytest.mark.parametrize("method", ["bonferroni", "holm"])
@pytest.mark.parametrize(
    ("columns", "members", "least"), [(5, CONSECUTIVE, 0.035), (4, EVERY_PAIR, 0.02)], ids=["ratio", "method"]
)
def test_family_wise_error_of_members_that_share_columns(columns, members, least, method):
    """Consecutive ratios, and all pairs of methods, when no column differs: never above the level, nor idle."""
    rng = np.random.default_rng(3)
    values = rng.normal(0, 0.1, (RUNS, 1, 8)) + rng.normal(0, 0.1, (RUNS, columns, 8))
    first, second, alternative = members
    p = paired_ttest(values[:, first], values[:, second], alternative=alternative).p
    false = np.mean((correct(p, method) < 0.05).any(axis=-1))
    assert false < 0.05 + 4 * np.sqrt(0.05 * 0.95 / RUNS)
    assert false > least
    assert np.mean((p < 0.05).any(axis=-1)) > 0.12


@pytest.mark.parametrize("columns", [1, 4])
def test_simultaneous_intervals_hold_together(columns):
    """k = 4: independent columns all hold with .9875^4, and one of them alone with .9875."""
    values = np.random.default_rng(4).normal(size=(RUNS, columns, 7))
    found = t_interval(values, level=0.95, k=4)
    together = np.mean(((found.lower <= 0) & (found.upper >= 0)).all(axis=-1))
    assert near(together, (1 - 0.05 / 4) ** columns)
    shared = values + 2 * np.random.default_rng(5).normal(size=(RUNS, 1, 7))
    found = t_interval(shared, level=0.95, k=4)
    assert ((found.lower <= 0) & (found.upper >= 0)).all(axis=-1).mean() > 0.95 - 4 * np.sqrt(0.0475 / RUNS)


def test_fieller_set_covers_the_ratio_whatever_its_form():
    """Normal pairs, the mean below only two standard errors from 0: exact."""
    rng = np.random.default_rng(6)
    shared = rng.normal(0, 0.3, (RUNS, 8))
    first, second = 0.5 + shared + rng.normal(0, 0.3, (RUNS, 8)), 0.25 + shared
    found = fieller_interval(first, second, level=0.9)
    inside = (found.lower <= 2) & (found.upper >= 2)
    held = np.select([found.form == "bounded", found.form == "complement"], [inside, ~inside], True)
    assert near(held.mean(), 0.9)
    assert all(np.mean(found.form == form) > 0.01 for form in ("bounded", "complement", "whole line"))


def test_equivalence_at_the_margin_is_found_with_the_level():
    """A mean exactly at the margin: the other side hardly ever counts, so the error is the level itself."""
    values = np.random.default_rng(7).normal(0.1, 0.05, (RUNS, 9))
    found = t_interval(values)
    assert near(np.mean(tost(found.mean, found.sd, found.n, margin=0.1).equivalent), 0.05)
    assert near(np.mean(tost(found.mean, found.sd, found.n, margin=0.1, k=5).equivalent), 0.01)


def draw(rng, images, x, y, same, shape):
    """Images by outcome (both, only before, only after, neither right); of the common ones the share `same` is kept."""
    both = x * y + same * (np.minimum(x, y) - x * y)
    cells = np.stack(np.broadcast_arrays(both, x - both, y - both, 1 - x - y + both), axis=-1)
    return rng.multinomial(np.broadcast_to(images, shape), np.broadcast_to(cells, (*shape, 4)))


def counts(cells):
    """Images right before, after and both times."""
    return np.stack([cells[..., 0] + cells[..., 1], cells[..., 0] + cells[..., 2], cells[..., 0]])


def true_slope(x, y):
    centred = [part - part.mean(axis=-1, keepdims=True) for part in (x, y)]
    beta = (centred[0] * centred[1]).sum(-1) / (centred[0] ** 2).sum(-1)
    return x.mean(axis=-1) / y.mean(axis=-1) * beta


def test_crossed_interval_covers_where_all_seeds_see_the_same_images():
    """500 studies of 12 seeds; 30 % of the images are hard for every network, and compression loses these.

    How many hard images a class has in this test set is common to all seeds, so the t interval over seeds, which
    sees their differences only, covers the slope on other images far too rarely.
    """
    rng = np.random.default_rng(8)
    studies, seeds, folds, classes, images, hard = 500, 12, 10, 10, 60, 0.3
    shape = (studies, seeds, folds, classes)
    easy = np.linspace(0.97, 0.72, classes) + rng.normal(0, 0.015, (studies, seeds, 1, classes))
    easier = easy + rng.normal(0, 0.015, easy.shape)
    easy, easier = np.minimum(easy, 0.995), np.minimum(easier, 0.995)
    number = rng.binomial(images, hard, (studies, 1, folds, classes))
    parts = counts(
        draw(rng, number, np.full(classes, 0.7), np.full(classes, 0.1), 0.0, shape)
        + draw(rng, images - number, easy, easier, 0.0, shape)
    )
    whole = parts.sum(axis=-2)
    slopes = slope_sampling_corrected(*whole, np.full(classes, folds * images))
    deleted = slope_sampling_corrected(*(whole[..., np.newaxis, :] - parts), np.full(classes, (folds - 1) * images))
    recalls = (hard * worst + (1 - hard) * best for worst, best in ((0.7, easy), (0.1, easier)))
    truth = true_slope(*recalls).mean()
    found = crossed_interval(slopes, deleted)
    assert covered(found, truth) > 0.93 - 4 * np.sqrt(0.93 * 0.07 / studies)
    assert covered(found, truth) < 0.99
    assert covered(t_interval(slopes), truth) < 0.80
    # its variance is that of the mean slope over repeated studies
    np.testing.assert_allclose(np.mean(found.se**2), slopes.mean(axis=-1).var(), rtol=4 * np.sqrt(2 / studies))


def test_jackknife_of_a_pair_covers_where_the_bootstrap_of_the_raw_slope_does_not():
    """200 pairs on 30 classes of 100 images: resampled images repeat, which attenuates a second time."""
    rng = np.random.default_rng(9)
    pairs, classes, images = 200, 30, 100
    x = 0.7 + 0.1 * np.linspace(-1.7, 1.7, classes)
    y = 0.45 + 1.2 * (x - 0.7)
    cells = draw(rng, images, x, y, 0.4, (pairs, classes))
    truth, support = true_slope(x, y), np.full(classes, images)

    def raw(drawn):
        return slope(*(normalized_balance(right / images, support) for right in counts(drawn)[:2]))

    found = image_jackknife(*counts(cells), support)
    assert (found.reason == "").all()
    assert near(covered(found, truth), 0.95, pairs)
    resampled = raw(rng.multinomial(images, cells / images, (199, pairs, classes)))
    lower, upper = np.quantile(resampled, [0.025, 0.975], axis=0)
    assert np.mean((lower <= truth) & (truth <= upper)) < 0.5
    once = truth - raw(cells).mean()
    assert once > 0.1
    np.testing.assert_allclose(raw(cells).mean() - resampled.mean(), once, rtol=0.4)
