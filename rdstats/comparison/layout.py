"""A comparison on a terminal, in Markdown, and in a notebook."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence

from rdstats._text import visible
from rdstats.comparison.gate import GateResult
from rdstats.comparison.quantities import SHORT
from rdstats.comparison.result import Comparison
from rdstats.records import Record
from rdstats.tables import WIDTH, Table, to_markdown, to_text
from rdstats.tables.escape import markdown, one_line
from rdstats.tables.table import NONE, Column, between, build, num, probability

SHOWN = 40
"""Classes of a table for people; the records have all."""


def quantity_tables(comparison: Comparison) -> list[Table]:
    """Return the numbers of a comparison with their intervals."""
    records = comparison.records("quantities")
    dims = _dims(records, "quantity")
    columns = [
        Column("quantity", lambda r: str(r["quantity"])), num("value", "value"), between("interval"),
        Column("over", lambda r: SHORT.get(r["basis"], NONE)),
    ]  # fmt: skip
    bases = dict.fromkeys(record["basis"] for record in records if record["basis"] in SHORT)
    told = "; ".join(f"{SHORT[basis]}: {basis}" for basis in bases)
    caption = f"Intervals at {100 * comparison.source.level:.6g}%; {told}." if told else "No interval is known."
    return build("Comparison", records, dims, columns, caption)


def class_tables(comparison: Comparison) -> list[Table]:
    """Return what happened to every class, the largest losses first."""
    source, records = comparison.source, comparison.classes
    worst = sorted(records, key=lambda record: (record["change"] is None, record["change"]))
    shown = worst if len(worst) <= SHOWN else [*worst[: SHOWN // 2], *worst[-SHOWN // 2 :]]
    tested = any(record["p"] is not None for record in records)
    columns = [
        num("images", "n", 0), num("before", "recall_dense"), num("after", "recall"), num("change", "change"),
        between("interval"), *([probability("p corr.", "p_corrected")] if tested else []),
        num("part", "contribution"),
    ]  # fmt: skip
    left = f" The middle {len(worst) - SHOWN} of {len(worst)} classes are left out." if len(worst) > SHOWN else ""
    test = " p: McNemar's exact mid-p, corrected by Holm over the classes." if tested else ""
    caption = (
        f"Recall of every class, the largest losses first; intervals of the change ({source.basis}) are simultaneous "
        f"at {100 * source.level:.6g}% over the classes.{test} part: the class's part of the slope.{left}"
    )
    return build("Classes", shown, [*_dims(records, "class"), "class"], columns, caption)


def _dims(records: Sequence[Record], first: str) -> list[str]:
    keys = list(records[0]) if records else []
    return keys[: keys.index(first)] if first in keys else []


def to_plain(comparison: Comparison, gates: Sequence[GateResult] = ()) -> str:
    """Return a comparison as plain text: sentences, tables, how gates ended."""
    lines = [textwrap.fill(one_line(line), WIDTH) for line in comparison.sentences()]
    tables = [to_text(table) for table in (*quantity_tables(comparison), *class_tables(comparison))]
    ended = [textwrap.fill(one_line(gate.sentence()), WIDTH, subsequent_indent="  ") for gate in gates]
    notes = [textwrap.fill(f"note: {one_line(note)}", WIDTH, subsequent_indent="  ") for note in notes_of(comparison)]
    return "\n".join(["\n".join(lines), "", *tables, *notes, *ended, *([""] if notes or ended else [])])


def notes_of(comparison: Comparison) -> list[str]:
    """Return what a reader must know that the sentences do not say."""
    return [note for note in comparison.analysis.warnings if not note.startswith("one network only")]


def to_markdown_document(comparison: Comparison, gates: Sequence[GateResult] = ()) -> str:
    """Return a comparison in GitHub-flavoured Markdown, for the comment of a pull request."""
    lines = [f"- {markdown(line)}" for line in comparison.sentences()]
    ended = [f"- **{'failed' if gate.failed else 'passed'}** {markdown(gate.sentence().partition(': ')[2])}"
             for gate in gates]  # fmt: skip
    parts = ["## Which classes pay for compression", *(["\n".join(ended)] if ended else []), "\n".join(lines)]
    parts += [to_markdown(table).strip() for table in (*quantity_tables(comparison), *class_tables(comparison))]
    parts += ["\n".join(f"- note: {markdown(note)}" for note in notes_of(comparison))]
    return "\n\n".join(part for part in parts if part) + "\n"


def to_html(comparison: Comparison) -> str:
    """Return a comparison as a fragment of HTML, names from files escaped."""
    lines = "".join(f"<li>{_escaped(line)}</li>" for line in comparison.sentences())
    tables = "".join(_html_table(table) for table in (*quantity_tables(comparison), *class_tables(comparison)))
    return f"<div class='rdstats-comparison'><ul>{lines}</ul>{tables}</div>"


def _html_table(table: Table) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        style = [" style='text-align:right'" if table.rows and table.is_numeric(i) else "" for i in range(len(cells))]
        return "<tr>" + "".join(f"<{tag}{s}>{_escaped(c)}</{tag}>" for s, c in zip(style, cells, strict=True)) + "</tr>"

    body = "".join(row(cells, "td") for cells in table.rows)
    caption = f"<p><small>{_escaped(table.caption)}</small></p>" if table.captioned and table.caption else ""
    head = f"<p><b>{_escaped(table.title)}</b></p>"
    return f"{head}<table><thead>{row(table.columns, 'th')}</thead><tbody>{body}</tbody></table>{caption}"


def _escaped(text: str) -> str:
    return html.escape(visible(text))
