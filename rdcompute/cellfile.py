"""One checked file of arrays: the results of a cell, or how far its training came.

The first line is ``rd cell 1`` and a SHA-256 of the cell's key and of all that follows: files cannot change places.
What follows is a NumPy archive (``np.load``); its member ``_meta`` is JSON text. Weights are stored as they are
(zlib saves 7 % of them, at 10 times the time), counts and predictions deflated.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"rd cell 1 "
_META = "_meta"
_LONGEST_HEADER = 200
_BLOCK = 1 << 18
_PREFIX = 10  # bytes of a .npy before its description: magic, version, length of the description

UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError)
"""What `unpack` raises where a file that was whole has been damaged since."""


@dataclass(frozen=True)
class CellResult:
    """What one training leaves: plain numbers and text in `meta`, arrays by name."""

    meta: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def pack(key: str, result: CellResult) -> bytes:
    """Return the content of the file of a cell."""
    buffer = io.BytesIO()
    meta = np.frombuffer(json.dumps(result.meta).encode(), np.uint8)
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in {_META: meta, **result.arrays}.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getbuffer(), _compression(array))
    payload = buffer.getbuffer()
    header = _header(hashlib.sha256(key.encode() + payload).hexdigest())
    return b"".join((header, payload))


def is_whole(file: BinaryIO, key: str) -> bool:
    """Return whether a file, from its beginning, is as it was written for the cell `key`; it is read in blocks."""
    header = file.readline(_LONGEST_HEADER)
    sha = hashlib.sha256(key.encode())
    while block := file.read(_BLOCK):
        sha.update(block)
    return header == _header(sha.hexdigest())


def unpack(file: BinaryIO, only: Collection[str] | None = None) -> CellResult:
    """Return the content of a file that is whole; `only` names the arrays that are decoded (default: all)."""
    with zipfile.ZipFile(file) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        wanted = [name for name in names if name != _META and (only is None or name in only)]
        meta = json.loads(_member(archive, _META).tobytes())
        return CellResult(meta, {name: _member(archive, name) for name in wanted})


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    content = archive.read(f"{name}.npy")  # zipfile compares its own checksum
    start = _PREFIX + int.from_bytes(content[_PREFIX - 2 : _PREFIX], "little")
    shape, order, dtype = _described(content[:start])
    # frombuffer refuses Python objects
    return np.frombuffer(content, dtype, offset=start).reshape(shape, order=order).copy()


@lru_cache(1024)
def _described(header: bytes) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype[Any]]:
    """Return shape, order and type of an array by its header: a network has few different ones, parsing is slow."""
    file = io.BytesIO(header)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("only version 1.0 of the array format is written")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    return shape, "F" if fortran else "C", dtype


def _header(digest: str) -> bytes:
    return _MAGIC + digest.encode() + b"\n"


def _compression(array: NDArray[Any]) -> int:
    return zipfile.ZIP_STORED if array.dtype.kind in "fc" else zipfile.ZIP_DEFLATED
