"""Networks that no longer classify: rules on the counts per class and on the kept weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.numeric import ROUNDING, BoolArray, FloatArray, IntArray, TextArray, divide
from rdstats.array.scores import recall
from rdstats.array.validate import as_counts, broadcast, check_classes, check_positive
from rdstats.errors import InputError

# In the order of the bits of `_flags`; a cell's text is looked up by its bits.
DEGENERATE_REASONS = ("empty_layer", "chance", "zero_recall", "dominant_class")
_TEXTS = np.array(
    [",".join(name for i, name in enumerate(DEGENERATE_REASONS) if flags >> i & 1) for flags in range(16)],
    dtype=np.str_,
)


def degenerate(
    correct: ArrayLike,
    support: ArrayLike,
    predicted: ArrayLike,
    kept_weights: ArrayLike | None = None,
    *,
    z: float = 2.326,
    zero_recall_share: float = 0.25,
    dominance: float = 0.80,
) -> BoolArray:
    """Whether a network is degenerate: empty, at chance, blind to classes, or constant.

    True if (0) a prunable layer keeps no weight; (1) macro recall - z SE <= 1 / C, with
    SE = sqrt(sum R (1 - R) / n_c) / C; (2) recall is 0 in at least max(1, ceil(zero_recall_share C)) classes;
    or (3) for some class, at least `dominance` of the images of other classes are predicted as it.
    C counts the classes with support.

    Parameters
    ----------
    correct, support, predicted : array_like, shape (..., C)
        The counts of `class_counts`, in images.
    kept_weights : array_like, shape (..., layer), optional
        Unmasked weights of each prunable layer; NaN is padding or not known.
    z : float
        Standard errors above chance below which a network counts as guessing (2.326: one-sided 99 %).
    zero_recall_share, dominance : float
        Shares of the classes and of the images in rules (2) and (3), above 0.

    Returns
    -------
    ndarray of bool, shape (...)
        False also for a missing cell (no class with support).

    Raises
    ------
    InputError
        If a count is negative, more images are right than there are, a threshold is not above 0, or the
        shapes do not fit.

    Notes
    -----
    All predictions in class k on a balanced set give slope C Bn_k / sum Bn^2, of either sign: it says nothing
    about intensification, which is why such networks are marked.

    Examples
    --------
    >>> degenerate([[10, 0], [9, 8]], [10, 10], [[20, 0], [11, 9]]).tolist()
    [True, False]
    """
    flags = _flags(correct, support, predicted, kept_weights, z, zero_recall_share, dominance)
    return np.asarray(flags != 0)


def degenerate_reasons(
    correct: ArrayLike,
    support: ArrayLike,
    predicted: ArrayLike,
    kept_weights: ArrayLike | None = None,
    *,
    z: float = 2.326,
    zero_recall_share: float = 0.25,
    dominance: float = 0.80,
) -> TextArray:
    """Which rules of `degenerate` hold, as codes joined by commas; an empty text where none does.

    Rules (0) to (3) are "empty_layer", "chance", "zero_recall" and "dominant_class".

    Parameters
    ----------
    correct, support, predicted, kept_weights, z, zero_recall_share, dominance
        As in `degenerate`.

    Returns
    -------
    ndarray of str, shape (...)
        "" also for a missing cell.

    Raises
    ------
    InputError
        As `degenerate`.

    Examples
    --------
    >>> degenerate_reasons([[10, 0], [9, 8]], [10, 10], [[20, 0], [11, 9]]).tolist()
    ['chance,zero_recall,dominant_class', '']
    """
    flags = _flags(correct, support, predicted, kept_weights, z, zero_recall_share, dominance)
    return np.asarray(_TEXTS[flags])


def _flags(
    correct: ArrayLike,
    support: ArrayLike,
    predicted: ArrayLike,
    kept_weights: ArrayLike | None,
    z: float,
    zero_recall_share: float,
    dominance: float,
) -> IntArray:
    """One bit for each rule that holds, in the order of `DEGENERATE_REASONS`."""
    right, images = as_counts("correct", correct), as_counts("support", support)
    named = as_counts("predicted", predicted)
    check_classes(correct=right, support=images, predicted=named)
    rules = [
        _empty_layer(kept_weights),
        _chance(right, images, check_positive("z", z)),
        _zero_recall(right, images, check_positive("zero_recall_share", zero_recall_share)),
        _dominant_class(right, images, named, check_positive("dominance", dominance)),
    ]
    known = (images > 0).any(axis=-1)
    broadcast(kept_weights=rules[0], counts=rules[3])
    flags = np.zeros((), dtype=np.int64)
    for bit, rule in enumerate(rules):
        flags = flags | np.where(rule & known, 1 << bit, 0)
    return np.asarray(flags)


def _empty_layer(kept_weights: ArrayLike | None) -> BoolArray:
    if kept_weights is None:
        return np.zeros((), dtype=np.bool_)
    weights = as_counts("kept_weights", kept_weights)
    if weights.ndim == 0:
        raise InputError("kept_weights: expected shape (..., layer), received a number")
    return np.asarray((weights == 0).any(axis=-1))


def _chance(correct: FloatArray, support: FloatArray, z: float) -> BoolArray:
    scores = recall(correct, support)
    present = support > 0
    classes = np.maximum(present.sum(axis=-1), 1)
    macro = np.where(present, scores, 0.0).sum(axis=-1) / classes
    variance = divide(scores * (1 - scores), support, present)
    error = np.sqrt(np.where(present, variance, 0.0).sum(axis=-1)) / classes
    return np.asarray(macro - z * error <= 1 / classes + ROUNDING)


def _zero_recall(correct: FloatArray, support: FloatArray, share: float) -> BoolArray:
    present = support > 0
    # .07 of 100 classes is 7.000000000000001 in float64
    needed = np.maximum(1.0, np.ceil(share * present.sum(axis=-1) - ROUNDING))
    return np.asarray(((correct == 0) & present).sum(axis=-1) >= needed)


def _dominant_class(correct: FloatArray, support: FloatArray, predicted: FloatArray, share: float) -> BoolArray:
    own = np.where(support > 0, support, 0.0)
    others = own.sum(axis=-1, keepdims=True) - own
    return np.asarray(((others > 0) & (predicted - correct >= share * others - ROUNDING)).any(axis=-1))
