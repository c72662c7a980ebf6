"""Reach a scheduler, or start a cluster of our own that ends with us."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from rdcompute.cluster.file import ClusterFile
from rdcompute.cluster.kinds import check_cluster, make_cluster, needs_dask
from rdcompute.cluster.placing import resources
from rdcompute.cluster.quiet import dask_logged
from rdcompute.schedule import logger
from rdcompute.startup import deaf_to_ctrl_c, warm_up, worker_context
from rdstats.errors import InputError

TIMEOUT = 20.0
"""Seconds within which a scheduler must answer."""

CLOSING = 10.0
"""Seconds that a cluster or a scheduler has for an orderly end."""

SETTINGS = {
    "distributed.scheduler.allowed-failures": 20,
    "distributed.deploy.lost-worker-timeout": "120s",
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.system-monitor.gil.enabled": False,
}
"""Of clusters that we start: whose fault a worker's death is, we know better than to count all cells that waited for
it; one that begins again imports for a while; and nobody looks at what Dask measures of itself up to a hundred times a
second, each time interrupting a computation."""

CARE_EVERY = 10.0
"""Seconds between two looks whether a job that ended is to be submitted again."""


@dataclass(frozen=True)
class Cluster:
    """Which Dask workers compute: those of a scheduler that runs already, or of a cluster of our own.

    Attributes
    ----------
    scheduler : its address, ``tcp://host:8786``.
    file : the cluster to start, where there is no scheduler.
    n_workers : how many to start.
    timeout : seconds within which the scheduler must answer.
    """

    scheduler: str = ""
    file: ClusterFile | None = None
    n_workers: int = 1
    timeout: float = TIMEOUT

    def check(self, device: str) -> None:
        """Refuse what cannot work, before anything is written or started.

        Raises
        ------
        InputError
            A scheduler that does not answer, a package that is not there, options that are wrong, no GPU.
        """
        if self.file is not None:
            check_cluster(self.file)
            resources(device, self.file, ())
            return
        needs_dask("--scheduler")
        _check_address(self.scheduler)
        with dask_logged(), _client(self.scheduler, self.timeout):
            pass

    @property
    def most(self) -> int:
        """How many workers there may be at most; 0 where that is not ours to say."""
        limits = self.file.limits if self.file else None
        return limits.maximum if limits else self.n_workers if self.file else 0

    def __str__(self) -> str:
        return f"scheduler {self.scheduler}" if self.file is None else f"cluster of kind {self.file.kind}"


def _check_address(address: str) -> None:
    from distributed.comm.addressing import get_address_host_port

    try:
        get_address_host_port(address)
    except ValueError as error:
        accepted = "tcp://HOST:PORT is accepted, as dask scheduler prints it"
        raise InputError(f"--scheduler {address}: {error}; {accepted}") from None


@dataclass(frozen=True)
class Team:
    """A client of a scheduler, and how the cluster is: what it failed with, if it did."""

    client: Any
    cluster: Cluster
    growing: Future[None] | None = None

    def failure(self) -> BaseException | None:
        """Return why a cluster of our own could not start its workers; None as long as nothing is wrong."""
        return self.growing.exception() if self.growing and self.growing.done() else None


@contextlib.contextmanager
def started(cluster: Cluster) -> Iterator[Team]:
    """Yield who computes; a cluster of our own is started, and gone after the block."""
    with dask_logged(), contextlib.ExitStack() as stack:
        if cluster.file is None:
            yield Team(stack.enter_context(_client(cluster.scheduler, cluster.timeout)), cluster)
            return
        ours, growing = stack.enter_context(_own(cluster.file, cluster.n_workers))
        logger.info("started a %s: scheduler %s", cluster, ours.scheduler_address)
        yield Team(stack.enter_context(_client(ours, cluster.timeout)), cluster, growing)


@contextlib.contextmanager
def _client(where: Any, timeout: float) -> Iterator[Any]:
    """Yield a client; a scheduler that does not answer in time is wrong input."""
    from distributed import Client
    from distributed.versions import VersionMismatchWarning

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", VersionMismatchWarning)
        try:
            client: Any = Client(where, timeout=timeout, set_as_default=False, name="rd")  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError, ValueError, ImportError, TypeError) as error:  # the last: tls:// without keys
            reason = " ".join(str(error).split()) or "no answer"
            raise InputError(
                f"--scheduler {where}: no Dask scheduler answers within {timeout:g} s ({reason[:200]}); start one with "
                "dask scheduler and give the address that it prints"
            ) from None
    if said:
        warnings.warn("the scheduler has other versions of Dask's packages than this process", stacklevel=4)
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):  # a scheduler that has gone
            client.close(timeout=CLOSING)


@contextlib.contextmanager
def _own(file: ClusterFile, n_workers: int) -> Iterator[tuple[Any, Future[None]]]:
    """Start a cluster; its workers come while the block is running."""
    import dask

    settings: dict[str, Any] = dict(SETTINGS)
    if file.kind == "local":
        # processes are forked from the server that our own are forked from: what all import is imported once
        settings["distributed.worker.multiprocessing-method"] = worker_context().get_start_method()
        warm_up("distributed")
    with dask.config.set(settings):
        with deaf_to_ctrl_c():  # what is started here is told by us when to end
            try:
                ours = make_cluster(file, n_workers, silence_logs=logging.CRITICAL)
            except Exception as error:  # whatever the packages of the kind find wrong
                reason = " ".join(str(error).split())
                raise file.wrong("kind", text=f"{file.kind} cannot be started: {reason}") from error
        growing = asyncio.run_coroutine_threadsafe(_grown(ours, file, n_workers), ours.loop.asyncio_loop)
        try:
            yield ours, growing
        finally:
            growing.cancel()
            _close(ours)


def _close(ours: Any) -> None:
    """Close a cluster, whatever state it is in: Dask does not expect that a job was never submitted."""
    from distributed.core import Status

    try:
        ours.close(timeout=CLOSING)
    except Exception as error:
        ours.status = Status.closed
        logger.info("the cluster ended with %s: %s", type(error).__name__, " ".join(str(error).split()))


async def _grown(ours: Any, file: ClusterFile, n_workers: int) -> None:
    """Ask a cluster for its workers, an error of whom is ours, and again for those that ended, as by a walltime."""
    if file.limits is not None:
        ours.adapt(minimum=file.limits.minimum, maximum=file.limits.maximum)
    elif file.kind not in ("ssh", "cuda"):
        ours.scale(n_workers)
    await ours._correct_state()
    while True:
        await asyncio.sleep(CARE_EVERY)
        if set(ours.worker_spec) - set(ours.workers):
            try:
                await ours._correct_state()
            except Exception as error:  # perhaps the batch system is busy: the others go on
                logger.info("no worker in place of one that ended: %s", " ".join(str(error).split()))
