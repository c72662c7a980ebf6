"""Slopes freed of the sampling of test images: unbiased numerator and denominator, strength, pooling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.balance import balance, class_weights, reference_score
from rdstats.array.counts import part_and_whole
from rdstats.array.numeric import ROUNDING, FloatArray, divide
from rdstats.array.pooling import (
    signal_to_noise,
)
from rdstats.array.validate import as_counts, check_classes, refuse


class SlopeTerms(NamedTuple):
    """Slope = ratio x numerator / denominator; `error` is the sampling error of the denominator."""

    numerator: FloatArray
    denominator: FloatArray
    ratio: FloatArray
    error: FloatArray


class BothCorrectBounds(NamedTuple):
    """Bounds of the images both networks get right, per class, and of the slope that follows."""

    lower: FloatArray
    upper: FloatArray
    slope_lower: FloatArray
    slope_upper: FloatArray


class _Side(NamedTuple):
    """Recall, balance (0 for absent classes) and reference score of one network."""

    recall: FloatArray
    balance: FloatArray
    reference: FloatArray


def slope_terms(
    correct_before: ArrayLike,
    correct_after: ArrayLike,
    both_correct: ArrayLike,
    support: ArrayLike,
    reference: str = "accuracy",
) -> SlopeTerms:
    """Numerator and denominator of the recall slope, unbiased for these two networks on all possible images.

    With x, y the recalls before and after, A, A' their reference scores, j_c the share of images of a class
    that both networks get right, w_c the reference weights and h_c = 1 - 2 w_c + C w_c^2:

    N = sum (x_c - A)(y_c - A') - sum h_c (j_c - x_c y_c) / (n_c - 1)
    D = sum (x_c - A)^2 - sum h_c x_c (1 - x_c) / (n_c - 1)

    Parameters
    ----------
    correct_before, correct_after : array_like, shape (..., C)
        Images of each class that the network before and after compression gets right.
    both_correct : array_like, shape (..., C)
        Images that both get right.
    support : array_like, shape (..., C)
        Test images per class, the same for both; 0 or NaN for classes without images, which do not count
        in C.
    reference : {"accuracy", "macro"}
        See `class_weights`.

    Returns
    -------
    SlopeTerms
        Each `(...)`: `numerator` N and `denominator` D in squared recall, either sign; `ratio` A / A', NaN
        where A' is 0; `error`, the standard error of D (see `strength`). NaN where no class has support, a
        class with support has a NaN count, or it has a single image (its sampling variance is not known).

    Raises
    ------
    InputError
        For an unknown reference, counts that contradict each other, or shapes that do not fit.

    Notes
    -----
    Unbiased given the two networks and the number of images of each class. Equals cross-fitting over all
    stratified half splits of the test set.

    Examples
    --------
    >>> terms = slope_terms([90, 70], [70, 50], [68, 45], [100, 100])
    >>> terms.numerator.round(6).tolist(), terms.denominator.round(6).tolist(), terms.ratio.round(4).tolist()
    (0.019242, 0.018485, 1.3333)
    """
    one, two, both, images = _joint(correct_before, correct_after, both_correct, support)
    before, after = _side(one, images, reference), _side(two, images, reference)
    denominator, error, _ = _denominator(before, images, reference)
    product = (before.balance * after.balance).sum(axis=-1)
    joint = np.where(images > 0, divide(both, images, images > 0), 0.0)
    share = joint - before.recall * after.recall
    numerator = product - (_factor(images, reference) * share).sum(axis=-1)
    empty = ~(images > 0).any(axis=-1)
    ratio = divide(before.reference, after.reference, after.reference != 0)
    parts = (numerator, denominator, ratio, error)
    return SlopeTerms(*(np.where(empty, np.nan, part) for part in parts))


def slope_sampling_corrected(
    correct_before: ArrayLike,
    correct_after: ArrayLike,
    both_correct: ArrayLike,
    support: ArrayLike,
    reference: str = "accuracy",
) -> FloatArray:
    """Sampling-corrected slope (A / A') N / D: the recall slope of these two networks on endless test images.

    It removes the sampling of test images only: not training-run noise, not regression to the mean through
    fine-tuning, not a changed accuracy.

    Parameters
    ----------
    correct_before, correct_after, both_correct, support, reference
        As in `slope_terms`.

    Returns
    -------
    ndarray, shape (...)
        Dimensionless, never clipped: erratic and of either sign where the denominator is weak, so that
        `seed_slopes` or `strength` decides whether to show it. NaN where a term is NaN or D is 0.

    Raises
    ------
    InputError
        As `slope_terms`.

    Notes
    -----
    Fuller, Measurement Error Models (1987), section 1.2: correction for attenuation with known error
    variance.

    Examples
    --------
    >>> slope_sampling_corrected([90, 70], [70, 50], [68, 45], [100, 100]).round(4).tolist()
    1.388
    >>> slope_sampling_corrected([90, 70], [90, 70], [90, 70], [100, 100]).tolist()
    1.0
    """
    terms = slope_terms(correct_before, correct_after, both_correct, support, reference)
    return divide(terms.ratio * terms.numerator, terms.denominator, terms.denominator != 0)


def strength(correct: ArrayLike, support: ArrayLike, reference: str = "accuracy") -> FloatArray:
    """Strength of a dense network, D / error(D): its spread between classes in units of sampling error.

    error^2 = max(4 sum_c u_c (B_c - w_c sum B)^2 - 2 T, 2 T), T = sum_cd u_c u_d q_cd^2, u_c = x_c (1 - x_c) /
    (n_c - 1) and q_cd = [c = d] - w_c - w_d + C w_c w_d: the balances of all classes share the error of A.

    Parameters
    ----------
    correct, support : array_like, shape (..., C)
        Images of each class that the network before compression gets right, and all of them.
    reference : {"accuracy", "macro"}
        See `class_weights`.

    Returns
    -------
    ndarray, shape (...)
        Dimensionless, below 0 where D is; 4 and more is enough for the slope of a single network. Infinite
        for recalls that differ and are all 0 or 1, NaN for equal ones, and where D is NaN.

    Raises
    ------
    InputError
        For an unknown reference, more images right than there are, or shapes that do not fit.

    Notes
    -----
    The variance of a quadratic form of independent recalls taken as normal, 4 sum u (..)^2 + 2 T at the true
    balances; with the observed ones the first term is too large by 4 T on average. Without the terms c != d
    the error would be too small by sqrt(1 - 1/C) on a balanced test set.

    Examples
    --------
    >>> strength([90, 70], [100, 100]).round(2).tolist()
    1.71
    """
    denominator, error, _ = _one_sided(correct, support, reference)
    return signal_to_noise(denominator, error)


def reliability(correct: ArrayLike, support: ArrayLike, reference: str = "accuracy") -> FloatArray:
    """Reliability D / sum B^2: share of the squared balances that is not sampling of test images.

    Parameters
    ----------
    correct, support, reference
        As in `strength`.

    Returns
    -------
    ndarray, shape (...)
        At most 1, below 0 where the spread is smaller than sampling alone would give; NaN where all recalls
        are equal or D is NaN.

    Raises
    ------
    InputError
        As `strength`.

    Notes
    -----
    Sampling pulls the raw slope of two networks whose errors are unrelated towards 0 by this factor.

    Examples
    --------
    >>> reliability([90, 70], [100, 100]).round(4).tolist()
    0.9242
    """
    denominator, _, squares = _one_sided(correct, support, reference)
    return divide(denominator, squares, squares > 0)


def both_correct_bounds(
    correct_before: ArrayLike, correct_after: ArrayLike, support: ArrayLike, reference: str = "accuracy"
) -> BothCorrectBounds:
    """Bounds of the images both networks get right, and of the corrected slope, from two matrices alone.

    max(0, k_c + k'_c - n_c) <= both correct <= min(k_c, k'_c). N falls with every j_c (h_c >= 0), so the
    slope takes its extremes where all classes are at the same end.

    Parameters
    ----------
    correct_before, correct_after, support, reference
        As in `slope_terms`.

    Returns
    -------
    BothCorrectBounds
        `lower`, `upper` `(..., C)` in images, NaN where a count is NaN; `slope_lower`, `slope_upper`
        `(...)`, NaN where `slope_sampling_corrected` is. An interval of what is possible, not of confidence.

    Raises
    ------
    InputError
        As `slope_terms`.

    Notes
    -----
    Frechet bounds of a joint count given its margins.

    Examples
    --------
    >>> bounds = both_correct_bounds([90, 70], [70, 50], [100, 100])
    >>> bounds.lower.tolist(), bounds.upper.tolist()
    ([60.0, 20.0], [70.0, 50.0])
    >>> bounds.slope_lower.round(4).tolist(), bounds.slope_upper.round(4).tolist()
    (1.3625, 1.5082)
    """
    one, images = part_and_whole(correct_before, support=support)
    two, _ = part_and_whole(correct_after, support=support)
    check_classes(correct_before=one, correct_after=two)
    low, high = np.maximum(0.0, one + two - images), np.minimum(one, two)
    high = np.where(np.isnan(low), np.nan, high)
    ends = [slope_sampling_corrected(one, two, both, images, reference) for both in (high, low)]
    return BothCorrectBounds(low, high, np.asarray(np.minimum(*ends)), np.asarray(np.maximum(*ends)))


def _joint(
    correct_before: ArrayLike, correct_after: ArrayLike, both_correct: ArrayLike, support: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Validated counts of a pair, broadcast to one shape."""
    one, images = part_and_whole(correct_before, support=support)
    two, _ = part_and_whole(correct_after, support=support)
    both = as_counts("both_correct", both_correct)
    check_classes(correct_before=one, correct_after=two, both_correct=both, support=images)
    one, two, both, images = np.broadcast_arrays(one, two, both, images)
    refuse("both_correct", both, both > np.minimum(one, two), "at most the images that either gets right")
    refuse("both_correct", both, both < one + two - images, "at least correct before + after - support")
    return one, two, both, images


def _side(correct: FloatArray, images: FloatArray, reference: str) -> _Side:
    """Recall and balance with absent classes at 0; rounding errors of equal recalls are no balance."""
    here = images > 0
    recall = divide(correct, images, here)
    difference = balance(recall, images, reference)
    difference = np.where(here & ~(np.abs(difference) <= ROUNDING), difference, 0.0)
    return _Side(np.where(here, recall, 0.0), difference, reference_score(recall, images, reference))


def _factor(images: FloatArray, reference: str) -> FloatArray:
    """h_c / (n_c - 1): what a class's sampling (co)variance adds, 0 for absent classes, NaN for one image."""
    here = images > 0
    weights = np.where(here, class_weights(images, reference), 0.0)
    number = here.sum(axis=-1, keepdims=True)
    share = 1 - 2 * weights + number * weights**2
    return np.where(here, divide(share, images - 1, images > 1), 0.0)


def _denominator(side: _Side, images: FloatArray, reference: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """D, its standard error, and sum B^2."""
    variance = _factor(images, reference) * side.recall * (1 - side.recall)
    squares = (side.balance**2).sum(axis=-1)
    return squares - variance.sum(axis=-1), np.sqrt(_error_variance(side, images, reference)), squares


def _error_variance(side: _Side, images: FloatArray, reference: str) -> FloatArray:
    """Sampling variance of D, 4 sum u_c (B_c - w_c sum B)^2 - 2 T, T = sum_cd u_c u_d q_cd^2, at least 2 T.

    u_c = x_c (1 - x_c) / (n_c - 1), and q_cd = [c = d] - w_c - w_d + C w_c w_d because all balances share A;
    the double sum is expanded in sums over classes.
    """
    here = images > 0
    weights = np.where(here, class_weights(images, reference), 0.0)
    number = here.sum(axis=-1, keepdims=True)
    own = np.where(here, divide(side.recall * (1 - side.recall), images - 1, images > 1), 0.0)
    towards = side.balance - weights * side.balance.sum(axis=-1, keepdims=True)
    zeroth, first, second = ((own * weights**power).sum(axis=-1) for power in range(3))
    count = number[..., 0]
    off = 2 * zeroth * second + count**2 * second**2 + 2 * first**2 - 4 * count * first * second
    shift = -2 * weights + number * weights**2
    pairs = off + (own**2 * ((1 + shift) ** 2 - shift**2)).sum(axis=-1)
    noise = 2 * np.maximum(pairs, 0.0)
    # the balances seen are themselves noisy, which adds twice the noise to the first sum on average
    return np.asarray(np.maximum(4 * (own * towards**2).sum(axis=-1) - noise, noise))


def _one_sided(correct: ArrayLike, support: ArrayLike, reference: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """D, its error and sum B^2 of one network, NaN where no class has support."""
    right, images = np.broadcast_arrays(*part_and_whole(correct, support=support))
    empty = ~(images > 0).any(axis=-1)
    parts = _denominator(_side(right, images, reference), images, reference)
    first, second, third = (np.where(empty, np.nan, part) for part in parts)
    return first, second, third
