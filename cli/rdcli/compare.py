"""`rd compare`: two models, from their matrices or predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rdcli.analyze import Level, Margin, Reference, check
from rdstats.errors import InputError

FAILED = 3
"""Status of a comparison that a gate failed: neither 1 (something could not be done) nor 2 (wrong input)."""
FORMATS = ("text", "json", "markdown")


def compare(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="Matrix or predictions before: FILE or FILE:COLUMN.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The same after compression.")],
    labels: Annotated[
        str | None,
        typer.Option(metavar="FILE[:COLUMN]", help="True classes: the files are predictions.", show_default=False),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(metavar="FILE[:COLUMN]", help="The same, re-trained without compression.", show_default=False),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B,...|FILE", help="All classes in order; names of 0, 1, ...", show_default=False),
    ] = None,
    unknown: Annotated[
        str, typer.Option(metavar="error|other", help="Predictions outside the classes: refused, or a class.")
    ] = "error",
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'NAME > NUMBER'",
            help="End with status 3 if the quantity is beyond the number; may be repeated. Its interval's nearer "
            "bound decides: the failure is beyond chance.",
            show_default=False,
        ),
    ] = None,
    point: Annotated[bool, typer.Option("--point", help="Gates look at the value, not at the interval.")] = False,
    reference: Reference = "accuracy",
    level: Level = 0.95,
    margin: Margin = 0.10,
    format: Annotated[str, typer.Option(metavar="text|json|markdown", help="json is exact.")] = "text",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write the report page, too.", show_default=False)
    ] = None,
) -> None:
    """Compare a model with its compressed version; with --fail-if, a gate for a build.

    Status 0: done, every gate passed; 2: wrong input; 3: a gate failed.

    Example: rd compare before.csv after.csv --labels y.csv --fail-if "worst_recall_drop > 2%"
    """
    from rdstats.comparison import Gate
    from rdstats.comparison.files import class_list, compare_files, path_of
    from rdstats.comparison.layout import to_markdown_document, to_plain
    from rdstats.files import check_writable
    from rdstats.tables.escape import one_line

    check("--format", format, FORMATS)
    check("--unknown", unknown, ("error", "other"))
    gates = [Gate.parse(text) for text in fail_if or ()]
    if report is not None:
        for text in (before, after, labels, control):
            if text is not None and report.exists() and path_of(text).exists() and report.samefile(path_of(text)):
                raise InputError(f"--report {report}: is one of the inputs and would be lost; give another name")
        check_writable(report)
    try:
        found = compare_files(
            before, after, labels=labels, control=control, classes=class_list(classes), unknown=unknown,
            reference=reference, level=level, margin=margin,
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror} ({error.filename})") from None
    results = found.gates(gates, point=point)
    if report is not None:
        found.write_report(report)
    if format == "json":
        typer.echo(found.to_json(results), nl=False)
    else:
        typer.echo((to_plain if format == "text" else to_markdown_document)(found, results), nl=False)
    for result in results:
        if format != "text" and (result.failed or result.warned):  # the text ends with them
            typer.echo(f"rd: {one_line(result.sentence())}", err=True)
    if any(result.failed for result in results):
        raise typer.Exit(FAILED)
