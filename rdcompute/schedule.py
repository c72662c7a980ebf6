"""Which cell is computed next, and what is done when one is finished or failed, whoever computes it."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rdcompute.plan import Cell
from rdcompute.rundir import RunDirectory

logger = logging.getLogger("rdcompute")
"""Everything that is logged goes here; add a handler to see it."""

How = tuple[Path | None, str, float, dict[str, Any]]
"""Data folder, device, seconds between checkpoints, and what is recorded of all this in every cell."""

CHECKPOINT_EVERY = 10.0
"""Seconds between two checkpoints of a training: what a kill costs is at most that, or an epoch."""

ATTEMPTS = 2
"""Times that a cell is begun whose worker process dies under it."""


class WorkerDiedError(RuntimeError):
    """Worker processes end before they can begin, or nobody hands out work any more; nothing is lost."""


class Listener(Protocol):
    """What a progress display is told; of workers, how many there are where their number changes."""

    def started(self, cell: Cell) -> None: ...
    def epoch(self, cell: Cell, report: Any) -> None: ...
    def finished(self, cell: Cell) -> None: ...
    def failed(self, cell: Cell, message: str) -> None: ...
    def workers(self, n: int) -> None: ...


class Silent:
    """A listener that does nothing."""

    def started(self, cell: Cell) -> None: ...
    def epoch(self, cell: Cell, report: Any) -> None: ...
    def finished(self, cell: Cell) -> None: ...
    def failed(self, cell: Cell, message: str) -> None: ...
    def workers(self, n: int) -> None: ...


@dataclass
class Schedule:
    """Which cells are ready: every cell that has all it `needs`, in the plan's order."""

    waiting: list[Cell]
    done: set[str]
    failed: dict[str, str] = field(default_factory=dict)

    def next_ready(self) -> Cell | None:
        for i, cell in enumerate(self.waiting):
            if all(needed.key in self.done for needed in cell.needs):
                return self.waiting.pop(i)
        return None

    def fail(self, cell: Cell, message: str) -> list[tuple[Cell, str]]:
        """Record a failure; return the cell and all that depend on it, which cannot run any more."""
        self.failed[cell.key] = message
        lost = [(cell, message)]
        for child in [c for c in self.waiting if any(needed.key == cell.key for needed in c.needs)]:
            if child in self.waiting:  # not lost by another way yet
                self.waiting.remove(child)
                what = "its dense network" if cell.is_dense else f"{cell.kind}, which it needs,"
                lost += self.fail(child, f"{what} failed: {message}")
        return lost


@dataclass
class Job:
    """What all ways of running share."""

    schedule: Schedule
    run: RunDirectory
    hows: list[How]
    listener: Listener
    fail_fast: bool

    def next_cell(self) -> Cell | None:
        """Return the next cell that can be computed; none after a failure that stops everything."""
        return None if self.fail_fast and self.schedule.failed else self.schedule.next_ready()

    def finished(self, cell: Cell) -> None:
        self.schedule.done.add(cell.key)
        self.listener.finished(cell)

    def failed(self, cell: Cell, error: str, trace: str) -> None:
        """Record a failure, and that of all cells that needed this one."""
        for lost, message in self.schedule.fail(cell, error):
            self.run.save_failure(lost.key, lost.content(), message, trace)
            self.listener.failed(lost, message)


def describe_error(error: BaseException) -> tuple[str, str]:
    """Return an error as one line, and with its traceback."""
    return f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))
