"""Recall, precision, F1 and their shrunk forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rdstats.array import (
    MEASURES,
    class_counts,
    f1,
    precision,
    recall,
    recall_variance,
    score,
    shrunk_score,
)
from rdstats.errors import InputError

NAN = np.nan
PROPERTY = settings(deadline=None, derandomize=True, max_examples=40)
COUNTS = class_counts([[5, 1, 0], [2, 3, 1], [0, 0, 8]])


@pytest.mark.parametrize(
    ("measure", "expected", "shrunk"),
    [
        ("recall", [5 / 6, 3 / 6, 8 / 8], [5.5 / 7, 3.5 / 7, 8.5 / 9]),
        ("precision", [5 / 7, 3 / 4, 8 / 9], [5.5 / 8, 3.5 / 5, 8.5 / 10]),
        ("f1", [10 / 13, 6 / 10, 16 / 17], [10.5 / 14, 6.5 / 11, 16.5 / 18]),
    ],
)
def test_worked_fractions(measure, expected, shrunk):
    np.testing.assert_allclose(score(measure, *COUNTS), expected, rtol=1e-15)
    np.testing.assert_allclose(shrunk_score(measure, *COUNTS), shrunk, rtol=1e-15)


def test_named_functions_are_the_measures():
    correct, support, predicted = COUNTS
    np.testing.assert_array_equal(recall(correct, support), score("recall", *COUNTS))
    np.testing.assert_array_equal(precision(correct, predicted), score("precision", *COUNTS))
    np.testing.assert_array_equal(f1(correct, support, predicted), score("f1", *COUNTS))


@given(hnp.arrays(np.int64, (4, 4), elements=st.integers(0, 30)))
@PROPERTY
def test_f1_is_the_harmonic_mean(matrix):
    counts = class_counts(matrix)
    r, p, f = (score(measure, *counts) for measure in MEASURES[:3])
    with np.errstate(invalid="ignore"):
        mean = 2 * r * p / (r + p)
    both = ~np.isnan(mean)
    np.testing.assert_allclose(f[both], mean[both], rtol=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_no_support_is_nan_for_every_measure(measure):
    result = score(measure, [5, 0, NAN], [6, 0, NAN], [6, 3, NAN])
    np.testing.assert_array_equal(np.isnan(result), [False, True, True])
    result = shrunk_score(measure, [5, 0, NAN], [6, 0, NAN], [6, 3, NAN])
    np.testing.assert_array_equal(np.isnan(result), [False, True, True])


def test_nothing_predicted():
    counts = ([0, 5], [4, 6], [0, 10])
    np.testing.assert_array_equal(score("precision", *counts), [NAN, 0.5])
    np.testing.assert_array_equal(score("f1", *counts), [0, 10 / 16])
    np.testing.assert_array_equal(shrunk_score("precision", *counts), [0.5, 0.5])


def test_unknown_measure():
    with pytest.raises(InputError, match="recall, precision, f1"):
        score("recal", *COUNTS)


def test_more_right_than_predicted():
    with pytest.raises(InputError, match="at most the predicted"):
        precision([5], [4])


@pytest.mark.parametrize("ddof", [0, 1])
def test_recall_variance_matches_numpy(ddof):
    values = np.random.default_rng(0).uniform(size=(5, 10))
    values[0, 3] = NAN
    np.testing.assert_allclose(recall_variance(values, ddof), np.nanvar(values, axis=-1, ddof=ddof), rtol=1e-12)


def test_recall_variance_of_too_few_classes():
    np.testing.assert_array_equal(recall_variance([[NAN, NAN], [0.5, NAN]]), [NAN, 0])
    np.testing.assert_array_equal(recall_variance([[NAN, NAN], [0.5, NAN]], 1), [NAN, NAN])
    with pytest.raises(InputError, match="ddof"):
        recall_variance([0.5, 0.6], -1)
