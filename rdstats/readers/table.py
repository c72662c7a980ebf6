"""What every reader of tables hands on: chunks of columns, each a few values and which row has which."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rdstats.errors import InputError, nearest, one_of
from rdstats.readers.values import Unreadable, refuse, shown

T = TypeVar("T")


@dataclass(frozen=True)
class Column:
    """Values of a column of one chunk: row i has ``values[codes[i]]``, -1 says that the file has none there."""

    codes: NDArray[np.int64]
    values: Sequence[Any]


@dataclass(frozen=True)
class Chunk:
    """Some rows of a table; `first_row` is the number of the first as a person counts (CSV: the header is row 1)."""

    source: str
    first_row: int
    columns: dict[str, Column]

    def read(
        self, name: str, read: Callable[[Any], T | None], missing: str | None
    ) -> tuple[NDArray[np.int64], list[T]]:
        """Return codes and what `read` makes of the values, -1 where there is none.

        Raises
        ------
        InputError
            A value that `read` refuses, or that is not there while `missing` says what to tell then.
        """
        column = self.columns[name]
        made: dict[T, int] = {}
        places = np.full(len(column.values) + 1, -1, np.int64)
        used = np.bincount(column.codes + 1, minlength=len(column.values) + 1)[1:] > 0
        for i in np.flatnonzero(used).tolist():
            value = column.values[i]
            try:
                one = read(value)
            except Unreadable as error:
                row = self.row(np.argmax(column.codes == i))
                raise refuse(self.source, row, name, f"{shown(value)}; {error}") from None
            if one is not None:
                places[i] = made.setdefault(one, len(made))
        codes = places[column.codes]
        if missing is not None and len(codes) and int(codes.min()) < 0:
            raise refuse(self.source, self.row(int(np.argmin(codes >= 0))), name, missing)
        return codes, list(made)

    def row(self, i: Any) -> int:
        """Return the number of row `i` of this chunk."""
        return self.first_row + int(i)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).codes) if self.columns else 0


class Table(Protocol):
    """A file of rows: the names of its columns, and those asked for, chunk by chunk.

    `class_names`: columns whose classes the file itself lists.
    """

    source: str
    names: list[str]
    class_names: Mapping[str, Sequence[str]]

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Yield the rows, with the columns asked for only."""


def check_names(source: str, names: Sequence[str]) -> list[str]:
    """Return the names of the columns, refusing none and two of one name."""
    if not names:
        raise InputError(f"{source}: is empty; a header row and data rows are accepted")
    seen: set[str] = set()
    for name in names:
        if name in seen and name:
            raise InputError(f"{source}: column {shown(name)} is there twice; give each column a name of its own")
        seen.add(name)
    return list(names)


def column_named(source: str, names: Sequence[str], wanted: str) -> str:
    """Return the column called `wanted`, refusing one that is not there."""
    if wanted in names:
        return wanted
    several = [name for name in names if name.strip().lower() == wanted.strip().lower()]
    if len(several) == 1:
        return several[0]
    raise InputError(
        f"{source}: no column {shown(wanted)}{nearest(wanted, names)}; it has {one_of(shown(n) for n in names[:20])}"
    )


def coded(values: Sequence[Any]) -> Column:
    """Return a column of Python values, equal ones of one type coded once; lists and mappings stay as they are."""
    index: dict[Any, int] = {}
    distinct: list[Any] = []
    codes = np.empty(len(values), np.int64)
    for i, value in enumerate(values):
        key = (type(value), value) if value.__hash__ is not None else (id(value),)
        code = index.setdefault(key, len(distinct))
        if code == len(distinct):
            distinct.append(value)
        codes[i] = code
    return Column(codes, distinct)
