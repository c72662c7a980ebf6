"""How far two models agree on the same images: churn, its bounds, and intervals of a change of recall."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from rdstats.array.numeric import FloatArray, divide
from rdstats.array.validate import (
    as_counts,
    as_float,
    broadcast,
    check_classes,
    check_family_size,
    check_level,
    refuse,
)
from rdstats.errors import InputError


class ShareInterval(NamedTuple):
    """A share, or a difference of shares, and its bounds."""

    estimate: FloatArray
    lower: FloatArray
    upper: FloatArray


class ChurnBounds(NamedTuple):
    """The least and the largest churn that two matrices allow."""

    lower: FloatArray
    upper: FloatArray


def churn(before: ArrayLike, after: ArrayLike) -> FloatArray:
    """Churn: share of the images whose prediction changed, right or wrong.

    churn = (1/N) sum_i [before_i != after_i]

    Parameters
    ----------
    before, after : array_like, shape (..., images)
        Class that each of two models predicts; whole numbers, NaN where missing.

    Returns
    -------
    ndarray, shape (...)
        In [0, 1]; NaN for a pair with a missing prediction, or without images.

    Raises
    ------
    InputError
        If predictions are no numbers, or the shapes do not fit.

    Notes
    -----
    Milani Fard, Cormier, Canini and Gupta, "Launch and Iterate: Reducing Prediction Churn", NeurIPS 2016.  At
    least the change of accuracy; two models of one accuracy can differ on many images.

    Examples
    --------
    >>> churn([0, 0, 1, 1], [0, 1, 1, 0]).tolist()
    0.5
    """
    one, two = as_float("before", before), as_float("after", after)
    check_classes(before=one, after=two)
    changed = (one != two).mean(axis=-1)
    unknown = np.isnan(one).any(axis=-1) | np.isnan(two).any(axis=-1)
    return np.asarray(np.where(unknown, np.nan, changed))


def churn_bounds(before: ArrayLike, after: ArrayLike) -> ChurnBounds:
    """Bounds of the churn that two confusion matrices of the same images allow.

    Of the n_c images of class c at most sum_p min(n_cp, n'_cp) can have kept their prediction, and at least
    max(0, max_p(n_cp + n'_cp) - n_c) must have.

    Parameters
    ----------
    before, after : array_like, shape (..., C, C)
        Test images by [true, predicted] class; NaN counts as 0.

    Returns
    -------
    ChurnBounds
        Each `(...)` in [0, 1]: what is possible, not an interval of confidence; NaN without images.

    Raises
    ------
    InputError
        If a count is negative, the shapes do not fit, or a class has other numbers of images before and after.

    Notes
    -----
    Row by row, the extreme overlaps of two partitions of n_c images with given sizes.

    Examples
    --------
    >>> bounds = churn_bounds([[9, 1], [3, 7]], [[7, 3], [5, 5]])
    >>> bounds.lower.round(4).tolist(), bounds.upper.round(4).tolist()
    (0.2, 0.6)
    """
    one, two = (np.nan_to_num(as_counts(name, part)) for name, part in (("before", before), ("after", after)))
    check_classes(before=one, after=two)
    if one.shape[-1] != one.shape[-2:][0] or two.shape[-2:] != one.shape[-2:]:
        raise InputError(f"expected matrices (..., C, C) of one size, received {one.shape} and {two.shape}")
    images = one.sum(axis=-1)
    if (images != two.sum(axis=-1)).any():
        raise InputError("before and after: a class has other numbers of images; a pair needs one test set")
    total = images.sum(axis=-1)
    most = np.minimum(one, two).sum(axis=(-2, -1))
    least = np.maximum(0.0, (one + two).max(axis=-1) - images).sum(axis=-1)
    return ChurnBounds(*(divide(total - kept, total, total > 0) for kept in (most, least)))


def share_interval(count: ArrayLike, images: ArrayLike, *, level: float = 0.95, k: ArrayLike = 1) -> ShareInterval:
    """Wilson's score interval of a share of test images.

    (p + z^2/2n -+ z sqrt(p (1 - p)/n + z^2/4n^2)) / (1 + z^2/n), z the normal quantile of 1 - (1 - level)/2k.

    Parameters
    ----------
    count, images : array_like
        How many of how many images; element by element.
    level : float
        Confidence of the k intervals together.
    k : array_like
        Number of simultaneous intervals.

    Returns
    -------
    ShareInterval
        `estimate`, `lower`, `upper` in [0, 1]; NaN without images.

    Raises
    ------
    InputError
        If a count is negative or above its images, the level is outside (0, 1), or shapes do not fit.

    Notes
    -----
    Wilson, J. Am. Stat. Assoc. 22 (1927), 209-212.  Over test images, given these networks.

    Examples
    --------
    >>> [part.round(4).tolist() for part in share_interval(10, 100)]
    [0.1, 0.0552, 0.1744]
    """
    part, whole = as_counts("count", count), as_counts("images", images)
    broadcast(count=part, images=whole)
    part, whole = np.broadcast_arrays(part, whole)
    refuse("count", part, part > whole, "at most the images")
    z = _quantile(level, k)
    there = whole > 0
    share, n = divide(part, whole, there), np.where(there, whole, 1.0)
    centre, scale = share + z**2 / (2 * n), 1 + z**2 / n
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # of 0 and of all the ends are exactly 0 and 1, which rounding misses
    lower = np.where(part == 0, 0.0 * share, (centre - half) / scale)
    upper = np.where(part == whole, 1.0 + 0.0 * share, (centre + half) / scale)
    return ShareInterval(share, lower, upper)


def paired_change(
    only_before: ArrayLike, only_after: ArrayLike, images: ArrayLike, *, level: float = 0.95, k: ArrayLike = 1
) -> ShareInterval:
    """Change of a share that two models have on the same images, with an interval over test images.

    estimate = (c - b)/n with b images that only the model before gets right and c that only the one after does.
    Interval (Bonett and Price): with p = (b + 1)/(n + 2) and q = (c + 1)/(n + 2),
    q - p -+ z sqrt((p + q - (q - p)^2)/(n + 2)), within [-1, 1].

    Parameters
    ----------
    only_before, only_after, images : array_like
        b, c and n; element by element.  At one difference c - b the interval of the largest b + c holds all others:
        with two matrices alone, the smallest number that both get right gives an interval that covers whatever
        that number is.
    level : float
        Confidence of the k intervals together.
    k : array_like
        Number of simultaneous intervals.

    Returns
    -------
    ShareInterval
        `estimate`, `lower`, `upper` in [-1, 1], after minus before; NaN without images or with a NaN count.

    Raises
    ------
    InputError
        If a count is negative, b + c is above n, the level is outside (0, 1), or shapes do not fit.

    Notes
    -----
    Bonett and Price, J. Educ. Behav. Stat. 37 (2012), 479-488; recommended by Fagerland, Lydersen and Laake,
    Stat. Med. 33 (2014), 2850-2875.  Images are the units: nothing about other training runs.

    Examples
    --------
    >>> [part.round(4).tolist() for part in paired_change(15, 5, 100)]
    [-0.1, -0.1861, -0.0099]
    """
    named = {"only_before": only_before, "only_after": only_after, "images": images}
    counts = {name: as_counts(name, value) for name, value in named.items()}
    broadcast(**counts)
    b, c, n = np.broadcast_arrays(*counts.values())
    refuse("only_before", b, b + c > n + 1e-9, "with only_after, at most the images")
    z = _quantile(level, k)
    there = n > 0
    estimate = divide(c - b, n, there)
    p, q = ((part + 1) / (n + 2) for part in (b, c))
    half = z * np.sqrt((p + q - (q - p) ** 2) / (n + 2))
    lower, upper = (np.where(there, np.clip(q - p + side * half, -1, 1), np.nan) for side in (-1, 1))
    return ShareInterval(estimate, lower, upper)


def _quantile(level: float, k: ArrayLike) -> FloatArray:
    """Two-sided normal quantile of one of k simultaneous intervals."""
    size = check_family_size("k", k)
    return np.asarray(ndtri(1 - (1 - check_level(level)) / (2 * size)))
