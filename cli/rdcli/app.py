"""The Typer application: one module a command, imported when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from rdcli import analyze, compare, compute, datasets, grid, import_, info, merge, plan, plot, report, runs
from rdcli.errors import FriendlyGroup
from rdstats._version import __version__

app = typer.Typer(
    name="rd",
    cls=FriendlyGroup,
    help="Which classes pay when a network is compressed, by how much, and is it real?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("compute")(compute.compute)
app.command("plan")(plan.plan)
app.command("import")(import_.import_)
app.command("analyze")(analyze.analyze)
app.command("plot")(plot.plot)
app.command("report")(report.report)
app.command("compare")(compare.compare)
app.command("status")(runs.status)
app.command("assemble")(runs.assemble)
app.command("retry")(runs.retry)
app.command("merge")(merge.merge)
app.command("info")(info.info)
app.command("datasets")(datasets.datasets)
app.add_typer(grid.app, name="grid")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rd {__version__}")
        raise typer.Exit


@app.callback(epilog="Example: rd compute --grid demo.yaml --output demo.nc && rd analyze demo.nc")
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Which classes pay when a network is compressed, by how much, and is it real?"""
