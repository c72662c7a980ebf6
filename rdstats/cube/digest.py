"""The fingerprint of a cube's scientific content."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import xarray as xr

from rdstats.cube import schema
from rdstats.cube.blocks import iterate_blocks
from rdstats.cube.read import damaged


def digest(cube: xr.Dataset) -> str:
    """Return the SHA-256 of a cube: equal for identical cubes, in memory or on disk.

    Identical means equal in dimensions, labels, values and attributes, in all but the variables in seconds
    and the attributes ``provenance`` and ``history``.  Values enter as float64 (text as UTF-8), one present
    block at a time, so storage type, compression and chunks make no difference.
    """
    sha = hashlib.sha256()
    attrs = {key: _plain(value) for key, value in cube.attrs.items() if key not in schema.VOLATILE_ATTRS}
    _feed(sha, {"sizes": {str(d): n for d, n in sorted(cube.sizes.items(), key=str)}, "attrs": attrs})
    for dim in sorted(map(str, cube.dims)):
        if dim in cube.coords:
            _feed(sha, {dim: cube[dim].values.tolist()})
    try:
        for name in sorted(map(str, cube.data_vars)):
            spec = schema.VARIABLES.get(name)
            if not (spec and spec.volatile):
                _feed_variable(sha, cube, name)
    except (OSError, RuntimeError) as error:
        raise damaged(cube.encoding.get("source", "cube"), error) from None
    return sha.hexdigest()


def _plain(value: Any) -> Any:
    return np.asarray(value).tolist()


def _feed(sha: Any, content: dict[str, Any]) -> None:
    sha.update(json.dumps(content, sort_keys=True).encode())


def _feed_variable(sha: Any, cube: xr.Dataset, name: str) -> None:
    variable = cube[name]
    _feed(sha, {name: [str(dim) for dim in variable.dims]})
    if variable.dtype.kind in "OUS":
        _feed(sha, {name: variable.values.tolist()})
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
