"""From chunks of a table to networks: counts added up, predictions kept as long as they fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdstats.errors import InputError
from rdstats.readers.networks import MOST_COUNTS, ClassTable, Examples, Network, cell_text
from rdstats.readers.options import Options
from rdstats.readers.roles import AFTER, BEFORE, Roles
from rdstats.readers.table import Chunk
from rdstats.readers.values import Unreadable, dim_label, label_text, refuse, shown, whole_count
from rdstats.unknown import OTHER, refusal

MOST_KEPT = 250_000_000
"""Labels and predictions kept in memory until they are paired, at 2 bytes each."""

GAP = ""
"""Stands for a prediction that is not there, where these are a class; no class can have this name."""

Ints = NDArray[np.int64]
_STAGES = {**dict.fromkeys(BEFORE, "before"), **dict.fromkeys(AFTER, "after")}


@dataclass
class _Cell:
    """What one network has so far."""

    where: dict[str, Any]
    stage: str | None
    model: str
    origin: tuple[str, str]
    classes: ClassTable
    counts: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    seen: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), bool))
    true: list[NDArray[np.uint16]] = field(default_factory=list)
    predicted: list[NDArray[np.uint16]] = field(default_factory=list)
    ids: list[Ints] = field(default_factory=list)

    def grow(self) -> None:
        """Make room for the classes there are, doubling."""
        n, room = len(self.classes.names), len(self.counts)
        if n > room:
            room = n if self.classes.names and room == 0 else max(n, min(2 * room, n + 1000))
            for name in ("counts", "seen"):
                old = getattr(self, name)
                new = np.zeros((room, room), old.dtype)
                new[: len(old), : len(old)] = old
                setattr(self, name, new)


class Collector:
    """Adds chunk after chunk of tables with the same roles."""

    def __init__(self, options: Options, tables: Callable[[str], ClassTable]) -> None:
        self.options, self._tables = options, tables
        self._cells: dict[tuple[Any, ...], _Cell] = {}
        self._ids: dict[str, int] = {}
        self._kept, self.keeps, self._room = 0, True, 0
        self.n_rows = 0

    def add(
        self, chunk: Chunk, roles: Roles, where: Mapping[str, Any], model: str,
        of_column: Mapping[str, Mapping[str, Any]] | None = None, declared: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Add a chunk.

        `where` and `model` are what the file's name says, `of_column` what those of columns say; `declared` are classes
        whether or not they are a label.
        """
        self.n_rows += len(chunk)
        weights = self._weights(chunk, roles)
        for own, rows in _cells_of(chunk, roles):
            place = {**where, **own}
            table = self._tables(str(place.get("dataset", "")))
            table.declare(declared)
            true = self._codes(chunk, roles.true, table, rows, is_true=True)
            ids = self._identities(chunk, roles, rows)
            for column, column_model in roles.models:
                predicted = self._codes(chunk, column, table, rows, is_true=False)
                said = {**place, **(of_column or {}).get(column, {})}
                origin = (chunk.source, f"row {chunk.row(rows[0] if isinstance(rows, np.ndarray) else 0)}")
                cell = self._cell(said, "" if column in (of_column or {}) else column_model or model, table, origin)
                if roles.count is None and cell.origin[0] != chunk.source and not self.options.join:
                    raise InputError(
                        f"{cell.origin[0]} and {chunk.source} have examples of one network"
                        f"{f' ({cell_text(said)})' if said else ''}: --join if they are parts of one table, "
                        "--pattern if their names tell networks apart"
                    )
                self._count(cell, chunk, rows, (true, predicted), weights)
                if roles.count is None:
                    self._keep(cell, true, predicted, ids)

    def networks(self) -> list[Network]:
        """Return the networks of all chunks, in the order in which they came."""
        return [
            Network(
                cell.where, _padded(cell.counts, len(cell.classes.names)), cell.classes, cell.stage, cell.model,
                ", ".join(cell.origin), self._examples(cell),
            )
            for cell in self._cells.values()
        ]  # fmt: skip

    def _cell(self, where: dict[str, Any], model: str, table: ClassTable, origin: tuple[str, str]) -> _Cell:
        key = (model, *sorted(where.items()))
        if key not in self._cells:
            rest = {dim: label for dim, label in where.items() if dim != "stage"}
            self._cells[key] = _Cell(rest, where.get("stage"), model, origin, table)
        cell = self._cells[key]
        if len(table.names) > len(cell.counts):
            self._room -= cell.counts.size
            cell.grow()
            self._room += cell.counts.size
            if self._room > MOST_COUNTS:
                raise InputError(
                    f"{len(self._cells)} networks of {len(table.names)} classes: their matrices take more than 2 GiB"
                )
        return cell

    def _weights(self, chunk: Chunk, roles: Roles) -> Ints | None:
        if roles.count is None:
            return None
        codes, values = chunk.read(roles.count, whole_count, "no value; a count of test images is accepted")
        return np.array(values, np.int64)[codes] if values else np.zeros(len(codes), np.int64)

    def _codes(self, chunk: Chunk, column: str, table: ClassTable, rows: Any, *, is_true: bool) -> Ints:
        what = "no value; a class is accepted in every row" if is_true else refusal(None, ())
        takes_gaps = not is_true and table.unknown == OTHER
        codes, values = _cached(chunk, column, label_text, None if takes_gaps else what)
        if takes_gaps and len(codes) and codes.min() < 0:
            codes, values = np.where(codes < 0, len(values), codes), [*values, GAP]
        own = codes[rows]
        present = np.unique(own).tolist() if isinstance(rows, np.ndarray) else range(len(values))
        places = np.zeros(len(values), np.int64)
        for i in present:
            found = table.number(values[i], is_true=is_true)
            strange = table.unknown == "error" and not (table.is_label(values[i]) or values[i] in table.first)
            if found is None or strange:
                at = np.flatnonzero(codes == i)[0] if not isinstance(rows, np.ndarray) else rows[np.argmax(own == i)]
                if found is None:
                    raise refuse(chunk.source, chunk.row(at), column, table.refusal(values[i], is_true=is_true))
                table.first[values[i]] = f"{chunk.source}: row {chunk.row(at)}, column {shown(column)}: "
            places[i] = found
        result: Ints = places[own] if len(values) else own
        return result

    def _identities(self, chunk: Chunk, roles: Roles, rows: Any) -> Ints | None:
        if roles.id is None or not self.keeps:
            return None
        codes, values = _cached(chunk, roles.id, label_text, "no value; a name of the example is accepted in every row")
        places = np.array([self._ids.setdefault(value, len(self._ids)) for value in values], np.int64)
        result: Ints = places[codes[rows]]
        return result

    def _count(self, cell: _Cell, chunk: Chunk, rows: Any, pair: tuple[Ints, Ints], weights: Ints | None) -> None:
        room = len(cell.counts)
        flat = pair[0] * room + pair[1]
        if weights is None:
            np.add.at(cell.counts.reshape(-1), flat, 1)
            return
        seen = cell.seen.reshape(-1)
        unique, first = np.unique(flat, return_index=True)
        if not self.options.sum and (len(unique) < len(flat) or seen[unique].any()):
            again = seen[flat]
            again[np.setdiff1d(np.arange(len(flat)), first)] = True
            at = int(np.argmax(again))
            names = [cell.classes.names[int(part[at])] for part in pair]
            row = chunk.row(rows[at] if isinstance(rows, np.ndarray) else at)
            raise refuse(
                chunk.source, row, None,
                f"repeats the count of true {shown(names[0])}, predicted {shown(names[1])} of the same network; "
                "one row a count is accepted, --sum adds them",
            )  # fmt: skip
        seen[unique] = True
        np.add.at(cell.counts.reshape(-1), flat, weights[rows])

    def _keep(self, cell: _Cell, true: Ints, predicted: Ints, ids: Ints | None) -> None:
        self._kept += 2 * len(true)
        if self._kept > MOST_KEPT and self.options.predictions is not True:
            self.keeps = False
            for one in self._cells.values():
                one.true, one.predicted, one.ids = [], [], []
        if self.keeps:
            cell.true.append(true.astype(np.uint16))
            cell.predicted.append(predicted.astype(np.uint16))
            if ids is not None:
                cell.ids.append(ids)

    def _examples(self, cell: _Cell) -> Examples | None:
        if not (self.keeps and cell.true):
            return None
        true, predicted = np.concatenate(cell.true), np.concatenate(cell.predicted)
        cell.true, cell.predicted = [], []
        if not cell.ids:
            return Examples(true, predicted)
        ids = np.concatenate(cell.ids)
        order = np.argsort(ids, kind="stable")
        ids = ids[order]
        if (twice := np.flatnonzero(ids[1:] == ids[:-1])).size:
            name = next(text for text, code in self._ids.items() if code == ids[twice[0]])
            raise InputError(f"{cell.origin[0]}: example {shown(name)} is there twice in one network; once is accepted")
        return Examples(true[order], predicted[order], ids)


