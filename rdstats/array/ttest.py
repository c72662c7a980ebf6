"""Student's and Welch's t tests of two columns of seeds, paired or independent."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

from rdstats.array.intervals import half_width
from rdstats.array.moments import moments, no_variation, seeds_reason
from rdstats.array.numeric import FloatArray, IntArray, TextArray, divide, widen
from rdstats.array.validate import as_float, broadcast, check_choice, check_family_size, check_level

ALTERNATIVES = ("two-sided", "less", "greater")


class TTest(NamedTuple):
    """Estimate mean(first) - mean(second), statistic of its sign, raw p, two-sided bounds, and a reason."""

    estimate: FloatArray
    statistic: FloatArray
    df: FloatArray
    n: IntArray
    p: FloatArray
    lower: FloatArray
    upper: FloatArray
    reason: TextArray


def paired_ttest(
    first: ArrayLike,
    second: ArrayLike,
    *,
    alternative: str = "two-sided",
    level: float = 0.95,
    m: ArrayLike = 1,
    axis: int = -1,
) -> TTest:
    """Paired t test of mean(first - second) = 0.

    t = mean(d) / (sd(d) / sqrt(n)) with d = first - second and n - 1 degrees of freedom. Assumes that the
    differences are independent between seeds and roughly normal.

    Parameters
    ----------
    first, second : array_like
        One value per seed along `axis`, the same seed at the same place. A pair with a NaN is dropped.
    alternative : {"two-sided", "less", "greater"}
        What the mean of `first` is, relative to `second`, under the alternative.
    level : float
        Confidence of the m intervals together.
    m : array_like
        Declared members of the family: the interval is at 1 - (1 - level) / m. p is not corrected here.
    axis : int
        Axis of the seeds.

    Returns
    -------
    TTest
        `estimate` and the two-sided bounds in the unit of the values, `n` pairs, and `reason`: "" (fine),
        "missing" (no pair), "too_few_seeds" (n < 3: all but the estimate NaN), "no_variation" (differences
        equal up to rounding: statistic and p NaN, both bounds the estimate).

    Raises
    ------
    InputError
        For an unknown alternative, a level outside (0, 1), m below 1, or shapes that do not fit.

    Notes
    -----
    Paper, section 6.2. Student, Biometrika 6 (1908), 1-25.

    Examples
    --------
    >>> result = paired_ttest([1.0, 1.1, 1.2, 1.4], [1.1, 1.3, 1.5, 1.5], alternative="less")
    >>> result.estimate.round(4).tolist(), result.statistic.round(4).tolist(), result.p.round(4).tolist()
    (-0.175, -3.6556, 0.0177)
    """
    one, two = as_float("first", first), as_float("second", second)
    broadcast(first=one, second=two)
    n, mean, sd = moments(np.moveaxis(one - two, axis, -1))
    reason = seeds_reason(n, no_variation(sd, mean))
    size = n.astype(np.float64)
    error = sd / np.sqrt(np.maximum(size, 1))
    return _result(mean, error, size - 1, n, reason, alternative, level, m)


def independent_ttest(
    first: ArrayLike,
    second: ArrayLike,
    *,
    equal_variance: bool = False,
    alternative: str = "two-sided",
    level: float = 0.95,
    m: ArrayLike = 1,
    axis: int = -1,
) -> TTest:
    """Two-sample t test of mean(first) = mean(second), Welch's by default.

    t = (mean1 - mean2) / sqrt(v1 + v2), v = sd^2 / n, with Welch-Satterthwaite degrees of freedom; with
    `equal_variance` the pooled variance and n1 + n2 - 2. Assumes independent, roughly normal values.

    Parameters
    ----------
    first, second : array_like
        One value per seed along `axis`, where lengths may differ. NaN values are dropped.
    equal_variance : bool
        Pool the two variances.
    alternative, level, m, axis
        As in `paired_ttest`.

    Returns
    -------
    TTest
        As `paired_ttest`, with `n` the seeds of both groups together. "missing" where a group is empty,
        "too_few_seeds" where the smaller has fewer than 3, "no_variation" where neither varies.

    Raises
    ------
    InputError
        For an unknown alternative, a level outside (0, 1), m below 1, or shapes that do not fit.

    Notes
    -----
    Paper, section 6.2, which does not say which of the two it used. Welch, Biometrika 34 (1947), 28-35.

    Examples
    --------
    >>> result = independent_ttest([1.0, 1.1, 1.2, 1.4], [1.1, 1.3, 1.5, 1.5])
    >>> result.df.round(3).tolist(), result.p.round(4).tolist()
    (5.923, 0.2221)
    """
    one = np.moveaxis(as_float("first", first), axis, -1)
    two = np.moveaxis(as_float("second", second), axis, -1)
    (n1, mean1, sd1), (n2, mean2, sd2) = moments(one), moments(two)
    broadcast(first=mean1, second=mean2)
    reason = seeds_reason(np.minimum(n1, n2), no_variation(sd1, mean1) & no_variation(sd2, mean2))
    df1, df2 = np.maximum(n1 - 1.0, 1.0), np.maximum(n2 - 1.0, 1.0)
    v1, v2 = sd1**2 / np.maximum(n1, 1.0), sd2**2 / np.maximum(n2, 1.0)
    if equal_variance:
        df = df1 + df2
        pooled = (df1 * sd1**2 + df2 * sd2**2) / df
        error = np.sqrt(pooled * (1 / np.maximum(n1, 1.0) + 1 / np.maximum(n2, 1.0)))
    else:
        error = np.sqrt(v1 + v2)
        share = divide(v1, v1 + v2, v1 + v2 > 0)
        df = 1 / (share**2 / df1 + (1 - share) ** 2 / df2)
    return _result(mean1 - mean2, error, df, n1 + n2, reason, alternative, level, m)


def _result(
    estimate: FloatArray,
    error: FloatArray,
    df: FloatArray,
    n: IntArray,
    reason: TextArray,
    alternative: str,
    level: float,
    m: ArrayLike,
) -> TTest:
    """Statistic, p and bounds of an estimate with a standard error, blanked where the reason says so."""
    check_choice("alternative", alternative, ALTERNATIVES)
    tail = (1 - check_level(level)) / (2 * check_family_size("m", m))
    shape = broadcast(values=estimate, m=tail)
    fine, constant = reason == "", reason == "no_variation"
    statistic = divide(estimate, error, fine)
    freedom = np.where(fine | constant, df, np.nan)
    half = np.where(constant, 0.0, np.where(fine, half_width(error, df, tail), np.nan))
    p = p_value(statistic, freedom, alternative)
    return TTest(
        estimate=widen(estimate, shape),
        statistic=widen(statistic, shape),
        df=widen(freedom, shape),
        n=widen(n, shape),
        p=widen(p, shape),
        lower=widen(estimate - half, shape),
        upper=widen(estimate + half, shape),
        reason=widen(reason, shape),
    )


def p_value(statistic: FloatArray, df: FloatArray, alternative: str) -> FloatArray:
    """p of a t statistic; NaN in, NaN out."""
    if alternative == "less":
        return np.asarray(stdtr(df, statistic))
    if alternative == "greater":
        return np.asarray(stdtr(df, -statistic))
    return np.asarray(2 * stdtr(df, -np.abs(statistic)))
