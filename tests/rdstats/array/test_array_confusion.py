"""Row-normalised confusion and its change: fractions written out, padding, and what is refused."""

import numpy as np
import pytest

import rdstats.array as ra
from rdstats.errors import InputError

NAN = np.nan


def test_shares_are_rows_over_their_sums():
    shares = ra.confusion_shares([[6, 2, 0], [1, 3, 4], [0, 0, 5]])
    assert shares.tolist() == [[6 / 8, 2 / 8, 0], [1 / 8, 3 / 8, 4 / 8], [0, 0, 1]]


def test_diagonal_is_recall_and_rows_add_up_to_one():
    matrices = np.random.default_rng(3).integers(0, 20, (4, 5, 5)) + np.eye(5)
    shares = ra.confusion_shares(matrices)
    recall = ra.recall(*ra.class_counts(matrices)[:2])
    np.testing.assert_allclose(np.diagonal(shares, axis1=-2, axis2=-1), recall, rtol=1e-12)
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-12)


def test_difference_is_after_minus_before():
    found = ra.confusion_difference([[9, 1], [3, 7]], [[8, 2], [5, 5]])
    np.testing.assert_allclose(
        found, [[8 / 10 - 9 / 10, 2 / 10 - 1 / 10], [5 / 10 - 3 / 10, 5 / 10 - 7 / 10]], rtol=1e-12
    )


def test_rows_of_the_difference_add_up_to_zero_and_swapping_flips_the_sign():
    rng = np.random.default_rng(4)
    before, after = (np.stack([rng.multinomial(30, np.full(4, 0.25)) for _ in range(4)]) for _ in range(2))
    found = ra.confusion_difference(before, after)
    np.testing.assert_allclose(found.sum(-1), 0, atol=1e-15)
    np.testing.assert_allclose(ra.confusion_difference(after, before), -found, rtol=1e-12)


def test_one_call_equals_a_loop():
    rng = np.random.default_rng(5)
    before, after = (rng.multinomial(30, np.full(4, 0.25), (3, 2, 4)).astype(float) for _ in range(2))
    after[1, 1] = NAN
    whole = ra.confusion_difference(before, after)
    for index in np.ndindex(3, 2):
        np.testing.assert_array_equal(whole[index], ra.confusion_difference(before[index], after[index]))
    assert np.isnan(whole[1, 1]).all()


def test_padding_and_classes_without_images_are_nan():
    matrix = np.array([[4.0, 1, NAN, 0], [2, 3, NAN, 0], [NAN, NAN, NAN, NAN], [0, 0, NAN, 0]])
    shares = ra.confusion_shares(matrix)
    np.testing.assert_array_equal(np.isnan(shares[2]), True)
    np.testing.assert_array_equal(np.isnan(shares[:, 2]), True)
    np.testing.assert_array_equal(np.isnan(shares[3]), True)
    assert shares[:2, [0, 1, 3]].tolist() == [[0.8, 0.2, 0], [0.4, 0.6, 0]]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ([[9, 1], [3, 7]], [[8, 2], [5, 6]], "support differs"),
        ([[9, -1], [3, 7]], [[8, 2], [5, 5]], "counts are 0 or more"),
        ([[9, 1, 0], [3, 7, 0]], [[8, 2], [5, 5]], r"before: expected shape \(..., C, C\)"),
        ([[9, 1], [3, 7]], np.ones((3, 3)), "shapes do not fit"),
    ],
)
def test_refused(before, after, message):
    with pytest.raises(InputError, match=message):
        ra.confusion_difference(before, after)