def _cells_of(chunk: Chunk, roles: Roles) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield the cells of a chunk: what the columns say (``stage`` among them), and which rows; blanks are left out."""
    names = [*roles.dims, *(["stage"] if roles.stage else [])]
    if not names:
        yield {}, slice(None)
        return
    read = []
    for name in names:
        column = roles.stage if name == "stage" else roles.dims[name]
        reader = _stage if name == "stage" else lambda value, dim=name: dim_label(dim, value)
        what = "no value; before or after is accepted" if name == "stage" else None
        read.append(chunk.read(str(column), reader, what))
    key = np.zeros(len(chunk), np.int64)
    for codes, values in read:
        key = np.unique(key, return_inverse=True)[1] * (len(values) + 1) + codes + 1
    unique, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    bounds = np.searchsorted(inverse[order], np.arange(len(unique) + 1))
    for i in np.argsort(first, kind="stable").tolist():
        rows = order[bounds[i] : bounds[i + 1]] if len(unique) > 1 else slice(None)
        found: dict[str, Any] = {
            name: values[codes[first[i]]]
            for name, (codes, values) in zip(names, read, strict=True)
            if codes[first[i]] >= 0
        }
        yield found, rows


def _stage(value: Any) -> str | None:
    text = label_text(value)
    if text is not None and text.lower() not in _STAGES:
        raise Unreadable("before or after is accepted")
    return None if text is None else _STAGES[text.lower()]


def _cached(chunk: Chunk, column: str, read: Any, what: str | None) -> tuple[Ints, list[Any]]:
    """Read a column once a chunk: every cell of the chunk needs it."""
    kept: dict[str, Any] = chunk.__dict__.setdefault("_read", {})
    if column not in kept:
        kept[column] = chunk.read(column, read, what)
    found: tuple[Ints, list[Any]] = kept[column]
    return found


def _padded(counts: Ints, n: int) -> Ints:
    """Return a matrix of exactly n classes."""
    result = np.zeros((n, n), np.int64)
    m = min(n, len(counts))
    result[:m, :m] = counts[:m, :m]
    return result
