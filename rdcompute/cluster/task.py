"""What a Dask worker does: one cell, with all that it keeps from the cells before."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import get_worker

from rdcompute.cluster.begun import Begun
from rdcompute.rundir import RunDirectory, StorageError
from rdcompute.schedule import ATTEMPTS, describe_error
from rdcompute.storage import cannot_write
from rdstats._version import __version__
from rdstats.errors import InputError

if TYPE_CHECKING:
    from rdcompute.execute import Worker
    from rdcompute.plan import Cell

TELL_EVERY = 0.25
"""Seconds between two messages about epochs, which may be milliseconds long; none is left out."""

LOOK_EVERY = 1.0
"""Seconds between two looks for the command's folder, which a network's file system may take a moment for."""


@dataclass(frozen=True)
class Order:
    """What a worker is told beside its cell.

    Attributes
    ----------
    run : the run directory, an absolute path.
    token : names the command, the folder of `Begun` and the topic of events.
    device : as ``--device``.
    version : of rd, where the command is.
    patience : seconds until a file that another machine has written must be seen here.
    """

    run: Path
    token: str
    data_dir: Path | None
    device: str
    checkpoint_every: float
    version: str = __version__
    patience: float = 30.0


@dataclass(frozen=True)
class Outcome:
    """How a cell ended: done, failed, left (begin it again), stopped (the disk), unfit (the worker).

    `reports` are of the last epochs, not told yet.
    """

    kind: str
    message: str = ""
    trace: str = ""
    reports: tuple[dict[str, Any], ...] = ()


@dataclass
class _Bench:
    """What a worker process keeps between the cells of one command."""

    token: str
    begun: Begun
    worker: Worker


_benches: dict[str, _Bench] = {}
"""By Dask worker: some clusters of tests have several in one process."""


def compute_cell(order: Order, packed: bytes) -> Outcome:
    """Compute a cell and store its result in the run directory; whatever happens is told, never raised.

    `packed` is the cell: whoever passes it on need not understand it.
    """
    here = get_worker()
    try:
        bench = _bench(order, here)
    except InputError as error:
        return Outcome("unfit", f"worker {here.name} at {here.address}: {error}")
    cell: Cell = pickle.loads(packed)
    run, begun = bench.worker.run, bench.begun
    if begun.was_begun(cell.key) and run.has(cell.key):  # the worker that finished it died before it could say so
        return Outcome("done")
    try:
        n = begun.begin(cell.key)
    except FileNotFoundError:
        return Outcome("left")
    except OSError as error:
        return Outcome("stopped", str(cannot_write(run.path, error)))
    if n >= ATTEMPTS:
        return Outcome("failed", begun.message(cell.key))
    tell = _Teller(lambda **what: here.log_event(order.token, {"key": cell.key, **what}))
    tell.say(kind="started")
    bench.worker.leaving = _leaving(here, begun)
    outcome = _computed(bench.worker, cell, tell, order.patience)
    begun.end(cell.key)
    return replace(outcome, reports=tuple(tell.unsaid))


def _computed(worker: Worker, cell: Cell, tell: _Teller, patience: float) -> Outcome:
    from rdcompute.checkpoint import LeftError

    try:
        for needed in cell.needs:
            _seen(worker.run.cell_path(needed.key), patience)
        worker.execute(cell, tell.epoch)
    except LeftError:
        return Outcome("left")
    except StorageError as error:
        return Outcome("stopped", str(error))
    except Exception as error:  # one cell's failure, whatever it is, must not stop the grid
        return Outcome("failed", *describe_error(error))
    return Outcome("done")


class _Teller:
    """Tells the command of a cell's epochs, several at a time where they are short."""

    def __init__(self, say: Callable[..., None]) -> None:
        self.say = say
        self.unsaid: list[dict[str, Any]] = []
        self._last = time.monotonic()

    def epoch(self, report: Any) -> None:
        self.unsaid.append(asdict(report))
        if time.monotonic() - self._last >= TELL_EVERY:
            self.say(kind="epochs", reports=self.unsaid)
            self.unsaid, self._last = [], time.monotonic()


def _leaving(here: Any, begun: Begun) -> Callable[[], bool]:
    """Return what tells whether the cell is to be left: nobody wants it any more, or the worker is to end."""
    task = here.get_current_task()
    looked = time.monotonic()

    def leaving() -> bool:
        nonlocal looked
        state = here.state.tasks.get(task)
        if state is None or state.state in ("cancelled", "resumed", "released"):
            return True
        if here.status.name in ("closing", "closing_gracefully", "closed"):
            return True
        if time.monotonic() - looked < LOOK_EVERY:
            return False
        looked = time.monotonic()
        return not begun.folder.is_dir()

    return leaving


def _bench(order: Order, here: Any) -> _Bench:
    """Return what this worker keeps for a command, after a look whether it can work for it.

    Raises
    ------
    InputError
        It cannot: another version, several threads, no run directory, no device.
    """
    bench = _benches.get(here.id)
    if bench is None or bench.token != order.token:
        _benches.pop(here.id, None)
        bench = _benches[here.id] = _new_bench(order, here)
    return bench


def _new_bench(order: Order, here: Any) -> _Bench:
    if order.version != __version__:
        raise InputError(f"has rd {__version__}, this command is rd {order.version}; install the same on both")
    if here.state.nthreads != 1:
        raise InputError(f"has {here.state.nthreads} threads, and results are the same everywhere with one only; "
                         "start it with --nthreads 1")  # fmt: skip
    run = RunDirectory(order.run, {})
    begun = Begun(run, order.token)
    if not _seen(run.path / "run.json", min(order.patience, 2.0)):
        raise InputError(f"does not see run directory {run.path}; give --run-dir on a file system that all machines "
                         "share, under the same path")  # fmt: skip
    if not _seen(begun.folder, order.patience):
        raise InputError(f"run directory {run.path} is another one there; give --run-dir on a file system that all "
                         "machines share")  # fmt: skip
    from rdcompute.cluster.gpu import own_gpu
    from rdcompute.execute import choose_device, make_worker
    from rdcompute.provenance import circumstances

    device = choose_device(order.device)
    device = own_gpu() if device == "cuda" else device
    made = circumstances(device)
    here.log_event(order.token, {"kind": "worker", "name": str(here.name), "address": here.address, **made})
    return _Bench(order.token, begun, make_worker(run, (order.data_dir, device, order.checkpoint_every, made)))


def _seen(path: Path, patience: float) -> bool:
    """Wait until a file that another machine wrote is seen here: networks' file systems take their time."""
    deadline = time.monotonic() + patience
    while not path.exists():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True
