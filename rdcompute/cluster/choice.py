"""Which cluster the options of a command mean."""

from __future__ import annotations

import math
from pathlib import Path

from rdcompute.cluster.file import ClusterFile, load_cluster
from rdcompute.cluster.kinds import needs_dask
from rdcompute.cluster.start import TIMEOUT, Cluster
from rdcompute.workers import AUTO, worker_devices
from rdstats.errors import InputError, one_of

EXECUTORS = ("local", "dask")
Workers = tuple[str | None, int]
"""Workers, None where that is not said, and workers a device."""


def chosen_cluster(
    executor: str | None,
    scheduler: str | None,
    file: Path | None,
    timeout: float | None,
    workers: Workers,
    device: str,
) -> Cluster | None:
    """Return the cluster that computes; None for processes of this machine without Dask.

    Parameters
    ----------
    executor, scheduler, file, timeout : as given, None where not.
    workers : their number, a number or ``auto`` (None where it is not given), and that on each GPU.

    Raises
    ------
    InputError
        Options that contradict each other, or a cluster file that is wrong.
    """
    if executor not in (None, *EXECUTORS):
        raise InputError(f"--executor {executor}: {one_of(EXECUTORS)} is accepted")
    if scheduler is not None and file is not None:
        raise InputError("--scheduler and --cluster exclude each other: what runs already, or what is started")
    if executor == "local" and (scheduler is not None or file is not None):
        option = "--cluster" if scheduler is None else "--scheduler"
        raise InputError(f"{option} is for --executor dask; leave one of the two out")
    if timeout is not None and scheduler is None:
        raise InputError("--scheduler-timeout is for --scheduler; give both, or none")
    if timeout is not None and not 0 < timeout < math.inf:
        raise InputError(f"--scheduler-timeout {timeout:g}: a number of seconds above 0 is accepted")
    if scheduler is not None:
        if workers != (None, 1):
            raise InputError("--workers is for workers that rd starts; those of a --scheduler are as many as there are")
        return Cluster(scheduler, timeout=TIMEOUT if timeout is None else timeout)
    if file is not None:
        wanted = load_cluster(file)
        n = _number(wanted, workers)
        if workers[0] is not None:
            wanted = wanted.model_copy(update={"workers": n})
        return Cluster(file=wanted, n_workers=n)
    return _here(workers, device) if executor == "dask" else None


def _here(workers: Workers, device: str) -> Cluster:
    """Return a cluster of this machine alone, with the workers that there would be without Dask."""
    needs_dask("--executor dask")
    from rdcompute.execute import choose_device

    devices = worker_devices(choose_device(device), workers[0] or "1", workers[1])
    return Cluster(file=ClusterFile(kind="local", gpus=int(devices[0].startswith("cuda"))), n_workers=len(devices))


def _number(file: ClusterFile, workers: Workers) -> int:
    """Return how many workers a cluster begins with; a number on the command line replaces that of its file."""
    number, per_device = workers
    if number is None:
        if file.kind == "ssh":
            hosts, options = file.options.get("hosts", ()), file.options.get("worker_options", {})
            return max(1, (len(hosts) - 1) * int(options.get("n_workers", 1)))
        return file.workers or (file.limits.maximum if file.limits else 1)
    if file.limits is not None:
        raise file.wrong("adapt", text="says between which numbers workers vary; leave --workers out")
    if file.kind == "ssh":
        raise file.wrong("options", "hosts", text="says how many workers there are; leave --workers out")
    if number == AUTO and file.kind != "local":
        raise file.wrong("kind", text=f"--workers auto counts what this machine has, and kind {file.kind} has others; "
                         "a number is accepted")  # fmt: skip
    return len(worker_devices("cuda" if file.gpus and number == AUTO else "cpu", number, per_device))
