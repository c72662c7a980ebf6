"""Panels in rows and columns: one for each combination of all dimensions but the ratio."""

from __future__ import annotations

from collections.abc import Sequence

from rdstats._labelled import METHOD, RATIO, control_of, is_control
from rdstats.charts.panel import text
from rdstats.records import Record

Place = tuple[str, str]


def places(records: Sequence[Record], dims: Sequence[str], by: str = METHOD) -> dict[Place, list[Record]]:
    """Group records by row, their labels along the dimensions other than `by` and ratio, and column, that along `by`.

    Only dimensions that vary are named.  Controls have no place of their own unless there is nothing else.
    """
    shown = [record for record in records if not is_control(record.get(METHOD, ""))] or list(records)
    varying = [dim for dim in dims if dim != RATIO and len({str(record[dim]) for record in shown}) > 1]
    result: dict[Place, list[Record]] = {}
    for record in shown:
        row = " / ".join(text(record[dim]) for dim in varying if dim != by)
        result.setdefault((row, text(record[by]) if by in varying else ""), []).append(record)
    return result


def by_row(cells: dict[Place, list[Record]]) -> dict[str, dict[str, list[Record]]]:
    """Return row -> column -> records."""
    result: dict[str, dict[str, list[Record]]] = {}
    for (row, column), part in cells.items():
        result.setdefault(row, {})[column] = part
    return result


def label_of(place: Place) -> str:
    """Return a panel's name, complete where it stands alone."""
    return " / ".join(part for part in place if part)


def own_control(record: Record, records: Sequence[Record], dims: Sequence[str]) -> list[Record]:
    """Return the records of the control that belongs to a network; none for a control or where there is none."""
    if METHOD not in dims or is_control(record[METHOD]):
        return []
    controls = [one for one in records if is_control(one[METHOD])]
    name = control_of(str(record[METHOD]), [str(one[METHOD]) for one in controls])
    others = [dim for dim in dims if dim not in (METHOD, RATIO)]
    return [one for one in controls if one[METHOD] == name and key(one, others) == key(record, others)]


def key(record: Record, dims: Sequence[str]) -> tuple[str, ...]:
    """Return the labels of a record along dimensions, comparable between records."""
    return tuple(str(record[dim]) for dim in dims)
