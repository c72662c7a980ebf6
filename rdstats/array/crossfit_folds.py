"""Cross-fitting from fold counts, slopes without the images of one fold, and how that shakes the denominator."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from rdstats.array.balance import balance, class_weights, normalized_balance, reference_score
from rdstats.array.folds import FoldCounts, without_fold
from rdstats.array.numeric import BoolArray, FloatArray, IntArray, divide
from rdstats.array.pooling import jackknife_error
from rdstats.array.sampling import SlopeTerms, slope_sampling_corrected, slope_terms
from rdstats.array.scores import MEASURES, score
from rdstats.array.slope import slope
from rdstats.array.validate import check_choice
from rdstats.errors import InputError

# Balances of all halves of a few networks at once: temporary arrays of this many numbers.
_BLOCK = 2**18
MAX_FOLDS = 14


class FoldTerms(NamedTuple):
    """Terms of the slope, the denominator without each fold `(..., G)`, and the plain sum of squared balances."""

    terms: SlopeTerms
    deleted: FloatArray
    squares: FloatArray


class _Subsets(NamedTuple):
    """Halves of G folds, each half's other half, halves less one fold, and which of them meet without a fold."""

    half: FloatArray
    other: IntArray
    smaller: FloatArray
    left: IntArray
    right: IntArray


def crossfit_folds(counts: FoldCounts, measure: str = "precision", reference: str = "accuracy") -> SlopeTerms:
    """Cross-fitted terms of the slope of any score, over all ways to split the folds into two halves.

    N = mean over splits of (B1 . B2' + B2 . B1') / 2, D = mean of B1 . B2, as `crossfit_terms`; with G = 10 folds
    there are 126 splits. Averages are divided by each other, never ratios averaged.

    Parameters
    ----------
    counts : FoldCounts
        Of `fold_counts`: an even number of folds, 2 to 14.
    measure : {"recall", "precision", "f1"}
        Name of the score.
    reference : {"accuracy", "macro"}
        See `class_weights`; the weights are those of the whole test set.

    Returns
    -------
    SlopeTerms
        Each `(...)`: `numerator`, `denominator`, `ratio` A / A' of the whole test set; `error`, the jackknife
        standard error of D when one fold at a time is left out (the other folds split as evenly as they can be),
        NaN with 2 folds. NaN where a prediction is missing, or where a class with images has an undefined score in
        a half of any split (0/0, or no image): splits are never dropped.

    Raises
    ------
    InputError
        For an unknown measure or reference, or a number of folds that is odd or above 14.

    Notes
    -----
    For recall the mean over all stratified half splits is exactly `slope_terms`. For precision and F1, ratios of
    counts, a bias of order 1 / n remains: that of the score itself. An error from folds needs no formula for the
    variance of the score; it has G - 1 degrees of freedom and is on the high side where D is near 0.

    Examples
    --------
    >>> import numpy as np
    >>> from rdstats.array.folds import fold_counts, stratified_folds
    >>> labels = np.repeat([0, 1], 40)
    >>> before = np.where(np.arange(80) % 8 == 0, 1 - labels, labels)
    >>> after = np.where(np.arange(80) % 5 == 0, 1, labels)
    >>> fold_of = stratified_folds(labels, folds=4, generator=np.random.default_rng(0))
    >>> terms = crossfit_folds(fold_counts(labels, before, after, fold_of, classes=2, folds=4))
    >>> terms.ratio.round(4).tolist()
    0.9545
    """
    return _crossfit(counts, measure, reference).terms


