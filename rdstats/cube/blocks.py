"""Walk through a large variable of a cube cell block by cell block, skipping what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from rdstats.cube import schema
from rdstats.errors import InputError

Index = tuple[Any, ...]


def finished(cube: xr.Dataset, name: str) -> xr.DataArray | None:
    """Return which cells of variable `name` are done; None where `status` does not tell (dense networks)."""
    if "status" not in cube or not set(cube["status"].dims) <= set(cube[name].dims):
        return None
    return (cube["status"] == schema.DONE).compute()


def present_cells(cube: xr.Dataset, name: str, leading: tuple[str, ...]) -> np.ndarray[Any, Any] | None:
    """Return a boolean array over `leading`: where a cell of `name` may have values; None when unknown."""
    done = finished(cube, name)
    if done is None or not set(done.dims) <= set(leading):
        return None
    missing = {dim: cube.sizes[dim] for dim in leading if dim not in done.dims}
    return np.asarray(done.expand_dims(missing).transpose(*leading).values)


def iterate_blocks(cube: xr.Dataset, name: str, n_core: int) -> Iterator[tuple[Index, np.ndarray[Any, Any]]]:
    """Yield ``(index, values)`` of every block of variable `name` that may hold values.

    A block keeps the first leading dimension (the seeds) and the `n_core` last ones whole: a few megabytes
    at the paper's size.  `index` addresses the leading dimensions.  Cells that are not done are NaN.
    """
    variable = cube[name]
    leading = tuple(str(dim) for dim in variable.dims[: variable.ndim - n_core])
    shape = tuple(variable.sizes[dim] for dim in leading)
    present = present_cells(cube, name, leading) if leading else None
    for rest in np.ndindex(*shape[1:]):
        index: Index = (slice(None), *rest) if leading else ()
        if present is not None and not present[index].any():
            continue
        values = np.asarray(variable.variable[index].values)
        if present is not None and not present[index].all():
            values = values.astype(np.result_type(values.dtype, np.float32))
            values[~present[index]] = np.nan
        yield index, values


def cell_name(variable: xr.DataArray, index: Index) -> str:
    """Return `` at dataset=..., arch=...`` for the integer parts of an index, an empty string without any."""
    labels = [
        f"{dim}={variable[dim].values[i] if dim in variable.coords else i}"
        for dim, i in zip(variable.dims, index, strict=False)
        if not isinstance(i, slice)
    ]
    return f" at {', '.join(labels)}" if labels else ""


def refuse_negative(variable: xr.DataArray, index: Index, block: np.ndarray[Any, Any]) -> None:
    """Raise `InputError` naming the first cell of a block with a negative count or a fraction."""
    wrong = block < 0
    if block.dtype.kind == "f" and not wrong.any():
        wrong = (block != np.floor(block)) & ~np.isnan(block)
    if not wrong.any():
        return
    inner = tuple(int(i) for i in np.argwhere(wrong)[0])
    at = (inner[0], *index[1:], *inner[1:]) if index else inner
    where = cell_name(variable, at)
    raise InputError(f"{variable.name}: {block[inner]:g}{where}; counts are 0 or more, whole, NaN where missing")
