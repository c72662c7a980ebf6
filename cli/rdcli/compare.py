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
    after: Annotated[
        str | None, typer.Argument(metavar="AFTER", help="The same after compression.", show_default=False)
    ] = None,
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
        str,
        typer.Option(
            metavar="error|other|keep", help="Predictions outside the classes: refused, one class, or each its own."
        ),
    ] = "error",
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'NAME > NUMBER'",
            help="End with status 3 if the quantity is beyond the number; may be repeated. The whole interval must be "
            "beyond it: the failure is beyond chance.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="A gate passes only if the whole interval is within: shown to be kept."),
    ] = False,
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
    from rdstats.comparison.files import compare_files, split
    from rdstats.comparison.layout import to_markdown_document, to_plain
    from rdstats.files import check_writable
    from rdstats.readers.files import kind_of
    from rdstats.readers.options import class_list
    from rdstats.readers.single import checked
    from rdstats.tables.escape import one_line
    from rdstats.unknown import UNKNOWN

    check("--format", format, FORMATS)
    check("--unknown", unknown, UNKNOWN)
    if point and strict:
        raise InputError("--strict and --point: one of them is accepted")
    if after is None:
        kind_of(checked(split(before)[0])[0])  # a cube says where it belongs
        raise InputError(f"{before}: only one file; a model before compression and one after it are compared")
    gates = [Gate.parse(text) for text in fail_if or ()]
    if report is not None:
        for text in (before, after, labels, control):
            if text is not None and report.exists() and split(text)[0].exists() and report.samefile(split(text)[0]):
                raise InputError(f"--report {report}: is one of the inputs and would be lost; give another name")
        check_writable(report)
    try:
        found = compare_files(
            before, after, labels=labels, control=control, classes=class_list(classes), unknown=unknown,
            reference=reference, level=level, margin=margin,
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror} ({error.filename})") from None
    results = found.gates(gates, point=point, strict=strict)
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
