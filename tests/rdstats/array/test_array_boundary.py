"""Every array function: one vectorised call equals a loop over cells, arrays out, no heavy import."""

import subprocess
import sys

import numpy as np
import pytest

import rdstats.array as ra

NAN = np.nan


def cells():
    """Confusion matrices (3, 4, 5, 5) before and after: padding, a missing run, an undefined class."""
    rng = np.random.default_rng(11)
    before = rng.integers(0, 6, (3, 4, 5, 5)) + 20.0 * np.eye(5)
    after = rng.integers(0, 9, (3, 4, 5, 5)) + 15.0 * np.eye(5)
    for matrices in (before, after):
        matrices[1, :, 4, :] = NAN
        matrices[1, :, :, 4] = NAN
    after[0, 2] = NAN
    after[2, 1, :, 3] = 0
    return before, after


BEFORE, AFTER = cells()


def analysis(measure, reference):
    """Every per-cell statistic of a pair of confusion matrices."""

    def run(before, after):
        first, second = ra.class_counts(before), ra.class_counts(after)
        present = (first.support > 0) & (second.support > 0)
        x, y = ra.score(measure, *first), ra.score(measure, *second)
        pair = (
            ra.normalized_balance(x, first.support, reference),
            ra.normalized_balance(y, second.support, reference),
            present,
        )
        shrunk = (ra.shrunk_score(measure, *first), ra.shrunk_score(measure, *second))
        weights = ra.class_weights(first.support, reference)
        expected = ra.slope_expected_shift(*shrunk, weights)
        return {
            "slope": ra.slope(*pair),
            "spread": ra.spread_ratio(*pair),
            "cosine": ra.cosine(*pair),
            "reason": ra.slope_reason(*pair),
            "expected": expected,
            "excess": ra.slope_excess(ra.slope(*pair), expected),
            "error": ra.slope_expected_error(
                ra.accuracy(first.correct, first.support), ra.accuracy(second.correct, second.support)
            ),
            "variance": ra.recall_variance(x),
            "ratio": ra.intensification_ratio(*pair[:2]),
            "degenerate": ra.degenerate(*second),
            "why": ra.degenerate_reasons(*second),
        }

    return run


@pytest.mark.parametrize("reference", ra.REFERENCES)
@pytest.mark.parametrize("measure", ra.MEASURES)
def test_vectorised_call_equals_a_loop_over_cells(measure, reference):
    run = analysis(measure, reference)
    together = run(BEFORE, AFTER)
    for i, j in np.ndindex(3, 4):
        alone = run(BEFORE[i, j], AFTER[i, j])
        for name, value in alone.items():
            whole = together[name][i, j]
            if np.asarray(value).dtype.kind == "f":
                np.testing.assert_allclose(whole, value, rtol=1e-12, err_msg=name)
            else:
                np.testing.assert_array_equal(whole, value, err_msg=name)


def test_reasons_of_the_cells():
    reasons = analysis("precision", "accuracy")(BEFORE, AFTER)["reason"]
    assert reasons[0, 2] == "missing"
    assert reasons[2, 1] == "undefined_class"
    assert np.sum(reasons != "") == 2


def test_other_numeric_types_give_the_same():
    run = analysis("recall", "accuracy")
    counts = np.nan_to_num(BEFORE[0]), np.nan_to_num(AFTER[2])
    exact = run(*counts)
    for dtype in (np.int32, np.uint8, np.float32):
        other = run(*(c.astype(dtype) for c in counts))
        for name, value in exact.items():
            np.testing.assert_array_equal(other[name], value, err_msg=name)


def test_zero_cells_are_fine():
    for value in analysis("recall", "macro")(BEFORE[:0], AFTER[:0]).values():
        assert value.shape[:2] == (0, 4)
    assert ra.t_interval(np.zeros((0, 5))).lower.shape == (0,)
    assert ra.correct(np.zeros((0, 5)), "bh").shape == (0, 5)


def test_arrays_come_out_whatever_goes_in():
    """A single cell gives arrays of no axes, not NumPy scalars or Python numbers."""
    for name, value in analysis("recall", "accuracy")(BEFORE[0, 0], AFTER[0, 0]).items():
        assert isinstance(value, np.ndarray), name
    values = [0.3, 0.2, 0.25, 0.35, 0.3]
    found = ra.t_interval(values)
    results = [
        *found,
        *ra.paired_ttest(values, values[::-1]),
        *ra.independent_ttest(values, values[::-1]),
        *ra.tost(found.mean, found.sd, found.n),
        ra.verdict(found.lower, found.upper, found.n, found.reason),
        ra.claim(found, found, equivalent=False, collapsed=False),
        ra.log_spread_difference(1.0, 2.0),
        ra.slope_excess(1.0, 2.0),
        ra.shift_delta([0.9, 0.7], 0.6, [0.5, 0.5]),
        ra.reference_score([0.9, 0.7], [5, 5]),
        ra.r_squared([0.1, -0.1], [0.2, -0.2]),
        ra.correct(values),
    ]
    assert [type(result) for result in results] == [np.ndarray] * len(results)


def test_public_names_exist_and_are_sorted_once():
    assert len(set(ra.__all__)) == len(ra.__all__)
    assert all(hasattr(ra, name) for name in ra.__all__)
    assert all((getattr(ra, name).__doc__ or "").strip() for name in ra.__all__ if callable(getattr(ra, name)))


def test_import_is_light():
    script = (
        "import sys, rdstats.array; "
        "print([m for m in ('scipy.stats', 'statsmodels', 'xarray', 'pandas', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
