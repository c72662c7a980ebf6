"""Cross-fitting by folds: equal to cross-fitting by halves, and to the closed form over all stratified splits."""

from importlib import import_module
from itertools import combinations, permutations, product

import numpy as np
import pytest

import rdstats.array as ra
from rdstats.array.crossfit_folds import crossfit_folds, fold_terms
from rdstats.array.folds import FoldCounts, fold_counts, stratified_folds
from rdstats.array.pooling import jackknife_error
from rdstats.errors import InputError

NAN = np.nan


def networks(sizes=(40, 30, 25), shape=(2,), seed=0, agree=0.5):
    """Labels and predictions of two networks that partly err on the same images."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    easy = np.array([0.9, 0.6, 0.75, 0.5])[labels]
    shared = rng.random(labels.size)
    parts = []
    for _ in range(2):
        draw = np.where(rng.random((*shape, labels.size)) < agree, shared, rng.random((*shape, labels.size)))
        wrong = rng.integers(0, len(sizes), (*shape, labels.size))
        parts.append(np.where(draw < easy, labels, wrong))
    return labels, *parts


def counted(labels, before, after, folds, classes, seed=1):
    fold_of = stratified_folds(labels, folds=folds, generator=np.random.default_rng(seed))
    return fold_of, fold_counts(labels, before, after, fold_of, classes=classes, folds=folds)


@pytest.mark.parametrize("reference", ra.REFERENCES)
@pytest.mark.parametrize("measure", ra.MEASURES)
@pytest.mark.parametrize("folds", [2, 4, 6])
def test_equals_cross_fitting_by_the_same_halves(folds, measure, reference):
    labels, before, after = networks()
    fold_of, counts = counted(labels, before, after, folds, 3)
    halves = [np.isin(fold_of, half) for half in combinations(range(folds), folds // 2) if 0 in half]
    expected = ra.crossfit_terms(labels, before, after, halves, classes=3, measure=measure, reference=reference)
    found = crossfit_folds(counts, measure, reference)
    for name in ("numerator", "denominator", "ratio"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-11, err_msg=name)


def test_ten_folds_have_126_splits():
    labels, before, after = networks(shape=())
    fold_of, counts = counted(labels, before, after, 10, 3)
    halves = [np.isin(fold_of, half) for half in combinations(range(10), 5) if 0 in half]
    assert len(halves) == 126
    expected = ra.crossfit_terms(labels, before, after, halves, classes=3)
    np.testing.assert_allclose(crossfit_folds(counts).numerator, expected.numerator, rtol=1e-11)


@pytest.mark.parametrize("reference", ra.REFERENCES)
@pytest.mark.parametrize("sizes", [(4, 4, 4), (4, 2, 3)])
def test_over_all_folds_it_is_the_closed_form_of_recall(sizes, reference):
    """Two folds, dealt in every way that leaves half of each class in either: all stratified half splits."""
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(3), sizes)
    before, after = (np.where(rng.random(labels.size) < 0.6, labels, rng.integers(0, 3, labels.size)) for _ in range(2))
    groups = [np.flatnonzero(labels == c) for c in range(3)]
    ways = [list(combinations(group, len(group) // 2)) for group in groups]
    parts = []
    for chosen in product(*ways):
        fold_of = np.ones(labels.size, int)
        fold_of[np.concatenate(chosen).astype(int)] = 0
        terms = crossfit_folds(fold_counts(labels, before, after, fold_of, classes=3, folds=2), "recall", reference)
        parts.append([terms.numerator, terms.denominator])
    right = [np.bincount(labels[p == labels], minlength=3) for p in (before, after)]
    both = np.bincount(labels[(before == labels) & (after == labels)], minlength=3)
    exact = ra.slope_terms(*right, both, sizes, reference)
    np.testing.assert_allclose(np.mean(parts, axis=0), exact[:2], atol=1e-13)


def test_over_all_deals_of_four_folds_it_is_the_closed_form_of_recall():
    rng = np.random.default_rng(6)
    labels = np.repeat([0, 1], 4)
    before, after = (np.where(rng.random(8) < 0.6, labels, 1 - labels) for _ in range(2))
    parts = []
    for first, second in product(permutations(range(4)), repeat=2):
        counts = fold_counts(labels, before, after, [*first, *second], classes=2, folds=4)
        parts.append(crossfit_folds(counts, "recall")[:2])
    right = [np.bincount(labels[p == labels], minlength=2) for p in (before, after)]
    both = np.bincount(labels[(before == labels) & (after == labels)], minlength=2)
    np.testing.assert_allclose(np.mean(parts, axis=0), ra.slope_terms(*right, both, [4, 4])[:2], atol=1e-13)


@pytest.mark.parametrize("measure", ["precision", "f1"])
def test_leaving_out_a_fold_is_cross_fitting_the_others(measure):
    labels, before, after = networks()
    fold_of, counts = counted(labels, before, after, 6, 3)
    result = fold_terms(counts, measure)
    weights = np.array([40, 30, 25]) / 95

    def balance_of(images, predicted):
        matrix = np.zeros((3, 3))
        np.add.at(matrix, (labels[images], predicted[images]), 1)
        values = ra.score(measure, *ra.class_counts(matrix))
        return values - weights @ values

    for cell, fold in product(range(2), range(6)):
        rest = [f for f in range(6) if f != fold]
        products = []
        for three in combinations(rest, 3):
            two = [f for f in rest if f not in three]
            products.append(
                balance_of(np.isin(fold_of, three), before[cell]) @ balance_of(np.isin(fold_of, two), before[cell])
            )
        np.testing.assert_allclose(result.deleted[cell, fold], np.mean(products), rtol=1e-11)
    np.testing.assert_allclose(result.terms.error, jackknife_error(result.deleted, np.ones(6)), rtol=1e-12)
    squares = [
        balance_of(np.ones(95, bool), before[cell]) @ balance_of(np.ones(95, bool), before[cell]) for cell in (0, 1)
    ]
    np.testing.assert_allclose(result.squares, squares, rtol=1e-11)


def test_recall_has_its_closed_form():
    labels, before, after = networks()
    fold_of, counts = counted(labels, before, after, 5, 3)
    result = fold_terms(counts, "recall")

    def terms_of(kept):
        hits = [[np.bincount(labels[kept & (p[i] == labels)], minlength=3) for i in range(2)] for p in (before, after)]
        both = [np.bincount(labels[kept & (before[i] == labels) & (after[i] == labels)], minlength=3) for i in range(2)]
        return ra.slope_terms(*hits, both, np.bincount(labels[kept], minlength=3))

    for a, b in zip(result.terms, terms_of(np.ones(95, bool)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    for fold in range(5):
        np.testing.assert_allclose(result.deleted[:, fold], terms_of(fold_of != fold).denominator, rtol=1e-11)
    hits = counts.correct_before.sum(axis=-2)
    np.testing.assert_allclose(
        result.squares, result.terms.denominator / ra.reliability(hits, [40, 30, 25]), rtol=1e-11
    )


def test_error_from_folds_is_that_of_repeated_test_sets():
    """4 x 250 images, errors to few classes so that all scores differ: sd of D over test sets, its fold jackknife."""
    rng = np.random.default_rng(8)
    labels = np.repeat(np.arange(4), 250)
    easy = np.array([0.9, 0.7, 0.8, 0.6])[labels]
    wrong = np.array([1, 0, 0, 1])[labels]
    shown = np.where(rng.random((400, 1000)) < easy, labels, wrong)
    _, counts = counted(labels, shown, shown, 10, 4)
    for measure in ra.MEASURES:
        terms = fold_terms(counts, measure)
        spread = terms.terms.denominator.std(ddof=1)
        by_folds = np.sqrt(np.mean(jackknife_error(terms.deleted, np.ones(10)) ** 2))
        # the sd of 400 values has a relative error of 1 / sqrt(800), 4 of these; the jackknife is a little high
        assert 1 - 4 / np.sqrt(800) < by_folds / spread < 1.1 + 4 / np.sqrt(800), measure


def reduced(counts, which):
    """Counts without the images of a fold, as plain sums."""
    return [np.delete(part, which, axis=-2).sum(axis=-2) for part in counts]


@pytest.mark.parametrize("reference", ra.REFERENCES)
@pytest.mark.parametrize("measure", ra.MEASURES)
def test_slopes_without_a_fold(measure, reference):
    labels, before, after = networks(shape=(2, 2))
    _, counts = counted(labels, before, after, 5, 4)
    found = ra.slopes_without_fold(counts, measure, reference)
    corrected = ra.corrected_without_fold(counts, reference)
    for fold in range(5):
        support, hits, hits_after, shown, shown_after, both = reduced(counts, fold)
        pair = [
            ra.normalized_balance(ra.score(measure, h, support, p), support, reference)
            for h, p in ((hits, shown), (hits_after, shown_after))
        ]
        np.testing.assert_allclose(found[..., fold], ra.slope(*pair, support > 0), rtol=1e-12)
        expected = ra.slope_sampling_corrected(hits, hits_after, both, support, reference)
        np.testing.assert_allclose(corrected[..., fold], expected, rtol=1e-12)


def test_a_class_that_leaves_with_a_fold_is_not_dropped():
    labels = np.array([0] * 6 + [1] * 6 + [2])
    before = np.where(np.isin(np.arange(13), [1, 2]), (labels + 1) % 3, labels)
    fold_of = np.arange(13) % 3
    counts = fold_counts(labels, before, labels, fold_of, classes=3, folds=3)
    gone = [False, False, False]
    gone[fold_of[12]] = True
    assert np.isnan(ra.slopes_without_fold(counts)).tolist() == gone
    assert np.isnan(ra.corrected_without_fold(counts)[fold_of[12]])
    assert np.isnan(fold_terms(counts).deleted[fold_of[12]])


def test_missing_networks_and_undefined_scores():
    labels, before, after = networks(shape=(3,))
    gaps = after.astype(float)
    gaps[1, 7] = NAN
    never = before.copy()
    never[2] = np.where(never[2] == 1, 0, never[2])
    _, counts = counted(labels, never, gaps, 4, 3)
    terms = crossfit_folds(counts)
    assert np.isnan(terms.numerator).tolist() == [False, True, True]
    assert np.isnan(terms.denominator).tolist() == [False, False, True]
    assert np.isnan(terms.error).tolist() == [False, False, True]
    assert np.isnan(crossfit_folds(counted(labels, before, after, 2, 3)[1]).error).all()
    single = np.repeat([0, 1, 2], [8, 8, 1])
    counts = fold_counts(single, single, single, np.arange(17) % 4, classes=3, folds=4)
    assert np.isnan(crossfit_folds(counts, "recall").denominator)


def test_absent_classes_and_the_order_of_classes_do_not_matter():
    labels, before, after = networks()
    fold_of, counts = counted(labels, before, after, 4, 3)
    wide = fold_counts(labels, before, after, fold_of, classes=6, folds=4)
    order = np.array([2, 0, 1])
    turned = FoldCounts(*(part[..., order] for part in counts))
    for measure in ra.MEASURES:
        for other in (wide, turned):
            one, two = fold_terms(counts, measure), fold_terms(other, measure)
            for a, b in zip((*one.terms, *one[1:]), (*two.terms, *two[1:]), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-10)


def test_many_networks_are_cut_in_blocks(monkeypatch):
    labels, before, after = networks(shape=(3, 4))
    _, counts = counted(labels, before, after, 4, 3)
    whole = crossfit_folds(counts)
    monkeypatch.setattr(import_module("rdstats.array.crossfit_folds"), "_BLOCK", 40)
    for a, b in zip(whole, crossfit_folds(counts), strict=True):
        assert a.shape == (3, 4)
        np.testing.assert_array_equal(a, b)
    alone = crossfit_folds(FoldCounts(*(part[2, 1] for part in counts)))
    np.testing.assert_allclose(alone.numerator, whole.numerator[2, 1], rtol=1e-12)
    empty = crossfit_folds(FoldCounts(*(part[:0] for part in counts)))
    assert empty.numerator.shape == (0, 4)


@pytest.mark.parametrize(
    ("folds", "options", "match"),
    [
        (3, {}, "folds: received 3, accepted for cross-fitting: an even number, 2 to 14"),
        (16, {}, "folds: received 16"),
        (4, {"measure": "recal"}, "recall"),
        (4, {"reference": "acc"}, "accuracy"),
    ],
)
def test_wrong_input(folds, options, match):
    labels, before, after = networks()
    _, counts = counted(labels, before, after, folds, 3)
    with pytest.raises(InputError, match=match):
        crossfit_folds(counts, **options)
