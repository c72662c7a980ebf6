"""Delete-one jackknife intervals, and how far a denominator stands above its noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.intervals import half_width
from rdstats.array.numeric import BoolArray, FloatArray, IntArray, TextArray, divide, widen
from rdstats.array.validate import broadcast, check_family_size, check_level

# A denominator below this many of its standard errors makes single ratios erratic: columns are then pooled,
# and below it again after pooling nothing is estimated.
MIN_STRENGTH = 4.0


class JackknifeInterval(NamedTuple):
    """Estimate, jackknife standard error, units used, bounds, strength of the denominator, and a reason."""

    estimate: FloatArray
    se: FloatArray
    n: IntArray
    lower: FloatArray
    upper: FloatArray
    strength: FloatArray
    reason: TextArray


class Column(NamedTuple):
    """Numerators and denominators of the seeds of a column on the last axis, 0 where not known."""

    numerator: FloatArray
    denominator: FloatArray
    known: BoolArray


def jackknife_error(deleted: FloatArray, weight: FloatArray | BoolArray) -> FloatArray:
    """Delete-one standard error sqrt((m - 1) / m sum_i w_i (theta_i - mean)^2), m = sum w, on the last axis.

    theta_i is the estimate without one of w_i like units; units of weight 0 do not enter.
    """
    mass = np.asarray(weight, dtype=np.float64)
    total = mass.sum(axis=-1)
    kept = np.where(mass > 0, deleted, 0.0)
    mean = divide((mass * kept).sum(axis=-1), total, total > 0)
    squares = (mass * (kept - mean[..., np.newaxis]) ** 2).sum(axis=-1)
    return np.asarray(np.sqrt(divide((total - 1) * squares, total, total > 1)))


def jackknife_interval(
    estimate: FloatArray,
    se: FloatArray,
    n: IntArray,
    strength: FloatArray,
    reason: TextArray,
    *,
    level: float,
    k: ArrayLike,
    df: FloatArray | None = None,
) -> JackknifeInterval:
    """t interval around an estimate, n - 1 degrees of freedom unless given; NaN where the reason is not benign."""
    tail = (1 - check_level(level)) / (2 * check_family_size("k", k))
    shape = broadcast(values=estimate, k=tail)
    half = half_width(se, n.astype(np.float64) - 1 if df is None else df, tail)
    half = np.where(reason == "no_variation", 0.0, np.where(reason == "", half, np.nan))
    return JackknifeInterval(
        estimate=widen(estimate, shape),
        se=widen(se, shape),
        n=widen(n, shape),
        lower=widen(estimate - half, shape),
        upper=widen(estimate + half, shape),
        strength=widen(strength, shape),
        reason=widen(reason, shape),
    )


def pooled_ratio(column: Column) -> tuple[FloatArray, FloatArray]:
    """Ratio of the sums over seeds, and the same without each known seed."""
    above, below = (part.sum(axis=-1, keepdims=True) for part in column[:2])
    left = below - column.denominator
    deleted = divide(above - column.numerator, left, column.known & (left != 0))
    return divide(above, below, below != 0)[..., 0], deleted


def signal_to_noise(signal: FloatArray, noise: FloatArray) -> FloatArray:
    """signal / noise; infinite for a positive signal without noise, NaN for no signal without noise."""
    ratio = divide(signal, noise, noise > 0)
    return np.where((noise == 0) & (signal > 0), np.inf, ratio)


def column_median(values: FloatArray) -> FloatArray:
    """Median over the last axis, NaN values skipped and not a value left NaN."""
    known = ~np.isnan(values)
    some = np.asarray(known.any(axis=-1, keepdims=True))
    if not values.size:
        return np.full(values.shape[:-1], np.nan)
    median = np.nanmedian(np.where(some, values, 0.0), axis=-1)
    return np.where(some[..., 0], median, np.nan)
