"""Tables as a page shows them: reasons of empty cells, what a column is sorted by, and the exact records behind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rdstats.tables.formats import to_csv
from rdstats.tables.table import NONE, Table

SHOWN_ROWS = 60
"""A longer table shows its first rows, and the others when it is asked to."""

REASONS = {
    "missing": "not computed",
    "degenerate_excluded": "all networks are degenerate and were left out",
    "undefined_class": "a class has no defined score (0/0)",
    "no_spread": "all classes of the dense network have one score",
    "no_variation": "all networks give the same value",
    "too_few_seeds": "too few networks",
    "no_control": "the method has no control",
    "unmatched_ratio": "the achieved ratios differ",
    "weak_denominator": "the dense networks' spread is too weak against the sampling of test images",
    "not_estimable": "the test set is too weak",
    "bounds_only": "only bounds are known",
}


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, the reason where it is empty, and its place when the column is sorted."""

    text: str
    reason: str = ""
    rank: int | None = None


@dataclass(frozen=True)
class TableView:
    """A table of a page.

    Attributes
    ----------
    id : identifier on the page.
    numeric : which columns hold numbers.
    caption : what stands below; empty where another table of the group says it.
    csv : the exact records, empty where there are none to download.
    filename : of the download.
    """

    id: str
    title: str
    columns: tuple[str, ...]
    rows: list[list[Cell]]
    numeric: list[bool]
    caption: str
    csv: str
    filename: str

    @property
    def long(self) -> bool:
        """Whether only the first rows are shown at first."""
        return len(self.rows) > SHOWN_ROWS


def views(tables: Sequence[Table], name: str) -> list[TableView]:
    """Return tables as a page shows them, with identifiers and file names that start with `name`."""
    return [view(table, f"{name}-{i + 1}" if len(tables) > 1 else name) for i, table in enumerate(tables)]


def view(table: Table, name: str) -> TableView:
    """Return a table as a page shows it."""
    reasons = table.reasons or ("",) * len(table.rows)
    rows = [
        [Cell(text, reason_text(reason) if text == NONE else "", rank) for text, rank in zip(row, places, strict=True)]
        for row, places, reason in zip(table.rows, ranks(table), reasons, strict=True)
    ]
    return TableView(
        f"table-{name}",
        table.title,
        table.columns,
        rows,
        [bool(table.rows) and table.is_numeric(i) for i in range(len(table.columns))],
        table.caption if table.captioned else "",
        to_csv(table.records),
        f"{name}.csv",
    )


def ranks(table: Table) -> list[list[int | None]]:
    """Return the place of every cell in its column when that is sorted upwards; None, the last, for a dash.

    Numbers come by their exact value, words behind them as people sort them (``resnet20`` before ``resnet110``);
    equal cells share a place.
    """
    values = table.values or tuple(tuple(None if text == NONE else text for text in row) for row in table.rows)
    result: list[list[int | None]] = [[None] * len(table.columns) for _ in values]
    for j in range(len(table.columns)):
        keys = [None if row[j] is None else sort_key(row[j]) for row in values]
        order = {key: place for place, key in enumerate(sorted({key for key in keys if key is not None}))}
        for own, key in zip(result, keys, strict=True):
            own[j] = None if key is None else order[key]
    return result


def sort_key(value: Any) -> tuple[Any, ...]:
    """Return what a value is ordered by: numbers by value, words by their parts, digits in them as numbers."""
    if isinstance(value, int | float):
        return (0, float(value))
    parts = [part for part in re.split(r"(\d+)", str(value).casefold()) if part]
    return (1, *(_digits(part) if part.isdecimal() else (1, 0, part) for part in parts), (-1, 0, str(value)))


def _digits(part: str) -> tuple[int, int, str]:
    """Return what a run of digits is ordered by: its number, however long it is."""
    bare = part.lstrip("0")
    return (0, len(bare), bare)


def reason_text(reason: str) -> str:
    """Return why there is no value, in words."""
    return REASONS.get(reason, reason.replace("_", " ")) or "no value"
