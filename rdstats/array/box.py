"""Five numbers that say how values lie: quartiles, and how far the ones without outliers reach."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.numeric import FloatArray, IntArray
from rdstats.errors import InputError

WHISKER = 1.5
"""Largest distance of a whisker's end from its quartile, in interquartile ranges (Tukey)."""


class BoxSummary(NamedTuple):
    """Ends of the whiskers, quartiles and number of values; NaN where there is no value."""

    low: FloatArray
    first: FloatArray
    median: FloatArray
    third: FloatArray
    high: FloatArray
    n: IntArray


def box_summary(values: ArrayLike) -> BoxSummary:
    """Quartiles and Tukey's whiskers of values along the last axis.

    Quantile p of n sorted values lies at position ``(n - 1) p`` from 0, linear between neighbours.  A whisker ends at
    the farthest value within 1.5 interquartile ranges of its quartile.

    Parameters
    ----------
    values : array_like, shape (..., n)
        NaN values are skipped; infinite ones are refused.

    Returns
    -------
    BoxSummary of arrays, shape (...)

    Raises
    ------
    InputError
        If `values` has no axis, or an infinite value.

    Notes
    -----
    Hyndman and Fan's quantile 7, numpy's default; Tukey, Exploratory Data Analysis (1977), chapter 2.

    Examples
    --------
    >>> [float(number) for number in box_summary([1, 2, 3, 4, 20, float("nan")])]
    [1.0, 2.0, 3.0, 4.0, 4.0, 5.0]
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim == 0:
        raise InputError("values: received a single number, accepted: an array of them")
    if np.isinf(given).any():
        raise InputError("values: an infinite value has no place among quartiles")
    ordered = np.sort(given, axis=-1)  # NaN last
    n = np.asarray((~np.isnan(given)).sum(axis=-1), dtype=np.int64)
    first, median, third = (_quantile(ordered, n, share) for share in (0.25, 0.5, 0.75))
    reach = WHISKER * (third - first)
    inside = (ordered >= (first - reach)[..., None]) & (ordered <= (third + reach)[..., None])
    low = np.where(inside, ordered, np.inf).min(axis=-1, initial=np.inf)
    high = np.where(inside, ordered, -np.inf).max(axis=-1, initial=-np.inf)
    known = n > 0
    return BoxSummary(np.where(known, low, np.nan), first, median, third, np.where(known, high, np.nan), n)


def _quantile(ordered: FloatArray, n: IntArray, share: float) -> FloatArray:
    """Quantile of the first `n` of sorted values."""
    if ordered.shape[-1] == 0:
        return np.full(n.shape, np.nan)
    at = share * np.maximum(n - 1, 0)
    below = np.floor(at).astype(np.int64)
    above = np.ceil(at).astype(np.int64)
    ends = [np.take_along_axis(ordered, index[..., None], axis=-1)[..., 0] for index in (below, above)]
    return np.asarray(ends[0] + (at - below) * (ends[1] - ends[0]))
