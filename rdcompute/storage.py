"""A disk that is full, read-only or broken, in one line."""

from __future__ import annotations

import errno
from pathlib import Path

from rdstats.errors import InputError

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM}


class StorageError(RuntimeError):
    """The run directory cannot be written any more: no cell's fault, and none can be stored after it."""


def cannot_write(folder: Path, error: OSError) -> StorageError:
    """Return the error of work that cannot be stored, with what is to be done."""
    advice = "make room" if error.errno in _FULL else "make it writable" if error.errno in _REFUSED else "mend that"
    return StorageError(
        f"run directory {folder} cannot be written: {error.strerror or error}; what is finished is kept: {advice} and "
        "repeat the command"
    )


def cannot_write_cube(output: Path, folder: Path, error: OSError) -> StorageError:
    """Return the error of a cube that cannot be written, though all its cells are there."""
    return StorageError(
        f"cube {output} cannot be written: {error.strerror or error}; finished cells are kept in {folder}: make room "
        "and repeat the command"
    )


def cannot_begin(folder: Path, error: OSError) -> StorageError | InputError:
    """Return the error where nothing is begun yet: a folder that is no good is wrong input, a full disk is not."""
    if error.errno in _FULL or error.errno == errno.EIO:
        return cannot_write(folder, error)
    return InputError(f"run directory {folder}: cannot be written: {error.strerror}")
