"""`rd plan`: what a grid will cost, before it is computed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdcli.compute import DataDir, Device, PerDevice, Scale, Workers, devices_of, needs_torch
from rdstats.errors import InputError

if TYPE_CHECKING:
    from rdcompute.grid import Grid


FORMATS = ("text", "json")


def plan(
    grid: Annotated[str, typer.Argument(help="Grid file, or the name of a shipped grid.", metavar="FILE|NAME")],
    run_dir: Annotated[
        Path, typer.Option(help="Folder of finished cells, as rd compute has it.")
    ] = Path("results.run"),
    data_dir: DataDir = None,
    workers: Workers = "1",
    workers_per_device: PerDevice = 1,
    device: Device = "auto",
    scale: Scale = None,
    no_calibrate: Annotated[
        bool, typer.Option("--no-calibrate", help="Time nothing: all but the durations, in an instant.")
    ] = False,
    device_profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE|list", show_default=False,
            help="Project the time on another device, or this CPU (cpu), from its figures; list: those that are known.",
        ),
    ] = None,
    format: Annotated[str, typer.Option(metavar="text|json", help="json: everything as numbers.")] = "text",
) -> None:  # fmt: skip
    """Print what a grid will cost: cells, trainings, epochs, kept weights, time and disk.

    A few steps of every network are timed on the device, on as many workers at once as there will be. Cells that
    are finished in the run folder cost nothing. Nothing is written.

    With --device-profile, nothing needs to be here, neither the device nor the data sets: times are projected.

    Example: rd plan fashion.yaml --workers 2 --scale seeds=2

    Example: rd plan paper.yaml --device-profile h100-sxm --workers 8 --workers-per-device 2
    """
    needs_torch("rd plan")
    from rdcli.analyze import check
    from rdcompute.grid import parse_scale
    from rdcompute.grid_file import load_grid

    check("--format", format, FORMATS)
    if device_profile is not None and (device != "auto" or no_calibrate):
        other = "--no-calibrate" if no_calibrate else "--device"
        raise InputError(f"--device-profile projects what {other} is about; give one of them")
    if device_profile == "list":
        from rdcompute.projection.profile import describe_profiles

        typer.echo("\n".join(describe_profiles()))
        return
    wanted = load_grid(grid).scaled(parse_scale(scale or []))
    show(
        wanted, run_dir, data_dir, (workers, workers_per_device), device, timed=not no_calibrate, format=format,
        profile=device_profile,
    )  # fmt: skip


def show(
    grid: Grid,
    run_dir: Path,
    data_dir: Path | None,
    workers: tuple[str, int],
    device: str,
    *,
    timed: bool,
    profile: str | None = None,
    format: str = "text",
) -> None:
    """Print the cost of a grid; options as those of the command."""
    import json

    from rdcompute.describe import describe_forecast, forecast_record
    from rdcompute.forecast import forecast, forecast_on
    from rdcompute.plan import make_plan
    from rdcompute.projection.profile import find_profile

    def tell(line: str) -> None:
        typer.echo(line, err=True)

    if profile is not None:
        wanted, devices = find_profile(profile, *workers)
        found = forecast_on(make_plan(grid, data_dir), wanted, devices, run_dir=run_dir, data_dir=data_dir, tell=tell)
    else:
        devices = devices_of(workers, device)
        found = forecast(
            make_plan(grid, data_dir), devices, run_dir=run_dir, data_dir=data_dir, timed=timed, tell=tell
        )  # fmt: skip
    if format == "json":
        typer.echo(json.dumps(forecast_record(found), indent=1))
    else:
        typer.echo("\n".join(describe_forecast(found)))
