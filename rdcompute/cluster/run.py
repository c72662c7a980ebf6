"""Cells on Dask: handed to a scheduler a few at a time, in the plan's order, and begun again where a worker died."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import queue
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import Any

from rdcompute.cluster.begun import Begun
from rdcompute.cluster.kinds import GPU
from rdcompute.cluster.placing import Acquaintances, Resources, resources
from rdcompute.cluster.start import Team
from rdcompute.cluster.task import Order, Outcome, compute_cell
from rdcompute.plan import Cell
from rdcompute.rundir import StorageError
from rdcompute.schedule import ATTEMPTS, Job, WorkerDiedError, logger
from rdcompute.storage import cannot_begin
from rdstats.errors import InputError

AHEAD = 3
"""Cells a worker that the scheduler has: one is computed, the others are there when it is done, without a word from us.
"""

FEWEST = 12
"""Cells that the scheduler has at least, for workers that come."""

COUNT_EVERY = 1.0
"""Seconds between two looks at how many workers there are."""

PATIENCE = 10.0
"""Seconds without a worker until that is said."""


def run_on_cluster(job: Job, team: Team) -> None:
    """Hand out cells to the workers of a cluster; a cell whose worker dies is begun once more.

    Raises
    ------
    WorkerDiedError
        The scheduler has gone, or workers die before they can begin.
    StorageError
        The run directory cannot be written any more, here or where a worker is.
    InputError
        Workers that cannot compute these cells.
    """
    data_dir, device, checkpoint_every, _ = job.hows[0]
    folder = data_dir.absolute() if data_dir else None
    order = Order(job.run.path.absolute(), f"rd-{secrets.token_hex(8)}", folder, device, checkpoint_every)
    begun = Begun(job.run, order.token)
    try:
        begun.open()
    except OSError as error:
        raise cannot_begin(job.run.path, error) from None
    desk = _Desk(job, team, order, begun)
    try:
        with desk.listening():
            desk.work()
    finally:
        begun.close()


@dataclass
class _Task:
    cell: Cell
    future: Any


class _Desk:
    """Where cells are handed out and what becomes of them is heard."""

    def __init__(self, job: Job, team: Team, order: Order, begun: Begun) -> None:
        self._job, self._team, self._client, self._order, self._begun = job, team, team.client, order, begun
        self._inbox: queue.SimpleQueue[tuple[str, str, Any]] = queue.SimpleQueue()
        self._tasks: dict[str, _Task] = {}
        self._priority = {cell.key: -i for i, cell in enumerate(job.schedule.waiting)}
        self._cells = {cell.key: cell for cell in job.schedule.waiting}
        self._n_workers, self._waiting_since = 0, time.monotonic()
        self._told = -1
        self._resources: Resources | None = None
        self._unbegun: dict[str, int] = {}
        self._begun_once: set[str] = set()
        self._acquaintances = Acquaintances()
        self._closed = False
        self._choose(())

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hear what workers say, and how many there are, in the block; let go of all cells after it."""
        self._client.subscribe_topic(self._order.token, self._hear)
        self._client.loop.add_callback(self._count)
        try:
            yield
        finally:
            self._closed = True
            for task in self._tasks.values():
                with contextlib.suppress(Exception):  # where the scheduler has gone there is nothing to let go of
                    task.future.release()
            with contextlib.suppress(Exception):
                self._client.unsubscribe_topic(self._order.token)

    def work(self) -> None:
        """Hand out all cells, and return when nothing more is to be computed."""
        handed_out = False
        while True:
            if self._resources is not None:
                handed_out = True
                self._hand_out()
            if handed_out and (not self._tasks or (self._job.fail_fast and self._job.schedule.failed)):
                return
            self._take(*self._next())

    def _hand_out(self) -> None:
        most = max(FEWEST, AHEAD * max(self._n_workers, self._team.cluster.most))
        while len(self._tasks) < most and (cell := self._job.next_cell()) is not None:
            self._submit(cell)

    def _submit(self, cell: Cell) -> None:
        stage = "dense" if cell.is_dense else "compressed"
        key = f"{cell.arch}_{stage}-{self._order.token}-{cell.key}-{secrets.token_hex(4)}"
        future = self._client.submit(
            compute_cell, self._order, pickle.dumps(cell), key=key, pure=False, priority=self._priority[cell.key],
            resources=self._resources or None,
        )  # fmt: skip
        self._tasks[cell.key] = _Task(cell, future)
        self._client.loop.add_callback(self._watch, cell.key, future)

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        self._inbox.put(("event", event[1].get("key", ""), event[1]))

    async def _watch(self, key: str, future: Any) -> None:
        """Wait, beside the main thread, for what becomes of a cell."""
        try:
            outcome = await self._client.gather(future, asynchronous=True)
        except (Exception, asyncio.CancelledError) as error:
            outcome = error
        self._inbox.put(("end", key, outcome))

    async def _count(self) -> None:
        """Look, beside the main thread, how many workers there are."""
        try:
            while not self._closed:
                workers = (await self._client.scheduler.identity())["workers"].values()
                self._inbox.put(("workers", "", [GPU in (one.get("resources") or {}) for one in workers]))
                await asyncio.sleep(COUNT_EVERY)
        except (OSError, AttributeError):
            self._inbox.put(("gone", "", None))

    def _next(self) -> tuple[str, str, Any]:
        while True:
            if (failure := self._team.failure()) is not None:
                raise WorkerDiedError(f"workers cannot begin: {' '.join(str(failure).split())}; nothing is lost")
            with contextlib.suppress(queue.Empty):
                return self._inbox.get(timeout=COUNT_EVERY)

    def _take(self, kind: str, key: str, content: Any) -> None:
        if kind == "workers":
            self._counted(content)
        elif kind == "event":
            self._heard(key, content)
        elif kind == "gone":
            if not self._tasks:  # else they say so, even if it comes back
                raise self._gone()
        else:
            self._ended(self._tasks.pop(key), content)

    def _counted(self, gpus: list[bool]) -> None:
        self._n_workers = len(gpus)
        if gpus:
            self._waiting_since = time.monotonic()
        if self._resources is None:
            self._choose(gpus)
        patient = not gpus and time.monotonic() - self._waiting_since < PATIENCE
        if self._n_workers != self._told and not patient:
            self._told = self._n_workers
            self._job.listener.workers(self._n_workers)

    def _choose(self, gpus: Sequence[bool]) -> None:
        self._resources = resources(self._order.device, self._team.cluster.file, gpus)
        if self._resources:
            self._order = replace(self._order, device="cuda" if self._order.device == "auto" else self._order.device)

    def _heard(self, key: str, said: dict[str, Any]) -> None:
        if said["kind"] == "worker":
            self._acquaintances.met(said)
            return
        cell = self._cells[key]
        if said["kind"] == "started":
            if key in self._begun_once:
                logger.warning("%s %s: its worker process ended; begun again", cell.key[:12], cell.title)
            self._begun_once.add(key)
            self._job.listener.started(cell)
        else:
            self._epochs(cell, said["reports"])

    def _epochs(self, cell: Cell, reports: Iterable[dict[str, Any]]) -> None:
        from rdcompute.checkpoint import EpochReport

        for report in reports:
            self._job.listener.epoch(cell, EpochReport(**report))

    def _ended(self, task: _Task, outcome: Any) -> None:
        """Take what became of a cell, or an error of Dask: cells raise none."""
        with contextlib.suppress(Exception):  # the scheduler need not keep it
            task.future.release()
        cell = task.cell
        if not isinstance(outcome, Outcome):
            self._broke(cell, outcome)
            return
        self._epochs(cell, outcome.reports)
        if outcome.kind == "unfit":
            raise InputError(f"{outcome.message}; what is finished is kept")
        if outcome.kind == "stopped":
            raise StorageError(outcome.message)
        if outcome.kind == "left":
            self._again(cell)
        elif outcome.kind == "failed":
            self._job.failed(cell, outcome.message, outcome.trace)
        else:
            self._unbegun.clear()
            self._job.finished(cell)

    def _again(self, cell: Cell) -> None:
        if not self._begun.folder.is_dir():
            raise WorkerDiedError(f"{self._begun.folder} was removed while it was needed; repeat the command to go on")
        self._submit(cell)

    def _broke(self, cell: Cell, error: BaseException) -> None:
        """Begin a cell again that Dask gave up, as workers died that had it, even if only in their queue."""
        from distributed.scheduler import KilledWorker

        if isinstance(error, KilledWorker):
            n = self._begun.deaths(cell.key)
            self._unbegun[cell.key] = self._unbegun.get(cell.key, 0) + 1
            if n >= ATTEMPTS:
                self._job.failed(cell, self._begun.message(cell.key), "")
            elif self._unbegun[cell.key] > ATTEMPTS:
                raise WorkerDiedError(f"workers cannot begin: they die before {cell.title}; nothing is lost")
            else:
                self._again(cell)
            return
        text = " ".join(f"{type(error).__name__}: {error}".split())
        if isinstance(error, CancelledError | asyncio.CancelledError):
            raise self._gone()
        raise WorkerDiedError(f"the scheduler or a worker cannot take cells, is rd installed there? ({text[:300]})")

    def _gone(self) -> WorkerDiedError:
        who = self._team.cluster
        return WorkerDiedError(f"{who} has gone; what is finished is kept: repeat the command to go on")
