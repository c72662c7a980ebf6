"""Which cells are computed right now, as another process sees it."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdcompute.lock import holder
from rdcompute.plan import Cell
from rdcompute.schedule import Listener, Silent

RUNNING = "running.json"


@dataclass(frozen=True)
class Activity:
    """Who computes in a run directory, with how many workers, on which cells (keys)."""

    who: str
    n_workers: int
    keys: frozenset[str]


class UnderWay:
    """Keeps the list of cells under way in a file of the run directory, and tells on what a listener is told.

    The file says something only while the directory's lock is held: a killed process leaves it behind.
    """

    def __init__(self, folder: Path, n_workers: int, listener: Listener | None = None) -> None:
        self._path, self._n_workers, self._listener = folder / RUNNING, n_workers, listener or Silent()
        self._keys: list[str] = []
        self._write()

    def started(self, cell: Cell) -> None:
        if cell.key not in self._keys:  # one whose worker died is begun twice
            self._keys.append(cell.key)
        self._write()
        self._listener.started(cell)

    def epoch(self, cell: Cell, report: Any) -> None:
        self._listener.epoch(cell, report)

    def finished(self, cell: Cell) -> None:
        self._ended(cell)
        self._listener.finished(cell)

    def failed(self, cell: Cell, message: str) -> None:
        self._ended(cell)
        self._listener.failed(cell, message)

    def workers(self, n: int) -> None:
        self._n_workers = max(1, n)
        self._write()
        self._listener.workers(n)

    def _ended(self, cell: Cell) -> None:
        if cell.key in self._keys:  # those that fail with their dense network were never begun
            self._keys.remove(cell.key)
            self._write()

    def _write(self) -> None:
        """Replace the file whole; it is no result, so nothing waits for the disk and a full one is no error."""
        temporary = self._path.with_suffix(".part")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps({"n_workers": self._n_workers, "cells": self._keys}))
            os.replace(temporary, self._path)

    def close(self) -> None:
        """Remove the file, and what a full disk left of it."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
            self._path.with_suffix(".part").unlink(missing_ok=True)


def activity(folder: Path) -> Activity | None:
    """Return who computes in a run directory now; None where nobody does."""
    who = holder(folder)
    if who is None:
        return None
    try:
        found = json.loads((folder / RUNNING).read_bytes())
        return Activity(who, int(found["n_workers"]), frozenset(found["cells"]))
    except (OSError, ValueError, KeyError, TypeError):  # it has only just begun, or is about to end
        return Activity(who, 1, frozenset())
