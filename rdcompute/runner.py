"""Run the cells of a plan that are not finished yet, in this process or in several."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rdcompute.image_parts import FOLDER, shared_parts
from rdcompute.plan import Cell, Plan
from rdcompute.provenance import circumstances, determinism
from rdcompute.rundir import RunDirectory, StorageError

if TYPE_CHECKING:
    from rdcompute.execute import Worker


logger = logging.getLogger("rdcompute")
"""Everything that is logged goes here; add a handler to see it."""

How = tuple[Path | None, str, float, dict[str, Any]]
"""Data folder, device, seconds between checkpoints, and what is recorded of all this in every cell."""

CHECKPOINT_EVERY = 10.0
"""Seconds between two checkpoints of a training: what a kill costs is at most that, or an epoch."""


class Listener(Protocol):
    """What a progress display is told."""

    def started(self, cell: Cell) -> None: ...
    def epoch(self, cell: Cell, report: Any) -> None: ...
    def finished(self, cell: Cell) -> None: ...
    def failed(self, cell: Cell, message: str) -> None: ...


class Silent:
    """A listener that does nothing."""

    def started(self, cell: Cell) -> None: ...
    def epoch(self, cell: Cell, report: Any) -> None: ...
    def finished(self, cell: Cell) -> None: ...
    def failed(self, cell: Cell, message: str) -> None: ...


@dataclass
class Schedule:
    """Which cells are ready: every cell whose parent is finished, in the plan's order."""

    waiting: list[Cell]
    done: set[str]
    failed: dict[str, str] = field(default_factory=dict)

    def next_ready(self) -> Cell | None:
        for i, cell in enumerate(self.waiting):
            if cell.parent is None or cell.parent.key in self.done:
                return self.waiting.pop(i)
        return None

    def fail(self, cell: Cell, message: str) -> list[tuple[Cell, str]]:
        """Record a failure; return the cell and all that depend on it, which cannot run any more."""
        self.failed[cell.key] = message
        lost = [(cell, message)]
        for child in [c for c in self.waiting if c.parent is not None and c.parent.key == cell.key]:
            self.waiting.remove(child)
            lost += self.fail(child, f"its dense network failed: {message}")
        return lost


def run_cells(
    plan: Plan,
    run: RunDirectory,
    *,
    data_dir: Path | None,
    device: str = "cpu",
    n_workers: int = 1,
    devices: Sequence[str] = (),
    listener: Listener | None = None,
    order: Callable[[Iterable[Cell]], Iterable[Cell]] = list,
    fail_fast: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
) -> dict[str, str]:
    """Compute every cell that the run directory does not hold; return key -> message of those that failed.

    Parameters
    ----------
    device, n_workers : 1 computes in this process; more start as many processes (spawn), one thread each.
    devices : in place of these, the device of every worker.
    order : rearranges the cells that are to be computed; a parent always comes before its children.
    fail_fast : stop at the first failure; cells under way are left at their last checkpoint.
    checkpoint_every : seconds between the checkpoints of a training.

    Raises
    ------
    WorkerDiedError
        A worker process that ends before it can begin.
    StorageError
        The run directory cannot be written any more; what is finished is kept.
    """
    done = {cell.key for cell in plan.cells if run.has(cell.key)}
    schedule = Schedule([c for c in order(plan.cells) if c.key not in done], done)
    if schedule.waiting:
        places = tuple(devices) or (device,) * n_workers
        hows = [(data_dir, place, checkpoint_every, circumstances(place)) for place in places]
        job = _Job(schedule, run, hows, listener or Silent(), fail_fast)
        with shared_parts(run.path / FOLDER, schedule.waiting, data_dir):
            if len(hows) == 1:
                _run_here(job)
            else:
                _run_in_processes(job, min(len(hows), len(schedule.waiting)))
    return schedule.failed


@dataclass
class _Job:
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
        if cell.is_dense:  # how far its children came with an earlier one that was damaged is of no use any more
            for child in self.schedule.waiting:
                if child.parent is not None and child.parent.key == cell.key:
                    self.run.checkpoint_path(child.key).unlink(missing_ok=True)
        self.listener.finished(cell)

    def failed(self, cell: Cell, error: str, trace: str) -> None:
        """Record a failure, and that of all cells that needed this one."""
        for lost, message in self.schedule.fail(cell, error):
            self.run.save_failure(lost.key, lost.content(), message, trace)
            self.listener.failed(lost, message)


def _worker(run: RunDirectory, how: How) -> Worker:
    import torch

    from rdcompute.execute import Worker, use_one_thread

    data_dir, device, checkpoint_every, made = how
    use_one_thread()
    return Worker(run, data_dir, torch.device(device), checkpoint_every, {**made, "determinism": determinism()})


def _describe(error: BaseException) -> tuple[str, str]:
    return f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))


def _run_here(job: _Job) -> None:
    worker = _worker(job.run, job.hows[0])
    while (cell := job.next_cell()) is not None:
        job.listener.started(cell)
        try:
            worker.execute(cell, partial(job.listener.epoch, cell))
        except StorageError:
            raise
        except Exception as error:  # one cell's failure, whatever it is, must not stop the grid
            job.failed(cell, *_describe(error))
        else:
            job.finished(cell)


