"""Cells in several processes: handed out over pipes, replaced when they die, gone when their parent is."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from rdcompute.plan import Cell
from rdcompute.rundir import RunDirectory, StorageError
from rdcompute.schedule import ATTEMPTS, How, Job, WorkerDiedError, describe_error, logger
from rdcompute.startup import start, worker_context

_NOT_BEGUN = "not begun"


@dataclass
class _Hand:
    """A worker process: the pipe to it, and what it computes."""

    pipe: Connection
    process: BaseProcess
    place: int
    cell: Cell | None = None
    ready: bool = False


def run_in_processes(job: Job, n: int) -> None:
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
                elif busy[pipe].ready:
                    attempts.pop(_NOT_BEGUN, None)


def _give(hand: _Hand, cell: Cell, job: Job) -> None:
    hand.cell = cell
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has died: listening to it will say so
        hand.pipe.send(cell)
    job.listener.started(cell)


def _listen(hand: _Hand, job: Job) -> bool:
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


def _bury(hand: _Hand, job: Job, attempts: dict[str, int]) -> None:
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
def _hands(job: Job) -> Iterator[list[_Hand]]:
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


def _start(job: Job, place: int) -> _Hand:
    context = worker_context()
    ours, theirs = context.Pipe()
    held, lifeline = context.Pipe()
    arguments = (theirs, lifeline, job.run, job.hows[place])
    process = context.Process(target=_work, args=arguments, daemon=True)
    start(process)
    theirs.close()
    lifeline.close()
    hand = _Hand(ours, process, place)
    hand.process.lifeline = held  # type: ignore[attr-defined]  # open as long as the process is known here
    return hand


def _work(pipe: Connection, lifeline: Connection, run: RunDirectory, how: How) -> None:
    """Body of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the pipes
    threading.Thread(target=end_with_parent, args=(lifeline,), daemon=True).start()
    from rdcompute.execute import make_worker

    worker = make_worker(run, how)
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
                pipe.send(("failed", *describe_error(error)))
            else:
                pipe.send(("done",))


def end_with_parent(lifeline: Connection) -> None:
    """End this process, whatever it is doing, when its parent has gone: the other end of the pipe goes with it."""
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)
