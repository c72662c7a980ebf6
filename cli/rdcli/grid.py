"""`rd grid`: the grids that come with the package."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Grid files that come with the package.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A shipped grid, or a file.", metavar="NAME|FILE")],
) -> None:
    """Print a grid file, ready to be saved and edited.

    Example: rd grid show demo.yaml > mine.yaml
    """
    from rdcompute.grid_file import find_grid
    from rdcompute.yamlread import read_text

    typer.echo(read_text(find_grid(name)), nl=False)


@app.command("list")
def list_grids() -> None:
    """List the shipped grids.

    Example: rd grid list
    """
    from rdcompute.grid_file import load_grid, shipped_grids

    for name in shipped_grids():
        typer.echo(f"{name:16} {load_grid(name).description}")
