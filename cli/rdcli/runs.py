"""`rd status`, `rd assemble`, `rd retry`: run directories without their grid files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdcli.compute import DataDir, Device, PerDevice, Workers, needs_torch, number_of, tell_failures
from rdcli.executor import ClusterFile, Executor, Scheduler, SchedulerTimeout, cluster_of
from rdcli.running import Quiet, Verbose, running

if TYPE_CHECKING:
    from rdcompute.runs import ColumnState

RunPath = Annotated[Path, typer.Argument(help="A run directory of rd compute.", metavar="RUN")]


def status(
    run: RunPath,
    cells: Annotated[bool, typer.Option("--cells", help="List every cell with its key.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Print how far a run is: cells done, failed, unfinished and missing, time spent and left.

    Example: rd status results.run
    """
    from rdcompute.runs import cell_state, column_states, failed_cells, open_run
    from rdcompute.underway import activity

    found = open_run(run, data_dir)
    now = activity(run)
    keys = now.keys if now else frozenset()
    typer.echo(f"computing: {now.who}, workers: {now.n_workers}" if now else "nobody computes here now")
    for line in _table(column_states(found, keys), now.n_workers if now else 1):
        typer.echo(line)
    for cell, message in failed_cells(found):
        typer.echo(f"failed: {cell.key[:12]} {cell.title}: {message}")
    if cells:
        for one in found.plan.cells:
            typer.echo(f"{one.key[:12]}  {cell_state(found.directory, one, keys):10}  {one.title}")


def assemble(
    run: RunPath,
    output: Annotated[Path, typer.Option(help="The cube to write.")] = Path("partial.nc"),
    data_dir: DataDir = None,
) -> None:
    """Write the cube of what is finished, at any time.

    Example: rd assemble results.run --output partial.nc
    """
    from rdcompute.compute import assemble_run
    from rdcompute.runs import open_run

    summary = assemble_run(open_run(run, data_dir), output, data_dir=data_dir)
    typer.echo(f"cube: {output}, {summary.n_done} of {summary.n_cells} cells")


def retry(
    context: typer.Context,
    run: RunPath,
    failed: Annotated[bool, typer.Option("--failed", help="All cells that failed (default).")] = False,
    cell: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="This cell; may be repeated.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    workers: Workers = "1",
    workers_per_device: PerDevice = 1,
    device: Device = "auto",
    executor: Executor = None,
    scheduler: Scheduler = None,
    cluster: ClusterFile = None,
    scheduler_timeout: SchedulerTimeout = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compute cells that failed, or those named, once more.

    Example: rd retry results.run --failed
    """
    needs_torch("rd retry")
    from rdcompute.compute import retry as retry_cells
    from rdcompute.runs import cells_named, failed_cells, open_run

    team = cluster_of(context, executor, scheduler, cluster, scheduler_timeout, (workers, workers_per_device), device)
    found = open_run(run, data_dir)
    wanted = cells_named(found, cell or [])
    if failed or not cell:
        wanted += [one for one, _ in failed_cells(found) if one not in wanted]
    if not wanted:
        typer.echo("nothing failed")
        return
    n_workers = team.n_workers if team else number_of((workers, workers_per_device), device)
    with running(run, n_workers, quiet=quiet, verbose=verbose) as listener:
        summary = retry_cells(
            found, wanted, data_dir=data_dir, n_workers=workers, workers_per_device=workers_per_device, device=device,
            listener=listener, cluster=team,
        )  # fmt: skip
    typer.echo(f"run: {run}, {summary.n_done} of {summary.n_cells} cells done; rd assemble {run} writes the cube")
    if summary.failed:
        tell_failures(summary, "failed again")
        raise typer.Exit(1)


def _table(states: list[ColumnState], n_workers: int) -> list[str]:
    """Return the lines of a table, one a column of the grid; time left is what `n_workers` need for it."""
    rows: list[tuple[str, ...]] = [_HEAD]
    rows += [
        (s.dataset, s.arch, s.method, f"{s.done}/{s.n}", *(str(getattr(s, name)) for name in _STATES),
         _clock(s.seconds), _clock(None if s.seconds_left is None else s.seconds_left / n_workers)) for s in states
    ]  # fmt: skip
    left = [s.seconds_left for s in states]
    total = None if None in left else sum(value for value in left if value is not None) / n_workers
    sums = [sum(getattr(s, name) for s in states) for name in ("done", "n", *_STATES)]
    spent = sum(s.seconds for s in states)
    rows.append(("all", "", "", f"{sums[0]}/{sums[1]}", *map(str, sums[2:]), _clock(spent), _clock(total)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    return ["  ".join(map(_aligned, row, widths, range(len(row)))).rstrip() for row in rows]


_STATES = ("running", "failed", "unfinished", "missing")
_HEAD = ("dataset", "arch", "method", "done", *_STATES, "spent", "left")


def _aligned(text: str, width: int, column: int) -> str:
    return text.ljust(width) if column < 3 else text.rjust(width)


def _clock(seconds: float | None) -> str:
    from rdcli.progress import clock

    return "unknown" if seconds is None else clock(seconds)
