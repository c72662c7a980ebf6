"""How far the worst class lies behind the best: measures of the fairness literature."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.numeric import FloatArray, IntArray, divide
from rdstats.array.validate import as_share, check_classes


def worst_gap(scores: ArrayLike) -> FloatArray:
    """Gap between the best and the worst class of a network, max_c x_c - min_c x_c.

    Parameters
    ----------
    scores : array_like, shape (..., C)
        Score of each class (recall, precision or F1). NaN classes are skipped.

    Returns
    -------
    ndarray, shape (...)
        In [0, 1], 0 where all classes score alike (or there is only one); NaN where no class has a score.

    Raises
    ------
    InputError
        If a score lies outside [0, 1] or `scores` has no class axis.

    Notes
    -----
    With classes as groups, the "difference between groups": for recall, the equal-opportunity difference.
    An undefined score (0/0) and an absent class are both NaN here; a caller who wants the gap undefined for
    the first must say so.

    Examples
    --------
    >>> worst_gap([[0.9, 0.7, 0.8], [0.5, float("nan"), 0.5]]).round(4).tolist()
    [0.2, 0.0]
    """
    low, high = _range(scores)
    return np.asarray(high - low)


def worst_ratio(scores: ArrayLike) -> FloatArray:
    """Ratio of the worst to the best class of a network, min_c x_c / max_c x_c.

    Parameters
    ----------
    scores : array_like, shape (..., C)
        Score of each class (recall, precision or F1). NaN classes are skipped.

    Returns
    -------
    ndarray, shape (...)
        In [0, 1], 1 where all classes score alike; NaN where no class has a score, or the best score is 0.

    Raises
    ------
    InputError
        If a score lies outside [0, 1] or `scores` has no class axis.

    Notes
    -----
    With classes as groups, the "ratio between groups"; the "four-fifths rule" asks for at least .8.

    Examples
    --------
    >>> worst_ratio([[0.9, 0.6, 0.8], [0.0, 0.0, 0.0]]).round(4).tolist()
    [0.6667, nan]
    """
    low, high = _range(scores)
    return divide(low, high, high > 0)


def worst_class(scores: ArrayLike) -> IntArray:
    """Index of the class with the lowest score of a network.

    Parameters
    ----------
    scores : array_like, shape (..., C)
        Score of each class (recall, precision or F1). NaN classes are skipped.

    Returns
    -------
    ndarray of int, shape (...)
        From 0; the first of equals; -1 where no class has a score.

    Raises
    ------
    InputError
        If a score lies outside [0, 1] or `scores` has no class axis.

    Notes
    -----
    argmin_c x_c.

    Examples
    --------
    >>> worst_class([[0.9, 0.6, 0.6], [float("nan")] * 3]).tolist()
    [1, -1]
    """
    values = _known(scores)
    lowest = np.where(np.isnan(values), np.inf, values).argmin(axis=-1)
    return np.asarray(np.where(np.isnan(values).all(axis=-1), -1, lowest), dtype=np.int64)


def _known(scores: ArrayLike) -> FloatArray:
    values = as_share("scores", scores)
    check_classes(scores=values)
    return values


def _range(scores: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest score of a network; NaN where it has none."""
    values = _known(scores)
    known = ~np.isnan(values)
    low = np.where(known, values, np.inf).min(axis=-1)
    high = np.where(known, values, -np.inf).max(axis=-1)
    some = known.any(axis=-1)
    return np.where(some, low, np.nan), np.where(some, high, np.nan)
