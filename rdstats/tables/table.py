"""A table for people, and how its cells are written: this is where numbers are rounded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rdstats.analysis import Analysis
from rdstats.records import Record

NONE = "–"
_NUMERIC = re.compile(r"(<?-?[0-9.]+%?( to -?[0-9.]+| \([0-9.]+\)|\*)?|–)\Z")
_OUTER = ("method", "ratio", "class", "pair")
"""Dimensions that stay columns of a table; combinations of the others get a table each."""


@dataclass(frozen=True)
class Table:
    """A table of text: one heading a column, equally long rows, a title and a caption that says what it is."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str
    reasons: tuple[str, ...] = ()
    """Why cells of a row are empty, one a row; none where it is not known."""
    captioned: bool = True
    """Whether plain text and pages show the caption here; else another table of the group does."""
    keys: int = 1
    """How many of the first columns say what a row is about: they are repeated where a table is continued."""
    values: tuple[tuple[Any, ...], ...] = ()
    """What the cells are sorted by, as the rows: exact numbers, words, None for a dash."""
    records: tuple[Record, ...] = ()
    """The exact records that the table shows."""

    def is_numeric(self, column: int) -> bool:
        """Whether a column holds numbers, p-values or intervals only: it is aligned to the right."""
        return all(_NUMERIC.match(row[column]) for row in self.rows)


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, how a record's cell is written, and what it is sorted by."""

    heading: str
    text: Callable[[Record], str]
    value: Callable[[Record], Any] | None = None
    """The exact number; default: the text."""

    def sorted_by(self, record: Record) -> Any:
        """Return what the cell of a record is sorted by; None, which comes last, for a dash."""
        value = self.text(record) if self.value is None else self.value(record)
        return None if value == NONE else value


def number(value: Any, digits: int = 3) -> str:
    """Return a number with `digits` decimals; an en dash where there is none."""
    if value is None:
        return NONE
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if not float(text) else text  # no "-0.000"


def p_value(value: Any) -> str:
    """Return a p-value as the paper prints it: ``<0.001`` or three decimals."""
    if value is None:
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def interval(lower: Any, upper: Any) -> str:
    """Return ``lower to upper``."""
    return NONE if lower is None or upper is None else f"{number(lower)} to {number(upper)}"


def label(value: Any) -> str:
    """Return a coordinate as text: 2 for 2.0, ``2 vs 4`` for a pair."""
    if isinstance(value, list):
        return " vs ".join(map(label, value))
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def num(heading: str, key: str, digits: int = 3) -> Column:
    """A column of numbers."""
    return Column(heading, lambda record: number(record[key], digits), lambda record: record[key])


def between(heading: str, prefix: str = "") -> Column:
    """A column of intervals, from the keys ``<prefix>lower`` and ``<prefix>upper``, sorted by the lower end."""
    lower, upper = f"{prefix}lower", f"{prefix}upper"
    return Column(heading, lambda record: interval(record[lower], record[upper]), lambda record: record[lower])


def probability(heading: str, key: str) -> Column:
    """A column of p-values."""
    return Column(heading, lambda record: p_value(record[key]), lambda record: record[key])


def text(heading: str, key: str) -> Column:
    """A column of words."""
    return Column(heading, lambda record: label(record[key]) if record[key] not in (None, "") else NONE)


def build(
    title: str, records: Sequence[Record], dims: Sequence[str], columns: Sequence[Column], caption: str
) -> list[Table]:
    """Return records as tables, one for every combination of datasets, archs and further dimensions.

    Parameters
    ----------
    title : title; several tables add their labels to it.
    records : what is shown, a row each.
    dims : the records' dimensions; those that do not vary are not shown.
    columns : what stands beside the dimensions.
    caption : stands under the last table.
    """
    varying = [dim for dim in dims if len({str(record[dim]) for record in records}) > 1]
    apart = [dim for dim in varying if dim not in _OUTER]
    inside = [dim for dim in varying if dim in _OUTER]
    if not inside and len(apart) == 1:  # nothing else would tell the rows apart
        apart, inside = [], apart
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(" ".join(name_of(record, dim) for dim in apart), []).append(record)
    every = [*map(labels, inside), *columns]
    last = len(groups) - 1
    return [
        table(f"{title}: {name}" if name else title, own, every, caption, captioned=i == last, keys=len(inside))
        for i, (name, own) in enumerate(groups.items())
    ] or [table(title, [], every, caption, keys=len(inside))]


def table(
    title: str,
    records: Sequence[Record],
    columns: Sequence[Column],
    caption: str,
    *,
    captioned: bool = True,
    keys: int = 1,
) -> Table:
    """Return records as one table."""
    return Table(
        title,
        tuple(column.heading for column in columns),
        tuple(tuple(column.text(record) for column in columns) for record in records),
        caption,
        tuple(str(record.get("reason") or "") for record in records),
        captioned,
        keys,
        tuple(tuple(column.sorted_by(record) for column in columns) for record in records),
        tuple(records),
    )


def labels(dim: str) -> Column:
    """A column of a dimension's labels."""
    return Column(dim, lambda record: name_of(record, dim), lambda record: _order(record, dim))


def _order(record: Record, dim: str) -> Any:
    value = record[dim]
    return value if isinstance(value, int | float) and dim != "class" else name_of(record, dim)


def name_of(record: Record, dim: str) -> str:
    """Return the label of a record along a dimension as text; of a class its name, where it has one."""
    named = record.get("class_name") if dim == "class" else None
    return str(named) if named else label(record[dim])


def fixed_text(records: Sequence[Record], dims: Iterable[str]) -> str:
    """Return the labels that all records share, for the caption: `` (dataset digits, arch lenet)``."""
    if not records:
        return ""
    shared = [dim for dim in dims if len({str(record[dim]) for record in records}) == 1]
    words = ", ".join(f"{dim} {name_of(records[0], dim)}" for dim in shared)
    return f" ({words})" if words else ""


def n_text(records: Iterable[Record], unit: str = "networks") -> str:
    """Return ``n = 10 networks`` or ``n = 8 to 10 networks``."""
    ns = sorted({int(record["n"]) for record in records if record["n"]})
    if not ns:
        return "no network"
    return f"n = {ns[0]} to {ns[-1]} {unit}" if len(ns) > 1 else f"n = {ns[0]} {unit.removesuffix('s' * (ns == [1]))}"


def k_text(records: Iterable[Record]) -> str:
    """Return the numbers of simultaneous intervals: ``4`` or ``1, 4``."""
    return ", ".join(dict.fromkeys(str(record["k"]) for record in records))


def cell_dims(analysis: Analysis) -> list[str]:
    """Return the dimensions of a cell without the seed."""
    return [str(dim) for dim in analysis.summary["mean"].dims]


def single(analysis: Analysis) -> bool:
    """Return whether there is one training run only, so nothing to infer over seeds."""
    return int(analysis.slopes.sizes.get("seed", 1)) < 2


def dropped(analysis: Analysis) -> str:
    """Return what happened to degenerate networks."""
    return "left out" if analysis.summary.attrs["exclude_degenerate"] else "included"


def conditional(analysis: Analysis) -> str:
    """Return what intervals over seeds are conditional on."""
    return str(analysis.summary.attrs["conditional_on"])


def percent(level: float) -> str:
    """Return ``95%`` or ``98.75%``."""
    return f"{100 * level:.6g}%"
