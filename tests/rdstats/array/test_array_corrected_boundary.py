"""The corrected, instrumented and resampled statistics: one call equals a loop over cells, arrays out, no cells."""

import numpy as np
import pytest

import rdstats.array as ra

NAN = np.nan


def generator():
    return np.random.default_rng(0)


def cells():
    """Counts (3, 4, 5) before, after, both and support: padding, a missing run, a single image."""
    rng = np.random.default_rng(12)
    support = np.broadcast_to(rng.integers(200, 400, 5), (3, 4, 5)).astype(float)
    parts = rng.multinomial(200, [0.5, 0.2, 0.1, 0.2], (3, 4, 5)) + rng.integers(0, 40, (3, 4, 5, 4))
    both = parts[..., 0].astype(float)
    both[..., 0] = 0
    one, two = (np.minimum(both + parts[..., i], (support + both) / 2 // 1) for i in (1, 2))
    counts = [one, two, both, support.copy()]
    for part in counts:
        part[1, :, 4] = NAN
        part[0, 2] = NAN
        part[2, 1, 3] = 1
    return counts


COUNTS = cells()


def per_pair(reference):
    def run(one, two, both, support):
        bounds = ra.both_correct_bounds(one, two, support, reference)
        return [
            *ra.slope_terms(one, two, both, support, reference),
            ra.slope_sampling_corrected(one, two, both, support, reference),
            ra.strength(one, support, reference),
            ra.reliability(one, support, reference),
            *bounds,
            *ra.image_jackknife(one, two, both, support, reference),
        ]

    return run


@pytest.mark.parametrize("reference", ra.REFERENCES)
def test_vectorised_call_equals_a_loop_over_cells(reference):
    run = per_pair(reference)
    together = run(*COUNTS)
    for cell in np.ndindex(3, 4):
        for whole, alone in zip(together, run(*(part[cell] for part in COUNTS)), strict=True):
            assert isinstance(alone, np.ndarray)
            if alone.dtype.kind == "f":
                np.testing.assert_allclose(whole[cell], alone, rtol=1e-10, atol=1e-15)
            else:
                np.testing.assert_array_equal(whole[cell], alone)
    reasons = together[-1]
    assert (reasons[0, 2], reasons[2, 1]) == ("missing", "too_few_images")
    assert np.sum(np.isnan(together[0])) == 2


def per_column(values, counts):
    terms = ra.slope_terms(*counts)
    folds = np.expand_dims(values, -1) + np.linspace(-0.1, 0.1, 10)
    balances = np.moveaxis(np.stack([values, -values, 0 * values]), 0, -1)
    return [
        *ra.seed_slopes(terms),
        *ra.pooled_slope(terms),
        *ra.crossed_interval(values, folds),
        *ra.seed_instrumented_slope(balances, 0.9 * balances, np.ones_like(values)),
        *ra.fieller_interval(values, values + 1),
        *ra.effect_size(values, values[..., ::-1]),
        *ra.bca_interval(values, generator=generator()),
        *ra.posterior_draws(values, generator=generator(), draws=3)[2:],
    ]


def test_arrays_come_out_of_a_single_column():
    values = np.linspace(0.5, 1.5, 25)
    counts = [np.broadcast_to(part[0, 0], (25, 5)) for part in COUNTS]
    results = per_column(values, counts)
    assert all(isinstance(result, np.ndarray) for result in results)
    assert {result.shape for result in results} == {(), (25,)}


def test_zero_cells_are_fine():
    for value in per_pair("macro")(*(part[:0] for part in COUNTS)):
        assert value.shape[:2] == (0, 4)
    counts = [np.zeros((0, 25, 5))] * 4
    for value in per_column(np.zeros((0, 25)), counts):
        assert value.shape[0] == 0
    labels = np.repeat([0, 1], 4)
    halves = ra.half_splits(labels, splits=2, generator=generator())
    assert ra.crossfit_terms(labels, np.zeros((0, 8)), np.zeros(8), halves, classes=2).numerator.shape == (0,)


def test_other_numeric_types_give_the_same():
    counts = [np.nan_to_num(part[0, 0]) for part in COUNTS]
    run = per_pair("accuracy")
    for dtype in (np.int32, np.uint16, np.float32):
        for a, b in zip(run(*counts), run(*(part.astype(dtype) for part in counts)), strict=True):
            np.testing.assert_array_equal(a, b)
