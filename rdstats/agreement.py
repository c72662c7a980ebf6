"""How far two models agree on the same images: churn, and the change of every class with an interval over images."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._folds import SAMPLE, has_predictions
from rdstats._labelled import CLASS, like, over_classes
from rdstats.array.validate import check_level
from rdstats.cube import class_counts
from rdstats.errors import InputError
from rdstats.measures import require_pair
from rdstats.single import class_changes
from rdstats.slope import BOUNDS

PAIRED, COVERING = "paired", "covering"
"""Where an interval of a change comes from: the same images before and after, or whatever two matrices allow."""


def churn(cube: xr.Dataset, *, level: float = 0.95) -> xr.Dataset:
    """Return the share of the test images whose prediction changed.

    ``churn = (1/N) sum_i [prediction_i != prediction_dense_i]``, right or wrong.

    Parameters
    ----------
    cube : a cube with the predictions of both networks, or with their matrices alone.
    level : confidence level of each interval.

    Returns
    -------
    Dataset over the cell dimensions: ``churn`` and ``interval (..., ci_bound)``, Wilson's, over test images; NaN
    without predictions.  ``bound_lower, bound_upper``: what the two matrices allow, exactly ``churn`` at both ends
    where it is known.

    Raises
    ------
    InputError
        A cube without matrices or predictions before or after.

    Notes
    -----
    Milani Fard et al., "Launch and Iterate: Reducing Prediction Churn", NeurIPS 2016.  See `rdstats.array.churn` and
    `rdstats.array.churn_bounds`.

    Examples
    --------
    >>> import rdstats
    >>> found = churn(rdstats.build([[9, 1], [3, 7]], [[7, 3], [5, 5]]))
    >>> found["bound_lower"].item(), found["bound_upper"].item()
    (0.2, 0.6)
    """
    check_level(level)
    if has_predictions(cube):
        return _of_predictions(cube, level)
    if "confusion" not in cube or "confusion_dense" not in cube:
        raise InputError("churn compares predictions, or matrices, before and after compression: the cube has not both")
    core = ["true_class", "predicted_class"]
    one, two = xr.broadcast(cube["confusion_dense"], cube["confusion"])
    there = one.notnull().any(core) & two.notnull().any(core)  # a network that is missing on one side has no churn
    lower, upper = xr.apply_ufunc(
        array.churn_bounds, one.where(there, 0), two.where(there, 0), input_core_dims=[core] * 2,
        output_core_dims=[[], []], keep_attrs=False,
    )  # fmt: skip
    template = cube["confusion"].isel(true_class=0, predicted_class=0, drop=True)
    unknown = like(xr.full_like(lower, np.nan), template)
    ends = unknown.expand_dims(ci_bound=BOUNDS, axis=-1)
    return xr.Dataset(
        {"churn": unknown, "interval": ends, "bound_lower": like(lower, template), "bound_upper": like(upper, template)}
    ).assign_attrs(level=level)


def _of_predictions(cube: xr.Dataset, level: float) -> xr.Dataset:
    """Return the churn of predictions, one cell at a time: those of a large cube never lie in memory together."""
    after = cube["prediction"].transpose(..., SAMPLE)
    dims, shape = after.dims[:-1], after.shape[:-1]
    changed, images = np.full(shape, np.nan), np.full(shape, np.nan)
    for index in np.ndindex(*shape):
        at = dict(zip(map(str, dims), index, strict=True))
        one, two, label = (
            cube[name].isel({d: i for d, i in at.items() if d in cube[name].dims}).values.astype(np.float64)
            for name in ("prediction_dense", "prediction", "label")
        )
        here = ~np.isnan(label)
        images[index] = here.sum()
        changed[index] = array.churn(one[here], two[here])
    counts = np.round(changed * images)
    found = array.share_interval(counts, np.where(np.isnan(counts), np.nan, images), level=level)
    coords = {dim: cube[dim] for dim in dims if dim in cube.coords}
    data: dict[Any, Any] = dict.fromkeys(("churn", "bound_lower", "bound_upper"), (dims, changed))
    data["interval"] = ((*dims, "ci_bound"), np.stack([found.lower, found.upper], -1))
    return xr.Dataset(data, coords).assign_coords(ci_bound=BOUNDS).assign_attrs(level=level)


def recall_changes(cube: xr.Dataset, *, level: float = 0.95) -> xr.Dataset:
    """Return the change of every class's recall, and of the accuracy, with intervals over test images.

    ``change = recall after - recall before``, of networks tested on the same images (Bonett and Price, see
    `rdstats.array.paired_change`).  The intervals of a cell's k classes are simultaneous, each at
    ``1 - (1 - level)/k``; ``interval_alone`` and the accuracy's are at `level`.

    Parameters
    ----------
    cube : a cube with matrices before and after compression, or its class counts.  Without ``both_correct`` or
        predictions the intervals cover every number of images that both networks can get right: wider, never too
        narrow.
    level : level of all classes of a cell together.

    Returns
    -------
    Dataset over the cell dimensions: ``change, interval, interval_alone (..., class, ci_bound)`` and ``k``;
    ``accuracy_change, accuracy_interval (..., ci_bound)``; the attribute ``basis`` is ``paired`` or ``covering``.  NaN
    for classes without test images.

    Raises
    ------
    InputError
        A cube without matrices before or after, counts that contradict each other.

    Examples
    --------
    >>> import rdstats
    >>> found = recall_changes(rdstats.build([[90, 10], [30, 70]], [[80, 20], [50, 50]]))
    >>> found["change"].values.round(2).tolist(), found.attrs["basis"]
    ([-0.1, -0.2], 'covering')
    """
    counts = class_counts(cube).compute()
    require_pair(counts)
    here = (counts["support"] > 0) & (counts["support_dense"] > 0)
    paired = "both_correct" in counts or has_predictions(cube)
    if paired:
        tests = class_changes(counts if "both_correct" in counts else cube)
        lost, gained = tests["only_before"], tests["only_after"]
    else:
        lost, gained = _most_different(counts)
    images = counts["support"].where(here)
    k = here.sum(CLASS)
    k = k.where(k > 0, 1)
    classes = _interval([lost, gained, images], level, k.broadcast_like(images))
    sums = [part.where(here).sum(CLASS, min_count=1) for part in (lost, gained, images)]
    result = xr.Dataset({"change": classes[0], "interval": classes[1], "k": k})
    result["interval_alone"] = _interval([lost, gained, images], level, 1)[1]
    result["accuracy_change"], result["accuracy_interval"] = _interval(sums, level, 1)
    template = counts["correct"]
    return result.map(like, args=(template,)).assign_attrs(level=level, basis=PAIRED if paired else COVERING)


def _most_different(counts: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Return images lost and gained if both networks got as few images right together as the counts allow."""
    one, two = counts["correct_dense"], counts["correct"]
    both = over_classes(
        lambda b, a, n: array.both_correct_bounds(b, a, n).lower, one, two, counts["support"], keeps_class=True
    )
    return one - both, two - both


def _interval(parts: list[xr.DataArray], level: float, k: xr.DataArray | int) -> tuple[xr.DataArray, xr.DataArray]:
    estimate, lower, upper = xr.apply_ufunc(
        lambda b, c, n, size: tuple(array.paired_change(b, c, n, level=level, k=size)),
        *xr.broadcast(*parts), k, output_core_dims=[[], [], []], keep_attrs=False,
    )  # fmt: skip
    ends = xr.concat([lower, upper], "ci_bound").assign_coords(ci_bound=BOUNDS)
    return estimate, ends.transpose(..., "ci_bound")
