"""Jackknife intervals over test images: of one pair of networks, and crossed with the seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.counts import part_and_whole
from rdstats.array.moments import moments, no_variation, seeds_reason
from rdstats.array.numeric import FloatArray, IntArray, TextArray, divide, first_reason, widen
from rdstats.array.pooling import MIN_STRENGTH, JackknifeInterval, jackknife_error, jackknife_interval
from rdstats.array.sampling import slope_sampling_corrected, strength
from rdstats.array.validate import as_counts, as_float, broadcast, check_classes
from rdstats.errors import InputError

# Without one image a class must still have two, or its sampling variance is not known.
MIN_IMAGES = 3


class CrossedInterval(NamedTuple):
    """Mean, standard deviation and number of seeds; its error, bounds, the images' share of it, and a reason."""

    estimate: FloatArray
    sd: FloatArray
    se: FloatArray
    n: IntArray
    lower: FloatArray
    upper: FloatArray
    image_share: FloatArray
    reason: TextArray


def image_jackknife(
    correct_before: ArrayLike,
    correct_after: ArrayLike,
    both_correct: ArrayLike,
    support: ArrayLike,
    reference: str = "accuracy",
    *,
    level: float = 0.95,
    k: ArrayLike = 1,
) -> JackknifeInterval:
    """Delete-one-image interval of the sampling-corrected slope of one pair of networks.

    se^2 = (N - 1) / N sum_i (theta_i - mean)^2 over the N test images, theta_i the slope without image i. All
    images of one class that the same networks get right give the same theta_i: 4 C cells instead of N images.

    Parameters
    ----------
    correct_before, correct_after, both_correct, support, reference
        As in `slope_terms`: the joint counts of (true class, before right or not, after right or not).
    level : float
        Confidence of the k intervals together.
    k : array_like
        Number of simultaneous intervals.

    Returns
    -------
    JackknifeInterval
        Each `(...)`: `estimate`, `se`, `n` images, bounds, `strength` of the network before, and `reason`:
        "" (fine), "missing" (no support, or a NaN count), "too_few_images" (a class with fewer than 3),
        "weak_denominator" (strength not at least 4): all three NaN; "undefined" (A' is 0), "no_variation"
        (both bounds are the estimate).

    Raises
    ------
    InputError
        As `slope_terms`, for a level outside (0, 1) or k below 1.

    Notes
    -----
    Describes these two networks on other test images, nothing about other training runs. The bootstrap is no
    substitute: resampled images repeat, which attenuates the slope a second time. Memory grows as C^2.

    Examples
    --------
    >>> result = image_jackknife([900, 700], [700, 500], [680, 450], [1000, 1000])
    >>> result.estimate.round(4).tolist(), result.lower.round(3).tolist(), result.upper.round(3).tolist()
    (1.3384, 1.047, 1.629)
    """
    one, images = part_and_whole(correct_before, support=support)
    two, _ = part_and_whole(correct_after, support=support)
    both = as_counts("both_correct", both_correct)
    check_classes(correct_before=one, correct_after=two, both_correct=both, support=images)
    one, two, both, images = np.broadcast_arrays(one, two, both, images)
    estimate = slope_sampling_corrected(one, two, both, images, reference)
    above = np.asarray(strength(one, images, reference))
    here = images > 0
    unknown = np.asarray((here & np.isnan(one + two + both)).any(axis=-1) | ~here.any(axis=-1))
    few = np.asarray((here & (images < MIN_IMAGES)).any(axis=-1))
    deleted, weight = _without_one_image(one, two, both, images, reference)
    se = jackknife_error(deleted, weight)
    reason = first_reason(
        (unknown, "missing"),
        (few, "too_few_images"),
        (~(above >= MIN_STRENGTH), "weak_denominator"),
        (np.isnan(estimate), "undefined"),
        (no_variation(se, estimate), "no_variation"),
    )
    fine = (reason == "") | (reason == "no_variation")
    n = np.asarray(np.where(here, images, 0.0).sum(axis=-1), dtype=np.int64)
    estimate, se = np.where(fine, estimate, np.nan), np.where(fine, se, np.nan)
    return jackknife_interval(estimate, se, n, above, reason, level=level, k=k)


