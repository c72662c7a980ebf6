"""Class scores, accuracy and recall balance of every network of a cube."""

from __future__ import annotations

import xarray as xr

from rdstats import array
from rdstats._labelled import like, over_classes
from rdstats.cube import class_counts
from rdstats.errors import InputError

_STAGES = ("", "_dense")


def accuracy(cube: xr.Dataset) -> xr.Dataset:
    """Return ``accuracy`` and ``accuracy_dense``: correct test images over all test images.

    Parameters
    ----------
    cube : a cube, or its class counts.

    Returns
    -------
    Dataset over the cell dimensions; NaN where a cell is missing.
    """
    counts = class_counts(cube)
    names = [s for s in _STAGES if "correct" + s in counts]
    return xr.Dataset(
        {f"accuracy{s}": over_classes(array.accuracy, counts["correct" + s], counts["support" + s]) for s in names}
    )


def score(cube: xr.Dataset, measure: str = "recall") -> xr.Dataset:
    """Return the class scores ``score`` and ``score_dense``: recall, precision or F1.

    NaN for a class without test images and where the score is 0/0.  See `rdstats.array.score`.
    """
    counts = class_counts(cube)
    return xr.Dataset(
        {f"score{s}": _per_class(array.score, counts, s, measure) for s in _STAGES if "correct" + s in counts}
    )


def shrunk_score(cube: xr.Dataset, measure: str = "recall") -> xr.Dataset:
    """Return the class scores shrunk to (k + .5)/(n + 1), away from 0 and 1.  See `rdstats.array.shrunk_score`."""
    counts = class_counts(cube)
    return xr.Dataset(
        {f"score{s}": _per_class(array.shrunk_score, counts, s, measure) for s in _STAGES if "correct" + s in counts}
    )


def _per_class(function: object, counts: xr.Dataset, suffix: str, measure: str) -> xr.DataArray:
    parts = [counts[name + suffix] for name in ("correct", "support", "predicted")]
    return over_classes(lambda c, s, p: function(measure, c, s, p), *parts, keeps_class=True)  # type: ignore[operator]


def balance(cube: xr.Dataset, measure: str = "recall", reference: str = "accuracy") -> xr.Dataset:
    """Return recall balance B = R - A, normalised balance B/A and intensification ratio of every class.

    Parameters
    ----------
    cube : a cube, or its class counts.
    measure : ``recall``, ``precision`` or ``f1``.
    reference : A is the support-weighted mean of the scores (``accuracy``) or their plain mean (``macro``).

    Returns
    -------
    Dataset with ``balance, normalized_balance (..., class)``, the same with ``_dense``, and
    ``intensification_ratio`` = normalised balance after over before (NaN where it is 0 before).

    Source: paper, sections 4 and 5.
    """
    counts, scores = class_counts(cube), score(cube, measure)
    result = xr.Dataset()
    for s in _STAGES:
        if "score" + s in scores:
            values, support = scores["score" + s], counts["support" + s]
            for name, function in (("balance", array.balance), ("normalized_balance", array.normalized_balance)):
                part = over_classes(function, values, support, keeps_class=True, reference=reference)
                result[name + s] = like(part, values)
    if {"normalized_balance", "normalized_balance_dense"} <= set(result):
        pair = result["normalized_balance_dense"], result["normalized_balance"]
        ratio = over_classes(array.intensification_ratio, *pair, keeps_class=True)
        result["intensification_ratio"] = like(ratio, pair[1])
    return result


def require_pair(counts: xr.Dataset) -> None:
    """Raise `InputError` unless the cube has matrices before and after compression."""
    for name, stage in (("correct_dense", "confusion_dense (before)"), ("correct", "confusion (after)")):
        if name not in counts:
            raise InputError(f"the cube has no {stage}; a slope compares matrices before and after compression")


def undefined(counts: xr.Dataset, values: xr.DataArray, stage: str = "") -> xr.DataArray:
    """Return the networks in which a class with test images has no score: it is 0/0."""
    return ((counts["support" + stage] > 0) & values.isnull()).any("class")
