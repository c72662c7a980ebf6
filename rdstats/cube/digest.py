"""The fingerprint of a cube's scientific content."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import xarray as xr

from rdstats.cube import schema
from rdstats.cube.blocks import iterate_blocks
from rdstats.cube.read import damaged, source


def digest(cube: xr.Dataset) -> str:
    """Return the SHA-256 of a cube: equal for identical cubes, in memory or on disk.

    Identical means equal in dimensions, labels, values and attributes, in all but the variables in seconds
    and the attributes ``provenance`` and ``history``.  Values enter as float64 (text as UTF-8), one present
    block at a time, so storage type, compression, chunks and the attributes that every file of the format
    carries make no difference; a dimension without labels counts as 0, 1, ...
    """
    sha = hashlib.sha256()
    ignored = schema.VOLATILE_ATTRS | schema.FILE_ATTRS
    attrs = {key: _plain(value) for key, value in cube.attrs.items() if key not in ignored}
    _feed(sha, {"sizes": {str(d): n for d, n in sorted(cube.sizes.items(), key=str)}, "attrs": attrs})
    for dim in sorted(map(str, cube.dims)):
        if dim in cube.coords or dim != "sample":
            _feed(sha, {dim: cube[dim].values.tolist()})
    try:
        for name in sorted(map(str, cube.data_vars)):
            spec = schema.VARIABLES.get(name)
            if not (spec and spec.volatile):
                _feed_variable(sha, cube, name)
    except (OSError, RuntimeError) as error:
        raise damaged(source(cube), error) from None
    return sha.hexdigest()


def _plain(value: Any) -> Any:
    """Return an attribute as a file gives it back: a list of one is its element, a truth value a number."""
    array = np.asarray(value)
    array = array.astype(int) if array.dtype == bool else array
    return array.item() if array.size == 1 else array.tolist()


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def _feed(sha: Any, content: dict[str, Any]) -> None:
    sha.update(json.dumps(content, sort_keys=True).encode())


def _feed_variable(sha: Any, cube: xr.Dataset, name: str) -> None:
    variable = cube[name]
    _feed(sha, {name: [str(dim) for dim in variable.dims]})
    if variable.dtype.kind in "OUS":
        _feed(sha, {name: [_text(value) for value in variable.values.ravel().tolist()]})
        return
    n_core = sum(dim in ("true_class", "predicted_class", "sample") for dim in variable.dims)
    if n_core in (0, variable.ndim):
        _feed_values(sha, "", np.asarray(variable.values))
        return
    for index, block in iterate_blocks(cube, name, n_core):
        for i, cell in enumerate(block):
            _feed_values(sha, f"{index[1:]}{i}", np.asarray(cell))


def _feed_values(sha: Any, where: str, values: np.ndarray[Any, Any]) -> None:
    """Missing cells leave no trace, so that it does not matter whether they were visited."""
    numbers = values.astype("<f8")
    if numbers.size and np.isnan(numbers).all():
        return
    sha.update(where.encode())
    sha.update(np.where(np.isnan(numbers), np.nan, numbers + 0.0).tobytes())