def crossed_interval(
    slopes: ArrayLike, deleted: ArrayLike, *, level: float = 0.95, k: ArrayLike = 1
) -> CrossedInterval:
    """Interval of a mean slope over seeds that share their test images, for other seeds and other images.

    Var = s^2 / n + max(0, (n V_img - v) / (n - 1)). s^2 is the variance between seeds, V_img the jackknife
    variance of the mean over seeds when each of G image folds is deleted for all seeds at once, v the mean of
    the seeds' own jackknife variances: what all seeds share is counted once and does not shrink with n.

    Parameters
    ----------
    slopes : array_like, shape (..., n)
        Slope of each seed on all test images. A seed with a NaN here or in a fold is dropped.
    deleted : array_like, shape (..., n, G)
        Slope of each seed without the images of one fold; folds of equal size, stratified by class.
    level : float
        Confidence of the k intervals together.
    k : array_like
        Number of simultaneous intervals.

    Returns
    -------
    CrossedInterval
        Each `(...)`: `estimate` (mean slope), `sd` s between the seeds, `se` (NaN below two seeds), `n` seeds,
        bounds from t with Satterthwaite's degrees of freedom (n - 1 of the seeds' part, G - 1 of the
        images'), `image_share`, the second term's share of Var (in [0, 1];
        NaN where Var is 0 or not known), and `reason`: "" (fine), "missing" (n = 0), "too_few_seeds" (n < 3:
        NaN bounds), "no_variation" (neither seeds nor folds differ: both bounds are the estimate).

    Raises
    ------
    InputError
        If there are fewer than 2 folds, the level is outside (0, 1), k below 1, or shapes do not fit.

    Notes
    -----
    Two crossed random factors, seeds and images: s^2 / n alone has the seeds' part of the image error only.
    More seeds cannot shrink the shared part. Satterthwaite, Biometrics Bulletin 2 (1946), 110-114: with n - 1
    degrees of freedom throughout, 60 seeds that share most of their error cover .91 at a nominal .95.

    Examples
    --------
    >>> slopes = [1.0, 1.2, 1.1, 1.3, 0.9]
    >>> deleted = [[slope - 0.02, slope + 0.02] for slope in slopes]
    >>> result = crossed_interval(slopes, deleted)
    >>> result.se.round(4).tolist(), result.image_share.round(4).tolist()
    (0.0735, 0.0741)
    """
    values, folds = as_float("slopes", slopes), as_float("deleted", deleted)
    if not values.ndim or folds.ndim < 2 or folds.shape[-1] < 2:
        raise InputError(
            f"deleted: expected shape (..., n, G) with at least 2 folds G and slopes (..., n), "
            f"received {folds.shape} and {values.shape}"
        )
    shape = broadcast(slopes=values, deleted=folds[..., 0])
    values = np.broadcast_to(values, shape)
    folds = np.broadcast_to(folds, (*shape, folds.shape[-1]))
    known = ~(np.isnan(values) | np.isnan(folds).any(axis=-1))
    n, mean, sd = moments(np.where(known, values, np.nan))
    everywhere = np.ones(folds.shape[-1])
    together = moments(np.swapaxes(np.where(known[..., np.newaxis], folds, np.nan), -1, -2)).mean
    own = moments(np.where(known, jackknife_error(folds, everywhere) ** 2, np.nan)).mean
    size = np.maximum(n, 2.0)
    shared = np.maximum(0.0, (n * jackknife_error(together, everywhere) ** 2 - own) / (size - 1))
    variance = np.asarray(sd**2 / size + shared)
    share = divide(shared, variance, variance > 0)
    se = np.sqrt(variance)
    reason = seeds_reason(n, no_variation(se, mean))
    # Satterthwaite: the seeds' part has n - 1 degrees of freedom, the images' one less than there are folds
    parts = (sd**2 / size) ** 2 / (size - 1) + shared**2 / (folds.shape[-1] - 1)
    df = divide(variance**2, parts, parts > 0)
    ends = jackknife_interval(mean, se, n, share, reason, level=level, k=k, df=np.where(np.isnan(df), n - 1.0, df))
    sd = widen(sd, ends.se.shape)
    return CrossedInterval(ends.estimate, sd, ends.se, ends.n, ends.lower, ends.upper, ends.strength, ends.reason)


def _without_one_image(
    one: FloatArray, two: FloatArray, both: FloatArray, images: FloatArray, reference: str
) -> tuple[FloatArray, FloatArray]:
    """Slopes without one image of each of the 4 C cells, and the images in each cell, `(..., 4 C)`."""
    classes = one.shape[-1]
    # both right, only before, only after, neither
    cells = np.stack([both, one - both, two - both, images - one - two + both], axis=-2)
    weight = np.nan_to_num(cells).reshape(*one.shape[:-1], 4 * classes)
    step = np.eye(classes) * (weight.reshape(*weight.shape, 1) > 0).reshape(*one.shape[:-1], 4, classes, 1)
    # rows: before, after and both right; columns: the cells
    right = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]], dtype=np.float64)[..., np.newaxis, np.newaxis]
    parts = (part[..., np.newaxis, np.newaxis, :] for part in (one, two, both))
    less = [part - step * which for part, which in zip(parts, right, strict=True)]
    left = images[..., np.newaxis, np.newaxis, :] - step
    slopes = slope_sampling_corrected(less[0], less[1], less[2], left, reference)
    return slopes.reshape(weight.shape), weight
