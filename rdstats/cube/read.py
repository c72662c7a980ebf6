"""Open a cube file: lazily, checked, with one clear line when it is not one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import xarray as xr

from rdstats.cube import schema
from rdstats.cube.checksum import is_intact
from rdstats.cube.validate import validate
from rdstats.errors import InputError


def open_cube(path: str | os.PathLike[str]) -> xr.Dataset:
    """Open a confusion-matrix cube.

    Returns
    -------
    xarray.Dataset as `xarray.open_dataset` gives it: lazy, counts as float64, NaN where missing.

    Raises
    ------
    InputError
        No such file, not a cube, truncated or damaged, or of a newer schema.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: {'is a folder, not a cube file' if path.is_dir() else 'no such file'}")
    _check_file(path)
    try:
        cube = xr.open_dataset(path, engine="netcdf4")
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise damaged(path, error) from None
    try:
        validate(cube, source=str(path))
    except BaseException:
        cube.close()
        raise
    return cube


def damaged(path: object, error: object) -> InputError:
    """Return the error for a file that cannot be read as it was written."""
    detail = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(f"{path}: truncated or damaged, cannot be read as a cube ({detail})")


def source(cube: xr.Dataset) -> str:
    """Return the name of the file that a cube, or a part of one, was read from; "cube" for one in memory."""
    encodings = [cube.encoding, *(variable.encoding for variable in cube.variables.values())]
    return next((str(encoding["source"]) for encoding in encodings if encoding.get("source")), "cube")


def _check_file(path: Path) -> None:
    import netCDF4

    try:
        with open(path, "rb") as handle:
            magic = handle.read(8)
        intact = is_intact(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not intact:
        raise damaged(path, "its content differs from what was written")
    if magic != b"\x89HDF\r\n\x1a\n" and magic[:3] != b"CDF":
        raise InputError(f"{path}: not a cube (not a NetCDF file)")
    try:
        with netCDF4.Dataset(path) as file:
            version = getattr(file, "rd_schema_version", schema.SCHEMA_VERSION)
            missing = [dim for dim in schema.CORE if dim not in file.dimensions]
    except (OSError, RuntimeError, ValueError, KeyError, IndexError) as error:
        raise damaged(path, error) from None
    if not isinstance(version, int | np.integer):
        raise InputError(f"{path}: rd_schema_version is {version!r}; a whole number is accepted")
    if version > schema.SCHEMA_VERSION:
        raise InputError(
            f"{path}: cube of schema version {version}, this rd reads up to {schema.SCHEMA_VERSION}: "
            "pip install --upgrade recall-distortion"
        )
    if missing:
        raise InputError(f"{path}: not a cube: dimension {' and '.join(missing)} not in the file")
