"""Balances: how far each class lies above or below the network's reference score."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.numeric import ROUNDING, FloatArray, divide
from rdstats.array.validate import as_counts, as_float, check_choice, check_classes

REFERENCES = ("accuracy", "macro")


def class_weights(support: ArrayLike, reference: str = "accuracy") -> FloatArray:
    """Weights w_c of the classes in the reference score.

    w_c = n_c / N for "accuracy" (the paper), 1 / (number of classes with support) for "macro".

    Parameters
    ----------
    support : array_like, shape (..., C)
        Test images per class; NaN for padding.
    reference : {"accuracy", "macro"}
        Which mean of the class scores balances are measured from.

    Returns
    -------
    ndarray, shape (..., C)
        Weights that sum to 1, 0 for classes without support; NaN throughout where no class has support.

    Raises
    ------
    InputError
        For an unknown reference or a negative count.

    Examples
    --------
    >>> class_weights([30, 10, 0, float("nan")]).tolist()
    [0.75, 0.25, 0.0, 0.0]
    >>> class_weights([30, 10, 0, float("nan")], "macro").tolist()
    [0.5, 0.5, 0.0, 0.0]
    """
    check_choice("reference", reference, REFERENCES)
    images = as_counts("support", support)
    check_classes(support=images)
    mass = np.where(images > 0, images if reference == "accuracy" else 1.0, 0.0)
    total = mass.sum(axis=-1, keepdims=True)
    return divide(mass, total, total > 0)


def reference_score(scores: ArrayLike, support: ArrayLike, reference: str = "accuracy") -> FloatArray:
    """The network's reference score A = sum_c w_c x_c.

    For recall with reference "accuracy" this is the accuracy; with "macro" it is the unweighted mean.

    Parameters
    ----------
    scores, support : array_like, shape (..., C)
        Score (recall, precision or F1) and test images of each class.
    reference : {"accuracy", "macro"}
        See `class_weights`.

    Returns
    -------
    ndarray, shape (...)
        In the unit of the scores. NaN where a class with support has a NaN score, or none has support; scores
        of classes without support do not enter.

    Raises
    ------
    InputError
        For an unknown reference, a negative count, or shapes that do not fit.

    Notes
    -----
    Paper, section 4.

    Examples
    --------
    >>> reference_score([0.9, 0.7], [30, 10]).round(4).tolist()
    0.85
    >>> reference_score([0.9, 0.7], [30, 10], "macro").round(4).tolist()
    0.8
    """
    values, weights = as_float("scores", scores), class_weights(support, reference)
    check_classes(scores=values, support=weights)
    present = ~(weights == 0)  # a NaN weight is nobody's support and makes the sum NaN
    return np.asarray(np.where(present, weights * np.where(present, values, 0.0), 0.0).sum(axis=-1))


def balance(scores: ArrayLike, support: ArrayLike, reference: str = "accuracy") -> FloatArray:
    """Balance B_c = x_c - A: score of a class above (positive) or below the reference score.

    Parameters
    ----------
    scores, support : array_like, shape (..., C)
        Score (recall, precision or F1) and test images of each class.
    reference : {"accuracy", "macro"}
        See `class_weights`.

    Returns
    -------
    ndarray, shape (..., C)
        In the unit of the scores. NaN for classes without support; NaN throughout where the reference score
        is NaN.

    Raises
    ------
    InputError
        For an unknown reference, a negative count, or shapes that do not fit.

    Notes
    -----
    Paper, section 4 ("recall balance"). The sum over classes is 0 with "macro", or on a balanced test set.

    Examples
    --------
    >>> balance([0.9, 0.7], [10, 10]).round(4).tolist()
    [0.1, -0.1]
    """
    return _balance(scores, support, reference, normalized=False)


def normalized_balance(scores: ArrayLike, support: ArrayLike, reference: str = "accuracy") -> FloatArray:
    """Normalised balance Bn_c = (x_c - A) / A, the balance in units of the reference score.

    Parameters
    ----------
    scores, support : array_like, shape (..., C)
        Score (recall, precision or F1) and test images of each class.
    reference : {"accuracy", "macro"}
        See `class_weights`.

    Returns
    -------
    ndarray, shape (..., C)
        Dimensionless. NaN for classes without support; NaN throughout where A is 0 or NaN.

    Raises
    ------
    InputError
        For an unknown reference, a negative count, or shapes that do not fit.

    Notes
    -----
    Paper, section 4 ("normalized recall balance").

    Examples
    --------
    >>> normalized_balance([0.9, 0.7], [10, 10]).round(4).tolist()
    [0.125, -0.125]
    """
    return _balance(scores, support, reference, normalized=True)


def intensification_ratio(bn_before: ArrayLike, bn_after: ArrayLike) -> FloatArray:
    """Intensification ratio of a class, I_c = Bn_c(after) / Bn_c(before).

    Parameters
    ----------
    bn_before, bn_after : array_like, shape (..., C)
        Normalised balances of the network before and after compression.

    Returns
    -------
    ndarray, shape (..., C)
        Above 1 the class moved away from the reference, below 1 towards it, below 0 across it. NaN where
        Bn(before) is 0, up to rounding (at most 1e-12), and where either balance is NaN.

    Raises
    ------
    InputError
        If the shapes do not fit.

    Notes
    -----
    Paper, section 5. The slope is the mean of I_c with weights Bn_c(before)^2, so a NaN here has weight 0.

    Examples
    --------
    >>> intensification_ratio([0.125, -0.125, 0.0], [0.25, -0.1, 0.1]).tolist()
    [2.0, 0.8, nan]
    """
    first, second = as_float("bn_before", bn_before), as_float("bn_after", bn_after)
    check_classes(bn_before=first, bn_after=second)
    return divide(second, first, np.abs(first) > ROUNDING)


def _balance(scores: ArrayLike, support: ArrayLike, reference: str, *, normalized: bool) -> FloatArray:
    values, images = as_float("scores", scores), as_counts("support", support)
    centre = reference_score(values, images, reference)[..., np.newaxis]
    difference = np.where(images > 0, values - centre, np.nan)
    if not normalized:
        return difference
    return divide(difference, centre, centre != 0)
