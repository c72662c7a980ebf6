"""Comparison with the control: change of spread, equivalence, and the words of a claim."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.intervals import TInterval, decided, verdict
from rdstats.array.moments import no_variation, seeds_reason
from rdstats.array.numeric import BoolArray, FloatArray, TextArray, first_reason, log_ratio
from rdstats.array.ttest import p_value
from rdstats.array.validate import (
    as_counts,
    as_flags,
    as_float,
    broadcast,
    check_family_size,
    check_level,
    check_positive,
    refuse,
)

CLAIMS = (
    "collapsed",
    "practically none",
    "intensified",
    "de-intensified",
    "changed relative to the control, spread undecided",
    "undecided",
)


class Tost(NamedTuple):
    """p of two one-sided tests, and whether the mean is shown to lie within the margin."""

    p: FloatArray
    equivalent: BoolArray


def log_spread_difference(spread: ArrayLike, spread_control: ArrayLike) -> FloatArray:
    """Change of spread against the control, log s - log s_control, of one seed.

    Parameters
    ----------
    spread, spread_control : array_like
        Spread ratios of the compressed network and of its control, made from the same dense network.

    Returns
    -------
    ndarray
        Natural logarithm of a ratio: .10 is 10.5 % more spread. NaN where either is NaN or 0 (all scores
        equal: no finite logarithm).

    Raises
    ------
    InputError
        If a spread ratio is negative or the shapes do not fit.

    Notes
    -----
    The secondary statistic that tells a change of spread from a change of the slope.

    Examples
    --------
    >>> log_spread_difference([1.2, 0.0], [1.0, 1.0]).round(4).tolist()
    [0.1823, nan]
    """
    first, second = as_float("spread", spread), as_float("spread_control", spread_control)
    refuse("spread", first, first < 0, "spread ratios are 0 or more")
    refuse("spread_control", second, second < 0, "spread ratios are 0 or more")
    broadcast(spread=first, spread_control=second)
    both = (first > 0) & (second > 0)
    return log_ratio(first, second, both, np.nan)


def tost(
    mean: ArrayLike,
    sd: ArrayLike,
    n: ArrayLike,
    *,
    margin: float = 0.10,
    level: float = 0.95,
    k: ArrayLike = 1,
    null: ArrayLike = 0.0,
) -> Tost:
    """Two one-sided t tests that a mean lies within a margin of a value.

    p = max(P(T >= (mean - null + margin) / se), P(T <= (mean - null - margin) / se)), se = sd / sqrt(n),
    T with n - 1 degrees of freedom; equivalent where p < (1 - level) / k.

    Parameters
    ----------
    mean, sd, n : array_like
        Mean, standard deviation (ddof 1) and number of seeds, as `t_interval` returns them.
    margin : float
        Largest difference without practical meaning, in the unit of the mean, above 0.
    level : float
        Confidence of the k statements together.
    k : array_like
        Number of simultaneous statements, 1 or more.
    null : array_like
        Value to be equivalent to: 0 for a difference, 1 for a slope.

    Returns
    -------
    Tost
        `p`, NaN where the mean or sd is NaN, n < 3 or the values do not vary, and `equivalent`, False there.

    Raises
    ------
    InputError
        If the margin is not above 0, the level outside (0, 1), k below 1, or shapes do not fit.

    Notes
    -----
    Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987), 657-680. Equivalent exactly where the t interval at
    1 - 2 (1 - level) / k lies inside the margin.

    Examples
    --------
    >>> result = tost([0.01, 0.09], 0.05, 10, margin=0.10)
    >>> result.p.round(4).tolist(), result.equivalent.tolist()
    ([0.0001, 0.2714], [True, False])
    """
    check_positive("margin", margin)
    centre, spread, seeds = as_float("mean", mean), as_float("sd", sd), as_counts("n", n)
    refuse("sd", spread, spread < 0, "standard deviations are 0 or more")
    value, size = as_float("null", null), check_family_size("k", k)
    shape = broadcast(mean=centre, sd=spread, n=seeds, k=size, null=value)
    fine = (seeds_reason(seeds, no_variation(spread, centre)) == "") & ~np.isnan(centre + spread + seeds)
    error = np.where(fine, spread, np.nan) / np.sqrt(np.maximum(seeds, 1.0))
    df = np.where(fine, seeds - 1.0, np.nan)
    above = p_value((centre - value + margin) / error, df, "greater")
    below = p_value((centre - value - margin) / error, df, "less")
    p = np.array(np.broadcast_to(np.maximum(above, below), shape))
    return Tost(p, np.asarray(p < (1 - check_level(level)) / size))


def claim(
    delta_interval: TInterval, log_spread_interval: TInterval, *, equivalent: ArrayLike, collapsed: ArrayLike
) -> TextArray:
    """The words that the evidence against the control allows, the first that applies.

    Parameters
    ----------
    delta_interval : TInterval
        Simultaneous interval of slope - slope of the control, over seeds.
    log_spread_interval : TInterval
        The same of log s - log s of the control.
    equivalent : array_like of bool
        Whether delta is within the margin of no practical meaning (`tost`).
    collapsed : array_like of bool
        Whether too many networks of the column are degenerate.

    Returns
    -------
    ndarray of str
        "collapsed"; "practically none"; "intensified" (both intervals above 0); "de-intensified" (both
        below); "changed relative to the control, spread undecided" (delta excludes 0, the spread does not);
        "undecided". Without a verdict on delta (fewer than 5 seeds, NaN or no variation) a column that has
        not collapsed is "undecided", equivalent or not. So is one whose delta and spread exclude 0 in
        opposite directions.

    Raises
    ------
    InputError
        If the shapes do not fit or a flag is not boolean.

    Notes
    -----
    A slope alone also moves with accuracy; only with the spread does it say that classes moved apart.

    Examples
    --------
    >>> from rdstats.array import t_interval
    >>> delta = t_interval([0.30, 0.20, 0.25, 0.35, 0.30])
    >>> spread = t_interval([0.20, 0.15, 0.20, 0.25, 0.10])
    >>> claim(delta, spread, equivalent=False, collapsed=False).tolist()
    'intensified'
    """
    within, broken = as_flags("equivalent", equivalent), as_flags("collapsed", collapsed)
    delta, spread = _against_zero(delta_interval), _against_zero(log_spread_interval)
    broadcast(delta_interval=delta, log_spread_interval=spread, equivalent=within, collapsed=broken)
    known = decided(delta_interval.lower, delta_interval.upper, delta_interval.n, delta_interval.reason)
    conditions = (
        broken,
        known & within,
        (delta == ">") & (spread == ">"),
        (delta == "<") & (spread == "<"),
        (delta != "?") & (spread == "?"),
    )
    return first_reason(*zip(conditions, CLAIMS, strict=False), default=CLAIMS[-1])


def _against_zero(interval: TInterval) -> TextArray:
    return verdict(interval.lower, interval.upper, interval.n, interval.reason, null=0.0)
