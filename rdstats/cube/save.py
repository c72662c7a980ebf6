"""Save a cube that is in memory (or lies lazily in another file)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import xarray as xr

from rdstats.cube import schema
from rdstats.cube.blocks import iterate_blocks, refuse_negative
from rdstats.cube.validate import validate
from rdstats.cube.write import CubeWriter


def save(cube: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a cube to NetCDF; present cells only, atomically.

    An interrupted or failed write leaves a file that was there before untouched.

    Raises
    ------
    InputError
        Not a cube, negative counts, or a path that cannot be written.
    """
    validate(cube)
    coords: dict[str, Any] = {
        str(dim): cube[dim].values if dim in cube.coords else np.arange(n) for dim, n in cube.sizes.items()
    }
    if "sample" in coords and "sample" not in cube.coords:
        coords["sample"] = cube.sizes["sample"]
    dims = {str(name): tuple(map(str, cube[name].dims)) for name in cube.data_vars}
    attrs = {k: v for k, v in cube.attrs.items() if k not in schema.FILE_ATTRS}
    with CubeWriter(path, coords, dims=dims, attrs=attrs) as writer:
        for name in dims:
            _save_variable(writer, cube, name, dims[name])


def _save_variable(writer: CubeWriter, cube: xr.Dataset, name: str, dims: tuple[str, ...]) -> None:
    n_core = 2 if "predicted_class" in dims else int("sample" in dims and name != "label")
    if n_core == 0:
        values = np.asarray(cube[name].values)
        writer.put({}, **{name: values})
        return
    ordered = cube.assign({name: cube[name].transpose(..., *dims[len(dims) - n_core :])})
    for index, block in iterate_blocks(ordered, name, n_core):
        if "predicted_class" in dims:
            refuse_negative(ordered[name], index, block)
        if not dims[:-n_core]:
            writer.put({}, **{name: block})
            continue
        for i, cell in enumerate(block):
            if cell.dtype.kind != "f" or not np.isnan(cell).all():
                writer.put_at((i, *index[1:]), name, cell)
