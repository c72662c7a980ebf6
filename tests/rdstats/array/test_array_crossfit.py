"""Cross-fitting: equal to the analytic terms over all half splits, and less biased than the raw terms."""

from itertools import combinations, product

import numpy as np
import pytest

from rdstats.array import balance, class_counts, score
from rdstats.array.crossfit import crossfit_terms, half_splits
from rdstats.array.sampling import slope_terms
from rdstats.errors import InputError

NAN = np.nan


def every_split(labels):
    """All half splits stratified by class."""
    groups = [np.flatnonzero(labels == c) for c in np.unique(labels)]
    choices = [list(combinations(group, len(group) // 2)) for group in groups]
    rows = [np.concatenate(pick).astype(int) for pick in product(*choices)]
    halves = np.zeros((len(rows), len(labels)), dtype=bool)
    for half, row in zip(halves, rows, strict=True):
        half[row] = True
    return halves


@pytest.mark.parametrize("reference", ["accuracy", "macro"])
@pytest.mark.parametrize("sizes", [(4, 4, 4), (5, 2, 3)])
def test_all_splits_give_the_analytic_terms_of_recall(sizes, reference):
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(3), sizes)
    before, after = (np.where(rng.random(labels.size) < 0.6, labels, rng.integers(0, 3, labels.size)) for _ in range(2))
    right = [np.bincount(labels[p == labels], minlength=3) for p in (before, after)]
    both = np.bincount(labels[(before == labels) & (after == labels)], minlength=3)
    exact = slope_terms(*right, both, sizes, reference)
    halves = every_split(labels)
    found = crossfit_terms(labels, before, after, halves, classes=3, measure="recall", reference=reference)
    for name in ("numerator", "denominator", "ratio"):
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), atol=1e-13, err_msg=name)


@pytest.mark.parametrize("measure", ["precision", "f1"])
def test_loop_over_splits(measure):
    rng = np.random.default_rng(5)
    labels = np.repeat([0, 1, 2], [10, 14, 16])
    before, after = (np.where(rng.random(40) < 0.7, labels, rng.integers(0, 3, 40)) for _ in range(2))
    halves = half_splits(labels, splits=7, generator=rng)

    def of(part, predicted):
        matrix = np.zeros((3, 3))
        np.add.at(matrix, (labels[part], predicted[part]), 1)
        values = score(measure, *class_counts(matrix))
        return values - np.average(values, weights=[10, 14, 16])

    above = [(of(h, before) @ of(~h, after) + of(~h, before) @ of(h, after)) / 2 for h in halves]
    below = [of(h, before) @ of(~h, before) for h in halves]
    found = crossfit_terms(labels, before, after, halves, classes=3, measure=measure)
    np.testing.assert_allclose(found.numerator, np.mean(above), rtol=1e-12)
    np.testing.assert_allclose(found.denominator, np.mean(below), rtol=1e-12)
    assert np.isnan(found.error)


def test_precision_without_class_differences_has_no_spread_on_average():
    """Symmetric errors: every class has the same precision, sum B^2 is sampling only, D averages 0."""
    rng = np.random.default_rng(6)
    labels = np.repeat([0, 1, 2, 3], 30)
    shown = np.where(rng.random((400, 120)) < 0.7, labels, (labels + rng.integers(1, 4, (400, 120))) % 4)
    halves = half_splits(labels, splits=20, generator=rng)
    found = crossfit_terms(labels, shown, shown, halves, classes=4).denominator
    error = found.std(ddof=1) / 20
    matrices = np.zeros((400, 4, 4))
    np.add.at(matrices, (np.arange(400)[:, None], labels, shown), 1)
    counts = class_counts(matrices)
    raw = (balance(score("precision", *counts), counts.support) ** 2).sum(-1)
    assert abs(found.mean()) < 4 * error
    assert raw.mean() > 4 * error


def test_leading_axes_and_missing_predictions():
    rng = np.random.default_rng(7)
    labels = np.repeat([0, 1], 20)
    before = rng.integers(0, 2, (3, 1, 40)).astype(float)
    after = rng.integers(0, 2, (3, 2, 40)).astype(float)
    after[1, 1, 5] = NAN
    halves = half_splits(labels, splits=5, generator=rng)
    found = crossfit_terms(labels, before, after, halves, classes=2)
    assert np.isnan(found.numerator).tolist() == [[False, False], [False, True], [False, False]]
    alone = crossfit_terms(labels, before[2, 0], after[2, 1], halves, classes=2)
    np.testing.assert_array_equal(found.numerator[2, 1], alone.numerator)


def test_undefined_scores_are_not_dropped():
    labels = np.repeat([0, 1, 2], 4)
    never = np.where(labels == 2, 1, labels)
    halves = half_splits(labels, splits=3, generator=np.random.default_rng(0))
    assert np.isnan(crossfit_terms(labels, never, labels, halves, classes=3).denominator)
    single = np.repeat([0, 1, 2], [4, 4, 1])
    halves = half_splits(single, splits=3, generator=np.random.default_rng(0))
    assert np.isnan(crossfit_terms(single, single, single, halves, classes=3, measure="recall").denominator)


def test_absent_classes_do_not_matter():
    rng = np.random.default_rng(8)
    labels = np.repeat([0, 1], 20)
    before, after = rng.integers(0, 2, (2, 40))
    halves = half_splits(labels, splits=4, generator=rng)
    for a, b in zip(*(crossfit_terms(labels, before, after, halves, classes=c) for c in (2, 5)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_halves_are_stratified_and_reproducible():
    labels = np.array([2, 0, 2, 1, 2, 0, 2, 1, 2])
    first, again = (half_splits(labels, splits=50, generator=np.random.default_rng(0)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    for c, size in ((0, 1), (1, 1), (2, 2)):
        assert set(first[:, labels == c].sum(axis=1)) == {size}
        assert first[:, labels == c].any(axis=0).all()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"labels": [0, 0, 1, 2]}, "labels"),
        ({"labels": [0, 0, 1, 0.5]}, "labels"),
        ({"before": [0, 0, 1]}, "before"),
        ({"after": [0, 0, 1, 2]}, r"after: received 2 at index \(3,\)"),
        ({"halves": np.ones((1, 3), bool)}, "halves"),
        ({"halves": np.ones((1, 4))}, "halves"),
        ({"measure": "recal"}, "recall"),
        ({"classes": 0}, "classes"),
    ],
)
def test_wrong_input(change, match):
    good = {"labels": [0, 0, 1, 1], "before": [0, 0, 1, 1], "after": [0, 1, 1, 1], "halves": [[True, False] * 2]}
    with pytest.raises(InputError, match=match):
        crossfit_terms(**{"classes": 2, **good, **change})
    with pytest.raises(InputError, match="splits"):
        half_splits([0, 0], splits=0, generator=np.random.default_rng(0))