def fold_terms(counts: FoldCounts, measure: str = "recall", reference: str = "accuracy") -> FoldTerms:
    """Terms of the slope from fold counts: in closed form for recall, cross-fitted for precision and F1.

    Parameters
    ----------
    counts, measure, reference
        As in `crossfit_folds`; recall takes any number of folds.

    Returns
    -------
    FoldTerms
        `terms` `(...)` of `slope_terms` or `crossfit_folds`; `deleted` `(..., G)`, the denominator without the
        images of one fold; `squares` `(...)`, sum_c B_c^2 of the network before compression, uncorrected.

    Raises
    ------
    InputError
        As `crossfit_folds`.

    Notes
    -----
    Summed over networks that share a test set, `deleted` carries what their errors have in common: see
    `pooled_slope`.

    Examples
    --------
    >>> counts = FoldCounts(*([[[20.0, 20.0]] * 2] + [[[18.0, 14.0]] * 2] * 5))
    >>> result = fold_terms(counts)
    >>> result.terms.denominator.round(4).tolist(), result.deleted.round(4).tolist(), result.squares.round(4).tolist()
    (0.0162, [0.0121, 0.0121], 0.02)
    """
    if check_choice("measure", measure, MEASURES) != "recall":
        return _crossfit(counts, measure, reference)
    whole, rest = (_sum(counts), without_fold(counts))
    terms = slope_terms(whole.correct_before, whole.correct_after, whole.both_correct, whole.support, reference)
    right = rest.correct_before
    deleted = np.where(_emptied(counts), np.nan, slope_terms(right, right, right, rest.support, reference).denominator)
    return FoldTerms(terms, deleted, _squares(whole, measure, reference))


def slopes_without_fold(counts: FoldCounts, measure: str = "recall", reference: str = "accuracy") -> FloatArray:
    """Slope sum Bn Bn' / sum Bn^2 without the images of one fold.

    Parameters
    ----------
    counts : FoldCounts
        Of `fold_counts`.
    measure, reference
        As in `crossfit_folds`.

    Returns
    -------
    ndarray, shape (..., G)
        Dimensionless; NaN where the slope is (see `slope`), or where a fold holds all images of a class.

    Raises
    ------
    InputError
        For an unknown measure or reference.

    Examples
    --------
    >>> counts = FoldCounts(*([[[20.0, 20.0]] * 2] + [[[18.0, 14.0]] * 2] * 5))
    >>> slopes_without_fold(counts).tolist()
    [1.0, 1.0]
    """
    rest = without_fold(counts)
    first = score(measure, rest.correct_before, rest.support, rest.predicted_before)
    second = score(measure, rest.correct_after, rest.support, rest.predicted_after)
    one, two = (normalized_balance(values, rest.support, reference) for values in (first, second))
    return np.where(_emptied(counts), np.nan, slope(one, two, rest.support > 0))


def corrected_without_fold(counts: FoldCounts, reference: str = "accuracy") -> FloatArray:
    """Sampling-corrected recall slope (A / A') N / D without the images of one fold.

    Parameters
    ----------
    counts : FoldCounts
        Of `fold_counts`.
    reference : {"accuracy", "macro"}
        See `class_weights`.

    Returns
    -------
    ndarray, shape (..., G)
        As `slope_sampling_corrected`, never clipped; NaN where a fold holds all images of a class.

    Raises
    ------
    InputError
        For an unknown reference.

    Examples
    --------
    >>> counts = FoldCounts(*([[[20.0, 20.0]] * 2] + [[[18.0, 14.0]] * 2] * 5))
    >>> corrected_without_fold(counts).round(12).tolist()
    [1.0, 1.0]
    """
    rest = without_fold(counts)
    parts = (rest.correct_before, rest.correct_after, rest.both_correct, rest.support)
    return np.where(_emptied(counts), np.nan, slope_sampling_corrected(*parts, reference))


def _sum(counts: FoldCounts) -> FoldCounts:
    return FoldCounts(*(np.sum(part, axis=-2) for part in counts))


def _emptied(counts: FoldCounts) -> BoolArray:
    """Whether a class loses its last images with a fold, `(..., G)`."""
    return np.asarray(((np.asarray(counts.support) > 0) & (without_fold(counts).support == 0)).any(axis=-1))


def _squares(whole: FoldCounts, measure: str, reference: str) -> FloatArray:
    """Sum of squared balances before compression, NaN where a class with images has no score."""
    values = score(measure, whole.correct_before, whole.support, whole.predicted_before)
    difference = balance(values, whole.support, reference)
    return np.asarray(np.where(whole.support > 0, difference**2, 0.0).sum(axis=-1))


