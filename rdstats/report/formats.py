"""Tables and records in the formats of other programs: plain text, Markdown, LaTeX, CSV, JSON."""

from __future__ import annotations

import csv
import io
import json
import textwrap
from collections.abc import Sequence

from rdstats.analysis import Analysis
from rdstats.records import Record, control_records, document, slope_records, test_records
from rdstats.report.tables import Table, tables

WIDTH = 80
FORMATS = ("table", "csv", "json", "markdown", "latex")
RECORDS = {"tests": test_records, "slopes": slope_records, "control": control_records}


def render(analysis: Analysis, format: str, table: str = "tests") -> str:
    """Return the analysis as a document.

    Parameters
    ----------
    format : ``table`` (plain text, 80 columns), ``markdown``, ``latex`` (booktabs): all tables with captions;
        ``json``: family, tests and slopes; ``csv``: the records called `table`.  JSON and CSV are exact.
    table : ``tests``, ``slopes`` or ``control``, for csv.
    """
    if format == "json":
        return json.dumps(document(analysis), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if format == "csv":
        return to_csv(RECORDS[table](analysis))
    convert = {"table": to_text, "markdown": to_markdown, "latex": to_latex}[format]
    notes = "".join(f"{_warning(format, note)}\n" for note in analysis.warnings)
    return "\n".join(convert(part) for part in tables(analysis)) + (f"\n{notes}" if notes else "")


def _warning(format: str, note: str) -> str:
    return {"latex": f"% note: {note}", "markdown": f"- note: {note}"}.get(format, f"note: {note}")


def to_text(table: Table) -> str:
    """Return a table in aligned plain text with its title above and its wrapped caption below."""
    rows = [table.columns, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    justify = [str.rjust if table.is_numeric(i) else str.ljust for i in range(len(widths))]
    lines = ["  ".join(f(c, w) for f, c, w in zip(justify, row, widths, strict=True)).rstrip() for row in rows]
    caption = textwrap.fill(table.caption, WIDTH)
    return "\n".join([table.title, "-" * len(table.title), *lines, "", caption, ""])


def to_markdown(table: Table) -> str:
    """Return a GitHub-flavoured Markdown table."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(_markdown(cell) for cell in cells) + " |"

    rule = "|" + "".join(" ---: |" if table.is_numeric(i) else " --- |" for i in range(len(table.columns)))
    body = "\n".join([line(table.columns), rule, *map(line, table.rows)])
    return f"### {_markdown(table.title)}\n\n{body}\n\n{_markdown(table.caption)}\n"


def _markdown(text: str) -> str:
    for character in "\\|*_`<[":
        text = text.replace(character, "&lt;" if character == "<" else f"\\{character}")
    return text.replace("\n", " ")


_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$",
          "–": "--", "\n": " "} | {c: f"\\{c}" for c in "&%$#_{}"}  # fmt: skip


def to_latex(table: Table) -> str:
    """Return a LaTeX table (needs booktabs)."""

    def line(cells: Sequence[str]) -> str:
        return " & ".join(_latex(cell) for cell in cells) + r" \\"

    columns = "".join("r" if table.is_numeric(i) else "l" for i in range(len(table.columns)))
    return "\n".join(
        [
            r"\begin{table}", rf"\caption{{{_latex(table.caption)}}}",
            rf"\begin{{tabular}}{{{columns}}}", r"\toprule", line(table.columns), r"\midrule",
            *map(line, table.rows), r"\bottomrule", r"\end{tabular}", r"\end{table}", "",
        ]
    )  # fmt: skip


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def to_csv(records: Sequence[Record]) -> str:
    """Return records as CSV: exact numbers, empty where there is none, a pair of labels as a JSON list."""
    buffer = io.StringIO()
    if records:
        writer = csv.DictWriter(buffer, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _csv(value) for key, value in record.items()} for record in records)
    return buffer.getvalue()


def _csv(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"  # a spreadsheet would take it for a formula
    return value
