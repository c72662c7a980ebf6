"""The run directory: one file a finished cell, written whole or not at all, checked when read.

Layout::

    run.json                the resolved grid, the checksums of the datasets, the sizes of the networks
    cells/ab/abcd....cell   results of one cell (and, for a dense network, its weights)
    cells/ab/abcd....json   the same cell in words, for people
    unfinished/abcd....epochs   a training on its way, after the last epoch that was kept
    failed/abcd....json     a cell that did not finish, with its traceback
    lock, lock.json         who writes here now, if anyone; running.json: which cells
    images/                 decoded datasets, while cells are computed
    cluster/                which cells Dask workers began, while cells are computed on them
    log.txt                 what happened when
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import warnings
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from rdcompute import cellfile
from rdcompute.cellfile import CellResult
from rdcompute.lock import RunLock
from rdcompute.manifest import (
    RUN_SCHEMA,
    DamagedManifestError,
    check_same,
    check_schema,
    grown_from,
    read_manifest,
    write_manifest,
)
from rdcompute.storage import StorageError, cannot_begin, cannot_write
from rdstats.errors import InputError
from rdstats.files import is_temporary, write_atomically

__all__ = ["CLUSTER", "RUN_SCHEMA", "CellResult", "RunDirectory", "StorageError", "sweep"]

CLUSTER = "cluster"


class RunDirectory:
    """Finished work of one grid on disk."""

    def __init__(self, path: Path, manifest: dict[str, Any], *, extend: bool = False) -> None:
        self.path = path
        self.manifest = manifest
        self._extend = extend
        self._cells = path / "cells"
        self._whole: dict[str, _Stamp] = {}

    @classmethod
    def open(
        cls,
        path: Path,
        resolved: dict[str, Any],
        checksums: dict[str, str],
        *,
        document: dict[str, Any] | None = None,
        cells: Iterable[str] = (),
        networks: dict[str, Any] | None = None,
        extend: bool = False,
    ) -> RunDirectory:
        """Create the directory, or continue in it if it belongs to the same grid and data.

        Parameters
        ----------
        resolved : the grid with nothing left to defaults.
        checksums : of the datasets.
        document : the grid as it was written, for commands that have the run directory alone.
        cells : keys of all its cells.
        networks : sizes of its networks, see `rdcompute.manifest.described_networks`.
        extend : take over the directory of a grid whose cells are all among `cells`.

        Raises
        ------
        InputError
            The folder holds something else, another grid (the message shows what differs), or cannot be written.
        StorageError
            The disk is full, or fails.
        """
        manifest = {
            "run_schema": RUN_SCHEMA, "grid": resolved, "datasets": checksums, "document": document or {},
            "cells": sorted(cells), "networks": networks or {},
        }  # fmt: skip
        target = path / "run.json"
        try:
            if path.exists() and not path.is_dir():
                raise InputError(f"run directory {path}: is a file; give the name of a folder")
            if target.is_file():
                try:
                    check_same(path, read_manifest(target), manifest, extend=extend)
                except DamagedManifestError:
                    _mend(target, manifest)
            elif path.is_dir() and not all(_is_leftover(entry) for entry in path.iterdir()):
                raise InputError(f"run directory {path}: holds other files and no run.json; give a new or empty folder")
            else:
                path.mkdir(parents=True, exist_ok=True)
                write_manifest(target, manifest)  # first: it makes the folder ours
            (path / "cells").mkdir(exist_ok=True)
        except OSError as error:
            raise cannot_begin(path, error) from None
        return cls(path, manifest, extend=extend)

    @classmethod
    def existing(cls, path: Path) -> RunDirectory:
        """Return the run directory that is there.

        Raises
        ------
        InputError
            No run directory, or one of another version.
        """
        target = path / "run.json"
        if path.is_file():
            raise InputError(f"{path}: is a file, not a run directory; a cube is read by rd info")
        if not target.is_file():
            raise InputError(f"{path}: not a run directory (it holds no run.json)")
        found = read_manifest(target)
        check_schema(path, found)
        return cls(path, found)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the right to write here alone, and sweep what killed writers left behind.

        Raises
        ------
        InputError
            Another process writes here, or has made the folder another grid's meanwhile; or it cannot be written.
        StorageError
            The disk is full, or fails.
        """
        try:
            lock = RunLock(self.path).take()
        except OSError as error:
            raise cannot_begin(self.path, error) from None
        with lock:
            self._take_over()
            sweep(self.path)
            self._sweep_checkpoints()
            for name in ("images", CLUSTER):
                shutil.rmtree(self.path / name, ignore_errors=True)
            yield

    def _take_over(self) -> None:
        """Make `run.json` this grid's, which only the holder of the lock may do."""
        target = self.path / "run.json"
        found = read_manifest(target)
        check_same(self.path, found, self.manifest, extend=self._extend)
        self.manifest = grown_from(found, self.manifest)
        if found != json.loads(json.dumps(self.manifest)):
            try:
                write_manifest(target, self.manifest)
            except OSError as error:
                raise cannot_begin(self.path, error) from None

    def _sweep_checkpoints(self) -> None:
        """Remove checkpoints of finished cells: their writer was killed after the one, before the other."""
        for path in (self.path / "unfinished").glob("*.epochs"):
            if self.cell_path(path.stem).is_file():
                path.unlink(missing_ok=True)

    def cell_path(self, key: str) -> Path:
        return self._cells / f"{key[:2]}/{key}.cell"

    def has(self, key: str) -> bool:
        """Whether the cell is finished and whole; a damaged one is set aside with a warning, as by `load`."""
        if (known := self._whole.get(key)) is not None:
            with contextlib.suppress(OSError):
                if _stamp(os.stat(self.cell_path(key))) == known:
                    return True
        with self._open(key) as file:
            return file is not None

    def load(self, key: str, only: Collection[str] | None = None) -> CellResult | None:
        """Return a finished cell; None if it is not there, or damaged: then it is set aside with a warning.

        `only` names the arrays that are wanted; the others are not decoded.
        """
        with self._open(key) as file:
            if file is None:
                return None
            try:
                if only is not None and not only:
                    return CellResult(cellfile.unpack_meta(file), {})
                return cellfile.unpack(file, only)
            except cellfile.UNREADABLE:
                self.set_aside(key)
                return None

    def readable(self, key: str) -> dict[str, Any]:
        """Return what the readable twin of a finished cell says of its result; nothing where it cannot be read."""
        try:
            found = json.loads(self.cell_path(key).with_suffix(".json").read_bytes())["result"]
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return found if isinstance(found, dict) and self.cell_path(key).is_file() else {}

    @contextlib.contextmanager
    def _open(self, key: str) -> Iterator[BinaryIO | None]:
        """Open the file of a cell that is whole; None if there is none, or it had to be set aside.

        Its checksum is taken once: again only where the file is another one since, or has been written to.
        """
        try:
            file = open(self.cell_path(key), "rb")  # noqa: SIM115 - closed below
        except FileNotFoundError:
            yield None
            return
        except (PermissionError, IsADirectoryError) as error:
            raise InputError(f"{self.cell_path(key)}: cannot be read ({error.strerror})") from None
        with file:
            stamp = _stamp(os.fstat(file.fileno()))
            whole = self._whole.get(key) == stamp or _is_whole(file, key)
            if whole:
                self._whole[key] = stamp
            else:
                self.set_aside(key)
            yield file if whole else None

    def set_aside(self, key: str, why: str = "was damaged", suffix: str = ".damaged") -> None:
        """Rename the file of a finished cell that cannot be used, with a warning; the cell counts as missing."""
        self._whole.pop(key, None)
        path = self.cell_path(key)
        aside = path.with_suffix(suffix)
        how = f"set aside as {aside.name}"
        try:
            os.replace(path, aside)
        except FileNotFoundError:  # another process was first
            pass
        except OSError as error:
            how = f"left where it is ({error.strerror})"
        warnings.warn(f"{path} {why}; {how}, the cell counts as missing", stacklevel=4)

    @contextlib.contextmanager
    def _storing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def save(self, key: str, result: CellResult, content: dict[str, Any]) -> None:
        """Store a finished cell, its readable twin first.

        Raises
        ------
        StorageError
            It cannot be written; what was there before is untouched, and nothing half-written is left.
        """
        path = self.cell_path(key)
        readable = {"cell": content, "result": result.meta}
        with self._storing():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path.with_suffix(".json"), json.dumps(readable, indent=1).encode())
            write_atomically(path, cellfile.pack(key, result))
            self.failure_path(key).unlink(missing_ok=True)
            self.checkpoint_path(key).unlink(missing_ok=True)

    def checkpoint_path(self, key: str) -> Path:
        return self.path / "unfinished" / f"{key}.epochs"

    def load_checkpoint(self, key: str) -> CellResult | None:
        """Return how far a cell's training came; None where there is nothing, or nothing whole: it is removed."""
        path = self.checkpoint_path(key)
        try:
            with open(path, "rb") as file:
                if _is_whole(file, key):
                    return cellfile.unpack(file)
        except FileNotFoundError:
            return None
        with self._storing():
            os.replace(path, path.with_suffix(".damaged"))
        warnings.warn(f"{path} was damaged; set aside, the training begins anew", stacklevel=3)
        return None

    def save_checkpoint(self, key: str, progress: CellResult) -> None:
        """Replace the checkpoint of a cell; a `StorageError` as by `save`."""
        path = self.checkpoint_path(key)
        with self._storing():
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, cellfile.pack(key, progress))

    def failure_path(self, key: str) -> Path:
        return self.path / "failed" / f"{key}.json"

    def save_failure(self, key: str, content: dict[str, Any], message: str, trace: str) -> None:
        """Record why a cell did not finish; a `StorageError` as by `save`."""
        path = self.failure_path(key)
        record = {"cell": content, "error": message, "traceback": trace.splitlines()}
        with self._storing():
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, json.dumps(record, indent=1).encode())
            self.checkpoint_path(key).unlink(missing_ok=True)


def sweep(folder: Path) -> int:
    """Remove half-written files of killed writers below a folder that nobody else writes into; return how many."""
    left = [path for path in folder.rglob(".*.part") if is_temporary(path)]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _mend(path: Path, manifest: dict[str, Any]) -> None:
    """Write a damaged `run.json` anew: cells are found by their keys, whatever it says."""
    aside = path.with_suffix(".json.damaged")
    os.replace(path, aside)
    write_manifest(path, manifest)
    warnings.warn(
        f"{path} was damaged; set aside as {aside.name} and written anew from the grid. That finished cells were "
        "computed on these very images cannot be checked any more", stacklevel=3,
    )  # fmt: skip


def _is_leftover(path: Path) -> bool:
    """Whether a file is what an interrupted first `RunDirectory.open` leaves."""
    return is_temporary(path, "run.json")


_Stamp = tuple[int, int, int]


def _stamp(status: os.stat_result) -> _Stamp:
    """Return by what a file is known again: its node, its length, when it was written to."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def _is_whole(file: BinaryIO, key: str) -> bool:
    try:
        return cellfile.is_whole(file, key)
    except OSError as error:  # sectors that the disk cannot read any more are damage like any other
        if error.errno != errno.EIO:
            raise
        return False
