"""`rd compute`: train, prune and measure a grid."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdcli.executor import ClusterFile, Executor, Scheduler, SchedulerTimeout, cluster_of
from rdcli.running import Quiet, Verbose, running
from rdstats.errors import InputError

if TYPE_CHECKING:
    from rdcompute.compute import Summary

DataDir = Annotated[
    Path | None,
    typer.Option(envvar="RD_DATA_DIR", help="Folder with the data sets; see rd datasets.", show_default=False),
]


Workers = Annotated[
    str, typer.Option(metavar="N|auto", help="Processes, one thread each; auto: one a core, or a GPU.")
]
PerDevice = Annotated[int, typer.Option(help="Processes that share a GPU with --workers auto.")]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda|cuda:N|mps")]
Scale = Annotated[
    list[str] | None,
    typer.Option(
        help="Shorten the grid: first N seeds, shares of epochs and training images.",
        metavar="seeds=N|epochs=F|train=F",
        show_default=False,
    ),
]


def devices_of(workers: tuple[str, int], device: str) -> tuple[str, ...]:
    """Return the device of every worker; where there are several, their imports begin now, beside our own."""
    if workers[0] != "1":
        from rdcompute.startup import warm_up

        warm_up()
    from rdcompute.execute import choose_device
    from rdcompute.workers import worker_devices

    return worker_devices(choose_device(device), *workers)


def number_of(workers: tuple[str, int], device: str) -> int:
    """Return how many workers there are; of one it is known without looking for devices."""
    return 1 if workers[0] == "1" else len(devices_of(workers, device))


def needs_torch(command: str) -> None:
    """Say how to install what a command needs, where it is not there."""
    if find_spec("torch") is None:
        raise InputError(f"{command} needs torch: pip install 'recall-distortion[compute]'")


def compute(
    context: typer.Context,
    grid: Annotated[str, typer.Option(help="Grid file, or the name of a shipped grid.", metavar="FILE|NAME")],
    output: Annotated[Path, typer.Option(help="The cube to write.")] = Path("results.nc"),
    run_dir: Annotated[
        Path | None, typer.Option(help="Folder of finished cells. [default: OUTPUT with .run]", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    workers: Workers = "1",
    workers_per_device: PerDevice = 1,
    device: Device = "auto",
    executor: Executor = None,
    scheduler: Scheduler = None,
    cluster: ClusterFile = None,
    scheduler_timeout: SchedulerTimeout = None,
    scale: Scale = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first cell that fails.")] = False,
    extend: Annotated[
        bool, typer.Option("--extend", help="Go on in the run folder of a smaller grid, when cells were only added.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what it will cost and stop; nothing is written. See rd plan.")
    ] = False,
    no_calibrate: Annotated[
        bool, typer.Option("--no-calibrate", help="With --dry-run: time nothing.")
    ] = False,
) -> None:  # fmt: skip
    """Train, prune and fine-tune a grid of networks and write its confusion-matrix cube.

    Finished cells stay in the run folder: repeat the command to go on after an interruption.

    Example: rd compute --grid fashion.yaml --output fashion.nc --workers 2 --scale seeds=2
    """
    needs_torch("rd compute")
    from rdcompute.grid import parse_scale
    from rdcompute.grid_file import load_grid

    if no_calibrate and not dry_run:
        raise InputError("--no-calibrate: nothing is timed without --dry-run; give both, or see rd plan")
    team = cluster_of(context, executor, scheduler, cluster, scheduler_timeout, (workers, workers_per_device), device)
    if dry_run and team is not None:
        raise InputError("--dry-run times this machine, not a cluster's; leave it out, or see rd plan --workers N")
    wanted = load_grid(grid).scaled(parse_scale(scale or []))
    from rdcompute.output import default_run_dir

    if dry_run:
        from rdcli.plan import show

        place = run_dir or default_run_dir(output)
        show(wanted, place, data_dir, (workers, workers_per_device), device, timed=not no_calibrate)
        return
    from rdcompute.compute import compute as compute_grid

    where = run_dir or default_run_dir(output)
    n_workers = team.n_workers if team else number_of((workers, workers_per_device), device)
    with running(where, n_workers, quiet=quiet, verbose=verbose) as listener:
        summary = compute_grid(
            wanted, output, run_dir=run_dir, data_dir=data_dir, n_workers=workers,
            workers_per_device=workers_per_device, device=device, listener=listener, fail_fast=fail_fast,
            extend=extend, cluster=team,
        )  # fmt: skip
    typer.echo(_last_line(summary))
    if summary.failed:
        tell_failures(summary, "failed")
        raise typer.Exit(1)


def tell_failures(summary: Summary, how: str) -> None:
    """Print the first few cells that failed, and how many there are."""
    for title, message in list(summary.failures.items())[:5]:
        typer.echo(f"failed: {title}: {message}", err=True)
    n = len(summary.failed)
    cells = "1 cell" if n == 1 else f"{n} cells"
    typer.echo(f"rd: {cells} {how}; tracebacks in {summary.run_dir / 'failed'}", err=True)


def _last_line(summary: Summary) -> str:
    if summary.kept:
        return f"cube: {summary.output} holds more finished cells than this run and is kept as it was"
    reused = f" ({summary.n_reused} were there already)" if summary.n_reused else ""
    return f"cube: {summary.output}, {summary.n_done} of {summary.n_cells} cells{reused}"
