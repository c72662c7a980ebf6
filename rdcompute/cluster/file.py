"""A cluster file: which Dask cluster computes a grid's cells, with how many workers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError

from rdcompute.grid_errors import explain
from rdcompute.training_settings import Integer
from rdcompute.yamlread import Places, read_text, read_yaml
from rdstats.errors import InputError, nearest, one_of

KINDS = ("local", "ssh", "cuda", "slurm", "pbs", "lsf")


def _kind(value: Any) -> Any:
    if value not in KINDS:
        raise ValueError(f"unknown kind {value!r}{nearest(str(value), KINDS)}; known are {one_of(KINDS)}")
    return value


class Adapt(BaseModel):
    """Between how many workers the cluster may vary, by the work that waits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum: Annotated[Integer, Field(ge=0)] = 0
    maximum: Annotated[Integer, Field(ge=1)]


class ClusterFile(BaseModel):
    """A cluster as written.

    Attributes
    ----------
    workers, adapt : how many workers, or between which numbers; hosts say so themselves.
    gpus : 1 where every worker has a GPU: cells are then computed on GPUs only.
    options : of the class of Dask that makes the cluster.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, BeforeValidator(_kind)]
    workers: Annotated[Integer, Field(ge=1)] | None = None
    adapt: dict[str, Any] | None = None
    gpus: Annotated[Integer, Field(ge=0, le=1)] = 0
    options: dict[str, Any] = Field(default_factory=dict)
    _places: Places = PrivateAttr(default_factory=Places)

    @property
    def limits(self) -> Adapt | None:
        """Between how many workers the cluster may vary; None for a fixed number."""
        return None if self.adapt is None else Adapt.model_validate(self.adapt)

    def wrong(self, *path: str | int, text: str) -> InputError:
        """Return the error of a field, with its place in the file."""
        return InputError(f"{self._places.prefix(path)}{'.'.join(map(str, path))}: {text}")


def load_cluster(path: Path) -> ClusterFile:
    """Read and check a cluster file; whether its options are right, only the packages of its kind know.

    Raises
    ------
    InputError
        ``file:line:column: field: what was found; what is accepted`` for the first thing that is wrong.
    """
    source = str(path)
    document, positions = read_yaml(read_text(path), source)
    if not isinstance(document, dict):
        what = "empty cluster file" if document is None else "not a cluster file"
        raise InputError(f"{source}: {what}; kind ({one_of(KINDS)}) is needed, and workers")
    try:
        cluster = ClusterFile.model_validate(document)
    except ValidationError as error:
        raise explain(error, source, positions, ClusterFile) from None
    try:
        limits = cluster.limits
    except ValidationError as error:
        raise explain(error, source, positions, Adapt, ("adapt",)) from None
    cluster._places = Places(source, positions)
    _check_number(cluster, limits)
    _check_options(cluster)
    return cluster


def _check_number(cluster: ClusterFile, limits: Adapt | None) -> None:
    """Refuse two numbers of workers, and one where the kind has its own."""
    if cluster.workers is not None and limits is not None:
        raise cluster.wrong("adapt", text="workers says how many there are; give one of the two")
    if limits is not None and limits.minimum > limits.maximum:
        raise cluster.wrong("adapt", "minimum", text=f"got {limits.minimum}; at most maximum, {limits.maximum}")
    if cluster.kind == "ssh" and (cluster.workers is not None or limits is not None):
        field = "adapt" if limits is not None else "workers"
        raise cluster.wrong(field, text="not with kind ssh, which has a worker a host: options.hosts says how many")
    if cluster.kind == "cuda" and limits is not None:
        raise cluster.wrong("adapt", text="not with kind cuda, which has a worker a GPU; workers is accepted")
    if cluster.kind == "cuda" and "gpus" in cluster.model_fields_set and not cluster.gpus:
        raise cluster.wrong("gpus", text="kind cuda has a GPU a worker; 1 is accepted")


_TYPES: tuple[tuple[str, type, str], ...] = (
    ("worker_options", dict, "a block of fields"), ("scheduler_options", dict, "a block of fields"),
    ("scheduler_kwargs", dict, "a block of fields"), ("hosts", list, "a list, the scheduler's host first,"),
    ("worker_extra_args", list, "a list"),
)  # fmt: skip


def _check_options(cluster: ClusterFile) -> None:
    """Refuse another type of those options that rd itself reads or adds to; the others are for Dask to judge."""
    for name, type_, accepted in _TYPES:
        if not isinstance(cluster.options.get(name, type_()), type_):
            raise cluster.wrong("options", name, text=f"got {cluster.options[name]!r}; {accepted} is accepted")
    worker_options = cluster.options.get("worker_options", {})
    for options, *place in ((cluster.options, "processes"), (worker_options, "worker_options", "n_workers")):
        n = options.get(place[-1], 1)
        if type(n) is not int or n < 1:
            raise cluster.wrong("options", *place, text=f"got {n!r}; a whole number from 1 is accepted")
