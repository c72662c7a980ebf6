"""Sampling-corrected slopes over several training runs: per seed where the test set allows it, and pooled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.moments import no_variation, seeds_reason
from rdstats.array.numeric import BoolArray, FloatArray, TextArray, divide, first_reason
from rdstats.array.pooling import (
    MIN_STRENGTH,
    Column,
    JackknifeInterval,
    column_median,
    jackknife_error,
    jackknife_interval,
    pooled_ratio,
    signal_to_noise,
)
from rdstats.array.sampling import SlopeTerms
from rdstats.array.validate import as_float, broadcast
from rdstats.errors import InputError


class SeedSlopes(NamedTuple):
    """Slope of each seed, median strength of its column, and why a slope is missing."""

    value: FloatArray
    strength: FloatArray
    reason: TextArray


def seed_slopes(terms: SlopeTerms, *, axis: int = -1) -> SeedSlopes:
    """Sampling-corrected slope of each seed, only where the column's denominators are strong enough.

    Parameters
    ----------
    terms : SlopeTerms
        Terms of the pairs of a column; shapes broadcast.
    axis : int
        Axis of the seeds.

    Returns
    -------
    SeedSlopes
        `value` and `reason` in the shape of the terms, `strength` (median D / error of the column) without
        the seeds. `reason`: "" (fine), "missing" (a term is NaN), "weak_denominator" (median below 4 or not
        known: all seeds NaN, see `pooled_slope`), "no_spread" (D = 0). A single seed is never dropped for
        its own D.

    Raises
    ------
    InputError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> terms = SlopeTerms(np.array([4.0, 6.0]), np.array([5.0, 5.0]), np.array([1.0, 1.0]), np.array([1.0, 1.0]))
    >>> seed_slopes(terms).value.tolist()
    [0.8, 1.2]
    >>> seed_slopes(terms._replace(error=np.array([2.0, 2.0]))).reason.tolist()
    ['weak_denominator', 'weak_denominator']
    """
    column, error = _column(terms, axis)
    each = np.where(column.known, signal_to_noise(column.denominator, error), np.nan)
    median = column_median(each)
    weak = np.broadcast_to(~(median >= MIN_STRENGTH)[..., np.newaxis], column.known.shape)
    reason = first_reason(
        (~column.known, "missing"), (weak, "weak_denominator"), (column.denominator == 0, "no_spread")
    )
    value = divide(column.numerator, column.denominator, reason == "")
    return SeedSlopes(np.moveaxis(value, -1, axis), median, np.moveaxis(reason, -1, axis))


def weak_test_set(strength: ArrayLike, *, axis: int = -1) -> BoolArray:
    """Whether a test set is too small for the slopes of single networks: median strength below 4.

    Parameters
    ----------
    strength : array_like
        Strength of the networks of a column along `axis`, see `strength`; NaN is dropped.
    axis : int
        Axis of the seeds.

    Returns
    -------
    ndarray of bool
        Without the seeds; also where no strength is known.

    Raises
    ------
    InputError
        If values are not numbers.

    Examples
    --------
    >>> weak_test_set([[8.0, 9.0, 3.0], [1.5, 4.5, 2.0]]).tolist()
    [False, True]
    """
    values = np.moveaxis(as_float("strength", strength, finite=False), axis, -1)
    return np.asarray(~(column_median(values) >= MIN_STRENGTH))


def pooled_slope(
    terms: SlopeTerms,
    *,
    level: float = 0.95,
    k: ArrayLike = 1,
    axis: int = -1,
    deleted: ArrayLike | None = None,
) -> JackknifeInterval:
    """Pooled sampling-corrected slope, sum (A / A') N / sum D over seeds, with a delete-one-seed interval.

    estimate +- t se, se^2 = (n - 1) / n sum_i (theta_i - mean)^2, theta_i the pooled slope without seed i,
    t the 1 - (1 - level) / (2 k) quantile with n - 1 degrees of freedom.

    Parameters
    ----------
    terms : SlopeTerms
        Terms of the pairs of a column; shapes broadcast. A seed with a NaN numerator, denominator or ratio
        is dropped.
    level : float
        Confidence of the k intervals together.
    k : array_like
        Number of simultaneous intervals.
    axis : int
        Axis of the seeds, counted in the terms.
    deleted : array_like, optional
        Denominators without the images of one fold, in the shape of the terms with an axis of G folds behind
        it, the same folds for all seeds; see `fold_terms`.

    Returns
    -------
    JackknifeInterval
        Without the seeds: `estimate`, `se` (NaN below two seeds), `n` seeds, bounds, `strength` of the pooled
        denominator, sum D over its error (NaN where that is not known: then it decides nothing), and
        `reason`: "" (fine), "missing" (n = 0), "not_estimable" (strength below 4 or sum D not above 0:
        estimate NaN), "too_few_seeds" (n < 3: bounds NaN), "no_variation" (both bounds are the estimate).

    Raises
    ------
    InputError
        If `level` is not between 0 and 1, k is below 1, or shapes do not fit.

    Notes
    -----
    Ratios are never averaged, so a weak network has little weight. Without `deleted` the error of sum D is
    sqrt(sum error^2), as if the sampling errors of the seeds were independent: the strength is too high where
    networks err on the same images. With `deleted` it is the jackknife error of sum D over the folds, which are
    left out for all seeds at once. Miller, Biometrika 61 (1974), 1-15.

    Examples
    --------
    >>> import numpy as np
    >>> one = np.ones(4)
    >>> result = pooled_slope(SlopeTerms(np.array([4.0, 6.0, 5.0, 5.5]), 5 * one, one, one))
    >>> result.estimate.round(4).tolist(), result.strength.tolist()
    (1.025, 10.0)
    >>> result.lower.round(4).tolist(), result.upper.round(4).tolist()
    (0.7532, 1.2968)
    """
    column, error = _column(terms, axis)
    n = np.asarray(column.known.sum(axis=-1), dtype=np.int64)
    total = column.denominator.sum(axis=-1)
    noise = np.sqrt(np.where(column.known, error**2, 0.0).sum(axis=-1))
    if deleted is not None:
        noise = _shared_error(deleted, column.known, axis, noise)
    pooled = signal_to_noise(total, noise)
    estimate, deleted = pooled_ratio(column)
    hopeless = ((pooled < MIN_STRENGTH) | ~(total > 0)) & (n > 0)
    estimate = np.where(hopeless, np.nan, estimate)
    se = np.where(hopeless, np.nan, jackknife_error(deleted, column.known))
    others = seeds_reason(n, no_variation(se, estimate))
    reason = np.where(hopeless, np.str_("not_estimable"), others)
    return jackknife_interval(estimate, se, n, pooled, reason, level=level, k=k)


def _shared_error(deleted: ArrayLike, known: BoolArray, axis: int, otherwise: FloatArray) -> FloatArray:
    """Jackknife error over folds of the sum of the known denominators, `otherwise` where a fold is not known."""
    folds = as_float("deleted", deleted)
    if folds.ndim < 2 or folds.shape[-1] < 2:
        raise InputError(f"deleted: expected an axis of 2 or more folds behind the terms, received {folds.shape}")
    folds = np.moveaxis(folds, axis if axis >= 0 else axis - 1, -2)
    broadcast(terms=known, deleted=folds[..., 0])
    total = np.where(known[..., np.newaxis], folds, 0.0).sum(axis=-2)
    error = jackknife_error(total, np.ones(folds.shape[-1]))
    return np.where(np.isnan(total).any(axis=-1), otherwise, error)


def _column(terms: SlopeTerms, axis: int) -> tuple[Column, FloatArray]:
    """Seeds last: (A / A') N, D and which seeds are known; and the errors of D."""
    named = {name: as_float(name, part) for name, part in zip(terms._fields, terms, strict=True)}
    broadcast(**named)
    parts = np.broadcast_arrays(*named.values())
    numerator, denominator, ratio, error = (np.moveaxis(part, axis, -1) for part in parts)
    scaled = numerator * ratio
    known: BoolArray = ~np.isnan(scaled + denominator)
    column = Column(np.where(known, scaled, 0.0), np.where(known, denominator, 0.0), known)
    return column, error
