"""`rd analyze`: slopes, tests and claims of a cube."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdstats.errors import InputError, nearest, one_of

if TYPE_CHECKING:
    import xarray as xr

    from rdstats.analysis import Analysis

CubePath = Annotated[Path, typer.Argument(help="A confusion-matrix cube (NetCDF).", metavar="CUBE")]
FamilyName = Annotated[str, typer.Option(metavar="ratio", help="Which comparisons are tested.")]
Measure = Annotated[str, typer.Option(metavar="recall|precision|f1", help="Class score.")]
Reference = Annotated[
    str,
    typer.Option(metavar="accuracy|macro", help="What the scores are balanced against: weighted or plain mean."),
]
Correction = Annotated[str, typer.Option(metavar="bonferroni|holm|bh|none", help="Multiple testing, a column each.")]
Level = Annotated[float, typer.Option(help="Family-wise confidence level.")]
Exclude = Annotated[str, typer.Option(metavar="degenerate", help="Leave degenerate networks out.", show_default=False)]
Select = Annotated[
    list[str] | None,
    typer.Option(metavar="DIM=VALUE[,VALUE]", help="Only this part of the cube; may be repeated.", show_default=False),
]


def analyze(
    cube: CubePath,
    family: FamilyName = "ratio",
    measure: Measure = "recall",
    reference: Reference = "accuracy",
    correction: Correction = "bonferroni",
    level: Level = 0.95,
    exclude: Exclude = "",
    select: Select = None,
    format: Annotated[
        str, typer.Option(metavar="table|csv|json|markdown|latex", help="csv and json are exact.")
    ] = "table",
    table: Annotated[str, typer.Option(metavar="tests|slopes|control", help="Which records csv holds.")] = "tests",
    output: Annotated[Path | None, typer.Option(help="File to write; default: print.", show_default=False)] = None,
) -> None:
    """Print intensification slopes with intervals, the comparison with the control, and a family of tests.

    Example: rd analyze results.nc --family ratio --select method=sham,mp --format json
    """
    from rdcli.errors import refuse_same, write_text
    from rdstats.report.formats import FORMATS, RECORDS, render

    check("--format", format, FORMATS)
    check("--table", table, RECORDS)
    refuse_same(output, cube)
    analysis = analysis_of(cube, select, exclude, family=family, measure=measure, reference=reference,
                           correction=correction, level=level)  # fmt: skip
    if format == "table" and output is None and sys.stdout.isatty():
        _print_rich(analysis)
        return
    if format in ("csv", "json"):
        for note in analysis.warnings:
            typer.echo(f"rd: note: {note}", err=True)
    write_text(render(analysis, format, table), output)


def analysis_of(path: Path, select: list[str] | None, exclude: str, **options: object) -> Analysis:
    """Open a cube, take the selected part and analyse it."""
    from rdstats.analysis import analyze as analyze_cube
    from rdstats.cube import open_cube

    if exclude:
        check("--exclude", exclude, ("degenerate",))
    with open_cube(path) as cube:
        part = select_part(cube, select or [])
        return analyze_cube(part, exclude_degenerate=bool(exclude), **options)  # type: ignore[arg-type]


def check(option: str, value: str, accepted: object) -> None:
    """Refuse a value that is not among the accepted ones."""
    names = [str(name) for name in accepted]  # type: ignore[attr-defined]
    if value not in names:
        raise InputError(f"{option} {value}{nearest(value, names)}: {one_of(names)} is accepted")


def select_part(cube: xr.Dataset, options: list[str]) -> xr.Dataset:
    """Apply ``--select dim=value`` options; several of one dimension add up."""
    from rdstats.cube import select

    wanted: dict[str, list[str]] = {}
    for option in options:
        dim, sign, values = option.partition("=")
        if not sign or not values:
            raise InputError(f"--select {option}: dim=value is accepted, such as method=mp or ratio=2,4")
        labels = wanted.setdefault(dim, [])
        labels.extend(value for value in values.split(",") if value not in labels)
    if not wanted:
        return cube
    part = select(cube, **wanted)
    typer.echo("rd: note: selected part only; families and intervals count what is selected", err=True)
    return part.sortby("ratio") if "ratio" in wanted else part  # consecutive ratios go up


def _print_rich(analysis: Analysis) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    from rdstats.report.formats import to_text
    from rdstats.report.tables import tables

    console = Console()
    for table in tables(analysis):
        plain = to_text(table)
        if max(map(len, plain.split("\n\n", 1)[0].splitlines())) > console.width:
            typer.echo(plain)  # wrapped by the terminal, but nothing is cut off
            continue
        shown = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for i, column in enumerate(table.columns):
            numeric = table.is_numeric(i)
            shown.add_column(Text(column), justify="right" if numeric else "left", no_wrap=numeric)
        for row in table.rows:
            shown.add_row(*map(Text, row))
        console.print(Text(table.title, "bold"), shown, Text(f"\n{table.caption}\n", "dim"), sep="\n")
    for note in analysis.warnings:
        console.print(Text(f"note: {note}", "yellow"))
