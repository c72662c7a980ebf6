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

    def is_numeric(self, column: int) -> bool:
        """Whether a column holds numbers, p-values or intervals only: it is aligned to the right."""
        return all(_NUMERIC.match(row[column]) for row in self.rows)


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading and how a record's cell is written."""

    heading: str
    text: Callable[[Record], str]


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
    return Column(heading, lambda record: number(record[key], digits))


def between(heading: str, prefix: str = "") -> Column:
    """A column of intervals, from the keys ``<prefix>lower`` and ``<prefix>upper``."""
    return Column(heading, lambda record: interval(record[f"{prefix}lower"], record[f"{prefix}upper"]))


def probability(heading: str, key: str) -> Column:
    """A column of p-values."""
    return Column(heading, lambda record: p_value(record[key]))


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
        groups.setdefault(" ".join(label(record[dim]) for dim in apart), []).append(record)
    headings = (*inside, *(column.heading for column in columns))
    result = []
    for i, (name, own) in enumerate(groups.items() or [("", [])]):
        rows = tuple((*(label(r[d]) for d in inside), *(column.text(r) for column in columns)) for r in own)
        last = i == max(len(groups), 1) - 1
        reasons = tuple(str(record.get("reason") or "") for record in own)
        heading = f"{title}: {name}" if name else title
        result.append(Table(heading, headings, rows, caption, reasons, captioned=last, keys=len(inside)))
    return result


def fixed_text(records: Sequence[Record], dims: Iterable[str]) -> str:
    """Return the labels that all records share, for the caption: `` (dataset digits, arch lenet)``."""
    if not records:
        return ""
    shared = [dim for dim in dims if len({str(record[dim]) for record in records}) == 1]
    words = ", ".join(f"{dim} {label(records[0][dim])}" for dim in shared)
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
