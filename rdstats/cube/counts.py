"""From matrices to class counts: the one pass over a cube that reads its matrices."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats.cube import schema
from rdstats.cube.blocks import iterate_blocks
from rdstats.cube.read import damaged
from rdstats.cube.validate import validate
from rdstats.errors import InputError

_NAMES = ("correct", "support", "predicted")


def class_counts(cube: xr.Dataset) -> xr.Dataset:
    """Reduce every confusion matrix of a cube to its class counts.

    ``correct[c] = n[c, c]``, ``support[c] = sum_p n[c, p]``, ``predicted[c] = sum_t n[t, c]``.

    Parameters
    ----------
    cube : a cube; when it lies in a file, only the finished cells are read, one block at a time.  A result
        of this function is returned as it is.

    Returns
    -------
    xarray.Dataset with ``correct, support, predicted (..., class)`` after compression, the same names with
    ``_dense`` before, and the cube's small variables (``true_class`` renamed ``class``).  Cells and padded
    classes that are missing are NaN.

    Raises
    ------
    InputError
        Negative counts, before and after of a pair with different supports (naming cell and class), a
        finished cell without counts, or damaged data.
    """
    if "correct" in cube or "correct_dense" in cube:
        return cube
    validate(cube)
    heavy = [name for name in cube.data_vars if {"predicted_class", "sample"} & set(cube[name].dims)]
    result = cube.drop_vars([*heavy, "predicted_class", "sample"], errors="ignore")
    if "true_class" in result.dims:
        result = result.rename({"true_class": "class"})
    for suffix in ("", "_dense"):
        if "confusion" + suffix in cube:
            for name, values in zip(_NAMES, _reduce(cube, "confusion" + suffix), strict=True):
                result[name + suffix] = values
    _check_complete(result)
    _check_supports(result)
    return result.assign_attrs(cube.attrs)


def _reduce(cube: xr.Dataset, name: str) -> tuple[xr.DataArray, ...]:
    matrices = cube[name].transpose(..., *schema.CORE)
    if matrices.chunks is not None:
        return tuple(
            xr.apply_ufunc(
                array.class_counts,
                matrices.chunk(dict.fromkeys(schema.CORE, -1)),
                input_core_dims=[list(schema.CORE)],
                output_core_dims=[["class"]] * 3,
                dask="parallelized",
                output_dtypes=[np.float64] * 3,
                dask_gufunc_kwargs={"output_sizes": {"class": matrices.sizes["true_class"]}},
            )
        )
    try:
        parts = _reduce_blocks(cube.assign({name: matrices}), name)
    except (OSError, RuntimeError) as error:
        raise damaged(cube.encoding.get("source", "cube"), error) from None
    dims = (*matrices.dims[:-2], "class")
    coords = {dim: matrices.coords[dim] for dim in matrices.dims[:-2] if dim in matrices.coords}
    return tuple(xr.DataArray(part, dims=dims, coords=coords) for part in parts)


def _reduce_blocks(cube: xr.Dataset, name: str) -> list[np.ndarray[Any, Any]]:
    if getattr(cube[name].variable, "_in_memory", False):
        return list(array.class_counts(cube[name].values))
    shape = cube[name].shape[:-1]
    parts = [np.full(shape, np.nan) for _ in _NAMES]
    for index, block in iterate_blocks(cube, name, 2):
        try:
            counts = array.class_counts(block)
        except InputError as error:
            where = _cell(cube[name], index)
            raise InputError(f"{name}{where}: {error}") from None
        for part, values in zip(parts, counts, strict=True):
            part[index] = values
    return parts


def _cell(variable: xr.DataArray, index: tuple[Any, ...]) -> str:
    """Return `` at dataset=..., arch=...`` for the integer parts of an index."""
    labels = [
        f"{dim}={variable[dim].values[i] if dim in variable.coords else i}"
        for dim, i in zip(variable.dims, index, strict=False)
        if not isinstance(i, slice)
    ]
    return f" at {', '.join(labels)}" if labels else ""


def _check_complete(counts: xr.Dataset) -> None:
    """A finished cell without counts means that the file lost data."""
    if "status" not in counts or "support" not in counts or counts["support"].chunks is not None:
        return
    lost = (counts["status"] == schema.DONE) & counts["support"].isnull().all("class")
    if bool(lost.any()):
        where = _cell(lost, tuple(np.argwhere(lost.values)[0]))
        raise InputError(f"{counts.encoding.get('source', 'cube')}: the finished cell{where} has no counts: damaged")


def _check_supports(counts: xr.Dataset) -> None:
    """Before and after must be the same test images; across seeds other supports are worth a word."""
    if "support" not in counts or counts["support"].chunks is not None:
        return
    support = counts["support"]
    if "support_dense" in counts:
        after, before = xr.broadcast(support, counts["support_dense"])
        unequal = (after != before) & after.notnull() & before.notnull()
        if bool(unequal.any()):
            at = tuple(np.argwhere(unequal.values)[0])
            raise InputError(
                f"support differs before and after{_cell(unequal, at)}: "
                f"{before.values[at]:g} and {after.values[at]:g} test images; a pair needs one test set"
            )
    if "seed" not in support.dims:
        return
    varies = (support.max("seed") != support.min("seed")) & support.notnull().any("seed")
    if bool(varies.any()):
        where = _cell(varies, tuple(np.argwhere(varies.values)[0]))
        message = f"support differs between seeds{where}: the networks were tested on different images"
        if counts.attrs.get("source") == "rdcompute":
            raise InputError(message)
        warnings.warn(message, stacklevel=3)
