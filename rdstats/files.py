"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
from pathlib import Path

from rdstats.errors import InputError

_PROBE = 1 << 22
_TEMPORARY = re.compile(r"\.(.+)-[0-9a-f]{8}\.part")


def check_writable(path: str | os.PathLike[str]) -> Path:
    """Return `path` if a file can be created beside it, else raise `InputError`."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; give the name of a file")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InputError(f"cannot write {path}: folder {folder} does not exist")
    try:
        create_temporary(path).unlink()
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror} (folder {folder})") from None
    return path


def create_temporary(path: Path) -> Path:
    """Create an empty file beside `path`, with the permissions that any new file gets (mkstemp's are private)."""
    temporary = path.absolute().parent / f".{path.name}-{secrets.token_hex(4)}.part"
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    return temporary


def is_temporary(path: Path, name: str = "") -> bool:
    """Return whether a file is what a writer of `name` (default: of anything) leaves when it is killed."""
    found = _TEMPORARY.fullmatch(path.name)
    return found is not None and name in ("", found[1])


def replace_file(temporary: Path, path: Path) -> None:
    """Flush `temporary` to disk and give it the name `path`, atomically."""
    descriptor = os.open(temporary, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)
    if os.name == "posix":
        folder = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def why_not_written(path: Path, temporary: Path, error: Exception) -> OSError | InputError:
    """Return in the system's words why a library could not write `temporary`, which was to become `path`.

    HDF5 says only that it failed, so the system is asked again, with more bytes than one write of it has.
    """
    try:
        with open(temporary, "ab") as file:
            file.write(bytes(_PROBE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as reason:
        error = reason
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO):
        return OSError(error.errno, error.strerror, str(path))
    reason_given = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return InputError(f"cannot write {path}: {reason_given}; what was there before is untouched")


def write_atomically(path: Path, data: bytes) -> None:
    """Write under a temporary name, flush to disk, then take the name: readers see all of it or nothing.

    Raises
    ------
    OSError
        The file cannot be written; what was there before is untouched.
    """
    temporary = create_temporary(path)
    try:
        temporary.write_bytes(data)
        replace_file(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):  # a file system that has become read-only keeps it
            temporary.unlink(missing_ok=True)
        raise


def write_document(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file for people, as `write_atomically`; a file that cannot be written is an `InputError`."""
    target = check_writable(path)
    try:
        write_atomically(target, text.encode())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
