"""One pair of models: intervals over test images, and which classes changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._folds import PREDICTIONS, fold_pass, has_predictions
from rdstats._labelled import CLASS, like, over_classes
from rdstats.array.validate import check_choice
from rdstats.cube import class_counts
from rdstats.errors import InputError
from rdstats.measures import require_pair, score
from rdstats.slope import BOUNDS, slopes

# The jackknife of a network takes some arrays of 4 C^2 numbers: networks handled at once.
_BLOCK = 2**18


def pair_intervals(
    cube: xr.Dataset, measure: str = "recall", reference: str = "accuracy", *, level: float = 0.95
) -> xr.Dataset:
    """Return an interval around the sampling-corrected slope of every network, for these two models on other images.

    The delete-one-image jackknife: ``se^2 = (N-1)/N sum_i (theta_i - mean)^2``, theta_i the corrected slope without
    image i, computed from the cells of (class, before right or not, after right or not).  It says nothing about other
    training runs.

    Parameters
    ----------
    cube : a cube with matrices before and after compression and ``both_correct`` or the predictions of both networks
        (or its class counts with ``both_correct``).
    measure : ``recall``: there is no such interval for precision and F1.
    reference : see `rdstats.slopes`.
    level : confidence level of each interval.

    Returns
    -------
    Dataset over the cell dimensions: ``slope_sampling_corrected, se, interval (..., ci_bound)``, ``n`` test images,
    ``slope`` (raw) with ``reliability`` beside it, ``strength`` of the dense network, and ``reason``: empty,
    ``missing``, ``too_few_images`` (a class with fewer than 3), ``weak_denominator`` (strength below 4),
    ``undefined`` (A' is 0), ``no_variation``.

    Raises
    ------
    InputError
        Another measure, neither ``both_correct`` nor predictions, counts that contradict each other.

    Notes
    -----
    See `rdstats.array.image_jackknife`.

    Examples
    --------
    >>> from rdstats.cube import build
    >>> both = {"both_correct": (["true_class"], [680, 450])}
    >>> cube = build([[900, 100], [300, 700]], [[700, 300], [500, 500]], variables=both)
    >>> pair_intervals(cube)["interval"].values.round(3).tolist()
    [1.047, 1.629]
    """
    if check_choice("measure", measure, array.MEASURES) != "recall":
        raise InputError(f"measure {measure}: intervals over test images of one pair are for recall")
    counts = class_counts(cube).compute()
    require_pair(counts)
    both = _both_correct(cube, counts, "an interval over test images")
    named = (counts["correct_dense"], counts["correct"], both, counts["support"])
    parts = [part.transpose(..., CLASS) for part in xr.broadcast(*named)]
    template = counts["correct"].isel({CLASS: 0}, drop=True)
    dims, shape = parts[0].dims[:-1], parts[0].shape[:-1]
    stats = _jackknives([part.values.reshape(-1, part.shape[-1]) for part in parts], reference, level)
    names_out = {"slope_sampling_corrected": "estimate", "se": "se", "n": "n", "strength": "strength"}
    data: dict[Any, Any] = {name: (dims, stats[field].reshape(shape)) for name, field in names_out.items()}
    data["reason"] = (dims, stats["reason"].reshape(shape))
    ends = np.stack([stats["lower"], stats["upper"]], -1).reshape(*shape, 2)
    data["interval"] = ([*dims, "ci_bound"], ends)
    result = xr.Dataset(data, template.coords)
    support = counts["support_dense"].where(counts["support"].notnull())
    result["reliability"] = over_classes(array.reliability, counts["correct_dense"], support, reference=reference)
    result["slope"] = slopes(counts, measure, reference)["slope"]
    result = result.map(like, args=(template,)).assign_coords(ci_bound=BOUNDS)
    return result.assign_attrs(
        measure=measure, reference=reference, level=level, conditional_on="over test images, given these networks"
    )


def _jackknives(parts: list[np.ndarray[Any, Any]], reference: str, level: float) -> dict[str, np.ndarray[Any, Any]]:
    """Return the jackknife of networks `(cells, C)`, a few at a time, without the classes that pad them."""
    support = parts[-1]
    width = np.max(np.where(support > 0, np.arange(1, support.shape[-1] + 1), 1), axis=-1)
    result: dict[str, np.ndarray[Any, Any]] = {}
    for size in np.unique(width):
        cells = np.flatnonzero(width == size)
        step = max(1, _BLOCK // (4 * int(size) ** 2))
        for start in range(0, len(cells), step):
            own = cells[start : start + step]
            one, two, both, images = (part[own, :size] for part in parts)
            some = array.image_jackknife(one, two, both, images, reference, level=level)
            for name, values in some._asdict().items():
                kind = object if name == "reason" else values.dtype
                result.setdefault(name, np.empty(len(support), kind))[own] = values
    return result


def class_changes(cube: xr.Dataset) -> xr.Dataset:
    """Return, class by class, whether compression changed which test images a network gets right.

    McNemar's exact two-sided mid-p test on the images that only one of the two networks gets right, with Holm's
    correction over the classes of the pair.

    Parameters
    ----------
    cube : as in `pair_intervals`.

    Returns
    -------
    Dataset over the cell dimensions and ``class``: ``recall_dense, recall``; ``only_before, only_after``, images that
    one network alone gets right; ``p`` and ``p_corrected``; ``reason``: empty, ``missing`` (all NaN) or ``no_change``
    (no image differs: p is 1).  The classes of a family are those with test images.

    Raises
    ------
    InputError
        Neither ``both_correct`` nor predictions, counts that contradict each other.

    Notes
    -----
    See `rdstats.array.mcnemar` and `rdstats.array.correct`.  Images are the units: another training run may change
    other classes.

    Examples
    --------
    >>> from rdstats.cube import build
    >>> both = {"both_correct": (["true_class"], [82, 65])}
    >>> changes = class_changes(build([[90, 10], [30, 70]], [[84, 16], [30, 70]], variables=both))
    >>> changes["p"].values.round(4).tolist(), changes["p_corrected"].values.round(4).tolist()
    ([0.0654, 0.877], [0.1309, 0.877])
    """
    counts = class_counts(cube).compute()
    require_pair(counts)
    both = _both_correct(cube, counts, "a test of single classes")
    here = (counts["support"] > 0) & (counts["support_dense"] > 0)
    names = ("correct_dense", "correct")
    parts = xr.broadcast(*(counts[name].where(here) for name in names), both.where(here))
    stats = array.mcnemar(*(part.values for part in parts))
    result = xr.Dataset({name: parts[0].copy(data=getattr(stats, name)) for name in ("only_before", "only_after", "p")})
    scores = score(counts)
    result["recall_dense"], result["recall"] = scores["score_dense"].where(here), scores["score"].where(here)
    members = here.sum(CLASS).broadcast_like(result["p"].isel({CLASS: 0}, drop=True))
    family = result["p"].transpose(*members.dims, CLASS)
    corrected = array.correct(family.values, "holm", np.maximum(members.values, 1))
    result["p_corrected"] = family.copy(data=corrected)
    result["reason"] = parts[0].copy(data=np.asarray(stats.reason, object))
    template = counts["correct"]
    return result.map(like, args=(template,)).assign_attrs(correction="holm")


def _both_correct(cube: xr.Dataset, counts: xr.Dataset, what: str) -> xr.DataArray:
    """Return the images of each class that both networks get right, as stored or counted from the predictions."""
    if "both_correct" in counts:
        return counts["both_correct"]
    if not has_predictions(cube):
        raise InputError(
            f"{what} needs to know which images both networks get right: both_correct, or the predictions of both "
            f"({', '.join(PREDICTIONS)})"
        )

    def reduce(folds: array.FoldCounts) -> dict[str, np.ndarray[Any, Any]]:
        return {"both_correct": folds.both_correct.sum(axis=-2)}

    return fold_pass(cube, reduce, {"both_correct": (CLASS,)}, folds=2, fold_seed=0)["both_correct"]
