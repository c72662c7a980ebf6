"""Progress of long work on stderr: a live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rdcompute.plan import Cell, Plan
from rdcompute.schedule import Listener

PLAIN_EVERY = 10.0
"""Seconds between lines where stderr is no terminal."""


class Estimate:
    """How much is done, and how long the rest takes at the pace measured so far."""

    def __init__(self, plan: Plan, n_reused: int, n_workers: int) -> None:
        self.n_cells, self.n_done, self.n_failed, self.n_workers = len(plan.cells), n_reused, 0, n_workers
        self._left: dict[tuple[str, str, str], float] = {}
        for cell in plan.cells:
            self._left[_kind(cell)] = self._left.get(_kind(cell), 0) + cell.n_epochs
        share_left = 1 - n_reused / max(1, len(plan.cells))
        self._left = {kind: n * share_left for kind, n in self._left.items()}
        self._seconds: dict[tuple[str, str, str], float] = {}
        self._epochs: dict[tuple[str, str, str], float] = {}
        self.current = ""

    def epoch(self, cell: Cell, report: Any) -> None:
        kind = _kind(cell)
        share = cell.n_epochs / report.n_epochs  # a plan does not know how many epochs so many steps are
        self._seconds[kind] = self._seconds.get(kind, 0) + report.seconds
        self._epochs[kind] = self._epochs.get(kind, 0) + share
        self._left[kind] -= share
        rate = report.n_images / max(report.seconds, 1e-9)
        self.current = (
            f"{cell.title} epoch {report.epoch}/{report.n_epochs} loss {report.loss:.3f} {rate:,.0f} images/s"
        )

    def seconds_left(self) -> float | None:
        """Return the rest of the epochs at the mean pace of their network (or of all, for one not seen yet)."""
        if self.n_done + self.n_failed >= self.n_cells:
            return 0.0
        if not self._epochs:
            return None
        everything = sum(self._seconds.values()) / sum(self._epochs.values())
        total = 0.0
        for kind, left in self._left.items():
            seen = self._epochs.get(kind)
            total += max(0, left) * (self._seconds[kind] / seen if seen else everything)
        return total / self.n_workers

    def line(self) -> str:
        left = self.seconds_left()
        eta = f"ETA {clock(left)}" if left is not None else "ETA unknown"
        failed = f", {self.n_failed} failed" if self.n_failed else ""
        return f"{self.n_done}/{self.n_cells} cells{failed}, {eta}" + (f"; {self.current}" if self.current else "")


def _kind(cell: Cell) -> tuple[str, str, str]:
    return cell.dataset, cell.arch, cell.settings.unit


def clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Display:
    """Tells `show` about every event, with the line to print and whether it is worth a line of its own."""

    def __init__(self, estimate: Estimate, show: Callable[[Estimate, bool], None]) -> None:
        self._estimate, self._show = estimate, show
        show(estimate, True)

    def started(self, cell: Cell) -> None: ...

    def epoch(self, cell: Cell, report: Any) -> None:
        self._estimate.epoch(cell, report)
        self._show(self._estimate, False)

    def finished(self, cell: Cell) -> None:
        self._estimate.n_done += 1
        self._show(self._estimate, self._estimate.n_done == self._estimate.n_cells)

    def failed(self, cell: Cell, message: str) -> None:
        self._estimate.n_failed += 1
        print(f"rd: {cell.title} failed: {message}", file=sys.stderr)
        self._show(self._estimate, False)

    def workers(self, n: int) -> None:
        self._estimate.n_workers = max(1, n)
        if n == 0:
            self._estimate.current = "waiting for workers"
        elif self._estimate.current == "waiting for workers":
            self._estimate.current = ""
        self._show(self._estimate, n == 0)


@contextmanager
def progress(n_workers: int, *, live: bool) -> Iterator[Callable[[Plan, int], Listener]]:
    """Yield what `rdcompute.compute` calls with the plan and the number of finished cells; `live` on a terminal."""
    if not live:
        last = [-PLAIN_EVERY]

        def plain(estimate: Estimate, important: bool) -> None:
            now = time.monotonic()
            if important or now - last[0] >= PLAIN_EVERY:
                last[0] = now
                print(estimate.line(), file=sys.stderr, flush=True)

        yield lambda plan, n: Display(Estimate(plan, n, n_workers), plain)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(20), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def moving(estimate: Estimate, _: bool) -> None:
            bar.update(task, total=estimate.n_cells, completed=estimate.n_done, description=estimate.line())

        yield lambda plan, n: Display(Estimate(plan, n, n_workers), moving)
