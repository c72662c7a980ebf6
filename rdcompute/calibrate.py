"""Time a few steps of every network of a plan, in as many processes and on the devices that will compute it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from rdcompute.estimate import Network, Timing, mean_timing, needs_gradient, network_of
from rdcompute.memory import keep_memory
from rdcompute.plan import Cell
from rdcompute.processes import end_with_parent
from rdcompute.startup import start, worker_context

Found = dict[Network, Timing | str]
"""Timings; a text where there is none says why."""

LONGEST_WAIT = 900.0
"""Seconds that one process waits for the others before a network."""


@dataclass(frozen=True)
class Calibration:
    """Timings by network, and the seconds from starting worker processes until they can begin (0 without any)."""

    timings: Found
    start_up: float


@dataclass(frozen=True)
class Sample:
    """What is timed of a network: a dense cell, one made from it, and whether a gradient is needed."""

    dense: Cell
    compressed: Cell
    gradient: bool

    @property
    def network(self) -> Network:
        return network_of(self.compressed)

    @property
    def trained(self) -> Cell:
        """Return the cell whose training is timed: the dense one, but for a network that has lost channels."""
        return self.dense if self.compressed.widths is None else self.compressed


def calibrate(cells: Iterable[Cell], devices: Sequence[str], data_dir: Path | None = None) -> Calibration:
    """Time every network that `cells` train.

    One worker is timed in this process.  Several are timed in as many processes at once, as the runner has them,
    since cores share memory and power; each field of a timing is then their mean.

    Parameters
    ----------
    devices : the device of every worker, see `rdcompute.workers.worker_devices`.
    """
    samples = samples_of(cells)
    if not samples:
        return Calibration({}, 0.0)
    if len(devices) == 1:
        return Calibration(_time_all(samples, devices[0], data_dir), 0.0)
    return _in_processes(samples, devices, data_dir)


def samples_of(cells: Iterable[Cell]) -> list[Sample]:
    """Return one sample of every network."""
    cells = list(cells)
    wanted = needs_gradient(cells)
    found: dict[Network, list[Cell | None]] = {}
    for cell in cells:
        pair = found.setdefault(network_of(cell), [None, None])
        pair[0] = pair[0] or cell.dense
        pair[1] = pair[1] or (None if cell.is_dense else cell)
    return [Sample(dense, compressed or dense, network in wanted)
            for network, (dense, compressed) in found.items() if dense]  # fmt: skip


def _time_all(
    samples: Iterable[Sample], device: str, data_dir: Path | None, meet: Callable[[], Any] = lambda: None
) -> Found:
    """Time the samples one by one; `meet` is called before each, once, whatever happens."""
    from rdcompute import datasets
    from rdcompute.execute import use_one_thread
    from rdcompute.stopwatch import prepare, time_network

    use_one_thread()
    keep_memory()
    found: Found = {}
    for sample in samples:
        name = sample.dense.dataset
        data: Any = None
        try:
            if datasets.status(name, data_dir).present:
                data = prepare(sample.trained, device, data_dir)
            else:
                found[sample.network] = f"dataset {name} is not on this machine"
        except Exception as error:  # what goes wrong with one network is told, and the others are timed
            found[sample.network] = _words(error)
        meet()
        if data is None:
            continue
        try:
            found[sample.network] = time_network(sample.dense, sample.compressed, sample.gradient, data, device)
        except Exception as error:
            found[sample.network] = _words(error)
    return found


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _in_processes(samples: list[Sample], devices: Sequence[str], data_dir: Path | None) -> Calibration:
    found, start_up = together([partial(_time_all, samples, device, data_dir) for device in devices])
    if found is None:
        return Calibration({s.network: "a process that timed it has died" for s in samples}, start_up)
    return Calibration(joined(found), start_up)


def together(tasks: Sequence[Callable[[Callable[[], Any]], Any]]) -> tuple[list[Any] | None, float]:
    """Carry out tasks at once, each in a process of its own; none of them outlives the call.

    Parameters
    ----------
    tasks : called with a function that waits until all of them have called it.

    Returns
    -------
    What they return, None if a process has died, and the seconds until all processes could begin.
    """
    context = worker_context()
    barrier = context.Barrier(len(tasks))
    processes: list[BaseProcess] = []
    pipes: list[Connection] = []
    begun = time.perf_counter()
    try:
        for task in tasks:
            ours, theirs = context.Pipe()
            process: BaseProcess = context.Process(target=_work, args=(theirs, barrier, task), daemon=True)
            start(process)
            theirs.close()
            processes.append(process)
            pipes.append(ours)
        ready = _collect(pipes)
        start_up = time.perf_counter() - begun
        found = _collect(pipes) if ready is not None else None
    finally:
        for process in processes:
            process.terminate()
            process.join()
        for pipe in pipes:
            pipe.close()
    return found, start_up


def joined(found: Sequence[Mapping[Network, Timing | str]]) -> Found:
    """Return the mean timing of each network, or the reason why one process has none."""
    result: Found = {}
    for network in found[0]:
        own = [one[network] for one in found]
        timings = [timing for timing in own if isinstance(timing, Timing)]
        result[network] = mean_timing(timings) if len(timings) == len(own) else next(
            reason for reason in own if isinstance(reason, str)
        )  # fmt: skip
    return result


def _collect(pipes: Sequence[Connection]) -> list[Any] | None:
    """Return one message of every process; None as soon as one has died."""
    found: dict[int, Any] = {}
    while len(found) < len(pipes):
        for pipe in wait([pipe for i, pipe in enumerate(pipes) if i not in found]):
            assert isinstance(pipe, Connection)
            try:
                found[pipes.index(pipe)] = pipe.recv()
            except (EOFError, ConnectionResetError):
                return None
    return [found[i] for i in range(len(pipes))]


def _work(pipe: Connection, barrier: Any, task: Callable[[Callable[[], Any]], Any]) -> None:
    """Body of a timing process."""
    threading.Thread(target=end_with_parent, args=(pipe,), daemon=True).start()
    import rdcompute.stopwatch  # noqa: F401 - importing torch is what starting takes

    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        pipe.send("ready")
        pipe.send(task(lambda: barrier.wait(LONGEST_WAIT)))
