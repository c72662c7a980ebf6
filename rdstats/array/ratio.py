"""Ratios over seeds: Fieller's interval of a ratio of means, and the slope instrumented by the other seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from rdstats.array.moments import MIN_SEEDS, moments, no_variation, seeds_reason
from rdstats.array.numeric import BoolArray, FloatArray, IntArray, TextArray, divide, first_reason, widen
from rdstats.array.pooling import (
    MIN_STRENGTH,
    column_median,
    jackknife_error,
    jackknife_interval,
    signal_to_noise,
)
from rdstats.array.validate import as_float, broadcast, check_classes, check_family_size, check_level
from rdstats.errors import InputError

FIELLER_FORMS = ("bounded", "complement", "whole line")

# Below this many seeds the others' pattern is no instrument.
MIN_INSTRUMENT = 5


class FiellerInterval(NamedTuple):
    """Ratio of means, number of pairs, bounds, the form of the confidence set, and a reason."""

    ratio: FloatArray
    n: IntArray
    lower: FloatArray
    upper: FloatArray
    form: TextArray
    reason: TextArray


class InstrumentedSlope(NamedTuple):
    """Slope of each seed with its reason, and the pooled slope with its jackknife interval."""

    value: FloatArray
    value_reason: TextArray
    estimate: FloatArray
    se: FloatArray
    n: IntArray
    lower: FloatArray
    upper: FloatArray
    strength: FloatArray
    reason: TextArray


class _Sums(NamedTuple):
    """Numerator, denominator and number of products: of each seed, summed, and summed without each seed."""

    each: list[FloatArray]
    total: list[FloatArray]
    deleted: list[FloatArray]


def fieller_interval(
    first: ArrayLike, second: ArrayLike, *, level: float = 0.95, k: ArrayLike = 1, axis: int = -1
) -> FiellerInterval:
    """Fieller's confidence set of a ratio of paired means, mean(first) / mean(second).

    All theta with |mean(d)| <= t sd(d) / sqrt(n), d = first - theta second: the ratios that the paired t test
    does not reject. Its ends solve (b^2 - t^2 v22) theta^2 - 2 (a b - t^2 v12) theta + a^2 - t^2 v11 = 0, with
    a, b the means and v their (co)variances.

    Parameters
    ----------
    first, second : array_like
        One value per seed along `axis`, the same seed at the same place. A pair with a NaN is dropped.
    level : float
        Confidence of the k sets together.
    k : array_like
        Number of simultaneous sets, 1 or more.
    axis : int
        Axis of the seeds.

    Returns
    -------
    FiellerInterval
        `ratio` (NaN where mean(second) is 0), `n` pairs, and `form`: "bounded" (the set is [lower, upper]),
        "complement" (all but the open gap from `lower` to `upper`; an end is infinite where the set is a half
        line), "whole line" (bounds infinite) or "" (no set). `reason`: "" (fine), "missing",
        "too_few_seeds" (n < 3: no set), "zero_denominator" (`second` is 0 throughout: no set), "unbounded"
        (form not "bounded": mean(second) is not told from 0, so no verdict), "no_variation" (each side equal
        for all seeds: both bounds are the ratio).

    Raises
    ------
    InputError
        If `level` is not between 0 and 1, k is below 1, or shapes do not fit.

    Notes
    -----
    Fieller, J. R. Stat. Soc. B 16 (1954), 175-185. Exact for normal pairs.

    Examples
    --------
    >>> result = fieller_interval([1.0, 1.1, 1.2, 1.4], [1.1, 1.3, 1.5, 1.5])
    >>> result.ratio.round(4).tolist(), result.lower.round(4).tolist(), result.upper.round(4).tolist()
    (0.8704, 0.7698, 0.9814)
    >>> fieller_interval([1.0, 1.1, 1.2, 1.4], [0.1, -0.3, 0.5, 0.2]).form.tolist()
    'complement'
    """
    one, two = as_float("first", first), as_float("second", second)
    broadcast(first=one, second=two)
    one, two = (np.moveaxis(part, axis, -1) for part in np.broadcast_arrays(one, two))
    gone = np.isnan(one + two)
    one, two = np.where(gone, np.nan, one), np.where(gone, np.nan, two)
    (n, a, sd1), (_, b, sd2) = moments(one), moments(two)
    reason = seeds_reason(n, no_variation(sd1, a) & no_variation(sd2, b))
    reason = np.where((n >= MIN_SEEDS) & (b == 0) & (sd2 == 0), np.str_("zero_denominator"), reason)
    tail = (1 - check_level(level)) / (2 * check_family_size("k", k))
    shape = broadcast(values=a, k=tail)
    freedom = np.where(n > 1, n - 1.0, 1.0)
    t2 = stdtrit(freedom, tail) ** 2
    scatter = (one - a[..., np.newaxis]) * (two - b[..., np.newaxis])
    v12 = np.where(gone, 0.0, scatter).sum(axis=-1) / freedom
    size = np.maximum(n, 1.0)
    lower, upper, form = _fieller_ends(b**2 - t2 * sd2**2 / size, a * b - t2 * v12 / size, a**2 - t2 * sd1**2 / size)
    ratio = divide(a, b, b != 0)
    solved = np.broadcast_to(reason == "", shape)
    fixed = np.broadcast_to(reason == "no_variation", shape)
    lower, upper = (np.where(solved, end, np.where(fixed, ratio, np.nan)) for end in (lower, upper))
    form = np.where(solved, form, np.where(fixed, np.str_("bounded"), np.str_("")))
    unbounded = solved & (form != "bounded")
    reason = np.where(unbounded, np.str_("unbounded"), reason)
    return FiellerInterval(widen(ratio, shape), widen(n, shape), lower, upper, form, widen(reason, shape))


def seed_instrumented_slope(
    before: ArrayLike, after: ArrayLike, ratio: ArrayLike, *, level: float = 0.95, k: ArrayLike = 1
) -> InstrumentedSlope:
    """Slope along the class pattern common to all runs, (A / A') sum_c z_c B'_c / sum_c z_c B_c.

    z is the sum of the other seeds' dense balances, which share neither run noise nor regression to the mean
    with this seed. Pooled: sum over seeds of the numerators over sum of the denominators, with an interval
    that deletes one seed everywhere, in z too.

    Parameters
    ----------
    before, after : array_like, shape (..., n, C)
        Balances B (not normalised) of n seeds before and after compression. Classes NaN for all known seeds
        are absent; a seed with a NaN in another class is dropped on that side.
    ratio : array_like, shape (..., n)
        A / A' of each seed.
    level : float
        Confidence of the k intervals together.
    k : array_like
        Number of simultaneous intervals.

    Returns
    -------
    InstrumentedSlope
        `value`, `value_reason` `(..., n)`: slope of each seed; "missing", or "weak_denominator" where the
        median denominator is below 4 standard deviations of the denominators, then all NaN. Others `(...)`:
        pooled `estimate` with `se`, `n` seeds, bounds, `strength` (mean denominator over its jackknife
        error) and `reason`: "" (fine), "missing", "too_few_seeds" (n < 5: all but n NaN),
        "not_estimable" (strength below 4 or sum not above 0: NaN), "no_variation" (both bounds are the
        estimate).

    Raises
    ------
    InputError
        If `before` has no axis of seeds, `level` is not between 0 and 1, k is below 1, or shapes do not fit.

    Notes
    -----
    A split-sample instrument (Angrist and Krueger, J. Bus. Econ. Stat. 13 (1995), 225-235). 1 where
    compression leaves the common pattern as it was, however noisy single runs are.

    Examples
    --------
    >>> import numpy as np
    >>> pattern = np.array([0.1, 0.0, -0.1])
    >>> run = 0.01 * np.array([[1, -2, 1], [-1, 2, -1], [1, 1, -2], [-1, -1, 2], [2, -1, -1]])
    >>> result = seed_instrumented_slope(pattern + run, 1.5 * pattern - run, np.ones(5))
    >>> result.estimate.round(2).tolist(), result.value_reason.tolist()
    (1.44, ['', '', '', '', ''])
    """
    x, y, scale = as_float("before", before), as_float("after", after), as_float("ratio", ratio)
    check_classes(before=x, after=y)
    if x.ndim < 2:
        raise InputError(f"before: expected shape (..., n, C) [seed, class], received {x.shape}")
    broadcast(before=x[..., 0], after=y[..., 0], ratio=scale)
    x, y, scale = np.broadcast_arrays(x, y, scale[..., np.newaxis])
    present = np.asarray(~(np.isnan(x) & np.isnan(y)).all(axis=-2, keepdims=True))
    x, dense = _known(x, present)
    y, pair = _known(scale * y, present)
    pair = pair & dense
    n = np.asarray(pair.sum(axis=-1), dtype=np.int64)
    sums = _instrument(x, y, dense, pair)
    few = n < MIN_INSTRUMENT
    above, below, products = sums.total
    deleted = divide(sums.deleted[0], sums.deleted[1], dense & (sums.deleted[1] != 0))
    # the jackknife needs the mean product: a sum shrinks by whatever leaves it
    means = divide(sums.deleted[1], sums.deleted[2], dense & (sums.deleted[2] > 0))
    pooled = signal_to_noise(divide(below, products, ~few), jackknife_error(means, dense))
    hopeless = ((pooled < MIN_STRENGTH) | ~(below > 0)) & ~few
    fine = ~few & ~hopeless
    estimate = divide(above, below, fine & (below != 0))
    se = np.where(fine, jackknife_error(deleted, dense), np.nan)
    reason = first_reason(
        (n == 0, "missing"),
        (few, "too_few_seeds"),
        (hopeless, "not_estimable"),
        (no_variation(se, estimate), "no_variation"),
    )
    value, why = _each_seed(sums.each[0], sums.each[1], pair, few)
    return InstrumentedSlope(value, why, *jackknife_interval(estimate, se, n, pooled, reason, level=level, k=k))


def _fieller_ends(
    square: FloatArray, middle: FloatArray, constant: FloatArray
) -> tuple[FloatArray, FloatArray, TextArray]:
    """Ends and form of the set square theta^2 - 2 middle theta + constant <= 0."""
    root = np.sqrt(np.maximum(middle**2 - square * constant, 0.0))
    # the larger of middle +- root in size, so that no digits cancel; the other end follows from the product
    far = middle + np.where(middle < 0, -root, root)
    one = np.where(square == 0, -np.copysign(np.inf, far), divide(far, square, square != 0))
    two = divide(constant, far, far != 0)
    one, two = np.where(far == 0, 0.0, one), np.where(far == 0, 0.0, two)
    whole = (square <= 0) & (middle**2 <= square * constant)
    lower = np.where(whole, -np.inf, np.minimum(one, two))
    upper = np.where(whole, np.inf, np.maximum(one, two))
    return lower, upper, first_reason((whole, "whole line"), (square > 0, "bounded"), default="complement")


def _known(values: FloatArray, present: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Balances with NaN as 0, and which seeds know every class that is present."""
    there = ~np.isnan(values)
    known = np.asarray((there | ~present).all(axis=-1) & present.any(axis=-1))
    return np.where(known[..., np.newaxis] & there, values, 0.0), known


def _instrument(x: FloatArray, y: FloatArray, dense: BoolArray, pair: BoolArray) -> _Sums:
    """Sums of z B', z B and the number of products; those of a seed with itself do not enter."""
    others = (dense[..., :, np.newaxis] & pair[..., np.newaxis, :]) & ~np.eye(x.shape[-2], dtype=np.bool_)
    products = (x @ np.swapaxes(y, -1, -2), x @ np.swapaxes(x, -1, -2), np.ones(others.shape))
    each, total, deleted = [], [], []
    for product in products:
        used = np.where(others, product, 0.0)
        column, row = used.sum(axis=-2), used.sum(axis=-1)
        each.append(column)
        total.append(column.sum(axis=-1))
        deleted.append(total[-1][..., np.newaxis] - column - row)
    return _Sums(each, total, deleted)


def _each_seed(above: FloatArray, below: FloatArray, pair: BoolArray, few: BoolArray) -> tuple[FloatArray, TextArray]:
    """Slopes of the single seeds, or why not."""
    denominators = np.where(pair, below, np.nan)
    typical = signal_to_noise(column_median(denominators), moments(denominators).sd)
    weak = np.asarray(~(typical >= MIN_STRENGTH))
    few, weak = (np.broadcast_to(part[..., np.newaxis], pair.shape) for part in (few, weak))
    reason = first_reason(
        (~pair, "missing"),
        (few, "too_few_seeds"),
        (weak, "weak_denominator"),
        (below == 0, "no_spread"),
    )
    return divide(above, below, reason == ""), reason
