"""Rules for degenerate networks, at and around their thresholds."""

import numpy as np
import pytest

from rdstats.array import (
    class_counts,
    degenerate,
    degenerate_reasons,
    normalized_balance,
    recall,
    slope,
)
from rdstats.errors import InputError

NAN = np.nan


def constant(classes, label, images=50):
    """Confusion matrix of a network that predicts one class."""
    matrix = np.zeros((classes, classes))
    matrix[:, label] = images
    return matrix


def diagonal(right, images=100):
    """Confusion matrix with given correct counts, errors spread evenly over the other classes."""
    right = np.asarray(right, dtype=float)
    classes = right.size
    matrix = np.repeat(((images - right) / (classes - 1))[:, np.newaxis], classes, axis=1)
    np.fill_diagonal(matrix, right)
    return matrix


@pytest.mark.parametrize("label", range(5))
def test_all_predictions_in_one_class(label):
    """alpha = C Bn_k / sum Bn^2 on a balanced set: either sign, and marked."""
    before = normalized_balance([0.95, 0.9, 0.85, 0.7, 0.6], np.full(5, 50))
    counts = class_counts(constant(5, label))
    after = normalized_balance(recall(counts.correct, counts.support), counts.support)
    alpha = slope(before, after)
    np.testing.assert_allclose(alpha, 5 * before[label] / np.sum(before**2), rtol=1e-12)
    assert np.sign(alpha) == np.sign(before[label])
    assert degenerate(*counts)
    assert degenerate_reasons(*counts) == "chance,zero_recall,dominant_class"


def test_a_good_network_is_fine():
    counts = class_counts(diagonal([95, 90, 85, 70]))
    assert not degenerate(*counts)
    assert degenerate_reasons(*counts) == ""


def test_chance():
    """C = 2, n = 100, recalls r: macro - 2.326 sqrt(2 r (1 - r) / 100) / 2 <= 1/2 up to r = .5813."""
    at, above = class_counts(diagonal([58, 58])), class_counts(diagonal([59, 59]))
    assert degenerate_reasons(*at) == "chance"
    assert degenerate_reasons(*above) == ""
    assert degenerate_reasons(*above, z=5) == "chance"


@pytest.mark.parametrize(("classes", "blind"), [(2, 1), (4, 1), (5, 2), (10, 3), (100, 25)])
def test_zero_recall_needs_a_quarter_of_the_classes(classes, blind):
    for number in (blind, blind - 1):
        right = np.full(classes, 99.0)
        right[:number] = 0
        reasons = str(degenerate_reasons(*class_counts(diagonal(right)))).split(",")
        assert ("zero_recall" in reasons) == (number == blind)


def test_share_of_classes_is_not_pushed_up_by_rounding():
    # .07 x 100 is 7.000000000000001 in float64
    right = np.full(100, 99.0)
    right[:7] = 0
    assert degenerate(*class_counts(diagonal(right)), zero_recall_share=0.07)


def test_dominant_class():
    # 80 of the 100 images of other classes go to class 0
    matrix = np.array([[100, 0, 0], [40, 10, 0], [40, 0, 10]])
    assert "dominant_class" in str(degenerate_reasons(*class_counts(matrix)))
    matrix[1, :2] = [39, 11]
    assert "dominant_class" not in str(degenerate_reasons(*class_counts(matrix)))
    assert "dominant_class" in str(degenerate_reasons(*class_counts(matrix), dominance=0.79))


def test_empty_layer():
    counts = class_counts(np.stack([diagonal([95, 90, 85])] * 4))
    kept = [[5, 0, 3], [5, 1, 3], [5, NAN, 3], [0, NAN, NAN]]
    np.testing.assert_array_equal(degenerate_reasons(*counts, kept), ["empty_layer", "", "", "empty_layer"])
    np.testing.assert_array_equal(degenerate(*counts, kept), [True, False, False, True])


def test_missing_and_padded_cells():
    matrices = np.full((2, 4, 4), NAN)
    matrices[0, :3, :3] = diagonal([95, 90, 85])
    counts = class_counts(matrices)
    result = degenerate(*counts, [[5.0], [0.0]])
    assert result.dtype == np.bool_
    np.testing.assert_array_equal(result, [False, False])
    np.testing.assert_array_equal(degenerate_reasons(*counts), ["", ""])


def test_classes_without_support_do_not_count():
    matrix = np.zeros((12, 12))
    matrix[:3, :3] = diagonal([95, 90, 85])
    assert not degenerate(*class_counts(matrix))


def test_refused():
    counts = class_counts(diagonal([95, 90]))
    with pytest.raises(InputError, match="dominance"):
        degenerate(*counts, dominance=0)
    with pytest.raises(InputError, match="layer"):
        degenerate(*counts, 5)
