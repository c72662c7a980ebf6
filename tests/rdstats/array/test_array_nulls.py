"""What every slope gives where compression does nothing to the classes: nulls A, A+, B and C.

One model holds all four. Recall before is r_c + u_c, after r_c + r u_c + sqrt(1 - r^2) u'_c: fine-tuning keeps the
share r of the run-specific part and renews the rest, so that both networks have the same run variance W (without
renewal the spread would shrink and log s with it). Of the images that both could get right, a share q is the same.

| null | r | q |
|---|---|---|
| A, identical networks | 1 | 1 |
| A+, equal population recalls | 1 | 1/2 |
| B, independent re-training | 0 | 1/2 |
| C, half of the run-specific part kept | 1/2 | 1/2 |

With T the variance between classes, V that of test sampling and K its covariance, sums over the classes have
expectations in the proportions T + W + V (before with itself) and T + r W + K (before with after). Slopes that
divide sums by sums have the ratio of these; normalising multiplies by E[A / A'], within .001 of 1 here. The mean of
raw slopes is a mean of ratios, and differs: see the test of it. Tolerance: four Monte-Carlo errors.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from rdstats.array import (
    CLAIMS,
    SlopeTerms,
    balance,
    claim,
    log_spread_difference,
    normalized_balance,
    pooled_slope,
    reference_score,
    seed_instrumented_slope,
    slope,
    slope_terms,
    spread_ratio,
    t_interval,
    tost,
)

NULLS = {"A": (1.0, 1.0), "A+": (1.0, 0.5), "B": (0.0, 0.5), "C": (0.5, 0.5)}
CLASSES, IMAGES, RUN = 10, 60, 0.04
EFFECTS = 0.7 + 0.05 * np.linspace(-1.5, 1.5, CLASSES)
SUPPORT = np.full(CLASSES, IMAGES)
BETWEEN, RUN_VARIANCE = EFFECTS.var(ddof=1), RUN**2
SAMPLING = np.mean(EFFECTS * (1 - EFFECTS) - RUN_VARIANCE) / IMAGES


class Pairs(NamedTuple):
    """Images right before, after and both times, and the recalls and balances that follow."""

    counts: tuple
    before: np.ndarray
    after: np.ndarray

    @property
    def balances(self):
        return balance(self.before, SUPPORT), balance(self.after, SUPPORT)

    @property
    def normalized(self):
        return normalized_balance(self.before, SUPPORT), normalized_balance(self.after, SUPPORT)

    @property
    def ratio(self):
        return reference_score(self.before, SUPPORT) / reference_score(self.after, SUPPORT)


def recalls(rng, share, shape, arms=None):
    """Population recalls before, and after for each arm, which share what is kept of the run and nothing else."""
    run = rng.normal(0, RUN, (*shape, CLASSES))
    renewed = rng.normal(0, RUN, (*shape[:-1], *(() if arms is None else (arms,)), shape[-1], CLASSES))
    kept = run if arms is None else np.expand_dims(run, -3)
    return EFFECTS + run, EFFECTS + share * kept + np.sqrt(1 - share**2) * renewed


def both_right(x, y, same):
    return x * y + same * (np.minimum(x, y) - x * y)


@cache
def draw(null, seeds=1500, seed=1):
    """Pairs of networks, one per training run."""
    share, same = NULLS[null]
    rng = np.random.default_rng(seed)
    x, y = recalls(rng, share, (seeds,))
    both = both_right(x, y, same)
    # rounding may leave a cell below 0 where the networks are identical
    cells = rng.multinomial(IMAGES, np.maximum(np.stack([both, x - both, y - both, 1 - x - y + both], -1), 0.0))
    right = cells[..., 0] + cells[..., 1], cells[..., 0] + cells[..., 2]
    return Pairs((*right, cells[..., 0], SUPPORT), right[0] / IMAGES, right[1] / IMAGES)


def shared_sampling(null):
    """K = q E[min(x, y) - x y] / n; the smaller of two normals of difference d lies sd(d) / sqrt(2 pi) below."""
    share, same = NULLS[null]
    smaller = EFFECTS - RUN * np.sqrt(2 * (1 - share) / (2 * np.pi))
    return same * np.mean(smaller - EFFECTS**2 - share * RUN_VARIANCE) / IMAGES


def raw_target(null):
    share, _ = NULLS[null]
    kept = BETWEEN + share * RUN_VARIANCE + shared_sampling(null)
    return kept / (BETWEEN + RUN_VARIANCE + SAMPLING)


def check(found, target, error):
    assert abs(found - target) < 4 * error + 1e-9  # null A has no error at all


@pytest.mark.parametrize("null", NULLS)
def test_raw_slope_of_sums(null):
    """(T + r W + K) / (T + W + V): 1 for A alone."""
    pairs = draw(null)
    before, after = pairs.balances
    products = SlopeTerms((before * after).sum(-1), (before**2).sum(-1), pairs.ratio, np.full(len(before), np.nan))
    found = pooled_slope(products)
    check(found.estimate, raw_target(null), found.se)
    assert (found.estimate < 1 - 4 * found.se) == (null != "A")
    assert found.se < 0.01


@pytest.mark.parametrize("null", ["B", "C"])
def test_mean_of_raw_slopes_is_nearer_one_than_the_ratio_of_expectations(null):
    """With few classes: for normal errors of variance s^2 = W + V in p = C - 1 dimensions, E[x y / x x] is

    l + (1 - l) (1 - (p - 2) E[1 / (p - 2 + 2 J)]), J Poisson of mean p T / (2 s^2), l = (r W + K) / s^2.
    """
    share, _ = NULLS[null]
    values = slope(*draw(null, 60_000, seed=2).normalized)
    error = values.std() / np.sqrt(values.size)
    noise, p = RUN_VARIANCE + SAMPLING, CLASSES - 1
    kept = (share * RUN_VARIANCE + shared_sampling(null)) / noise
    shrunk = stats.poisson(p * BETWEEN / (2 * noise)).expect(lambda j: (p - 2) / (p - 2 + 2 * j))
    check(values.mean(), kept + (1 - kept) * (1 - shrunk), error)
    assert values.mean() > raw_target(null) + 4 * error


@pytest.mark.parametrize("null", NULLS)
def test_sampling_corrected_slope(null):
    """1 - (1 - r) W / (T + W): freed of test sampling, not of the run; 1 for A and A+ only."""
    pairs, (share, _) = draw(null), NULLS[null]
    found = pooled_slope(slope_terms(*pairs.counts))
    check(found.estimate, 1 - (1 - share) * RUN_VARIANCE / (BETWEEN + RUN_VARIANCE), found.se)
    assert found.reason == ("no_variation" if null == "A" else "")
    assert found.se < 0.02
    if null in "BC":
        assert found.estimate < 1 - 4 * found.se


@pytest.mark.parametrize("reference", ["accuracy", "macro"])
def test_sampling_corrected_slope_of_equal_populations_on_unequal_classes(reference):
    rng = np.random.default_rng(3)
    support = np.repeat([20, 60, 200, 30, 100], 2)
    both = both_right(EFFECTS, EFFECTS, 0.5)
    cells = rng.multinomial(
        support, np.stack([both, EFFECTS - both, EFFECTS - both, 1 - 2 * EFFECTS + both], -1), (1500, 10)
    )
    right = cells[..., 0] + cells[..., 1], cells[..., 0] + cells[..., 2]
    found = pooled_slope(slope_terms(*right, cells[..., 0], support, reference))
    check(found.estimate, 1.0, found.se)
    assert found.se < 0.03


@pytest.mark.parametrize("null", NULLS)
def test_slope_instrumented_by_the_other_seeds(null):
    """1 for all four: no run keeps anything of another run. With few runs the ratio of noisy sums is biased."""
    pairs = draw(null, 500, seed=4)
    found = seed_instrumented_slope(*pairs.balances, pairs.ratio)
    check(found.estimate, 1.0, found.se)
    assert found.reason == ("no_variation" if null == "A" else "")
    assert found.se < 0.08


@pytest.mark.parametrize("null", NULLS)
def test_mean_log_spread(null):
    """0 exactly, by symmetry: before and after can be exchanged."""
    values = np.log(spread_ratio(*draw(null).normalized))
    error = values.std() / np.sqrt(values.size)
    check(values.mean(), 0.0, error)
    assert error < 0.01


def arms(rng, null, studies, seeds, number):
    """Recalls of dense networks (study, seed, class) and of several arms (study, arm, seed, class)."""
    share, same = NULLS[null]
    x, y = recalls(rng, share, (studies, seeds), number)
    right = rng.binomial(IMAGES, x)
    x = np.expand_dims(x, 1)
    both = both_right(x, y, same)
    again = rng.binomial(np.expand_dims(right, 1), np.minimum(both / x, 1.0))
    gained = rng.binomial(IMAGES - np.expand_dims(right, 1), np.maximum(y - both, 0.0) / (1 - x))
    return right / IMAGES, (again + gained) / IMAGES


@pytest.mark.parametrize("null", NULLS)
def test_no_claims_against_a_sham_arm_of_the_same_null(null):
    """2,000 studies of 10 seeds, 4 pruned columns and their sham, all drawn alike: false claims in any column."""
    level, studies = 0.95, 2000
    before, after = arms(np.random.default_rng(5), null, studies, 10, 5)
    dense, pruned = normalized_balance(before, SUPPORT)[:, None], normalized_balance(after, SUPPORT)
    alpha, spread = slope(dense, pruned), spread_ratio(dense, pruned)
    delta, sham = alpha[:, 1:] - alpha[:, :1], spread[:, :1]
    interval = t_interval(delta, level=level, k=4)
    spreads = t_interval(log_spread_difference(spread[:, 1:], sham), level=level, k=4)
    for column in (interval, spreads):
        check(column.mean.mean(), 0.0, column.mean.mean(axis=-1).std() / np.sqrt(studies))
    within = tost(interval.mean, interval.sd, interval.n, level=level, k=4).equivalent
    words = claim(interval, spreads, equivalent=within, collapsed=False)
    false = np.isin(words, CLAIMS[2:5]).any(axis=-1).mean()
    assert false < 1 - level + 4 * np.sqrt(level * (1 - level) / studies)
    assert (false > 0.01) == (null != "A")
    # against 1 instead of the sham, the same networks are found to have changed
    paper = t_interval(alpha[:, 1:], level=level, k=4)
    verdicts = ((paper.upper < 1) & (paper.reason == "")).any(axis=-1).mean()
    assert (verdicts > 0.9) == (null != "A")
