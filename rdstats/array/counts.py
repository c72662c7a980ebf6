"""From confusion matrices to counts per class, and accuracy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.numeric import FloatArray, divide
from rdstats.array.validate import as_counts, check_classes, refuse
from rdstats.errors import InputError


class ClassCounts(NamedTuple):
    """Test images per class, each `(..., C)`: predicted right, belonging to it, predicted as it."""

    correct: FloatArray
    support: FloatArray
    predicted: FloatArray


def class_counts(confusion: ArrayLike) -> ClassCounts:
    """Reduce confusion matrices to the three counts per class that every measure needs.

    correct_c = n[c, c], support_c = sum_p n[c, p], predicted_c = sum_t n[t, c].

    Parameters
    ----------
    confusion : array_like, shape (..., C, C)
        Test images counted by [true class, predicted class]. NaN is missing: a class whose row and column are
        NaN throughout is padding; elsewhere a NaN counts as 0.

    Returns
    -------
    ClassCounts
        `correct`, `support`, `predicted`, each `(..., C)` in images; NaN for padding and missing matrices.

    Raises
    ------
    InputError
        If a count is negative or the last two axes differ.

    Examples
    --------
    >>> counts = class_counts([[9, 1], [3, 7]])
    >>> counts.correct.tolist(), counts.support.tolist(), counts.predicted.tolist()
    ([9.0, 7.0], [10.0, 10.0], [12.0, 8.0])
    """
    matrices = as_counts("confusion", confusion)
    shape = matrices.shape
    if len(shape) < 2 or shape[-1] != shape[-2] or shape[-1] == 0:
        raise InputError(f"confusion: expected shape (..., C, C) [true, predicted], received {shape}")
    known = ~np.isnan(matrices)
    padding = ~(known.any(axis=-1) | known.any(axis=-2))
    filled = np.where(known, matrices, 0.0)
    parts = (np.diagonal(filled, axis1=-2, axis2=-1), filled.sum(axis=-1), filled.sum(axis=-2))
    return ClassCounts(*(np.where(padding, np.nan, part) for part in parts))


def accuracy(correct: ArrayLike, support: ArrayLike) -> FloatArray:
    """Accuracy A = sum_c correct_c / sum_c support_c (paper, section 4).

    Parameters
    ----------
    correct, support : array_like, shape (..., C)
        Images of each class predicted right, and all of them. Classes with NaN or no support are skipped.

    Returns
    -------
    ndarray, shape (...)
        Share of images in [0, 1]; NaN where no class has support.

    Raises
    ------
    InputError
        If a count is negative, more images are right than there are, or the shapes do not fit.

    Examples
    --------
    >>> accuracy([9, 7], [10, 10]).tolist()
    0.8
    """
    part, whole = part_and_whole(correct=correct, support=support)
    present = whole > 0
    total = np.where(present, whole, 0.0).sum(axis=-1)
    return divide(np.where(present, part, 0.0).sum(axis=-1), total, total > 0)


def part_and_whole(correct: ArrayLike, **whole: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Validated counts of a part and its whole, which is no smaller."""
    ((name, value),) = whole.items()
    part, total = as_counts("correct", correct), as_counts(name, value)
    check_classes(**{"correct": part, name: total})
    refuse("correct", np.broadcast_arrays(part, total)[0], part > total, f"at most the {name} of the class")
    return part, total
