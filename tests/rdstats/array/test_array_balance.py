"""Balances and their reference score: the paper's example, identities, absent classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rdstats.array import (
    REFERENCES,
    accuracy,
    balance,
    class_counts,
    class_weights,
    intensification_ratio,
    normalized_balance,
    reference_score,
    score,
)
from rdstats.errors import InputError

NAN = np.nan
PROPERTY = settings(deadline=None, derandomize=True, max_examples=40)
MATRICES = hnp.arrays(np.int64, (4, 4), elements=st.integers(0, 30)).map(lambda m: m + np.eye(4, dtype=int))


def test_example_of_the_paper():
    np.testing.assert_allclose(balance([0.9, 0.7], [10, 10]), [0.1, -0.1], rtol=1e-14)
    np.testing.assert_allclose(balance([0.7, 0.5], [10, 10]), [0.1, -0.1], rtol=1e-14)
    before = normalized_balance([0.9, 0.7], [10, 10])
    after = normalized_balance([0.7, 0.5], [10, 10])
    np.testing.assert_allclose(before, [1 / 8, -1 / 8], rtol=1e-14)
    np.testing.assert_allclose(after, [1 / 6, -1 / 6], rtol=1e-14)
    np.testing.assert_allclose(intensification_ratio(before, after), [4 / 3, 4 / 3], rtol=1e-14)


def test_macro_and_accuracy_references():
    scores, support = [0.5, 1.0], [30, 10]
    assert reference_score(scores, support) == 5 / 8
    assert reference_score(scores, support, "macro") == 6 / 8
    np.testing.assert_allclose(normalized_balance(scores, support), [-1 / 5, 3 / 5], rtol=1e-14)
    np.testing.assert_allclose(normalized_balance(scores, support, "macro"), [-1 / 3, 1 / 3], rtol=1e-14)


@given(MATRICES)
@PROPERTY
def test_weighted_recall_is_accuracy(matrix):
    counts = class_counts(matrix)
    reference = reference_score(score("recall", *counts), counts.support)
    np.testing.assert_allclose(reference, accuracy(counts.correct, counts.support), rtol=1e-12)


@given(MATRICES)
@PROPERTY
def test_sums_to_zero(matrix):
    """sum m (score - accuracy) = 0 with m support, predicted, or both; sum B = C (macro - A)."""
    correct, support, predicted = counts = class_counts(matrix)
    whole = accuracy(correct, support)
    masses = {"recall": support, "precision": predicted, "f1": support + predicted}
    for measure, mass in masses.items():
        assert abs(np.sum(mass * (score(measure, *counts) - whole))) < 1e-9
    recalls = score("recall", *counts)
    total = np.sum(balance(recalls, support))
    np.testing.assert_allclose(total, 4 * (np.mean(recalls) - whole), rtol=1e-9, atol=1e-12)
    assert abs(np.sum(balance(recalls, support, "macro"))) < 1e-12


@pytest.mark.parametrize("reference", REFERENCES)
def test_weights_sum_to_one_over_classes_with_support(reference):
    weights = class_weights([[30, 10, 0, NAN], [1, 1, 1, 1]], reference)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-15)
    np.testing.assert_array_equal(weights[0, 2:], 0)


@pytest.mark.parametrize("reference", REFERENCES)
def test_absent_classes_change_nothing(reference):
    plain = normalized_balance([0.9, 0.5], [30, 10], reference)
    padded = normalized_balance([0.9, 0.1, 0.5, NAN], [30, 0, 10, NAN], reference)
    np.testing.assert_array_equal(padded[[0, 2]], plain)
    assert np.isnan(padded[[1, 3]]).all()


def test_undefined_score_of_a_class_with_support():
    assert np.isnan(reference_score([0.9, NAN], [10, 10]))
    assert np.isnan(balance([0.9, NAN], [10, 10])).all()


def test_nothing_right_has_no_normalised_balance():
    np.testing.assert_array_equal(balance([0, 0], [10, 10]), [0, 0])
    assert np.isnan(normalized_balance([0, 0], [10, 10])).all()


def test_no_support_at_all():
    for reference in REFERENCES:
        assert np.isnan(class_weights([0, NAN], reference)).all()
        assert np.isnan(reference_score([0.5, NAN], [0, NAN], reference))
        assert np.isnan(balance([0.5, NAN], [0, NAN], reference)).all()


def test_intensification_of_a_class_at_the_reference_is_nan():
    # 1/3 + 1/3 + 1/3 of .7 is not .7 in float64: what is left is rounding, not a balance
    ratios = intensification_ratio([0.0, 1e-17, -0.1, NAN], [0.1, 0.1, 0.2, 0.1])
    np.testing.assert_array_equal(ratios, [NAN, NAN, -2, NAN])


def test_refused():
    with pytest.raises(InputError, match="accuracy, macro"):
        class_weights([10, 10], "micro")
    with pytest.raises(InputError, match="number of classes"):
        balance([0.9, 0.7], [10, 10, 10])
