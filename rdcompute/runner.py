"""Run the cells of a plan that are not finished yet, in this process or in several."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from rdcompute.plan import Cell, Plan
from rdcompute.rundir import RunDirectory


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
    device: str,
    n_workers: int = 1,
    listener: Listener | None = None,
    order: Callable[[Iterable[Cell]], Iterable[Cell]] = list,
) -> dict[str, str]:
    """Compute every cell that the run directory does not hold; return key -> message of those that failed.

    Parameters
    ----------
    n_workers : 1 computes in this process; more start as many processes (spawn), one thread each.
    order : rearranges the cells that are to be computed; a parent always comes before its children.
    """
    done = {cell.key for cell in plan.cells if run.has(cell.key)}
    schedule = Schedule([c for c in order(plan.cells) if c.key not in done], done)
    if schedule.waiting:
        listener = listener or Silent()
        if n_workers == 1:
            _run_here(schedule, run, data_dir, device, listener)
        else:
            _run_in_processes(schedule, run, data_dir, device, min(n_workers, len(schedule.waiting)), listener)
    return schedule.failed


def _record_failure(schedule: Schedule, run: RunDirectory, cell: Cell, error: str, trace: str, to: Listener) -> None:
    for lost, message in schedule.fail(cell, error):
        run.save_failure(lost.key, lost.content(), message, trace)
        to.failed(lost, message)


def _describe(error: BaseException) -> tuple[str, str]:
    return f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))


def _run_here(schedule: Schedule, run: RunDirectory, data_dir: Path | None, device: str, listener: Listener) -> None:
    import torch

    from rdcompute.execute import Worker, use_one_thread

    use_one_thread()
    worker = Worker(run, data_dir, torch.device(device))
    while (cell := schedule.next_ready()) is not None:
        listener.started(cell)
        try:
            worker.execute(cell, partial(listener.epoch, cell))
        except Exception as error:  # one cell's failure, whatever it is, must not stop the grid
            _record_failure(schedule, run, cell, *_describe(error), listener)
        else:
            schedule.done.add(cell.key)
            listener.finished(cell)


def _run_in_processes(
    schedule: Schedule, run: RunDirectory, data_dir: Path | None, device: str, n: int, listener: Listener
) -> None:
    """Hand out cells over pipes; a worker ends when its pipe does, so none outlives this process."""
    with _workers(n, run, data_dir, device) as pipes:
        busy: dict[Connection, Cell] = {}
        idle = list(pipes)
        while idle or busy:
            while idle and (cell := schedule.next_ready()) is not None:
                pipe = idle.pop()
                busy[pipe] = cell
                try:
                    pipe.send(cell)
                except (BrokenPipeError, ConnectionResetError):
                    raise _worker_died(cell) from None
                listener.started(cell)
            if not busy:
                return
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)
                cell = busy[ready]
                if _listen(ready, cell, schedule, run, listener):
                    del busy[ready]
                    idle.append(ready)


def _listen(pipe: Connection, cell: Cell, schedule: Schedule, run: RunDirectory, listener: Listener) -> bool:
    """Take one message of a worker; return whether its cell has ended."""
    try:
        kind, *content = pipe.recv()
    except (EOFError, ConnectionResetError):
        raise _worker_died(cell) from None
    if kind == "epoch":
        listener.epoch(cell, content[0])
        return False
    if kind == "done":
        schedule.done.add(cell.key)
        listener.finished(cell)
    else:
        error, trace = content
        _record_failure(schedule, run, cell, error, trace, listener)
    return True


def _worker_died(cell: Cell) -> WorkerDiedError:
    return WorkerDiedError(f"a worker process died at {cell.title}; run the same command to go on")


class WorkerDiedError(RuntimeError):
    """A worker process ended without a word: killed, or out of memory."""


@contextmanager
def _workers(n: int, run: RunDirectory, data_dir: Path | None, device: str) -> Iterator[list[Connection]]:
    context = get_context("spawn")
    pipes, processes = [], []
    try:
        for _ in range(n):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, run, data_dir, device), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        yield pipes
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.join(0.2)
            process.terminate()
            process.join()


def _work(pipe: Connection, run: RunDirectory, data_dir: Path | None, device: str) -> None:
    """Body of a worker process."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the pipe
    import torch

    from rdcompute.execute import Worker, use_one_thread

    use_one_thread()
    worker = Worker(run, data_dir, torch.device(device))
    try:
        while True:
            cell: Cell = pipe.recv()
            try:
                worker.execute(cell, lambda report: pipe.send(("epoch", report)))
            except (BrokenPipeError, ConnectionResetError):
                return
            except Exception as error:  # reported to the parent, which records it
                pipe.send(("failed", *_describe(error)))
            else:
                pipe.send(("done",))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
