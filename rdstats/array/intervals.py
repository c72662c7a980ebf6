"""Simultaneous t intervals over seeds, and the verdict that one gives about a value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from rdstats.array.moments import moments, no_variation, seeds_reason
from rdstats.array.numeric import BoolArray, FloatArray, IntArray, TextArray, first_reason, widen
from rdstats.array.validate import as_float, broadcast, check_family_size, check_level

# Below this many seeds a value and its interval are shown, but no verdict.
MIN_VERDICT = 5


class TInterval(NamedTuple):
    """Mean, standard deviation (ddof 1) and number of seeds, bounds, and why bounds are missing or equal."""

    mean: FloatArray
    sd: FloatArray
    n: IntArray
    lower: FloatArray
    upper: FloatArray
    reason: TextArray


def t_interval(values: ArrayLike, *, level: float = 0.95, k: ArrayLike = 1, axis: int = -1) -> TInterval:
    """Two-sided t interval of a mean over seeds, simultaneous over k statements.

    mean +- t sd / sqrt(n), t the 1 - (1 - level) / (2 k) quantile of Student's t with n - 1 degrees of
    freedom (Bonferroni: each interval has level 1 - (1 - level) / k).

    Parameters
    ----------
    values : array_like
        One value per seed along `axis`, independent between seeds. NaN is a missing seed and is dropped.
    level : float
        Confidence of all k intervals together, between 0 and 1.
    k : array_like
        Number of simultaneous intervals, 1 or more; an array broadcasts against the result.
    axis : int
        Axis of the seeds.

    Returns
    -------
    TInterval
        `mean`, `sd`, `lower`, `upper` in the unit of the values, `n` seeds used, and `reason`: "" (fine),
        "missing" (n = 0, all NaN), "too_few_seeds" (n < 3: bounds NaN) or "no_variation" (sd at most
        1e-12 max(1, |mean|): both bounds are the mean).

    Raises
    ------
    InputError
        If `level` is not between 0 and 1, k is below 1, values are infinite or shapes do not fit.

    Notes
    -----
    Paper, section 6.2: 99 % intervals, so that five ratios hold together at 95 %. The interval describes
    training runs, given this test set.

    Examples
    --------
    >>> result = t_interval([1.0, 1.2, 1.1, 1.3, 0.9], level=0.95, k=5)
    >>> result.n.tolist(), result.mean.round(4).tolist()
    (5, 1.1)
    >>> result.lower.round(4).tolist(), result.upper.round(4).tolist()
    (0.7744, 1.4256)
    """
    array, size = as_float("values", values), check_family_size("k", k)
    tail = (1 - check_level(level)) / (2 * size)
    n, mean, sd = moments(np.moveaxis(array, axis, -1))
    shape = broadcast(values=mean, k=tail)
    reason = seeds_reason(n, no_variation(sd, mean))
    size = n.astype(np.float64)
    half = half_width(sd / np.sqrt(np.maximum(size, 1)), size - 1, tail)
    half = np.where(reason == "no_variation", 0.0, np.where(reason == "", half, np.nan))
    return TInterval(
        mean=widen(mean, shape),
        sd=widen(sd, shape),
        n=widen(n, shape),
        lower=widen(mean - half, shape),
        upper=widen(mean + half, shape),
        reason=widen(reason, shape),
    )


def verdict(
    interval_lower: ArrayLike, upper: ArrayLike, n: ArrayLike, reason: ArrayLike, *, null: ArrayLike = 1.0
) -> TextArray:
    """What an interval says about a value: wholly below it, wholly above it, or neither.

    Parameters
    ----------
    interval_lower, upper : array_like
        Bounds of the interval; NaN is missing, infinite is unbounded.
    n : array_like
        Number of seeds behind it.
    reason : array_like of str
        Reason of the interval, "" where it is fine.
    null : array_like
        Value to compare with.

    Returns
    -------
    ndarray of str
        "<", ">" or "?". "?" where the interval touches or contains the value, has fewer than 5 seeds, is NaN
        or has a reason.

    Raises
    ------
    InputError
        If the shapes do not fit.

    Notes
    -----
    The superscripts of the paper's Figures 1 to 4, with `null` 1.

    Examples
    --------
    >>> verdict([0.8, 0.9, 1.1, 1.1], [0.9, 1.1, 1.3, 1.3], [30, 30, 30, 4], "").tolist()
    ['<', '?', '>', '?']
    """
    low = as_float("interval_lower", interval_lower, finite=False)
    high = as_float("upper", upper, finite=False)
    seeds, centre, code = as_float("n", n), as_float("null", null), np.asarray(reason)
    broadcast(interval_lower=low, upper=high, n=seeds, reason=code, null=centre)
    sound = decided(low, high, seeds, code)
    return first_reason((sound & (high < centre), "<"), (sound & (low > centre), ">"), default="?")


def decided(lower: FloatArray, upper: FloatArray, n: FloatArray | IntArray, reason: TextArray) -> BoolArray:
    """Whether an interval may give a verdict: enough seeds, both bounds known, no reason against it."""
    return np.asarray((n >= MIN_VERDICT) & (reason == "") & ~np.isnan(lower) & ~np.isnan(upper))


def half_width(standard_error: FloatArray, df: FloatArray, tail: FloatArray) -> FloatArray:
    """Half width of a t interval that leaves `tail` on either side; NaN below one degree of freedom."""
    quantile = stdtrit(np.where(df > 0, df, 1.0), tail)
    return np.where(df > 0, -quantile * standard_error, np.nan)
