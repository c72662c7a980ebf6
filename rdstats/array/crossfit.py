"""Cross-fitted slope terms of any score, from the label and the two predictions of every test image."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.balance import class_weights
from rdstats.array.numeric import BoolArray, FloatArray, divide
from rdstats.array.sampling import SlopeTerms
from rdstats.array.scores import score
from rdstats.array.validate import as_flags, as_float, broadcast, refuse
from rdstats.errors import InputError


def half_splits(labels: ArrayLike, *, splits: int, generator: np.random.Generator) -> BoolArray:
    """Random halves of the test images, stratified by class.

    Parameters
    ----------
    labels : array_like of int, shape (images,)
        True class of each image, 0 or more.
    splits : int
        Number of splits, 1 or more.
    generator : numpy.random.Generator
        Source of all randomness.

    Returns
    -------
    ndarray of bool, shape (splits, images)
        Whether an image is in the first half: floor(n_c / 2) images of every class.

    Raises
    ------
    InputError
        If `splits` is below 1 or labels are not whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> halves = half_splits([0, 0, 1, 1, 1, 1], splits=3, generator=np.random.default_rng(0))
    >>> halves[:, :2].sum(axis=1).tolist(), halves[:, 2:].sum(axis=1).tolist()
    ([1, 1, 1], [2, 2, 2])
    """
    if splits < 1:
        raise InputError(f"splits: received {splits!r}, accepted: 1 or more")
    truth = whole_labels(labels)
    shape = (splits, truth.size)
    order = np.lexsort((generator.random(shape), np.broadcast_to(truth, shape)), axis=-1)
    ordered = np.sort(truth)
    classes, start, number = np.unique(ordered, return_index=True, return_counts=True)
    which = np.searchsorted(classes, ordered)
    first = np.arange(truth.size) - start[which] < number[which] // 2
    halves: BoolArray = np.zeros(shape, dtype=np.bool_)
    np.put_along_axis(halves, order, np.broadcast_to(first, shape), axis=-1)
    return halves


def crossfit_terms(
    labels: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    halves: ArrayLike,
    *,
    classes: int,
    measure: str = "precision",
    reference: str = "accuracy",
) -> SlopeTerms:
    """Numerator and denominator of the slope from balances of disjoint halves of the test images.

    N = mean over splits of (B1 . B2' + B2 . B1') / 2, D = mean of B1 . B2, with B1, B2 the balances of the
    network before on the two halves and B1', B2' those after. The sampling of one half is independent of the
    other's, so no product carries it. Averages are divided by each other, never ratios averaged.

    Parameters
    ----------
    labels : array_like of int, shape (images,)
        True class of each image, 0 to classes - 1.
    before, after : array_like of int, shape (..., images)
        Class that the network before and after compression predicts; NaN is missing.
    halves : array_like of bool, shape (splits, images)
        Images of the first half of each split, see `half_splits`.
    classes : int
        Number of classes C.
    measure : {"recall", "precision", "f1"}
        Name of the score.
    reference : {"accuracy", "macro"}
        See `class_weights`; the weights are those of the whole test set.

    Returns
    -------
    SlopeTerms
        Each `(...)`: `numerator`, `denominator`, `ratio` A / A' of the whole test set; `error` is NaN (not
        known). NaN where a prediction is missing, or a class with images has an undefined score in a half of
        any split (0/0, or a single image): splits are never dropped.

    Raises
    ------
    InputError
        For an unknown measure or reference, a class outside 0 to C - 1, or shapes that do not fit.

    Notes
    -----
    For recall the mean over all stratified half splits is exactly `slope_terms`, which is to be preferred.
    For precision and F1, ratios of counts, a bias of order 1 / n remains: that of the score itself.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.repeat([0, 1], 40)
    >>> before = np.where(np.arange(80) % 8 == 0, 1 - labels, labels)
    >>> after = np.where(np.arange(80) % 5 == 0, 1, labels)
    >>> halves = half_splits(labels, splits=50, generator=np.random.default_rng(0))
    >>> terms = crossfit_terms(labels, before, after, halves, classes=2)
    >>> terms.ratio.round(4).tolist()
    0.9545
    """
    if classes < 1:
        raise InputError(f"classes: received {classes!r}, accepted: 1 or more")
    truth = whole_labels(labels)
    refuse("labels", truth, truth >= classes, f"classes are 0 to {classes - 1}")
    one, two = (_predictions(name, part, truth, classes) for name, part in (("before", before), ("after", after)))
    first = as_flags("halves", halves)
    if first.ndim != 2 or first.shape[-1] != truth.size or not first.shape[0]:
        raise InputError(f"halves: expected shape (splits, {truth.size}), received {first.shape}")
    shape = broadcast(before=one[..., 0], after=two[..., 0])
    one, two = np.broadcast_to(one, (*shape, truth.size)), np.broadcast_to(two, (*shape, truth.size))
    own = np.eye(classes)[truth.astype(np.int64)]
    weights = class_weights(own.sum(axis=0), reference)
    parts = np.full((3, *shape), np.nan)
    for cell in np.ndindex(*shape):
        pair = (one[cell], two[cell])
        if not np.isnan(pair).any():
            (b1, b2, whole), (a1, a2, whole_after) = (
                _balances(own, predicted, first, weights, measure) for predicted in pair
            )
            parts[(0, *cell)] = np.mean((b1 * a2 + b2 * a1).sum(axis=-1)) / 2
            parts[(1, *cell)] = np.mean((b1 * b2).sum(axis=-1))
            parts[(2, *cell)] = divide(whole, whole_after, whole_after != 0)
    return SlopeTerms(parts[0], parts[1], parts[2], np.full(shape, np.nan))


def _balances(
    own: FloatArray, predicted: FloatArray, first: BoolArray, weights: FloatArray, measure: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Balances `(splits, C)` on both halves, 0 for absent classes, and the reference score of all images."""
    named = np.eye(own.shape[-1])[predicted.astype(np.int64)]
    counted = np.concatenate([own * named, own, named], axis=-1)
    total = counted.sum(axis=0)
    one = first.astype(np.float64) @ counted
    result = []
    for counts in (one, total - one, total):
        values = np.where(weights > 0, score(measure, *np.split(counts, 3, axis=-1)), 0.0)
        centre = (weights * values).sum(axis=-1, keepdims=True)
        result.append((np.where(weights > 0, values - centre, 0.0), centre[..., 0]))
    return result[0][0], result[1][0], result[2][1]


def whole_labels(labels: ArrayLike, *, name: str = "labels") -> FloatArray:
    """Labels of the images as whole numbers without gaps."""
    truth = as_float(name, labels)
    if truth.ndim != 1 or not truth.size:
        raise InputError(f"{name}: expected shape (images,), received {truth.shape}")
    refuse(name, truth, ~((truth >= 0) & (truth == np.floor(truth))), f"{name} are whole numbers, 0 or more")
    return truth


def _predictions(name: str, value: ArrayLike, truth: FloatArray, classes: int) -> FloatArray:
    """Predicted classes, one per label."""
    array = as_float(name, value)
    if not array.ndim or array.shape[-1] != truth.size:
        raise InputError(f"{name}: expected shape (..., {truth.size}) as the labels, received {array.shape}")
    wrong = (array < 0) | (array >= classes) | (array != np.floor(array))
    refuse(name, array, wrong & ~np.isnan(array), f"classes are 0 to {classes - 1}, NaN where missing")
    return array
