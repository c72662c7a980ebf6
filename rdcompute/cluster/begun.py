"""Which cells were begun by Dask workers, on the shared file system: who dies cannot tell it any other way."""

from __future__ import annotations

import contextlib
import shutil
import socket
from itertools import takewhile

from rdcompute.rundir import CLUSTER, RunDirectory
from rdcompute.schedule import ATTEMPTS

_BEGUN, _ENDED = "begun", "ended"


class Begun:
    """A folder of one command, with a file for every cell that a worker began; gone when the command has ended.

    So it is also what tells a worker that the run directory is the right one, and that it still works for somebody.
    """

    def __init__(self, run: RunDirectory, token: str) -> None:
        self._run, self.folder = run, run.path / CLUSTER / token

    def open(self) -> None:
        """Make the folder, and remove those of commands that were killed."""
        shutil.rmtree(self.folder.parent, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def close(self) -> None:
        shutil.rmtree(self.folder.parent, ignore_errors=True)

    def begin(self, key: str) -> int:
        """Note that a worker begins a cell; return how often that was so and ended in silence, further no time.

        Once that was so `ATTEMPTS` times, nothing is noted: it is not to be begun again.
        """
        n = self.deaths(key)
        if n < ATTEMPTS:
            self._note(key, f"{_BEGUN} {self._reached(key)} {socket.gethostname()}")
        return n

    def end(self, key: str) -> None:
        """Note that the worker lived to see the end of it, whatever that was."""
        with contextlib.suppress(OSError):  # the folder is gone with the command that wanted the cell
            self._note(key, _ENDED)

    def deaths(self, key: str) -> int:
        """Return how many workers died, one after the other, under a cell that came no further meanwhile."""
        return len(self._silent(key))

    def message(self, key: str) -> str:
        """Return in words that workers died under a cell, how often and where."""
        lines = self._silent(key)
        where = ", ".join(dict.fromkeys(line[2] for line in reversed(lines)))
        return f"its worker process died, perhaps for want of memory, {len(lines)} times (on {where})"

    def was_begun(self, key: str) -> bool:
        return (self.folder / key).exists()

    def _silent(self, key: str) -> list[list[str]]:
        """Return the last beginnings that no end follows, all from the same checkpoint."""
        try:
            lines = [line.split(" ", 2) for line in (self.folder / key).read_text().splitlines()]
        except OSError:
            return []
        whole = [line for line in lines if line[0] == _ENDED or len(line) == 3]
        now = self._reached(key)
        return list(takewhile(lambda line: line[0] == _BEGUN and line[1] == now, reversed(whole)))

    def _reached(self, key: str) -> str:
        """Return a word for the checkpoint that a cell has."""
        try:
            status = self._run.checkpoint_path(key).stat()
        except OSError:
            return "-"
        return f"{status.st_mtime_ns}:{status.st_size}"

    def _note(self, key: str, line: str) -> None:
        with open(self.folder / key, "a") as file:
            file.write(line + "\n")
