"""`rd report`: one self-contained page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rdcli.analyze import Correction, CubePath, Exclude, FamilyName, Level, Measure, Reference, Select


def report(
    cube: CubePath,
    output: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    family: FamilyName = None,
    measure: Measure = "recall",
    reference: Reference = "accuracy",
    correction: Correction = "bonferroni",
    level: Level = 0.95,
    exclude: Exclude = "",
    select: Select = None,
) -> None:
    """Write one self-contained HTML page about a cube and print what was found.

    Example: rd report results.nc --output report.html
    """
    from rdcli.analyze import analysis_of, family_of
    from rdcli.errors import refuse_same
    from rdstats.files import check_writable
    from rdstats.report import finding, write_report

    check_writable(output)
    refuse_same(output, cube)
    analysis = analysis_of(cube, select, exclude, family=family_of(family), measure=measure, reference=reference,
                           correction=correction, level=level)  # fmt: skip
    write_report(analysis, output)
    typer.echo(f"cube:   {cube}\nreport: {output}\n\n{finding(analysis)}")
