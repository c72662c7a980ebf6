"""What the labelled layer shares: applying an array function to named dimensions, and reading a cube's plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from rdstats.array.moments import moments

SEED, RATIO, METHOD, CLASS = "seed", "ratio", "method", "class"
STACKED = "network"
"""Dimension of networks that are stacked for the time of a computation."""


def over_classes(
    function: Callable[..., Any],
    *arrays: xr.DataArray,
    keeps_class: bool = False,
    dtype: Any = np.float64,
    **options: Any,
) -> xr.DataArray:
    """Apply an array function to per-class values; dimensions are matched by name, dask stays lazy."""
    result: xr.DataArray = xr.apply_ufunc(
        function,
        *arrays,
        kwargs=options,
        input_core_dims=[[CLASS] if CLASS in a.dims else [] for a in arrays],
        output_core_dims=[[CLASS] if keeps_class else []],
        dask="parallelized",
        dask_gufunc_kwargs={"allow_rechunk": True},
        output_dtypes=[dtype],
        keep_attrs=False,
    )
    return result


def on_present(function: Callable[[xr.Dataset], xr.Dataset], counts: xr.Dataset, fill: dict[str, Any]) -> xr.Dataset:
    """Apply a function of class counts to the networks that are there alone, stacked along one dimension.

    Most cells of a cube's product of dimensions are outside its grid.  `fill` is what the results are elsewhere:
    variable -> value, NaN where not named.  Lazy counts are handed over whole.
    """
    dims = [str(dim) for dim in counts["correct"].dims if dim != CLASS]
    if not dims or any(counts[name].chunks is not None for name in counts.data_vars):
        return function(counts)
    there = counts["support"].notnull().any(CLASS).transpose(*dims).values
    if there.all() or not there.any():
        return function(counts)
    at = np.nonzero(there)
    places = {dim: xr.DataArray(index, dims=STACKED) for dim, index in zip(dims, at, strict=True)}
    found = function(counts.isel(places).drop_vars(dims, errors="ignore"))
    result = xr.Dataset(coords={dim: counts[dim] for dim in dims if dim in counts.coords}, attrs=found.attrs)
    for name, values in found.data_vars.items():
        empty = fill.get(str(name), np.nan)
        whole = np.full(there.shape, empty, np.result_type(values.dtype, np.asarray(empty).dtype))
        whole[at] = values.values
        result[name] = (dims, whole)
    return result


def like(result: xr.DataArray, *templates: xr.DataArray) -> xr.DataArray:
    """Put the dimensions of `result` into the order in which `templates` name them."""
    order = dict.fromkeys(str(dim) for template in templates for dim in template.dims)
    return result.transpose(*[dim for dim in order if dim in result.dims], ...)


def is_control(method: object) -> bool:
    """Return whether a method is a control: the same fine-tuning, nothing removed."""
    return str(method) == "sham" or str(method).startswith("sham-")


def control_of(method: str, present: Sequence[str]) -> str | None:
    """Return the control that shares the method's fine-tuning recipe, if it is among the `present` methods."""
    wanted = control_name(method)
    return wanted if wanted in present else None


def control_name(method: str) -> str:
    """Return what the control of a method is called, there or not."""
    return f"sham-{method}" if method in ("lth", "chip") else "sham"


def planned(slopes: xr.Dataset) -> xr.DataArray:
    """Return, over all dimensions but the seed, whether the grid has the cell for any seed.

    A cube without `status` counts a cell as planned if any seed has counts for it.
    """
    there = slopes["status"].notnull() if "status" in slopes else slopes["reason"] != "missing"
    there = there.any(SEED) if SEED in there.dims else there
    template = slopes["slope"].isel({SEED: 0}, drop=True) if SEED in slopes["slope"].dims else slopes["slope"]
    return there.broadcast_like(template).transpose(*template.dims)


def family_size(slopes: xr.Dataset) -> xr.DataArray:
    """Return k: the planned ratios of a column that are not its control's; 1 for a control."""
    there = planned(slopes)
    k = there.sum(RATIO) if RATIO in there.dims else there.astype(int)
    k = k.broadcast_like(there).transpose(*there.dims)
    if METHOD in k.dims:
        k = k.where(~xr.apply_ufunc(np.vectorize(is_control, otypes=[bool]), k[METHOD]), 1)
    return k.where(k > 0, 1).astype(int)


def with_seed(data: xr.Dataset, template: str) -> xr.Dataset:
    """Return the data in memory, with a dimension ``seed`` of one label if variable `template` has none."""
    return (data if SEED in data[template].dims else data.expand_dims(SEED)).compute()


def seed_means(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return mean, standard error sd/sqrt(n) (ddof 1; NaN below two values) and n over seeds, NaN skipped."""
    n, mean, sd = xr.apply_ufunc(
        moments, values, input_core_dims=[[SEED]], output_core_dims=[[], [], []], keep_attrs=False
    )
    return mean, sd / np.sqrt(n.where(n > 0)), n


def of_columns(dense: xr.DataArray, there: xr.DataArray) -> xr.DataArray:
    """Return dense values seed by seed of every column, NaN where none of its compressed networks is `there`.

    Dense networks that differ between ratios are averaged over the ratios.
    """
    if RATIO in there.dims:
        dense = dense.where(there).mean(RATIO) if RATIO in dense.dims else dense
        there = there.any(RATIO)
    return like(dense.where(there), there)
