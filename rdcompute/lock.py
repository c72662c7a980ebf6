"""One writer a run directory: a lock of the operating system, which dies with its holder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
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
        if not taken(file):
            file.close()
            raise InputError(
                f"run directory {self._folder} is in use by {_holder(self._folder)}; wait for it, or give another "
                "--run-dir"
            )
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


def holder(folder: Path) -> str | None:
    """Return who writes into a run directory, as ``process 12 on host``; None where nobody does."""
    try:
        file = open(folder / LOCK, "rb")  # noqa: SIM115 - closed below
    except OSError:  # nobody wrote here yet
        return None
    with file:
        try:
            _lock(file, shared=True)  # given back at once by closing the file
        except OSError:
            return _holder(folder)
    return None


def taken(file: IO[bytes]) -> bool:
    """Take the lock of an open file if nobody has it; try again for a moment.

    Whoever asks for the holder has it for an instant.
    """
    for _ in range(5):
        try:
            _lock(file)
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def _holder(folder: Path) -> str:
    try:
        found: Any = json.loads((folder / HOLDER).read_bytes())
        return f"process {found['pid']} on {found['host']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has only just taken the lock
        return "another process"


if os.name == "nt":  # pragma: no cover

    def _lock(file: IO[bytes], *, shared: bool = False) -> None:
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]

else:

    def _lock(file: IO[bytes], *, shared: bool = False) -> None:
        import fcntl

        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
