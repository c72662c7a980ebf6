"""From matrices to class counts: the one pass over a cube that reads its matrices."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

from rdstats import array
from rdstats.cube import schema
from rdstats.cube.blocks import cell_name, finished, iterate_blocks, refuse_negative
from rdstats.cube.read import damaged, source
from rdstats.cube.validate import validate
from rdstats.errors import InputError

_NAMES = ("correct", "support", "predicted")


def class_counts(cube: xr.Dataset) -> xr.Dataset:
    """Reduce every confusion matrix of a cube to its class counts.

    ``correct[c] = n[c, c]``, ``support[c] = sum_p n[c, p]``, ``predicted[c] = sum_t n[t, c]``.

    Parameters
    ----------
    cube : a cube; when it lies in a file, only the finished cells are read, one block at a time.  Matrices
        in Dask chunks stay lazy, and are checked for negative counts when computed, for nothing else (see
        `check_counts`).  A result of this function is returned as it is.

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

    Warns
    -----
    UserWarning
        Supports that differ between seeds in a cube that is not our own (in ours: `InputError`).
    """
    if "correct" in cube or "correct_dense" in cube:
        return cube
    validate(cube)
    heavy = [name for name in cube.data_vars if {"predicted_class", "sample"} & set(cube[name].dims)]
    result = cube.drop_vars([*heavy, "predicted_class", "sample"], errors="ignore")
    if "true_class" in result.dims:
        result = result.rename({"true_class": "class"})
    try:
        result = result.assign({name: result[name].load() for name in result.data_vars if not result[name].chunks})
        for suffix in ("", "_dense"):
            if "confusion" + suffix in cube:
                for name, values in zip(_NAMES, _reduce(cube, "confusion" + suffix), strict=True):
                    result[name + suffix] = values.variable  # labels and their attributes stay the cube's
    except (OSError, RuntimeError) as error:
        raise damaged(source(cube), error) from None
    result = result.assign_attrs(cube.attrs)
    check_counts(result, name=source(cube))
    return result


def check_counts(counts: xr.Dataset, *, name: str = "cube") -> None:
    """Raise `InputError` where class counts contradict each other; counts that are lazy are not looked at.

    Checked are finished cells without counts, pairs with unequal supports and, if the cube is our own,
    supports that differ between seeds (a warning otherwise).
    """
    if "support" in counts and counts["support"].chunks is None:
        _check_complete(counts, name)
        _check_pairs(counts)
        _check_seeds(counts)


def _reduce(cube: xr.Dataset, name: str) -> tuple[xr.DataArray, ...]:
    matrices = cube[name].transpose(..., *schema.CORE)
    if matrices.chunks is not None:
        done = finished(cube, name)
        return tuple(
            xr.apply_ufunc(
                array.class_counts,
                (matrices if done is None else matrices.where(done)).chunk(dict.fromkeys(schema.CORE, -1)),
                input_core_dims=[list(schema.CORE)],
                output_core_dims=[["class"]] * 3,
                keep_attrs=False,
                dask="parallelized",
                output_dtypes=[np.float64] * 3,
                dask_gufunc_kwargs={"output_sizes": {"class": matrices.sizes["true_class"]}},
            )
        )
    parts = [np.full(matrices.shape[:-1], np.nan) for _ in _NAMES]
    for index, block in iterate_blocks(cube.assign({name: matrices}), name, len(schema.CORE)):
        refuse_negative(matrices, index, block)
        for part, values in zip(parts, array.class_counts(block), strict=True):
            part[index] = values
    dims = (*matrices.dims[:-2], "class")
    return tuple(xr.DataArray(part, dims=dims) for part in parts)


def _check_complete(counts: xr.Dataset, name: str) -> None:
    """A finished cell without counts means that the file lost data."""
    if "status" not in counts:
        return
    for suffix in ("", "_dense"):
        if "support" + suffix in counts:
            lost = (counts["status"] == schema.DONE) & counts["support" + suffix].isnull().all("class")
            if bool(lost.any()):
                where = cell_name(lost, tuple(np.argwhere(lost.values)[0]))
                raise InputError(f"{name}: the finished cell{where} has no counts (confusion{suffix}): damaged")


def _check_pairs(counts: xr.Dataset) -> None:
    """Before and after must be the same test images; a class without images is 0 or NaN."""
    if "support_dense" not in counts:
        return
    after, before = xr.broadcast(counts["support"], counts["support_dense"])
    both = after.notnull().any("class") & before.notnull().any("class")
    unequal = ((after.fillna(0) != before.fillna(0)) & both).transpose(*after.dims)
    if bool(unequal.any()):
        at = tuple(np.argwhere(unequal.values)[0])
        n_before, n_after = (float(part.fillna(0).transpose(*after.dims).values[at]) for part in (before, after))
        raise InputError(
            f"support differs before and after{cell_name(unequal, at)}: "
            f"{n_before:g} and {n_after:g} test images; a pair needs one test set"
        )


def _check_seeds(counts: xr.Dataset) -> None:
    """Across seeds, other supports are worth a word."""
    if "seed" not in counts["support"].dims:
        return
    support = counts["support"].fillna(0).where(counts["support"].notnull().any("class"))
    varies = (support.max("seed") != support.min("seed")) & support.notnull().any("seed")
    if bool(varies.any()):
        where = cell_name(varies, tuple(np.argwhere(varies.values)[0]))
        message = f"support differs between seeds{where}: the networks were tested on different images"
        if counts.attrs.get("source") == "rdcompute":
            raise InputError(message)
        warnings.warn(message, stacklevel=4)
