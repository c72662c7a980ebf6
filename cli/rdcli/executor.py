"""Options that say who computes: processes of this machine, or Dask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rdcompute.cluster.start import Cluster

Executor = Annotated[
    str | None,
    typer.Option(
        metavar="local|dask", show_default=False,
        help="Processes of this machine, or Dask workers: see docs/cluster.md. [default: local]",
    ),
]  # fmt: skip
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="tcp://HOST:PORT", show_default=False, help="Dask scheduler whose workers compute."),
]
ClusterFile = Annotated[
    Path | None,
    typer.Option(
        "--cluster", metavar="FILE.yaml", show_default=False,
        help="Start the Dask cluster of this file: local, ssh, cuda, slurm, pbs, lsf.",
    ),
]  # fmt: skip
SchedulerTimeout = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", show_default=False, help="Until the scheduler must answer. [default: 20]"),
]


def cluster_of(
    context: typer.Context,
    executor: str | None,
    scheduler: str | None,
    cluster: Path | None,
    timeout: float | None,
    workers: tuple[str, int],
    device: str,
) -> Cluster | None:
    """Return the Dask cluster that the options ask for, if any; nothing of Dask is imported where none is."""
    if executor == "local" and (scheduler, cluster, timeout) == (None, None, None):
        return None
    if (executor, scheduler, cluster, timeout) == (None, None, None, None):
        return None
    from rdcompute.cluster.choice import chosen_cluster

    said = workers[0] if _is_given(context, "workers") else None
    return chosen_cluster(executor, scheduler, cluster, timeout, (said, workers[1]), device)


def _is_given(context: typer.Context, option: str) -> bool:
    """Return whether an option stands on the command line, even with its default."""
    source = context.get_parameter_source(option)
    return source is not None and source.name != "DEFAULT"
