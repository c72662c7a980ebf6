"""Where the images of a class go: row-normalised confusion, and how compression moves it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.numeric import FloatArray, divide
from rdstats.array.validate import as_counts, broadcast, check_same_support
from rdstats.errors import InputError


def confusion_shares(confusion: ArrayLike) -> FloatArray:
    """Share of a class's test images that is predicted as each class.

    share_cp = n[c, p] / sum_q n[c, q]; the diagonal is recall, a row adds up to 1.

    Parameters
    ----------
    confusion : array_like, shape (..., C, C)
        Test images counted by [true class, predicted class]. NaN is missing: a class whose row and column are
        NaN throughout is padding; elsewhere a NaN counts as 0.

    Returns
    -------
    ndarray, shape (..., C, C)
        Shares in [0, 1]; NaN in the rows of classes without images, and in rows and columns of padding.

    Raises
    ------
    InputError
        If a count is negative or the last two axes differ.

    Notes
    -----
    Row-normalised confusion matrix, textbook.

    Examples
    --------
    >>> confusion_shares([[9, 1], [3, 7]]).tolist()
    [[0.9, 0.1], [0.3, 0.7]]
    """
    matrices = _matrices("confusion", confusion)
    known = ~np.isnan(matrices)
    there = np.asarray(known.any(axis=-1) | known.any(axis=-2))
    filled = np.where(known, matrices, 0.0)
    total = filled.sum(axis=-1, keepdims=True)
    return divide(filled, total, (total > 0) & there[..., np.newaxis, :])


def confusion_difference(before: ArrayLike, after: ArrayLike) -> FloatArray:
    """Change of the share of a class's test images that is predicted as each class.

    difference_cp = n'[c, p] / n'_c - n[c, p] / n_c.  Its diagonal is the change of recall; a row adds up to 0:
    what a class loses on the diagonal it gains elsewhere in its row.

    Parameters
    ----------
    before, after : array_like, shape (..., C, C)
        Confusion matrices [true, predicted] of a pair of networks, see `confusion_shares`.

    Returns
    -------
    ndarray, shape (..., C, C)
        Differences in [-1, 1] (times 100: percentage points); NaN where either share is.

    Raises
    ------
    InputError
        If a count is negative, the shapes do not fit, or a class has not the same images before and after.

    Notes
    -----
    This project's; the paper looks at the diagonal only (section 4).

    Examples
    --------
    >>> confusion_difference([[9, 1], [3, 7]], [[8, 2], [5, 5]]).round(4).tolist()
    [[-0.1, 0.1], [0.2, -0.2]]
    """
    first, second = _matrices("before", before), _matrices("after", after)
    broadcast(before=first, after=second)
    check_same_support(_support(first), _support(second))
    return np.asarray(confusion_shares(second) - confusion_shares(first))


def _matrices(name: str, value: ArrayLike) -> FloatArray:
    matrices = as_counts(name, value)
    shape = matrices.shape
    if len(shape) < 2 or shape[-1] != shape[-2] or shape[-1] == 0:
        raise InputError(f"{name}: expected shape (..., C, C) [true, predicted], received {shape}")
    return matrices


def _support(matrices: FloatArray) -> FloatArray:
    """Return images a class, NaN throughout for a matrix that is missing."""
    missing = np.asarray(np.isnan(matrices).all(axis=(-1, -2)))
    return np.where(missing[..., np.newaxis], np.nan, np.nansum(matrices, axis=-1))