def _crossfit(counts: FoldCounts, measure: str, reference: str) -> FoldTerms:
    check_choice("measure", measure, MEASURES)
    parts = [np.asarray(part, np.float64) for part in counts]
    folds, classes = parts[0].shape[-2:]
    if folds % 2 or not 2 <= folds <= MAX_FOLDS:
        raise InputError(f"folds: received {folds!r}, accepted for cross-fitting: an even number, 2 to {MAX_FOLDS}")
    shape = np.broadcast_shapes(*(part.shape for part in parts))[:-2]
    rows = [np.broadcast_to(part, (*shape, folds, classes)).reshape(-1, folds, classes) for part in parts]
    above, below = np.full((2, len(rows[0])), np.nan)
    deleted = np.full((len(rows[0]), folds), np.nan)
    subsets = _subsets(folds)
    step = max(1, _BLOCK // (len(subsets.half) * classes))
    for start in range(0, len(above), step):
        block = slice(start, start + step)
        above[block], below[block], deleted[block] = _products(
            FoldCounts(*(part[block] for part in rows)), subsets, measure, reference
        )
    whole = _sum(FoldCounts(*parts))
    means = [
        reference_score(score(measure, correct, whole.support, predicted), whole.support, reference)
        for correct, predicted in (
            (whole.correct_before, whole.predicted_before),
            (whole.correct_after, whole.predicted_after),
        )
    ]
    ratio = np.broadcast_to(divide(means[0], means[1], means[1] != 0), shape)
    deleted = deleted.reshape(*shape, folds)
    error = np.where(np.isnan(deleted).any(axis=-1), np.nan, jackknife_error(deleted, np.ones(folds)))
    terms = SlopeTerms(above.reshape(shape), below.reshape(shape), ratio, error)
    return FoldTerms(terms, deleted, np.broadcast_to(_squares(whole, measure, reference), shape))


def _products(
    counts: FoldCounts, subsets: _Subsets, measure: str, reference: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean products of balances `(cells,)` over the splits of all folds, and of all but one `(cells, G)`."""
    weights = class_weights(counts.support.sum(axis=-2), reference)[:, np.newaxis]
    before = (counts.correct_before, counts.predicted_before)
    one = _balances(*before, counts.support, subsets.half, weights, measure)
    two = _balances(counts.correct_after, counts.predicted_after, counts.support, subsets.half, weights, measure)
    # over all halves, so that each split enters in both orders
    above = np.einsum("nsc,nsc->n", one, two[:, subsets.other]) / len(subsets.half)
    below = np.einsum("nsc,nsc->n", one, one[:, subsets.other]) / len(subsets.half)
    folds = counts.support.shape[-2]
    if folds == 2:  # with one fold left there is no split
        return above, below, np.full((len(above), folds), np.nan)
    rest = _balances(*before, counts.support, subsets.smaller, weights, measure)
    deleted = np.empty((len(above), folds))
    for fold in range(folds):
        left, right = subsets.left[fold], subsets.right[fold]
        deleted[:, fold] = np.einsum("nsc,nsc->n", one[:, left], rest[:, right]) / len(left)
    return above, below, deleted


def _balances(
    correct: FloatArray,
    predicted: FloatArray,
    support: FloatArray,
    subset: FloatArray,
    weights: FloatArray,
    measure: str,
) -> FloatArray:
    """Balances `(cells, subsets, C)` on subsets of the folds, 0 for classes without images in the whole test set."""
    values = score(measure, *(subset @ part for part in (correct, support, predicted)))
    values = np.where(weights == 0, 0.0, values)
    centre = (weights * values).sum(axis=-1, keepdims=True)
    return np.where(weights == 0, 0.0, values - centre)


@lru_cache(maxsize=4)
def _subsets(folds: int) -> _Subsets:
    everything = frozenset(range(folds))
    halves = [frozenset(half) for half in combinations(range(folds), folds // 2)]
    smaller = [frozenset(part) for part in combinations(range(folds), folds // 2 - 1)]
    place = {half: i for i, half in enumerate(halves)}
    at = {part: i for i, part in enumerate(smaller)}
    without = [[half for half in halves if fold not in half] for fold in range(folds)]
    return _Subsets(
        half=_indicator(halves, folds),
        other=np.array([place[everything - half] for half in halves]),
        smaller=_indicator(smaller, folds),
        left=np.array([[place[half] for half in own] for own in without]),
        right=np.array([[at[everything - half - {fold}] for half in own] for fold, own in enumerate(without)]),
    )


def _indicator(subsets: list[frozenset[int]], folds: int) -> FloatArray:
    return np.array([[fold in part for fold in range(folds)] for part in subsets], dtype=np.float64)
