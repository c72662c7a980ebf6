"""Folds are even and reproducible; fold counts equal counting image by image."""

import time

import numpy as np
import pytest

from rdstats.array import class_counts
from rdstats.array.folds import FoldCounts, fold_counts, stratified_folds, without_fold
from rdstats.errors import InputError

NAN = np.nan


def example(shape_before=(3, 2), shape_after=(3, 2), classes=4, images=57, seed=0):
    """Labels, predictions and folds; class 3 has no image, and not all classes are in all folds."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([0, 1, 2], [30, 24, 3]))[:images]
    before, after = (rng.integers(0, classes, (*shape, images)) for shape in (shape_before, shape_after))
    return labels, before, after, stratified_folds(labels, folds=5, generator=rng)


def by_hand(labels, before, after, fold_of, classes, folds):
    """Counts of one pair of networks, image by image."""
    counts = {name: np.zeros((folds, classes)) for name in FoldCounts._fields}
    for label, one, two, fold in zip(labels, before, after, fold_of, strict=True):
        counts["support"][fold, label] += 1
        counts["correct_before"][fold, label] += one == label
        counts["correct_after"][fold, label] += two == label
        counts["both_correct"][fold, label] += one == label == two
        counts["predicted_before"][fold, one] += 1
        counts["predicted_after"][fold, two] += 1
    return counts


@pytest.mark.parametrize("sizes", [(40, 40), (7, 13, 1, 24), (10, 3, 3, 3, 3), (0, 12)])
@pytest.mark.parametrize("folds", [2, 5, 10])
def test_folds_are_even_within_classes_and_together(sizes, folds):
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    fold_of = stratified_folds(labels, folds=folds, generator=np.random.default_rng(2))
    counts = np.bincount(fold_of * len(sizes) + labels, minlength=folds * len(sizes)).reshape(folds, -1)
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(axis=1)) <= 1
    assert counts.sum() == labels.size


def test_folds_are_random_and_reproducible():
    labels = np.repeat([0, 1], 200)
    first, again = (stratified_folds(labels, generator=np.random.default_rng(3)) for _ in range(2))
    other = stratified_folds(labels, generator=np.random.default_rng(4))
    np.testing.assert_array_equal(first, again)
    assert 0.02 < np.mean(first == other) < 0.25  # a tenth by chance
    # neighbouring images are in different folds no more often than by chance
    assert 0.02 < np.mean(first[1:] == first[:-1]) < 0.25


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
def test_equals_counting_image_by_image(dtype):
    labels, before, after, fold_of = example()
    found = fold_counts(labels, before.astype(dtype), after.astype(dtype), fold_of, classes=4, folds=5)
    for cell in np.ndindex(3, 2):
        for name, expected in by_hand(labels, before[cell], after[cell], fold_of, 4, 5).items():
            np.testing.assert_array_equal(getattr(found, name)[cell], expected, err_msg=name)


def test_sums_are_those_of_the_confusion_matrix():
    labels, before, after, fold_of = example()
    found = fold_counts(labels, before, after, fold_of, classes=4, folds=5)
    matrix = np.zeros((4, 4))
    np.add.at(matrix, (labels, after[1, 1]), 1)
    whole = class_counts(matrix)
    for name, stored in (("correct_after", "correct"), ("predicted_after", "predicted"), ("support", "support")):
        np.testing.assert_array_equal(getattr(found, name)[1, 1].sum(axis=0), getattr(whole, stored))


def test_leading_axes_broadcast_and_large_input_is_cut_in_blocks(monkeypatch):
    labels, before, after, fold_of = example(shape_before=(4, 1), shape_after=(3,))
    whole = fold_counts(labels, before, after, fold_of, classes=4, folds=5)
    assert {part.shape for part in whole} == {(4, 3, 5, 4)}
    monkeypatch.setattr("rdstats.array.folds._BLOCK", 100)
    cut = fold_counts(labels, before, after, fold_of, classes=4, folds=5)
    for a, b in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(a, b)
    expected = by_hand(labels, before[2, 0], after[1], fold_of, 4, 5)
    for name, part in expected.items():
        np.testing.assert_array_equal(getattr(whole, name)[2, 1], part)


def test_missing_predictions_make_their_network_missing():
    labels, before, after, fold_of = example()
    gaps = after.astype(float)
    gaps[1, 0, 3] = NAN
    gaps[2, 1] = NAN
    found = fold_counts(labels, before, gaps, fold_of, classes=4, folds=5)
    whole = fold_counts(labels, before, after, fold_of, classes=4, folds=5)
    gone = np.zeros((3, 2), bool)
    gone[1, 0] = gone[2, 1] = True
    for name in ("correct_after", "predicted_after", "both_correct"):
        np.testing.assert_array_equal(np.isnan(getattr(found, name)).all(axis=(-1, -2)), gone)
        np.testing.assert_array_equal(getattr(found, name)[~gone], getattr(whole, name)[~gone])
    for name in ("support", "correct_before", "predicted_before"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))


def test_without_fold():
    labels, before, after, fold_of = example()
    counts = fold_counts(labels, before, after, fold_of, classes=4, folds=5)
    rest = without_fold(counts)
    for fold in range(5):
        kept = fold_of != fold
        alone = by_hand(labels[kept], before[0, 1][kept], after[0, 1][kept], fold_of[kept], 4, 5)
        for name, part in alone.items():
            np.testing.assert_array_equal(getattr(rest, name)[0, 1, fold], part.sum(axis=0))


def test_permuting_classes_permutes_counts():
    labels, before, after, fold_of = example()
    order = np.array([2, 0, 3, 1])
    plain = fold_counts(labels, before, after, fold_of, classes=4, folds=5)
    turned = fold_counts(order[labels], order[before], order[after], fold_of, classes=4, folds=5)
    for a, b in zip(plain, turned, strict=True):
        np.testing.assert_array_equal(a, b[..., order])


def test_zero_networks():
    labels, before, after, fold_of = example()
    found = fold_counts(labels, before[:0], after[:0], fold_of, classes=4, folds=5)
    assert found.both_correct.shape == (0, 2, 5, 4)


def test_a_paper_size_set_of_networks_takes_under_a_second():
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(10), 1000)
    before, after = rng.integers(0, 10, (2, 264, 10_000)).astype(np.uint8)
    fold_of = stratified_folds(labels, generator=rng)
    start = time.process_time()
    fold_counts(labels, before, after, fold_of, classes=10, folds=10)
    assert time.process_time() - start < 0.3  # a tenth of the paper's networks; .05 where measured


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"labels": [0, 0, 1, 2]}, r"labels: received 2 at index \(3,\)"),
        ({"labels": [0, 0, NAN, 1]}, "labels"),
        ({"before": [0, 0, 1]}, r"before: expected shape \(..., 4\)"),
        ({"before": [0, 0, 1, 0.5]}, r"before: received 0.5 at index \(0, 3\)"),
        ({"after": [0, 0, 1, 2]}, "after: received 2"),
        ({"after": [0, 0, 1, -1]}, "after: received -1"),
        ({"after": ["a"] * 4}, "after"),
        ({"fold_of": [0, 1, 2, 0]}, r"fold_of: received 2 at index \(2,\)"),
        ({"fold_of": [0, 1, 0]}, "fold_of: expected shape"),
        ({"before": np.zeros((2, 4)), "after": np.zeros((3, 4))}, "shapes"),
    ],
)
def test_wrong_input(change, match):
    good = {"labels": [0, 0, 1, 1], "before": [0, 0, 1, 1], "after": [0, 1, 1, 1], "fold_of": [0, 1, 0, 1]}
    with pytest.raises(InputError, match=match):
        fold_counts(**{**good, **change}, classes=2, folds=2)


@pytest.mark.parametrize("folds", [0, 1, 5])
def test_number_of_folds(folds):
    with pytest.raises(InputError, match="folds: received"):
        stratified_folds([0, 0, 1, 1], folds=folds, generator=np.random.default_rng(0))
