"""One checked file of arrays: the results of a cell, or how far its training came.

The first line is ``rd cell 1`` and a SHA-256 of the cell's key and of all that follows: files cannot change places.
What follows is a NumPy archive (``np.load``); its member ``_meta`` is JSON text. Weights are stored as they are
(zlib saves 7 % of them, at 10 times the time) unless most are zero, counts and predictions deflated.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
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

UNREADABLE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, ValueError)
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


def unpack_meta(file: BinaryIO) -> dict[str, Any]:
    """Return the numbers and text alone of a file that is whole.

    They are the first member of the archive, read without the table of the others at its end, which takes longer than
    all else; files of older forms go through that table.
    """
    file.seek(0)
    file.readline(_LONGEST_HEADER)
    signature, flags, method, checksum, size, n_name, n_extra = _LOCAL.unpack(file.read(_LOCAL.size))
    plain = signature == b"PK\x03\x04" and not flags & 8 and 0 < size < 2**32 - 1 and method == zipfile.ZIP_DEFLATED
    if not plain or file.read(n_name) != f"{_META}.npy".encode():
        return unpack(file, only=()).meta
    file.seek(n_extra, io.SEEK_CUR)
    content = zlib.decompress(file.read(size), -zlib.MAX_WBITS)
    if zlib.crc32(content) != checksum:
        raise zipfile.BadZipFile(f"{_META} has another checksum")
    found: dict[str, Any] = json.loads(_array(content).tobytes())
    return found


_LOCAL = struct.Struct("<4s2xHH4xII4xHH")
"""Header of a member of a zip archive: signature, flags, method, CRC-32, compressed size, lengths of name and extra."""


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    return _array(archive.read(f"{name}.npy"))  # zipfile compares its own checksum


def _array(content: bytes) -> NDArray[Any]:
    """Return an array of the bytes of its .npy file."""
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
    dense = array.dtype.kind in "fc" and 2 * np.count_nonzero(array) >= array.size
    return zipfile.ZIP_STORED if dense else zipfile.ZIP_DEFLATED
