"""Many pairs of confusion matrices compared at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rdstats.array.balance import class_weights, intensification_ratio, normalized_balance, reference_score
from rdstats.array.contribution import slope_contribution
from rdstats.array.counts import accuracy, class_counts
from rdstats.array.expected import slope_expected_error, slope_expected_shift
from rdstats.array.numeric import FloatArray, TextArray, divide
from rdstats.array.scores import recall, shrunk_score
from rdstats.array.slope import cosine, pair_of, pair_sums
from rdstats.array.validate import check_same_support
from rdstats.errors import InputError

# Items handled at once: temporary arrays of this many stay in the cache.
_BLOCK = 2**17


class PairComparison(NamedTuple):
    """What two matrices say, per pair `(...)` and per class `(..., C)`; `reason` says why a pair has no slope."""

    accuracy_before: FloatArray
    accuracy_after: FloatArray
    recall_before: FloatArray
    recall_after: FloatArray
    balance_before: FloatArray
    balance_after: FloatArray
    intensification_ratio: FloatArray
    contribution: FloatArray
    slope: FloatArray
    spread_ratio: FloatArray
    cosine: FloatArray
    slope_expected: FloatArray
    slope_expected_error: FloatArray
    reason: TextArray


def compare_matrices(before: ArrayLike, after: ArrayLike, reference: str = "accuracy") -> PairComparison:
    """Compare pairs of confusion matrices: recalls, balances, slopes and what accuracy alone would give.

    Parameters
    ----------
    before, after : array_like, shape (..., C, C)
        Test images by [true, predicted] class; NaN as in `class_counts`.  Leading axes broadcast.
    reference : {"accuracy", "macro"}
        See `class_weights`.

    Returns
    -------
    PairComparison
        Accuracies and recalls as shares; `balance_before`, `balance_after` normalised (`normalized_balance`);
        `intensification_ratio`; `contribution` of each class to the slope; `slope`, `spread_ratio`, `cosine`;
        `slope_expected` (common shift of log-odds) and `slope_expected_error`; `reason` as `slope_reason`.

    Raises
    ------
    InputError
        For negative counts, shapes that do not fit, an unknown reference, or a class with other numbers of
        images before and after.

    Notes
    -----
    The functions of these names, applied to blocks of pairs that fit the processor's cache.

    Examples
    --------
    >>> found = compare_matrices([[90, 10], [30, 70]], [[70, 30], [50, 50]])
    >>> found.slope.round(4).tolist(), found.contribution.round(4).tolist()
    (1.3333, [0.6667, 0.6667])
    """
    one, two = _matrices("before", before), _matrices("after", after)
    try:
        leading = np.broadcast_shapes(one.shape[:-2], two.shape[:-2])
    except ValueError:
        raise InputError(f"shapes do not fit together: before {one.shape}, after {two.shape}") from None
    if one.shape[-1] != two.shape[-1]:
        raise InputError(f"before has {one.shape[-1]} classes, after {two.shape[-1]}")
    classes = one.shape[-1]
    sides = [[np.broadcast_to(part, (*leading, classes)) for part in _reduced(m)] for m in (one, two)]
    check_same_support(sides[0][1], sides[1][1])
    rows = np.stack([part.reshape(-1, classes) for side in sides for part in side])
    step = max(1, _BLOCK // classes)
    blocks = [_compared(rows[:, i : i + step], reference) for i in range(0, rows.shape[1] or 1, step)]
    joined = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return PairComparison(*(part.reshape((*leading, *part.shape[1:])) for part in joined))


def _matrices(name: str, value: ArrayLike) -> NDArray[Any]:
    """Matrices in their own numeric type: what is wrong with their values is found block by block."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or array.ndim < 2 or array.shape[-1] != array.shape[-2] or not array.shape[-1]:
        raise InputError(f"{name}: expected counts (..., C, C) [true, predicted], received {array.dtype} {array.shape}")
    return array


def _reduced(matrices: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """Images right and all images of each class, `(..., C)`: `class_counts` without what recall does not need."""
    classes = matrices.shape[-1]
    flat = matrices.reshape(-1, classes, classes)
    correct, support = np.empty((2, len(flat), classes))
    step = max(1, _BLOCK // classes**2)
    for start in range(0, len(flat), step):
        own = slice(start, start + step)
        block = np.asarray(flat[own], dtype=np.float64)
        support[own] = block.sum(axis=-1)
        if block.min() >= 0 and np.isfinite(support[own]).all():
            correct[own] = np.diagonal(block, axis1=-2, axis2=-1)
            continue
        try:  # something is missing or wrong
            correct[own], support[own], _ = class_counts(block)
        except InputError:
            class_counts(matrices)  # the same error with the index among all
            raise
    shape = matrices.shape[:-1]
    return correct.reshape(shape), support.reshape(shape)


def _compared(rows: FloatArray, reference: str) -> PairComparison:
    """Compare a block of pairs: right and all images before, right and all images after, `(4, pairs, C)`."""
    right, images, right_after, images_after = rows
    first, second = recall(right, images), recall(right_after, images_after)
    before, after = (normalized_balance(first, images, reference), normalized_balance(second, images_after, reference))
    present = (images > 0) & (images_after > 0)
    sums = pair_sums(pair_of(before, after, present))
    return PairComparison(
        accuracy_before=accuracy(right, images),
        accuracy_after=accuracy(right_after, images_after),
        recall_before=first,
        recall_after=second,
        balance_before=before,
        balance_after=after,
        intensification_ratio=intensification_ratio(before, after),
        contribution=slope_contribution(before, after, present),
        slope=divide(sums.xy, sums.xx, sums.usable),
        spread_ratio=np.asarray(np.sqrt(divide(sums.yy, sums.xx, sums.usable))),
        cosine=cosine(before, after, present),
        slope_expected=slope_expected_shift(
            shrunk_score("recall", right, images, images),
            shrunk_score("recall", right_after, images_after, images_after),
            class_weights(images_after, reference),
        ),
        slope_expected_error=slope_expected_error(
            reference_score(first, images, reference), reference_score(second, images_after, reference)
        ),
        reason=sums.reason,
    )
