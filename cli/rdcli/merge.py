"""`rd merge`: what several machines computed, in one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from rdcli.compute import needs_torch
from rdstats.errors import InputError


def merge(
    parts: Annotated[
        list[Path], typer.Argument(help="Run directories of rd compute, or cubes: two or more.", metavar="A B [C ...]")
    ],
    output: Annotated[Path, typer.Option(help="The new run directory, or cube.")],
) -> None:
    """Merge run directories, or cubes, of several machines; refuse what contradicts.

    Example: rd merge machine1.run machine2.run --output all.run
    """
    if _are_runs(parts):
        needs_torch("rd merge of run directories")
        from rdcompute.merge import merge_runs
        from rdcompute.storage import StorageError

        try:
            run = merge_runs(parts, output, progress=_lines())
        except StorageError as error:
            typer.echo(f"rd: {error}", err=True)
            raise typer.Exit(1) from None
        typer.echo(f"run: {output}, {run.n_done} of {run.n_cells} cells done; rd assemble {output} writes the cube")
        return
    from rdstats.cube import merge_cubes

    cube = merge_cubes(parts, output)
    typer.echo(f"cube: {output}, {cube.n_done} cells done")


def _are_runs(parts: list[Path]) -> bool:
    """Return whether all parts are folders, rather than all files."""
    for path in parts:
        if not path.exists():
            raise InputError(f"{path}: no such run directory or cube")
    folders = [path for path in parts if path.is_dir()]
    files = [path for path in parts if not path.is_dir()]
    if folders and files:
        raise InputError(f"{folders[0]} is a folder and {files[0]} a file; merge run directories or cubes, not both")
    return bool(folders)


def _lines() -> Callable[[int, int], None]:
    """Return what prints how far a long merge is."""
    from rdcli.progress import PLAIN_EVERY

    last = time.monotonic()

    def show(n: int, n_all: int) -> None:
        nonlocal last
        if time.monotonic() - last >= PLAIN_EVERY:
            last = time.monotonic()
            typer.echo(f"{n} of {n_all} cells looked at", err=True)

    return show
