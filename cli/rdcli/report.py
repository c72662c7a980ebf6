"""`rd report`: one self-contained page, or a short Markdown document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rdcli.analyze import (
    FAMILY_NAMES,
    Against,
    Correction,
    CubePath,
    Exclude,
    Level,
    Margin,
    Measure,
    Reference,
    Select,
)


def report(
    cube: CubePath,
    output: Annotated[
        Path | None,
        typer.Option(help="File to write. [default: report.html; markdown is printed]", show_default=False),
    ] = None,
    format: Annotated[str, typer.Option(metavar="html|markdown", help="A page, or text for a pull request.")] = "html",
    family: Annotated[
        str | None,
        typer.Option(
            metavar=FAMILY_NAMES,
            help="Which comparisons are tested, or a FILE.json of --save-family. [default: all the cube can answer]",
            show_default=False,
        ),
    ] = None,
    measure: Measure = "recall",
    reference: Reference = "accuracy",
    correction: Correction = "bonferroni",
    level: Level = 0.95,
    against: Against = None,
    margin: Margin = 0.10,
    bayes: Annotated[bool, typer.Option("--bayes", help="Posterior of every column (ArviZ).")] = False,
    exclude: Exclude = "",
    select: Select = None,
) -> None:
    """Write one self-contained HTML page about a cube and print what was found.

    Example: rd report results.nc --output report.html
    """
    from rdcli.analyze import check, family_of, opened_analysis
    from rdcli.errors import refuse_same, write_text
    from rdstats.files import check_writable
    from rdstats.report import FORMATS, analyze_for_report, finding
    from rdstats.report.checks import is_skipped
    from rdstats.tables.escape import one_line

    check("--format", format, FORMATS)
    target = Path("report.html") if output is None and format == "html" else output
    if target is not None:
        check_writable(target)
        refuse_same(target, cube)
    with opened_analysis(
        cube, select, exclude, run=analyze_for_report, family=family_of(family), measure=measure, reference=reference,
        correction=correction, level=level, against=against, margin=margin, bayes=bayes,
    ) as analysis:  # fmt: skip
        document = FORMATS[format](analysis)  # whatever is wrong is said before anything is written
        write_text(document, target)
        if target is None:
            for note in (line for line in analysis.warnings if not is_skipped(line)):
                typer.echo(f"rd: note: {one_line(note)}", err=True)
        else:
            typer.echo(f"cube:   {cube}\nreport: {target}\n\n{one_line(finding(analysis))}")
