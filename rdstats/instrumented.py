"""Slopes that run-to-run noise does not attenuate, and slopes between networks that were only trained again."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._labelled import CLASS, SEED, family_size, like, over_classes
from rdstats.cube import class_counts
from rdstats.errors import InputError
from rdstats.measures import balance, require_pair, score
from rdstats.sampling import require_dense
from rdstats.slope import BOUNDS

PAIR = "pair"


def instrumented_slopes(
    cube: xr.Dataset,
    measure: str = "recall",
    reference: str = "accuracy",
    *,
    level: float = 0.95,
    k: xr.DataArray | int | None = None,
) -> xr.Dataset:
    """Return the slope of every column along the class pattern that all training runs have in common.

    ``(A/A') sum_c z_c B'_c / sum_c z_c B_c`` with z the sum of the *other* seeds' dense balances of the same column,
    numerators and denominators summed over the seeds.  z shares neither a run's own noise nor a run's regression to
    the mean: the slope is 1 where compression leaves the common pattern as it was.

    Parameters
    ----------
    cube : a cube with matrices before and after compression and dimension ``seed``, or its class counts.
    measure, reference : see `rdstats.slopes`.
    level : family-wise level of a column.
    k : number of simultaneous intervals, default: the planned ratios of a column that are not its control's.

    Returns
    -------
    Dataset over the cell dimensions without ``seed``: ``estimate, se``, ``n`` networks with both sides, ``interval
    (..., ci_bound)`` of a delete-one-seed jackknife, ``strength`` (mean denominator over its jackknife error), ``k``,
    and ``reason``: empty, ``missing``, ``too_few_seeds`` (below 5), ``not_estimable`` (strength below 4: runs have no
    class pattern in common), ``no_variation``.  A dense network without its compressed one still serves the others.

    Raises
    ------
    InputError
        No dimension ``seed``, matrices of one side only, a level outside (0, 1), k below 1.

    Notes
    -----
    See `rdstats.array.seed_instrumented_slope`.

    Examples
    --------
    >>> import numpy as np
    >>> from rdstats.cube import build
    >>> right = np.array([[90, 70], [92, 68], [91, 71], [89, 70], [90, 72]])
    >>> before = np.stack([right, 100 - right], axis=-1)
    >>> before[:, 1] = before[:, 1, ::-1]
    >>> result = instrumented_slopes(build(before, before, dims=["seed"]))
    >>> float(result["estimate"]), int(result["n"])
    (1.0, 5)
    """
    counts = class_counts(cube).compute()
    require_pair(counts)
    _require_seeds(counts["correct"])
    values, scores = balance(counts, measure, reference), score(counts, measure)
    means = [
        over_classes(array.reference_score, scores["score" + s], counts["support" + s], reference=reference)
        for s in ("_dense", "")
    ]
    ratio = means[0] / means[1].where(means[1] != 0)
    after, before, ratio = xr.broadcast(values["balance"], values["balance_dense"], ratio, exclude=[CLASS])
    dims = [dim for dim in after.dims if dim not in (SEED, CLASS)]
    one, two = (part.transpose(*dims, SEED, CLASS).values for part in (before, after))
    there = (counts["support"] > 0).any(CLASS) & (counts["support_dense"] > 0).any(CLASS)
    columns = xr.zeros_like(ratio.isel({SEED: 0}, drop=True)).transpose(*dims)
    size = _family_size(counts, there, ratio) if k is None else k if isinstance(k, xr.DataArray) else xr.DataArray(k)
    size = size.broadcast_like(columns).transpose(*dims)
    stats = array.seed_instrumented_slope(one, two, ratio.transpose(*dims, SEED).values, level=level, k=size.values)
    data: dict[Any, Any] = {name: (dims, getattr(stats, name)) for name in ("estimate", "se", "n", "strength")}
    data["reason"] = (dims, np.asarray(stats.reason, object))
    data["interval"] = ([*dims, "ci_bound"], np.stack([stats.lower, stats.upper], -1))
    result = xr.Dataset(data, columns.coords).assign(k=size).assign_coords(ci_bound=BOUNDS)
    return result.assign_attrs(measure=measure, reference=reference, level=level)


def _family_size(counts: xr.Dataset, there: xr.DataArray, ratio: xr.DataArray) -> xr.DataArray:
    reason = like(there.astype(object).where(~there, "").where(there, "missing"), ratio)
    status = {"status": counts["status"]} if "status" in counts else {}
    return family_size(xr.Dataset({"slope": ratio, "reason": reason, **status}))


def _require_seeds(values: xr.DataArray) -> None:
    if SEED not in values.dims:
        raise InputError(f"the cube has no dimension {SEED}: one training run shows no pattern common to several")


def retrain_null(cube: xr.Dataset, measure: str = "recall", reference: str = "accuracy") -> xr.Dataset:
    """Return slopes between dense networks of neighbouring seeds: what training again does, with nothing pruned.

    The dense network of seed i stands for "before", that of seed i + 1, in the order of the coordinate, for "after".

    Parameters
    ----------
    cube : a cube with dense matrices and dimension ``seed``, or its class counts.
    measure, reference : see `rdstats.slopes`.

    Returns
    -------
    Dataset over the dimensions of the dense networks without ``seed``: ``slope, spread_ratio, cosine (..., pair)``,
    with the coordinates ``seed_before`` and ``seed_after`` of each pair; and ``mean, sd, min, max`` and ``n`` of the
    slopes.  A pair is NaN where either network is missing, has an undefined score, or
    was not tested on a class that the other was tested on.  There is no t interval:
    neighbouring pairs share a network, so that the n slopes are not independent.

    Raises
    ------
    InputError
        No dense matrices, or fewer than two seeds.

    Notes
    -----
    A reference for reading slopes below 1: regression to the mean of the run-specific part alone gives them.

    Examples
    --------
    >>> from rdstats.cube import build
    >>> cube = build([[[90, 10], [30, 70]], [[80, 20], [20, 80]]], [[[90, 10], [30, 70]]] * 2, dims=["seed"])
    >>> retrain_null(cube)["slope"].values.tolist()
    [0.0]
    """
    counts = class_counts(cube).compute()
    require_dense(counts)
    _require_seeds(counts["correct_dense"])
    if counts.sizes[SEED] < 2:
        raise InputError("the cube has one seed: slopes between trained and trained again need two or more")
    own = counts[[f"{name}_dense" for name in ("correct", "support", "predicted")]]
    values = balance(own, measure, reference)["normalized_balance_dense"]
    there = own["support_dense"] > 0
    seeds = counts[SEED].values
    sides = [
        (part.isel({SEED: at}).drop_vars(SEED, errors="ignore").rename({SEED: PAIR}))
        for at in (slice(None, -1), slice(1, None))
        for part in (values, there)
    ]
    # a class that one of two networks was not tested on makes their pair undefined
    present = sides[1] | sides[3]
    result = xr.Dataset(attrs={"measure": measure, "reference": reference})
    order = [dim for dim in values.dims if dim not in (SEED, CLASS)]
    for name in ("slope", "spread_ratio", "cosine"):
        result[name] = over_classes(getattr(array, name), sides[0], sides[2], present).transpose(*order, PAIR)
    result = result.assign_coords(seed_before=(PAIR, seeds[:-1]), seed_after=(PAIR, seeds[1:]))
    slope = result["slope"]
    stats = array.t_interval(slope.values)
    result = result.assign({name: (order, getattr(stats, name)) for name in ("mean", "sd", "n")})
    return result.assign(min=slope.min(PAIR), max=slope.max(PAIR))
