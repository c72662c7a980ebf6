"""What the sampling-corrected and instrumented slopes give where nothing, or only retraining, happened.

Class effects are fixed, so that the expected slope is known exactly up to the ratio A / A', whose mean differs
from 1 by less than .001 here. Tolerance: four Monte-Carlo errors.
"""

import numpy as np
import pytest

from rdstats.array import balance, normalized_balance, reference_score, slope
from rdstats.array.ratio import seed_instrumented_slope
from rdstats.array.sampling import slope_sampling_corrected, slope_terms
from rdstats.array.sampling_seeds import pooled_slope

IMAGES = np.full(10, 60)
EFFECTS = 0.75 + 0.05 * np.linspace(-1.5, 1.5, 10)
BETWEEN = EFFECTS.var(ddof=1)
RUN = 0.04


def draw(rng, before, after, *, seeds):
    """Counts of seeds networks with recalls before and after on independent test sets, their errors independent."""
    x, y = (np.broadcast_to(part, (seeds, 10)) for part in (before, after))
    cells = rng.multinomial(60, np.stack([x * y, x * (1 - y), (1 - x) * y, (1 - x) * (1 - y)], axis=-1))
    both = cells[..., 0]
    return both + cells[..., 1], both + cells[..., 2], both


def raw_slopes(one, two):
    return slope(*(normalized_balance(part / 60, IMAGES) for part in (one, two)))


def retrained(rng, seeds):
    return (EFFECTS + rng.normal(0, RUN, (seeds, 10)) for _ in range(2))


@pytest.mark.parametrize("reference", ["accuracy", "macro"])
def test_null_a_identical_networks(reference):
    rng = np.random.default_rng(1)
    one, _, _ = draw(rng, EFFECTS, EFFECTS, seeds=30)
    np.testing.assert_allclose(slope_sampling_corrected(one, one, one, IMAGES, reference), 1.0, rtol=1e-11)
    np.testing.assert_allclose(raw_slopes(one, one), 1.0, rtol=1e-12)


def test_null_a_plus_equal_population_recalls_on_different_images():
    one, two, both = draw(np.random.default_rng(2), EFFECTS, EFFECTS, seeds=1500)
    pooled = pooled_slope(slope_terms(one, two, both, IMAGES))
    assert pooled.reason == ""
    assert abs(pooled.estimate - 1) < 4 * pooled.se
    assert raw_slopes(one, two).mean() < 1 - 4 * pooled.se


def test_null_a_plus_where_the_networks_err_on_the_same_images():
    """Shared sampling covariance K: most images are right or wrong in both, recalls are equal."""
    rng = np.random.default_rng(3)
    cells = rng.multinomial(60, np.stack([EFFECTS - 0.05, *[np.full(10, 0.05)] * 2, 0.95 - EFFECTS], -1), (1500, 10))
    both = cells[..., 0]
    pooled = pooled_slope(slope_terms(both + cells[..., 1], both + cells[..., 2], both, IMAGES))
    assert abs(pooled.estimate - 1) < 4 * pooled.se


def test_null_b_independent_retraining():
    """The corrected slope is T / (T + W), the raw one T / (T + W + V); neither is 1."""
    rng = np.random.default_rng(4)
    one, two, both = draw(rng, *retrained(rng, 1500), seeds=1500)
    pooled = pooled_slope(slope_terms(one, two, both, IMAGES))
    assert abs(pooled.estimate - BETWEEN / (BETWEEN + RUN**2)) < 4 * pooled.se
    sampling = np.mean(EFFECTS * (1 - EFFECTS) - RUN**2) / 60
    xx, xy = (np.sum(balance(one / 60, IMAGES) * balance(part / 60, IMAGES)) for part in (one, two))
    assert abs(xy / xx - BETWEEN / (BETWEEN + RUN**2 + sampling)) < 4 * pooled.se
    assert pooled.estimate > xy / xx + 4 * pooled.se


def test_null_b_instrumented_by_the_other_seeds():
    """1 where the raw slope is about a third; with few seeds a ratio of noisy sums would itself be biased."""
    rng = np.random.default_rng(5)
    one, two, _ = draw(rng, *retrained(rng, 300), seeds=300)
    x, y = one / 60, two / 60
    ratio = reference_score(x, IMAGES) / reference_score(y, IMAGES)
    found = seed_instrumented_slope(balance(x, IMAGES), balance(y, IMAGES), ratio)
    assert found.reason == ""
    assert abs(found.estimate - 1) < 4 * found.se
    assert found.se < 0.05
    assert raw_slopes(one, two).mean() < 0.5


def test_interval_of_the_pooled_slope_covers():
    """95 % intervals of 20 seeds under null B, 400 studies."""
    rng = np.random.default_rng(6)
    counts = draw(rng, *retrained(rng, 8000), seeds=8000)
    terms = slope_terms(*(part.reshape(400, 20, 10) for part in counts), IMAGES)
    result = pooled_slope(terms)
    truth = BETWEEN / (BETWEEN + RUN**2)
    share = np.mean((result.lower <= truth) & (truth <= result.upper))
    assert abs(share - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 400)
