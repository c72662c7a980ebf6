"""The kinds of clusters: which class of Dask makes each, with which arguments, and what they must not be told."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from rdcompute.cluster.file import ClusterFile
from rdstats.errors import InputError, nearest, one_of

Options = dict[str, Any]
GPU = "GPU"
"""The resource that a worker with a GPU offers, and that a cell on one takes."""

IDLE = 600
"""Seconds without work after which a scheduler ends that we started on another machine, if we were killed."""


@dataclass(frozen=True)
class Kind:
    """How clusters of one kind are made.

    Attributes
    ----------
    packages : what has to be importable, by the extra that installs it.
    made_by : module and class.
    takes : modules and classes whose parameters are options, too.
    arguments : of a file and a number of workers.
    own : options that rd sets itself, with what is to be written instead.
    """

    packages: Mapping[str, tuple[str, ...]]
    made_by: tuple[str, str]
    takes: tuple[tuple[str, str], ...]
    arguments: Callable[[ClusterFile, int], Options]
    own: Mapping[str, str]


def _local(file: ClusterFile, n: int) -> Options:
    own = {"n_workers": 0, "threads_per_worker": 1, "processes": True}
    return {"memory_limit": 0} | _offered(file) | _without_dashboard(file.options) | own


def _cuda(file: ClusterFile, n: int) -> Options:
    number = {} if file.workers is None else {"n_workers": n}
    offered: Options = {"resources": {GPU: 1}}
    return offered | _without_dashboard(file.options) | number | {"threads_per_worker": 1}


def _without_dashboard(options: Options) -> Options:
    """Return the options of a scheduler in this process; unless they ask for a dashboard, its port is any free one."""
    if "dashboard_address" in options:
        return options
    quiet = {"dashboard": False, "dashboard_address": ":0"}
    return options | {"scheduler_kwargs": quiet | options.get("scheduler_kwargs", {})}


def _ssh(file: ClusterFile, n: int) -> Options:
    worker = _offered(file) | file.options.get("worker_options", {}) | {"nthreads": 1}
    scheduler = {"dashboard": False, "idle_timeout": IDLE} | file.options.get("scheduler_options", {})
    return file.options | {"worker_options": worker, "scheduler_options": scheduler}


def _queue(file: ClusterFile, n: int) -> Options:
    """One thread a process; the scheduler is in our process."""
    processes = file.options.get("processes", 1)
    extra = [*file.options.get("worker_extra_args", ()), *(["--resources", f"{GPU}=1"] if file.gpus else ())]
    scheduler = {"dashboard": False, "dashboard_address": ":0"} | file.options.get("scheduler_options", {})
    own = {"cores": processes, "processes": processes, "worker_extra_args": extra, "scheduler_options": scheduler}
    return file.options | own


def _offered(file: ClusterFile) -> Options:
    return {"resources": {GPU: 1}} if file.gpus else {}


_DASK = {"cluster": ("dask", "distributed")}
_LOCAL = (("distributed", "LocalCluster"), ("distributed", "Nanny"), ("distributed", "Worker"))
_NUMBER = "workers, beside kind, says how many"
_ONE_THREAD = "a worker has one thread, for results that are the same everywhere; leave it out"
_GPUS = "gpus: 1, beside kind, says so"
_OF_LOCAL = {
    "n_workers": _NUMBER, "threads_per_worker": _ONE_THREAD, "nthreads": _ONE_THREAD, "resources": _GPUS,
    "processes": "workers are processes; leave it out",
}  # fmt: skip


def _batch(name: str, module: str, job: str) -> Kind:
    return Kind(
        {**_DASK, "jobqueue": ("dask_jobqueue",)}, ("dask_jobqueue", name),
        ((module, job), ("dask_jobqueue.core", "Job"), ("dask_jobqueue.core", "JobQueueCluster")), _queue,
        {"n_workers": _NUMBER},
    )  # fmt: skip


_KINDS = {
    "local": Kind(_DASK, ("distributed", "LocalCluster"), _LOCAL, _local, _OF_LOCAL),
    "cuda": Kind({**_DASK, "cuda": ("dask_cuda",)}, ("dask_cuda", "LocalCUDACluster"), _LOCAL, _cuda, _OF_LOCAL),
    "ssh": Kind({**_DASK, "ssh": ("asyncssh",)}, ("distributed", "SSHCluster"),
                (("distributed.deploy.spec", "SpecCluster"),), _ssh, {"n_workers": _NUMBER, "nthreads": _ONE_THREAD}),
    "slurm": _batch("SLURMCluster", "dask_jobqueue.slurm", "SLURMJob"),
    "pbs": _batch("PBSCluster", "dask_jobqueue.pbs", "PBSJob"),
    "lsf": _batch("LSFCluster", "dask_jobqueue.lsf", "LSFJob"),
}  # fmt: skip
_NEVER = {
    "self", "args", "kwargs", "job_kwargs", "base_class_kwargs", "worker_kwargs", "asynchronous", "loop", "job_cls",
    "scheduler",
}  # fmt: skip


def needs_dask(what: str) -> None:
    """Say how to install Dask where it is not there."""
    _need(what, _DASK)


def _need(what: str, packages: Mapping[str, tuple[str, ...]]) -> None:
    for extra, names in packages.items():
        for name in names:
            if find_spec(name) is None:
                package = name.replace("_", "-")
                raise InputError(f"{what} needs {package}: pip install 'recall-distortion[{extra}]'")


def check_cluster(file: ClusterFile) -> None:
    """Refuse a cluster that cannot be made here: a package or command that is not there, options that are wrong.

    Nothing is started.

    Raises
    ------
    InputError
        With the place in the file, and what is accepted.
    """
    kind = _KINDS[file.kind]
    _need(file.wrong("kind", text=file.kind).args[0], kind.packages)
    accepted = _accepted(kind)
    for name in file.options:
        if name in kind.own:
            raise file.wrong("options", name, text=kind.own[name])
        if name not in accepted:
            raise file.wrong("options", name, text=f"unknown option{nearest(name, accepted)}; "
                             f"{kind.made_by[1]} has {one_of(sorted(accepted - kind.own.keys()))}")  # fmt: skip
    _check_threads(file)
    if file.kind == "ssh":
        hosts = file.options.get("hosts")
        if not isinstance(hosts, list) or len(hosts) < 2:
            raise file.wrong("options", "hosts", text=f"got {hosts}; a list is accepted, the scheduler's host first, "
                             "then one for each worker")  # fmt: skip
    if file.kind in ("slurm", "pbs", "lsf"):
        _check_queue(file, kind)


def _accepted(kind: Kind) -> set[str]:
    classes = [getattr(import_module(module), name) for module, name in (kind.made_by, *kind.takes)]
    parameters = [inspect.signature(one).parameters for one in classes]
    return {name for names in parameters for name in names} - _NEVER


def _check_threads(file: ClusterFile) -> None:
    """Refuse options by which a worker had several threads, or other resources than the file says."""
    options = file.options
    processes = options.get("processes", 1)
    if "cores" in options and options["cores"] != processes:
        raise file.wrong("options", "cores", text=f"got {options['cores']} for {processes} processes; {_ONE_THREAD}")
    if options.get("worker_options", {}).get("nthreads", 1) != 1:
        raise file.wrong("options", "worker_options", "nthreads", text=_ONE_THREAD)
    given = [str(argument).partition("=")[0] for argument in _as_list(options.get("worker_extra_args"))]
    for name, why in (("--nthreads", _ONE_THREAD), ("--resources", _GPUS), ("--nworkers", "processes says so")):
        if name in given:
            raise file.wrong("options", "worker_extra_args", text=f"{name}: {why}")


def _as_list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _check_queue(file: ClusterFile, kind: Kind) -> None:
    """Refuse a job that cannot be described, and a machine that cannot submit it."""
    job_script(file)
    module, name = kind.takes[0]
    command = getattr(import_module(module), name).submit_command
    if shutil.which(command) is None:
        raise file.wrong("kind", text=f"{file.kind} needs {command}, which is not on this machine: begin where jobs "
                         "are submitted")  # fmt: skip


def job_script(file: ClusterFile, scheduler: str = "tcp://SCHEDULER:PORT") -> str:
    """Return the script of a job of ``slurm``, ``pbs`` or ``lsf``, as it would be submitted for a worker.

    Raises
    ------
    InputError
        Options that do not describe a job.
    """
    kind = _KINDS[file.kind]
    module, name = kind.takes[0]
    options = kind.arguments(file, 1)
    cluster = inspect.signature(getattr(import_module(kind.takes[2][0]), kind.takes[2][1])).parameters
    both = ("interface", "protocol", "security", "config_name")
    of_job = {key: value for key, value in options.items() if key not in cluster or key in both}
    try:
        return str(getattr(import_module(module), name)(scheduler, name="NAME", **of_job).job_script())
    except Exception as error:  # whatever the package of the kind finds wrong
        raise file.wrong("options", text=" ".join(str(error).split())) from None


def make_cluster(file: ClusterFile, n: int, **options: Any) -> Any:
    """Start a cluster, with its workers where the kind has no other way; `options` are those of all kinds."""
    kind = _KINDS[file.kind]
    module, name = kind.made_by
    return getattr(import_module(module), name)(**{**options, **kind.arguments(file, n)})
