"""Tables and records in the formats of other programs: plain text, Markdown, LaTeX, CSV, JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import replace

from rdstats.analysis import Analysis
from rdstats.records import Record, document
from rdstats.tables.escape import csv_cell, latex, markdown, one_line
from rdstats.tables.registry import DEFAULT, TABLES, absent, chosen
from rdstats.tables.table import Table

WIDTH = 80
FORMATS = ("table", "csv", "json", "markdown", "latex")


def render(analysis: Analysis, format: str, table: str = "") -> str:
    """Return the analysis as a document.

    Parameters
    ----------
    format : ``table`` (plain text, 80 columns), ``markdown``, ``latex`` (booktabs): tables with captions;
        ``json``: all records of the analysis; ``csv``: the records of one table.  JSON and CSV are exact.
    table : names of `TABLES`, with commas between them, or ``all``; default: those that every analysis has,
        and for csv the tests, or the slopes where there are none.

    Raises
    ------
    InputError
        An unknown name, or several for csv.
    """
    names = chosen(table, format, analysis)
    if format == "json":
        more = {name: TABLES[name].records(analysis) for name in names if name not in DEFAULT}
        return json.dumps(document(analysis) | more, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if format == "csv":
        return to_csv(TABLES[names[0]].records(analysis))
    convert = {"table": to_text, "markdown": to_markdown, "latex": to_latex}[format]
    lines = (*analysis.warnings, *absent(analysis, names if table else ()))
    notes = "".join(f"{_warning(format, note)}\n" for note in lines)
    parts = [convert(part) for name in names for part in TABLES[name].tables(analysis)]
    return "\n".join(parts) + (f"\n{notes}" if notes else "")


def _warning(format: str, note: str) -> str:
    if format == "table":
        return textwrap.fill(f"note: {note}", WIDTH, subsequent_indent="  ")
    return {"latex": f"% note: {one_line(note)}", "markdown": f"- note: {markdown(note)}"}[format]


def to_text(table: Table, width: int = WIDTH) -> str:
    """Return a table in aligned plain text with its title above and its wrapped caption below.

    A table that is wider than `width` is continued below itself, the columns that name its rows repeated.
    """
    table = _plain(table)
    widths = [max(len(row[i]) for row in (table.columns, *table.rows)) for i in range(len(table.columns))]
    lines: list[str] = []
    for part in _pieces(table, widths, width):
        lines += [*([""] if lines else []), *_aligned(table, widths, part)]
    caption = ["", textwrap.fill(table.caption, width)] if table.captioned and table.caption else []
    return "\n".join([table.title, "-" * len(table.title), *lines, *caption, ""])


def _plain(table: Table) -> Table:
    """Return a table whose names can do nothing to a terminal."""
    rows = tuple(tuple(map(one_line, row)) for row in table.rows)
    return replace(table, title=one_line(table.title), columns=tuple(map(one_line, table.columns)), rows=rows)


def _pieces(table: Table, widths: list[int], width: int) -> list[list[int]]:
    """Return the columns of each piece that fits the width."""
    pieces: list[list[int]] = [[]]
    for i in range(len(table.columns)):
        used = sum(widths[j] + 2 for j in pieces[-1])
        if len(pieces[-1]) > table.keys and used + widths[i] > width:
            pieces.append(list(range(table.keys)))
        pieces[-1].append(i)
    return pieces


def _aligned(table: Table, widths: list[int], columns: Sequence[int]) -> list[str]:
    justify = {i: str.rjust if table.is_numeric(i) else str.ljust for i in columns}
    rows = (table.columns, *table.rows)
    return ["  ".join(justify[i](row[i], widths[i]) for i in columns).rstrip() for row in rows]


def to_markdown(table: Table) -> str:
    """Return a GitHub-flavoured Markdown table."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(markdown(cell) for cell in cells) + " |"

    rule = "|" + "".join(" ---: |" if table.is_numeric(i) else " --- |" for i in range(len(table.columns)))
    body = "\n".join([line(table.columns), rule, *map(line, table.rows)])
    caption = f"\n{markdown(table.caption)}\n" if table.caption else ""
    return f"### {markdown(table.title)}\n\n{body}\n{caption}"


LONGEST = 40
"""More rows than this do not fit a page: the table is then set over several."""


def to_latex(table: Table) -> str:
    """Return a LaTeX table; it needs booktabs, and longtable above 40 rows."""

    def line(cells: Sequence[str]) -> str:
        protected = "{}" if cells[0][:1] in ("[", "*") else ""  # else the line break before would take it as its option
        return protected + " & ".join(latex(cell) for cell in cells) + r" \\"

    columns = "".join("r" if table.is_numeric(i) else "l" for i in range(len(table.columns)))
    caption = rf"\caption{{{latex(f'{table.title}. {table.caption}' if table.caption else table.title)}}}"
    body = [r"\toprule", line(table.columns), r"\midrule", *map(line, table.rows), r"\bottomrule"]
    if len(table.rows) > LONGEST:
        parts = [
            "% needs \\usepackage{booktabs,longtable}", rf"\begin{{longtable}}{{{columns}}}", caption + r" \\",
            *body, r"\end{longtable}", "",
        ]  # fmt: skip
    else:
        parts = [
            "% needs \\usepackage{booktabs}", r"\begin{table}", caption, rf"\begin{{tabular}}{{{columns}}}", *body,
            r"\end{tabular}", r"\end{table}", "",
        ]  # fmt: skip
    return "\n".join(parts)


def to_csv(records: Sequence[Record]) -> str:
    """Return records as CSV: exact numbers, empty where there is none, a pair of labels as a JSON list.

    A text that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay as they are.
    """
    if not records:
        return ""
    rows: list[list[object]] = [list(records[0]), *([record.get(key) for key in records[0]] for record in records)]
    return "".join(",".join(csv_cell(value) for value in row) + "\n" for row in rows)
