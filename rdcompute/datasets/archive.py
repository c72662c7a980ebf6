"""Reader of NumPy's .npz archives that trusts nothing: no pickles, sizes checked before allocation."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from rdstats.errors import InputError

READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, RuntimeError)
"""What the readers of zip archives and arrays raise on bad bytes."""


@dataclass(frozen=True)
class Header:
    """Shape and type of one array of an archive."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Archive:
    """An open .npz file.

    Attributes
    ----------
    path
        Path of the file, which starts every message.
    headers
        Shape and type of each array by its key.

    Raises
    ------
    InputError
        Here and in `read`: the file is missing, no zip archive, truncated or damaged, or an array is a
        pickle or shorter or longer than its header says.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._reading():
            self._zip = zipfile.ZipFile(path)
        try:
            with self._reading():
                self.headers = {
                    info.filename.removesuffix(".npy"): self._header(info) for info in self._zip.infolist()
                }
        except InputError:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def read(self, key: str) -> npt.NDArray[Any]:
        """Return the array stored under `key`."""
        with self._reading(), self._zip.open(f"{key}.npy") as member:
            # reading the last byte makes zipfile compare the checksum
            return npy.read_array(member, allow_pickle=False)

    def _header(self, info: zipfile.ZipInfo) -> Header:
        with self._zip.open(info) as member:
            shape, dtype = _array_header(member)
            n_bytes = info.file_size - member.tell()
        if dtype.hasobject:
            raise ValueError(f"'{info.filename}' holds Python objects, which are not read")
        if n_bytes != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"'{info.filename}' has {n_bytes} bytes for shape {shape} of {dtype}")
        return Header(shape, dtype)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise InputError(f"{self.path}: no such file") from error
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        except DAMAGE as error:
            raise InputError(f"{self.path}: not a readable .npz archive: {error}") from error


def _array_header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(member)
    if version not in READERS:
        raise ValueError(f"array format {version} is not read; accepted: 1.0 and 2.0")
    shape, _, dtype = READERS[version](member)
    return shape, dtype
