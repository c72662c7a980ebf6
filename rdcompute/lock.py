"""One writer a run directory: a lock of the operating system, which dies with its holder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import IO, Any

from rdstats.errors import InputError
from rdstats.files import write_atomically

LOCK, HOLDER = "lock", "lock.json"


class RunLock:
    """The right to write into a run directory.

    The lock itself is on an open file, so whatever ends the process ends the lock; host and pid stand in a file
    beside it, for the message that another process gets.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None

    def take(self) -> RunLock:
        """Take the lock, or say who has it.

        Raises
        ------
        InputError
            Another process writes into the folder.
        OSError
            The folder cannot be written.
        """
        file = open(self._folder / LOCK, "ab")  # noqa: SIM115 - the lock lasts as long as the file is open
        try:
            _lock(file)
        except OSError:
            file.close()
            raise InputError(
                f"run directory {self._folder} is in use by {_holder(self._folder)}; wait for it, or give another "
                "--run-dir"
            ) from None
        self._file = file
        holder = {"host": socket.gethostname(), "pid": os.getpid()}
        try:
            write_atomically(self._folder / HOLDER, json.dumps(holder).encode())
        except BaseException:
            self.release()
            raise
        return self

    def release(self) -> None:
        """Give the lock back; a second time does nothing."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                (self._folder / HOLDER).unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def __enter__(self) -> RunLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _holder(folder: Path) -> str:
    try:
        found: Any = json.loads((folder / HOLDER).read_bytes())
        return f"process {found['pid']} on {found['host']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has only just taken the lock
        return "another process"


if os.name == "nt":  # pragma: no cover

    def _lock(file: IO[bytes]) -> None:
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]

else:

    def _lock(file: IO[bytes]) -> None:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
