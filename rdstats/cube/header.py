"""Checksum of what HDF5 itself does not protect in a cube: attributes, coordinates and text."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from rdstats.cube import schema


def _plain(value: Any) -> Any:
    array = np.asarray(value)
    return [str(array.dtype.kind), array.tolist()]


def header_sha256(file: Any) -> str:
    """Return the SHA-256 of dimensions, attributes, coordinates and text variables of an open netCDF4 file.

    Numeric data variables carry a Fletcher-32 checksum a chunk; everything else of the file is covered here.
    """
    variables: dict[str, Any] = {}
    for name, variable in file.variables.items():
        attrs = {key: _plain(variable.getncattr(key)) for key in sorted(variable.ncattrs())}
        entry: dict[str, Any] = {"dims": variable.dimensions, "dtype": str(variable.dtype), "attrs": attrs}
        if name in variable.dimensions or variable.dtype is str:
            variable.set_auto_maskandscale(False)
            entry["values"] = np.asarray(variable[...]).tolist()
        variables[name] = entry
    content = {
        "dims": {name: dim.size for name, dim in sorted(file.dimensions.items())},
        "attrs": {key: _plain(file.getncattr(key)) for key in sorted(file.ncattrs())},
        "variables": dict(sorted(variables.items())),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def check_header(file: Any) -> bool:
    """Return whether the stored checksum matches; a file without one (not written by us) passes."""
    group = file.groups.get(schema.INTEGRITY_GROUP)
    if group is None or "header_sha256" not in group.ncattrs():
        return True
    return bool(group.getncattr("header_sha256") == header_sha256(file))
