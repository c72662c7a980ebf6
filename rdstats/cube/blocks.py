"""Walk through a large variable of a cube cell block by cell block, skipping what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from rdstats.cube import schema

Index = tuple[Any, ...]


def present_cells(cube: xr.Dataset, leading: tuple[str, ...]) -> np.ndarray[Any, Any] | None:
    """Return a boolean array over `leading`: where a finished cell may have values; None when unknown."""
    if "status" not in cube or cube["status"].chunks is not None:
        return None
    done = cube["status"] == schema.DONE
    extra = [dim for dim in done.dims if dim not in leading]
    done = done.any(extra)
    missing = {dim: cube.sizes[dim] for dim in leading if dim not in done.dims}
    return np.asarray(done.expand_dims(missing).transpose(*leading).values)


def iterate_blocks(cube: xr.Dataset, name: str, n_core: int) -> Iterator[tuple[Index, np.ndarray[Any, Any]]]:
    """Yield ``(index, values)`` of every block of variable `name` that may hold values.

    A block keeps the first leading dimension (the seeds) and the `n_core` last ones whole: a few megabytes
    at the paper's size.  `index` addresses the leading dimensions.
    """
    variable = cube[name]
    leading = tuple(str(dim) for dim in variable.dims[: variable.ndim - n_core])
    shape = tuple(variable.sizes[dim] for dim in leading)
    present = present_cells(cube, leading)
    for rest in np.ndindex(*shape[1:]):
        index: Index = (slice(None), *rest) if leading else ()
        if present is not None and leading and not present[index].any():
            continue
        yield index, np.asarray(variable.variable[index].values)
