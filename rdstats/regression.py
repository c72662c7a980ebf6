"""The lines behind a slope: what each class contributes, the line with intercept, and the pooled line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._labelled import CLASS, SEED, like, over_classes
from rdstats.slope import paired_balances


def contributions(cube: xr.Dataset, measure: str = "recall", reference: str = "accuracy") -> xr.Dataset:
    """Return what each class contributes to the slope of its network.

    ``contribution_c = Bn_c Bn'_c / sum_k Bn_k^2`` adds up to the slope over classes;
    ``weight_c = Bn_c^2 / sum_k Bn_k^2`` adds up to 1.

    Parameters
    ----------
    cube : a cube with matrices before and after compression, or its class counts.
    measure, reference : see `rdstats.slopes`.

    Returns
    -------
    Dataset with ``contribution, weight (..., class)``: NaN for classes without test images, and for a whole
    network that has no slope (`rdstats.slopes` gives the reason).

    Raises
    ------
    InputError
        A cube without matrices before or after, or an unknown choice.

    Source: paper, section 5 (the slope is the mean of the intensification ratios with these weights).

    Examples
    --------
    >>> import rdstats
    >>> found = contributions(rdstats.build([[90, 10], [30, 70]], [[80, 20], [50, 50]]))
    >>> found["contribution"].values.round(4).tolist(), found["weight"].values.round(4).tolist()
    ([0.9231, 0.9231], [0.5, 0.5])
    """
    _, balances, present = paired_balances(cube, measure, reference)
    before, after = balances["normalized_balance_dense"], balances["normalized_balance"]
    parts = {"contribution": (before, after), "weight": (before, before)}
    result = xr.Dataset(attrs={"measure": measure, "reference": reference})
    for name, pair in parts.items():
        result[name] = like(over_classes(array.slope_contribution, *pair, present, keeps_class=True), after)
    # a network without a slope has no weights either, though its balances before are known
    result["weight"] = result["weight"].where(result["contribution"].notnull())
    return result


def intercept_model(cube: xr.Dataset, measure: str = "recall", reference: str = "accuracy") -> xr.Dataset:
    """Return the least-squares line with intercept through the balances of every network.

    ``Bn'_c = intercept + slope Bn_c``, all classes alike.  For test sets with unequal classes and
    the reference ``accuracy``, where balances do not add up to zero, it shows what the line through the origin
    leaves out.

    Parameters
    ----------
    cube : a cube with matrices before and after compression, or its class counts.
    measure, reference : see `rdstats.slopes`.

    Returns
    -------
    Dataset over the cell dimensions: ``slope, intercept, r_squared`` (centred) and ``reason``: NaN where it
    is not empty, see `rdstats.array.slope_intercept`.

    Raises
    ------
    InputError
        A cube without matrices before or after, or an unknown choice.

    Source: simple linear regression; the paper (section 5) fits without intercept.

    Examples
    --------
    >>> import rdstats
    >>> line = intercept_model(rdstats.build([[90, 10], [30, 70]], [[80, 20], [50, 50]]))
    >>> round(line["slope"].item(), 4), abs(round(line["intercept"].item(), 4))
    (1.8462, 0.0)
    """
    counts, balances, present = paired_balances(cube, measure, reference)
    pair = [balances["normalized_balance_dense"], balances["normalized_balance"], present]
    line = _fields(array.slope_intercept, pair, [CLASS], {"reason": "U16"}, array.InterceptLine._fields)
    template = counts["correct"].isel({CLASS: 0}, drop=True)
    return line.map(like, args=(template,)).assign_attrs(measure=measure, reference=reference)


def pooled(cube: xr.Dataset, measure: str = "recall", reference: str = "accuracy") -> xr.Dataset:
    """Return the one line through the origin for all networks and classes of a cell of the grid.

    ``slope = sum over seeds and classes of Bn Bn' / sum of Bn^2``, and its uncentred r^2.  Descriptive only:
    the classes of one network are not independent, so nothing can be inferred from it.

    Parameters
    ----------
    cube : a cube with matrices before and after compression, or its class counts.
    measure, reference : see `rdstats.slopes`.

    Returns
    -------
    Dataset over the cell dimensions without ``seed``: ``slope, r_squared, n`` (networks used) and ``reason``:
    NaN where it is not empty.  Networks that are missing or have an undefined class are skipped.

    Raises
    ------
    InputError
        A cube without matrices before or after, or an unknown choice.

    Source: paper, section 6.2 ("Figures"): alpha-hat and r^2 of the scatterplots.

    Examples
    --------
    >>> import rdstats
    >>> one = rdstats.build([[[90, 10], [30, 70]]] * 2, [[[80, 20], [50, 50]]] * 2, dims=("seed",))
    >>> found = pooled(one)
    >>> round(found["slope"].item(), 4), found["n"].item()
    (1.8462, 2)
    """
    counts, balances, present = paired_balances(cube, measure, reference)
    pair = [balances["normalized_balance_dense"], balances["normalized_balance"], present]
    if not any(SEED in part.dims for part in pair):
        pair = [part.expand_dims(SEED) for part in pair]
    seeds = next(part for part in pair if SEED in part.dims).isel({CLASS: 0}, drop=True)
    pair = [part if SEED in part.dims else part.expand_dims({SEED: seeds[SEED]}) for part in pair]
    options = {"n": np.int64, "reason": "U16"}
    line = _fields(array.pooled_origin_slope, pair, [SEED, CLASS], options, array.PooledLine._fields)
    template = counts["correct"].isel({CLASS: 0}, drop=True)
    return line.map(like, args=(template,)).assign_attrs(measure=measure, reference=reference)


def _fields(
    function: Callable[..., Any],
    arrays: list[xr.DataArray],
    core: list[str],
    dtypes: dict[str, Any],
    names: tuple[str, ...],
) -> xr.Dataset:
    """Apply an array function that gives a named tuple; dask stays lazy."""
    parts = xr.apply_ufunc(
        function,
        *arrays,
        input_core_dims=[core] * len(arrays),
        output_core_dims=[[]] * len(names),
        dask="parallelized",
        dask_gufunc_kwargs={"allow_rechunk": True},
        output_dtypes=[dtypes.get(name, np.float64) for name in names],
        keep_attrs=False,
    )
    return xr.Dataset(dict(zip(names, parts, strict=True)))
