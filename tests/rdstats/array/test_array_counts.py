"""Counts per class and accuracy: worked matrices, padding, missing entries."""

import numpy as np
import pytest

from rdstats.array import accuracy, class_counts
from rdstats.errors import InputError

NAN = np.nan


def test_worked_matrix():
    correct, support, predicted = class_counts([[5, 1, 0], [2, 3, 1], [0, 0, 8]])
    np.testing.assert_array_equal(correct, [5, 3, 8])
    np.testing.assert_array_equal(support, [6, 6, 8])
    np.testing.assert_array_equal(predicted, [7, 4, 9])
    assert accuracy(correct, support) == 16 / 20


def test_padding_is_nan_in_all_three():
    counts = class_counts([[5, 1, NAN], [2, 3, NAN], [NAN, NAN, NAN]])
    for part, expected in zip(counts, ([5, 3, NAN], [6, 5, NAN], [7, 4, NAN]), strict=True):
        np.testing.assert_array_equal(part, expected)
    assert accuracy(counts.correct, counts.support) == 8 / 11


def test_missing_matrix_is_nan():
    counts = class_counts(np.full((2, 3, 3), NAN))
    assert all(np.isnan(part).all() for part in counts)
    assert np.isnan(accuracy(counts.correct, counts.support)).all()


def test_single_missing_entry_counts_as_zero():
    counts = class_counts([[5, NAN], [2, NAN]])
    np.testing.assert_array_equal(counts.correct, [5, 0])
    np.testing.assert_array_equal(counts.support, [5, 2])
    np.testing.assert_array_equal(counts.predicted, [7, 0])


def test_class_without_images_but_with_predictions_is_not_padding():
    counts = class_counts([[5, 1], [NAN, NAN]])
    np.testing.assert_array_equal(counts.support, [6, 0])
    np.testing.assert_array_equal(counts.predicted, [5, 1])


def test_unsigned_counts_do_not_overflow():
    matrix = np.full((2, 2), 200, dtype=np.uint8)
    np.testing.assert_array_equal(class_counts(matrix).support, [400, 400])


def test_input_is_left_alone():
    matrix = np.array([[5.0, NAN], [2.0, 3.0]])
    class_counts(matrix).correct[...] = 0
    np.testing.assert_array_equal(matrix, [[5, NAN], [2, 3]])


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0, 0), ()])
def test_shape_is_refused(shape):
    with pytest.raises(InputError, match=r"\(\.\.\., C, C\)"):
        class_counts(np.zeros(shape))


def test_accuracy_without_images_is_nan():
    assert np.isnan(accuracy([0, NAN], [0, NAN]))


def test_more_right_than_there_are():
    with pytest.raises(InputError, match=r"correct: received 11 at index \(1,\); at most the support"):
        accuracy([5, 11], [10, 10])
