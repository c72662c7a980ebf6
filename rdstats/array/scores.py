"""Scores per class from counts: recall, precision, F1, their shrunk forms, and the variance of recall."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.counts import part_and_whole
from rdstats.array.numeric import BoolArray, FloatArray, divide
from rdstats.array.validate import as_float, check_choice, check_classes
from rdstats.errors import InputError

MEASURES = ("recall", "precision", "f1")


def recall(correct: ArrayLike, support: ArrayLike) -> FloatArray:
    """Recall R_c = correct_c / support_c, the share of the images of a class that are predicted as it.

    Parameters
    ----------
    correct, support : array_like, shape (..., C)
        Images of each class predicted right, and all of them.

    Returns
    -------
    ndarray, shape (..., C)
        In [0, 1]; NaN where support is 0 or NaN.

    Raises
    ------
    InputError
        If a count is negative, more images are right than there are, or the shapes do not fit.

    Notes
    -----
    Paper, section 4 (there called R^c).

    Examples
    --------
    >>> recall([9, 7, 0], [10, 10, 0]).tolist()
    [0.9, 0.7, nan]
    """
    return _share(*part_and_whole(correct=correct, support=support))


def precision(correct: ArrayLike, predicted: ArrayLike) -> FloatArray:
    """Precision P_c = correct_c / predicted_c, the share of the predictions of a class that are right.

    Parameters
    ----------
    correct, predicted : array_like, shape (..., C)
        Images of each class predicted right, and all images predicted as it.

    Returns
    -------
    ndarray, shape (..., C)
        In [0, 1]; NaN where nothing is predicted as the class (0/0) or a count is NaN.

    Raises
    ------
    InputError
        If a count is negative, more predictions are right than there are, or the shapes do not fit.

    Notes
    -----
    Paper, section 4. `score("precision", ...)` is also NaN for classes without support.

    Examples
    --------
    >>> precision([9, 7, 0], [12, 8, 0]).tolist()
    [0.75, 0.875, nan]
    """
    return _share(*part_and_whole(correct=correct, predicted=predicted))


def f1(correct: ArrayLike, support: ArrayLike, predicted: ArrayLike) -> FloatArray:
    """F1 = 2 correct_c / (support_c + predicted_c), the harmonic mean of recall and precision.

    Parameters
    ----------
    correct, support, predicted : array_like, shape (..., C)
        Images of each class predicted right, all of them, and all images predicted as it.

    Returns
    -------
    ndarray, shape (..., C)
        In [0, 1]; NaN where support is 0 or NaN. A class with images and none right has F1 0, also where
        nothing is predicted as it and its precision is 0/0.

    Raises
    ------
    InputError
        If a count is negative, more images are right than there are, or the shapes do not fit.

    Notes
    -----
    Paper, section 4 ("F-score").

    Examples
    --------
    >>> f1([9, 7], [10, 10], [12, 8]).round(4).tolist()
    [0.8182, 0.7778]
    """
    return score("f1", correct, support, predicted)


def score(measure: str, correct: ArrayLike, support: ArrayLike, predicted: ArrayLike) -> FloatArray:
    """Score of each class by name: recall, precision or F1.

    Parameters
    ----------
    measure : {"recall", "precision", "f1"}
        Name of the score, one of `MEASURES`.
    correct, support, predicted : array_like, shape (..., C)
        The counts of `class_counts`.

    Returns
    -------
    ndarray, shape (..., C)
        In [0, 1]; NaN for a class without support, whatever the measure, and where the score is 0/0.

    Raises
    ------
    InputError
        For an unknown measure, a negative count, or shapes that do not fit.

    Examples
    --------
    >>> score("precision", [9, 7, 0], [10, 10, 0], [11, 8, 1]).round(4).tolist()
    [0.8182, 0.875, nan]
    """
    part, whole, present = _fraction(measure, correct, support, predicted)
    return divide(part, whole, present & (whole > 0))


def shrunk_score(measure: str, correct: ArrayLike, support: ArrayLike, predicted: ArrayLike) -> FloatArray:
    """Score pulled towards one half, (k + 1/2) / (n + 1), so that its log-odds are finite.

    (k, n) is (correct, support) for recall, (correct, predicted) for precision and
    (2 correct, support + predicted) for F1.

    Parameters
    ----------
    measure : {"recall", "precision", "f1"}
        Name of the score, one of `MEASURES`.
    correct, support, predicted : array_like, shape (..., C)
        The counts of `class_counts`.

    Returns
    -------
    ndarray, shape (..., C)
        Strictly between 0 and 1; NaN where support is 0 or NaN.

    Raises
    ------
    InputError
        For an unknown measure, a negative count, or shapes that do not fit.

    Notes
    -----
    The posterior mean under the Jeffreys prior (Agresti, Categorical Data Analysis, section 1.6).

    Examples
    --------
    >>> shrunk_score("recall", [9, 10], [9, 19], [9, 19]).tolist()
    [0.95, 0.525]
    """
    part, whole, present = _fraction(measure, correct, support, predicted)
    return np.where(present, (part + 0.5) / (whole + 1.0), np.nan)


def recall_variance(recall: ArrayLike, ddof: int = 0) -> FloatArray:
    """Variance of recall between the classes of a network, sum_c (R_c - mean)^2 / (C - ddof).

    Parameters
    ----------
    recall : array_like, shape (..., C)
        Recall of each class; NaN classes are skipped and not counted in C.
    ddof : int
        0 for the variance of these classes, 1 for the estimate of a population of classes.

    Returns
    -------
    ndarray, shape (...)
        In squared recall; NaN where at most `ddof` classes are known.

    Raises
    ------
    InputError
        If `ddof` is negative or `recall` has no class axis.

    Notes
    -----
    Paper, appendix F (Table 11), which does not say which divisor it used.

    Examples
    --------
    >>> recall_variance([0.9, 0.7, float("nan")]).round(4).tolist()
    0.01
    """
    if ddof < 0:
        raise InputError(f"ddof: received {ddof!r}, accepted: 0 or more")
    values = as_float("recall", recall)
    check_classes(recall=values)
    known = ~np.isnan(values)
    number = known.sum(axis=-1)
    mean = np.where(known, values, 0.0).sum(axis=-1) / np.maximum(number, 1)
    squares = np.where(known, values - np.expand_dims(mean, -1), 0.0) ** 2
    return divide(squares.sum(axis=-1), number - float(ddof), number > ddof)


def _fraction(
    measure: str, correct: ArrayLike, support: ArrayLike, predicted: ArrayLike
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Numerator and denominator of a measure, and whether each class has support."""
    check_choice("measure", measure, MEASURES)
    right, images = part_and_whole(correct=correct, support=support)
    _, named = part_and_whole(correct=correct, predicted=predicted)
    whole = {"recall": images, "precision": named, "f1": images + named}[measure]
    return (2 * right if measure == "f1" else right), whole, images > 0


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    return divide(part, whole, whole > 0)
