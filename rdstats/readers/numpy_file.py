"""NumPy's files, trusting nothing: no pickles, and no array is allocated before its size is checked."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from rdstats.errors import InputError
from rdstats.readers.values import name_of, shown

LARGEST = 2**31
"""Bytes that the arrays of one file may take."""

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, RuntimeError, OSError, SyntaxError,
    TypeError, KeyError, OverflowError, RecursionError, MemoryError, tokenize.TokenError,
)  # fmt: skip
"""What zipfile and NumPy raise on bytes that are wrong."""


def read_numpy(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz`` archive by name, the array of an ``.npy`` file under "".

    Raises
    ------
    InputError
        Damaged, a pickle, another format, or arrays beyond 2 GiB as declared.
    """
    source = name_of(path)
    try:
        with open(path, "rb") as handle:
            if handle.read(6) == b"\x93NUMPY":
                handle.seek(0)
                return {"": _array(handle, path.stat().st_size, "", LARGEST)}
        with zipfile.ZipFile(path) as archive:
            return _archive(archive, source)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    except _DAMAGE as error:
        raise InputError(f"{source}: truncated or damaged NumPy file ({shown(str(error))})") from None


def _archive(archive: zipfile.ZipFile, source: str) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    left = LARGEST
    for info in archive.infolist():
        if not info.filename.endswith(".npy"):
            raise InputError(f"{shown(info.filename)} in the archive; arrays (.npy) are accepted")
        name = info.filename.removesuffix(".npy")
        if name in arrays:
            raise InputError(f"array {shown(name)} is there twice")
        with archive.open(info) as member:
            arrays[name] = _array(member, info.file_size, name, left)
        left -= arrays[name].nbytes
    if not arrays:
        raise InputError("is empty; an archive of arrays is accepted")
    return arrays


def _array(handle: IO[bytes], size: int, name: str, left: int) -> NDArray[Any]:
    what = f"array {shown(name)}" if name else "the array"
    version = npy.read_magic(handle)
    if version not in _HEADERS:
        raise InputError(f"{what} has format {version[0]}.{version[1]}; 1.0 and 2.0 are accepted")
    shape, fortran, dtype = _HEADERS[version](handle)
    if dtype.hasobject:
        raise InputError(f"{what} holds pickled Python objects, which are never loaded; save numbers or text")
    n = math.prod(shape)
    if n * dtype.itemsize > left:
        raise InputError(f"{what} declares {n * dtype.itemsize} bytes; up to {LARGEST} in a file are accepted")
    if size - handle.tell() != n * dtype.itemsize:
        raise InputError(f"{what} declares {n * dtype.itemsize} bytes but has {size - handle.tell()}: damaged")
    data = handle.read(n * dtype.itemsize)
    if len(data) != n * dtype.itemsize:
        raise InputError(f"{what} is truncated")
    if handle.read(1):  # past the end of a member, zipfile compares its checksum
        raise InputError(f"{what} is longer than it declares")
    return np.frombuffer(bytearray(data), dtype).reshape(shape, order="F" if fortran else "C")
