"""Stratified folds of the test images, and the counts per class that each fold holds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rdstats.array.crossfit import whole_labels
from rdstats.array.numeric import BoolArray, FloatArray, IntArray
from rdstats.array.validate import broadcast, refuse
from rdstats.errors import InputError

# Predictions handled at once: temporary arrays of this many items stay in the cache.
_BLOCK = 2**16


class FoldCounts(NamedTuple):
    """Test images of each fold and class, `(..., G, C)`: all, right before, right after, predicted as, right twice."""

    support: FloatArray
    correct_before: FloatArray
    correct_after: FloatArray
    predicted_before: FloatArray
    predicted_after: FloatArray
    both_correct: FloatArray


def stratified_folds(labels: ArrayLike, *, folds: int = 10, generator: np.random.Generator) -> IntArray:
    """Random folds of the test images, stratified by class.

    Images are ordered by class, at random within it, and dealt to the folds 0, 1, ..., G - 1, 0, 1, ... without
    starting anew at a class: both a class and the whole test set differ by at most one image between folds.

    Parameters
    ----------
    labels : array_like of int, shape (images,)
        True class of each image, 0 or more.
    folds : int
        Number of folds G, 2 or more.
    generator : numpy.random.Generator
        Source of all randomness.

    Returns
    -------
    ndarray of int, shape (images,)
        Fold of each image, 0 to G - 1.

    Raises
    ------
    InputError
        If `folds` is below 2 or above the number of images, or labels are not whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> fold_of = stratified_folds([0, 0, 0, 1, 1, 1], folds=2, generator=np.random.default_rng(0))
    >>> np.bincount(fold_of).tolist(), sorted(np.bincount(fold_of[:3]).tolist())
    ([3, 3], [1, 2])
    """
    truth = whole_labels(labels)
    if not 2 <= folds <= truth.size:
        raise InputError(f"folds: received {folds!r}, accepted: 2 to the number of test images ({truth.size})")
    order = np.lexsort((generator.random(truth.size), truth))
    fold_of = np.empty(truth.size, dtype=np.int64)
    fold_of[order] = np.arange(truth.size) % folds
    return fold_of


def fold_counts(
    labels: ArrayLike, before: ArrayLike, after: ArrayLike, fold_of: ArrayLike, *, classes: int, folds: int
) -> FoldCounts:
    """Count the test images of every fold and class, from the predictions before and after compression.

    Parameters
    ----------
    labels : array_like of int, shape (images,)
        True class of each image, 0 to C - 1.
    before, after : array_like, shape (..., images)
        Class that the network before and after compression predicts; any numeric type, NaN is missing.
    fold_of : array_like of int, shape (images,)
        Fold of each image, 0 to G - 1, see `stratified_folds`.
    classes, folds : int
        Numbers of classes C and of folds G.

    Returns
    -------
    FoldCounts
        Each `(..., G, C)` in images. A network with a missing prediction has NaN throughout, and so has
        `both_correct` of its pairs; `support` is there for all.

    Raises
    ------
    InputError
        A label, prediction or fold that is no whole number in its range, or shapes that do not fit.

    Examples
    --------
    >>> counts = fold_counts([0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 1, 0], [0, 1, 0, 1], classes=2, folds=2)
    >>> counts.correct_before.tolist(), counts.predicted_after.tolist(), counts.both_correct.tolist()
    ([[1.0, 1.0], [0.0, 1.0]], [[1.0, 1.0], [2.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]])
    """
    truth, fold = (whole_labels(part, name=name) for name, part in (("labels", labels), ("fold_of", fold_of)))
    refuse("labels", truth, truth >= classes, f"classes are 0 to {classes - 1}")
    refuse("fold_of", fold, fold >= folds, f"folds are 0 to {folds - 1}")
    if fold.size != truth.size:
        raise InputError(f"fold_of: expected shape {truth.shape} as the labels, received {fold.shape}")
    one, two = (_as_predictions(name, part, truth.size) for name, part in (("before", before), ("after", after)))
    shape = broadcast(before=one[..., 0], after=two[..., 0])
    grouped = _Groups(truth.astype(np.int64), fold.astype(np.int64), classes, folds)
    right, predicted, correct = [], [], []
    for name, part in (("before", one), ("after", two)):
        hits, named = grouped.of_network(name, part)
        right.append(hits)
        predicted.append(named)
        correct.append(grouped.sums(hits, ~np.isnan(named[..., 0, 0])))
    known = ~np.isnan(predicted[0][..., 0, 0]) & ~np.isnan(predicted[1][..., 0, 0])
    both = grouped.sums(right[0] & right[1], known)
    parts = (grouped.support, *correct, *predicted, both)
    return FoldCounts(*(np.broadcast_to(part, (*shape, folds, classes)) for part in parts))


def without_fold(counts: FoldCounts) -> FoldCounts:
    """Counts of all folds but one: `(..., G, C)`, the fold that is left out on the same axis."""
    return FoldCounts(*(np.sum(part, axis=-2, keepdims=True) - part for part in counts))


class _Groups:
    """The images of a test set, sorted by class and fold, with the sums over each group."""

    def __init__(self, truth: IntArray, fold: IntArray, classes: int, folds: int) -> None:
        self.truth, self.classes, self.folds = truth.astype(np.int32), classes, folds
        group = fold * classes + truth
        self.order = np.argsort(group, kind="stable")
        # only groups with images: reduceat gives an empty one its neighbour's first value
        self.groups, self.starts = np.unique(group[self.order], return_index=True)
        self.support = np.bincount(group, minlength=folds * classes).reshape(folds, classes).astype(np.float64)
        self.base = fold * classes

    def of_network(self, name: str, predictions: NDArray[np.generic]) -> tuple[BoolArray, FloatArray]:
        """Which predictions are right, images in the order of the groups, and images predicted as each class."""
        rows = predictions.reshape(-1, self.truth.size)
        bins = self.folds * self.classes
        right = np.zeros(rows.shape, dtype=np.bool_)
        named = np.full((len(rows), bins), np.nan)
        step = max(1, _BLOCK // self.truth.size)
        for start in range(0, len(rows), step):
            block = slice(start, start + step)
            part, known = self._checked(name, rows[block])
            right[block] = np.take(part == self.truth, self.order, axis=-1)
            keys = part + self.base + bins * np.arange(len(part))[:, np.newaxis]
            number = np.bincount(keys.ravel(), minlength=len(part) * bins).reshape(-1, bins)
            named[block] = np.where(known[:, np.newaxis], number, np.nan)
        leading = predictions.shape[:-1]
        return right.reshape(*leading, self.truth.size), named.reshape(*leading, self.folds, self.classes)

    def sums(self, flags: BoolArray, known: BoolArray) -> FloatArray:
        """Images of each fold and class for which a flag holds, NaN for networks that are not known."""
        rows = flags.reshape(-1, self.truth.size)
        result = np.zeros((len(rows), self.folds * self.classes))
        step = max(1, _BLOCK // self.truth.size)
        for start in range(0, len(rows), step):
            block = slice(start, start + step)
            part = rows[block].view(np.uint8)
            result[block, self.groups] = np.add.reduceat(part, self.starts, axis=-1, dtype=np.int32)
        counts = result.reshape(*flags.shape[:-1], self.folds, self.classes)
        return np.where(np.broadcast_to(known, flags.shape[:-1])[..., np.newaxis, np.newaxis], counts, np.nan)

    def _checked(self, name: str, block: NDArray[np.generic]) -> tuple[NDArray[np.int32], BoolArray]:
        """Predictions as whole numbers, those that are missing as 0, and which networks miss none."""
        known = np.ones(len(block), dtype=np.bool_)
        if block.dtype.kind == "f":
            gaps = np.isnan(block)
            if gaps.any():
                known = ~gaps.any(axis=-1)
                block = np.where(gaps, np.zeros((), block.dtype), block)
        if block.size and (
            block.min() < 0 or block.max() >= self.classes or (block.dtype.kind == "f" and _broken(block))
        ):
            values = np.asarray(block, np.float64)
            wrong = (values < 0) | (values >= self.classes) | (values != np.floor(values))
            refuse(name, values, wrong, f"classes are 0 to {self.classes - 1}, NaN where missing")
        return block.astype(np.int32), known


def _broken(values: NDArray[np.generic]) -> bool:
    """Whether any number is not whole; all are in the range of the classes."""
    return bool((values.astype(np.int32).astype(values.dtype) != values).any())


def _as_predictions(name: str, value: ArrayLike, images: int) -> NDArray[np.generic]:
    """Predictions in their own type (a paper-size cube is four times smaller in bytes than in float64)."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name}: expected numbers, received dtype {array.dtype}")
    if not array.ndim or array.shape[-1] != images:
        raise InputError(f"{name}: expected shape (..., {images}) as the labels, received {array.shape}")
    return array
