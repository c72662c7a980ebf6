"""`rd plot`: one figure of a cube as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdcli.analyze import Against, Correction, Exclude, FamilyName, Level, Margin, Measure, Reference, Select
from rdstats.errors import InputError

if TYPE_CHECKING:
    from rdstats.analysis import Analysis


def plot(
    cube: Annotated[
        Path | None, typer.Argument(help="A confusion-matrix cube (NetCDF).", metavar="CUBE", show_default=False)
    ] = None,
    figure: Annotated[str, typer.Option(metavar="NAME", help="Which figure, see --list.", show_default=False)] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html|svg|png|pdf|json",
            help="The file to write; its ending says how. [default: NAME.html]",
            show_default=False,
        ),
    ] = None,
    by: Annotated[str, typer.Option(metavar="DIM", help="The dimension that is set side by side.")] = "method",
    theme: Annotated[
        str,
        typer.Option(
            metavar="light|dark", help="Colours. [default: light; a page: the reader's choice]", show_default=False
        ),
    ] = "",
    show: Annotated[bool, typer.Option("--list", help="List the figures; with a CUBE, which it can answer.")] = False,
    family: FamilyName = None,
    measure: Measure = "recall",
    reference: Reference = "accuracy",
    correction: Correction = "bonferroni",
    level: Level = 0.95,
    against: Against = None,
    margin: Margin = 0.10,
    exclude: Exclude = "",
    select: Select = None,
) -> None:
    """Draw one figure of a cube; neither a browser nor a network is needed.

    Example: rd plot results.nc --figure delta --select method=sham,mp --output delta.pdf
    """
    from rdcli.analyze import check, family_of, opened_analysis
    from rdcli.errors import refuse_same
    from rdstats.charts import FIGURES, save_chart
    from rdstats.charts import plot as draw
    from rdstats.charts.export import check_ending
    from rdstats.charts.theme import MODES
    from rdstats.tables.escape import one_line

    if figure:
        check("--figure", figure, FIGURES)
    if theme:
        check("--theme", theme, MODES)
    if show and cube is None:
        typer.echo(_listing())
        return
    if cube is None:
        raise InputError("plot: name a cube, or give --list")
    if not figure and not show:
        raise InputError(f"plot: --figure is missing; accepted are {', '.join(FIGURES)}")
    target = output or Path(f"{figure}.html")
    if not show:
        check_ending(target)
        refuse_same(target, cube)
    bayes = figure == "posterior" or (None if show else False)
    with opened_analysis(
        cube, select, exclude, family=family_of(family), measure=measure, reference=reference, correction=correction,
        level=level, against=against, margin=margin, folds=0, bayes=bayes,
    ) as analysis:  # fmt: skip
        if show:
            typer.echo(_listing(analysis))
            return
        save_chart(draw(analysis, figure, by=by), target, mode=theme, title=_title(analysis, figure))
        for note in analysis.warnings:
            typer.echo(f"rd: note: {one_line(note)}", err=True)
    typer.echo(f"{figure}: {target}")


def _title(analysis: Analysis, figure: str) -> str:
    from rdstats.charts import FIGURES

    name = str(analysis.counts.attrs.get("grid_name") or "")
    about = FIGURES[figure].about
    return f"{name}: {about}" if name else f"{about[0].upper()}{about[1:]}"


def _listing(analysis: Analysis | None = None) -> str:
    """Return every figure in a line, with what a cube lacks for it."""
    from rdstats.charts import FIGURES
    from rdstats.errors import UnanswerableError

    lines = []
    for name, one in FIGURES.items():
        text = f"{name:10} {one.about}{f' (paper: {one.paper})' if one.paper else ''}"
        if analysis is not None:
            try:
                one.data(analysis)
            except UnanswerableError as error:
                text += f"\n{'':10} not for this cube: {error}"
        lines.append(text)
    return "\n".join(lines)
