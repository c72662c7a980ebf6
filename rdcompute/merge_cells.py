"""Cells of several run directories, copied into another one where they are whole and agree."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rdcompute import cellfile
from rdcompute.lineage import own_id_of
from rdcompute.plan import Cell
from rdcompute.rundir import RunDirectory
from rdstats.errors import InputError

OF_THE_RUN = frozenset({"seconds", "started", "ended", "made"})
"""What a result says of where and how long it was computed; equal results may differ in it."""


@dataclass(frozen=True)
class _Found:
    """The file of a cell in one of the runs: checked, its arrays not decoded."""

    run: RunDirectory
    data: bytes
    meta: dict[str, Any]


@dataclass
class CellMerge:
    """Takes cell after cell, parents before children.

    Attributes
    ----------
    runs : only read.
    target : where cells are written.
    left_out : a line for every cell that was not taken from a run.
    n_done : finished cells taken.
    """

    runs: Sequence[RunDirectory]
    target: RunDirectory
    left_out: list[str] = field(default_factory=list)
    n_done: int = 0
    _taken: dict[str, str] = field(default_factory=dict)
    _own_of: dict[tuple[Path, str], str] = field(default_factory=dict)
    _achieved: dict[str, tuple[float, Path]] = field(default_factory=dict)
    _seeds: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def take(self, cell: Cell) -> None:
        """Copy a cell, or what there is of one that no run has finished.

        Raises
        ------
        InputError
            Results that differ between runs, or belong to another network than the one that is taken.
        """
        found = [one for run in self.runs if (one := self._read(run, cell, run.cell_path(cell.key))) is not None]
        found = [one for one in found if self._has_its_parent(one, cell)]
        for one in found:
            self._check_match(one, cell)
        if not found:
            self._take_unfinished(cell)
            return
        first = found[0]
        for other in found[1:]:
            self._check_equal(first, other, cell)
        if cell.is_dense:
            self._check_replicate(first, cell)
        else:
            self._achieved[cell.key] = first.meta["achieved_ratio"], first.run.path
        if own := own_id_of(first.meta):
            self._taken[cell.key] = own
            self._own_of |= {(one.run.path, cell.key): own for one in found}
        path = self.target.cell_path(cell.key)
        readable = {"cell": cell.content(), "result": first.meta}
        _write(path.with_suffix(".json"), json.dumps(readable, indent=1).encode(), flush=False)  # only for people
        _write(path, first.data)
        self.n_done += 1

    def _read(self, run: RunDirectory, cell: Cell, path: Path) -> _Found | None:
        """Return a file that is there and whole; nothing is set aside: the run is another's."""
        data = _read_if_there(path)
        if data is None:
            return None
        if cellfile.is_whole(io.BytesIO(data), cell.key):
            try:
                return _Found(run, data, cellfile.unpack(io.BytesIO(data), only=()).meta)
            except cellfile.UNREADABLE:
                pass
        self.left_out.append(f"{path} is damaged; left out")
        return None

    def _has_its_parent(self, one: _Found, cell: Cell) -> bool:
        """Return whether a network was made of the one that is taken: the dense one, or the level before."""
        if cell.parent is None or (taken := self._taken.get(cell.parent.key)) is None:
            return True
        own = one.meta.get("parent_id") or self._own_of.get((one.run.path, cell.parent.key))
        if own is None:
            self.left_out.append(
                f"{_name(cell)} of {one.run.path}: left out, as it does not say which dense network it was made of, "
                "and its own is not there"
            )
        elif own != taken:
            raise InputError(
                f"{_name(cell)} of {one.run.path} was made of another {cell.parent.kind} than the one in "
                f"{self._who_has(cell.parent.key)}"
            )
        return own is not None

    def _check_match(self, one: _Found, cell: Cell) -> None:
        """Refuse a network that keeps another number of weights than the one it matches that is taken."""
        if cell.match is None or cell.match.key not in self._achieved:
            return
        achieved, path = self._achieved[cell.match.key]
        if one.meta["target_ratio"] != achieved:
            raise InputError(
                f"{_name(cell)} of {one.run.path} keeps another number of weights than {cell.match.method} in {path}"
            )

    def _who_has(self, key: str) -> Path:
        return next(path for path, of in self._own_of if of == key)

    def _check_equal(self, one: _Found, other: _Found, cell: Cell) -> None:
        if one.data == other.data:
            return
        differs = _difference(one, other)
        if differs:
            dense = "the dense network of " if cell.is_dense else ""
            raise InputError(f"{dense}{_name(cell)} differs between {one.run.path} and {other.run.path} ({differs})")

    def _check_replicate(self, one: _Found, cell: Cell) -> None:
        """Refuse one dense network under two seeds: a run that was copied is no replicate."""
        seed = self._seeds.setdefault((cell.dataset_label, cell.arch, one.meta["dense_id"]), cell.seed)
        if seed != cell.seed:
            raise InputError(
                f"seeds {seed} and {cell.seed} have the same dense network (dataset {cell.dataset_label}, arch "
                f"{cell.arch}): a run that was copied is no replicate"
            )

    def _take_unfinished(self, cell: Cell) -> None:
        """Copy the record of a failure, and the training that came furthest."""
        for run in self.runs:
            record = _read_if_there(run.failure_path(cell.key))
            if record is not None:
                _write(self.target.failure_path(cell.key), record)
                break
        begun = [
            one for run in self.runs
            if cell.parent is None or (run.path, cell.parent.key) in self._own_of
            if (one := self._read(run, cell, run.checkpoint_path(cell.key))) is not None
        ]  # fmt: skip
        if begun:
            furthest = max(begun, key=lambda one: len(one.meta.get("history", ())))
            _write(self.target.checkpoint_path(cell.key), furthest.data)


def _difference(one: _Found, other: _Found) -> str:
    """Return the name of the first part in which two results differ, "" where they are equal.

    What only one of them tells (of its run, or because an older version did not) is no difference.
    """
    for name in one.meta:
        if name in OF_THE_RUN or name not in other.meta:
            continue
        if json.dumps(one.meta[name], sort_keys=True) != json.dumps(other.meta[name], sort_keys=True):
            return str(name)
    arrays, others = (cellfile.unpack(io.BytesIO(found.data)).arrays for found in (one, other))
    for name in [*arrays, *others]:
        if name not in arrays or name not in others or not _equal(arrays[name], others[name]):
            return name
    return ""


def _equal(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    """Return whether two arrays are the same bits of the same type and shape."""
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def _name(cell: Cell) -> str:
    parts = (f"{dim} {value:g}" if isinstance(value, float) else f"{dim} {value}" for dim, value in cell.where.items())
    return ", ".join(parts)


def _read_if_there(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EIO:  # sectors that the disk cannot read any more are damage like any other
            return b""
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def _write(path: Path, data: bytes, *, flush: bool = True) -> None:
    """Write a file into a folder that nobody else sees yet; with `flush` it is on disk before the folder has a name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
        if flush:
            file.flush()
            os.fsync(file.fileno())