class WorkerDiedError(RuntimeError):
    """A worker process ended before it could begin."""


ATTEMPTS = 2
"""Times that a cell is begun whose worker process dies under it."""


_NOT_BEGUN = "not begun"


@dataclass
class _Hand:
    """A worker process: the pipe to it, and what it computes."""

    pipe: Connection
    process: BaseProcess
    place: int
    cell: Cell | None = None
    ready: bool = False


def _run_in_processes(job: _Job, n: int) -> None:
    """Hand out cells over pipes; a process that dies is replaced, its cell begun once more."""
    attempts: dict[str, int] = {}
    with _hands(job) as hands:
        while True:
            for hand in [hand for hand in hands if hand.cell is None]:
                if (cell := job.next_cell()) is None:
                    break
                _give(hand, cell, job)
            while len(hands) < n and (cell := job.next_cell()) is not None:
                hands.append(_start(job, _free_place(hands)))
                _give(hands[-1], cell, job)
            if (job.fail_fast and job.schedule.failed) or not any(hand.cell for hand in hands):
                return
            busy = {hand.pipe: hand for hand in hands if hand.cell}
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                if not _listen(busy[pipe], job):
                    hands.remove(busy[pipe])
                    _bury(busy[pipe], job, attempts)


def _give(hand: _Hand, cell: Cell, job: _Job) -> None:
    hand.cell = cell
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has died: listening to it will say so
        hand.pipe.send(cell)
    job.listener.started(cell)


def _listen(hand: _Hand, job: _Job) -> bool:
    """Take one message of a worker; return whether it lives."""
    assert hand.cell is not None
    try:
        kind, *content = hand.pipe.recv()
    except (EOFError, ConnectionResetError):
        return False
    if kind == "ready":
        hand.ready = True
    elif kind == "epoch":
        job.listener.epoch(hand.cell, content[0])
    else:
        cell, hand.cell = hand.cell, None
        if kind == "stopped":
            raise StorageError(*content)
        if kind == "done":
            job.finished(cell)
        else:
            job.failed(cell, *content)
    return True


def _bury(hand: _Hand, job: _Job, attempts: dict[str, int]) -> None:
    """Put the cell of a dead worker back to be begun again, or record it as failed."""
    cell = hand.cell
    assert cell is not None
    hand.pipe.close()
    hand.process.join()
    how = _ending(hand.process.exitcode)
    whose = cell.key if hand.ready else _NOT_BEGUN
    attempts[whose] = attempts.get(whose, 0) + 1
    if attempts[whose] < ATTEMPTS:
        logger.warning("%s %s: its worker process %s; begun again", cell.key[:12], cell.title, how)
        job.schedule.waiting.insert(0, cell)
    elif not hand.ready:
        raise WorkerDiedError(f"worker processes cannot begin: one {how} before {cell.title}; nothing is lost")
    else:
        job.failed(cell, f"its worker process {how}, {ATTEMPTS} times", "")


def _ending(code: int | None) -> str:
    """Return how a process ended: ``was killed (SIGKILL), perhaps for want of memory``."""
    if code is None or code >= 0:
        return f"ended (status {code})"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed ({name})" + (", perhaps for want of memory" if name == "SIGKILL" else "")


@contextmanager
def _hands(job: _Job) -> Iterator[list[_Hand]]:
    """Yield the list of worker processes; none of them outlives the block."""
    hands: list[_Hand] = []
    try:
        yield hands
    finally:
        for hand in hands:
            hand.pipe.close()
        for hand in hands:
            hand.process.join(0.2)
            hand.process.terminate()
            hand.process.join()


def _free_place(hands: Sequence[_Hand]) -> int:
    """Return the lowest place that no worker has: a replacement takes the device of the one that died."""
    taken = {hand.place for hand in hands}
    return next(i for i in count() if i not in taken)


def _start(job: _Job, place: int) -> _Hand:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    held, lifeline = context.Pipe()
    arguments = (theirs, lifeline, job.run, job.hows[place])
    process = context.Process(target=_work, args=arguments, daemon=True)
    with deaf_to_ctrl_c():
        process.start()
    theirs.close()
    lifeline.close()
    hand = _Hand(ours, process, place)
    hand.process.lifeline = held  # type: ignore[attr-defined]  # open as long as the process is known here
    return hand


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Let a process started in the block never see Ctrl-C, not while it imports either; here it only waits."""
    if not hasattr(signal, "pthread_sigmask"):  # pragma: no cover
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, lifeline: Connection, run: RunDirectory, how: How) -> None:
    """Body of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the pipes
    threading.Thread(target=end_with_parent, args=(lifeline,), daemon=True).start()
    worker = _worker(run, how)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        pipe.send(("ready",))
        while True:
            cell: Cell = pipe.recv()
            try:
                worker.execute(cell, lambda report: pipe.send(("epoch", report)))
            except (BrokenPipeError, ConnectionResetError):
                return
            except StorageError as error:
                pipe.send(("stopped", str(error)))
            except Exception as error:  # reported to the parent, which records it
                pipe.send(("failed", *_describe(error)))
            else:
                pipe.send(("done",))


def end_with_parent(lifeline: Connection) -> None:
    """End this process, whatever it is doing, when its parent has gone: the other end of the pipe goes with it."""
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)
