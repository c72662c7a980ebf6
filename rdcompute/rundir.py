"""The run directory: one file a finished cell, written whole or not at all, checked when read.

Layout::

    run.json                the resolved grid and the checksums of the datasets
    cells/ab/abcd....cell   results of one cell (and, for a dense network, its weights)
    cells/ab/abcd....json   the same cell in words, for people
    unfinished/abcd....epochs   a training on its way, after the last epoch that was kept
    failed/abcd....json     a cell that did not finish, with its traceback
    lock, lock.json         who writes here now, if anyone
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdcompute.differences import describe_differences
from rdcompute.lock import RunLock
from rdstats.errors import InputError
from rdstats.files import is_temporary, write_atomically

RUN_SCHEMA = 1
_MAGIC = b"rd cell 1 "


@dataclass(frozen=True)
class CellResult:
    """What one training leaves: plain numbers and text in `meta`, arrays by name."""

    meta: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


class RunDirectory:
    """Finished work of one grid on disk."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        self._whole: set[str] = set()

    @classmethod
    def open(
        cls,
        path: Path,
        resolved: dict[str, Any],
        checksums: dict[str, str],
        *,
        document: dict[str, Any] | None = None,
        cells: Iterable[str] = (),
        extend: bool = False,
    ) -> RunDirectory:
        """Create the directory, or continue in it if it belongs to the same grid and data.

        Parameters
        ----------
        resolved : the grid with nothing left to defaults.
        checksums : of the datasets.
        document : the grid as it was written, for commands that have the run directory alone.
        cells : keys of all its cells.
        extend : take over the directory of a grid whose cells are all among `cells`.

        Raises
        ------
        InputError
            The folder holds something else, another grid (the message shows what differs), or cannot be written.
        """
        manifest = {
            "run_schema": RUN_SCHEMA, "grid": resolved, "datasets": checksums, "document": document or {},
            "cells": sorted(cells),
        }  # fmt: skip
        target = path / "run.json"
        try:
            if path.exists() and not path.is_dir():
                raise InputError(f"run directory {path}: is a file; give the name of a folder")
            if target.is_file():
                cls._check_same(path, _read_json(target), manifest, extend=extend)
            elif path.is_dir() and not all(_is_leftover(entry) for entry in path.iterdir()):
                raise InputError(f"run directory {path}: holds other files and no run.json; give a new or empty folder")
            path.mkdir(parents=True, exist_ok=True)
            write_atomically(target, json.dumps(manifest, indent=1).encode())  # first: it makes the folder ours
            (path / "cells").mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"run directory {path}: cannot be written: {error.strerror}") from None
        return cls(path, manifest)

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
        found = _read_json(target)
        cls._check_schema(path, found)
        return cls(path, found)

    @staticmethod
    def _check_schema(path: Path, found: dict[str, Any]) -> None:
        if found.get("run_schema") != RUN_SCHEMA:
            raise InputError(
                f"run directory {path}: made by a version with run schema {found.get('run_schema')}, "
                f"this one writes {RUN_SCHEMA}; give a new folder"
            )

    @staticmethod
    def _check_same(path: Path, found: dict[str, Any], wanted: dict[str, Any], *, extend: bool = False) -> None:
        RunDirectory._check_schema(path, found)
        parts = ("grid", "datasets")
        if all(found.get(part) == wanted[part] for part in parts):
            return
        differences = "; ".join(d for p in parts for d in describe_differences(found.get(p), wanted[p], p))
        if not _grown(found, wanted):
            raise InputError(f"run directory {path} belongs to a different grid: {differences}; give another --run-dir")
        if not extend:
            n = len(set(wanted["cells"]) - set(found["cells"]))
            raise InputError(
                f"run directory {path} belongs to a smaller grid, {n} cells are new: {differences}; --extend computes "
                "them here"
            )

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the right to write here alone, and sweep what killed writers left behind.

        Raises
        ------
        InputError
            Another process writes here, or has made the folder another grid's meanwhile.
        """
        try:
            lock = RunLock(self.path).take()
        except OSError as error:
            raise InputError(f"run directory {self.path}: cannot be written: {error.strerror}") from None
        with lock:
            self._check_same(self.path, _read_json(self.path / "run.json"), self.manifest)
            sweep(self.path)
            yield

    def cell_path(self, key: str) -> Path:
        return self.path / "cells" / key[:2] / f"{key}.cell"

    def has(self, key: str) -> bool:
        """Whether the cell is finished and whole; a damaged one is set aside with a warning, as by `load`."""
        if key not in self._whole and self._read(key) is not None:
            self._whole.add(key)
        return key in self._whole and self.cell_path(key).is_file()

    def load(self, key: str) -> CellResult | None:
        """Return a finished cell; None if it is not there, or damaged: then it is set aside with a warning."""
        payload = self._read(key)
        return None if payload is None else _decode(payload)

    def readable(self, key: str) -> dict[str, Any]:
        """Return what the readable twin of a finished cell says of its result; nothing where it cannot be read."""
        try:
            found = json.loads(self.cell_path(key).with_suffix(".json").read_bytes())["result"]
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return found if isinstance(found, dict) and self.cell_path(key).is_file() else {}

    def _read(self, key: str) -> bytes | None:
        """Return the checked content of a cell's file; None if there is none or it had to be set aside."""
        path = self.cell_path(key)
        try:
            header, _, payload = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        if header == _header(key, payload):
            return payload
        self._whole.discard(key)
        aside = path.with_suffix(".damaged")
        with contextlib.suppress(FileNotFoundError):  # another process was first
            os.replace(path, aside)
        warnings.warn(f"{path} was damaged; set aside as {aside.name}, the cell is computed again", stacklevel=3)
        return None

    def save(self, key: str, result: CellResult, content: dict[str, Any]) -> None:
        """Store a finished cell, its readable twin first."""
        path = self.cell_path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        readable = {"cell": content, "result": result.meta}
        write_atomically(path.with_suffix(".json"), json.dumps(readable, indent=1).encode())
        payload = _encode(result)
        write_atomically(path, _header(key, payload) + b"\n" + payload)
        self.failure_path(key).unlink(missing_ok=True)
        self.checkpoint_path(key).unlink(missing_ok=True)

    def checkpoint_path(self, key: str) -> Path:
        return self.path / "unfinished" / f"{key}.epochs"

    def load_checkpoint(self, key: str) -> CellResult | None:
        """Return how far a cell's training came; None where there is nothing, or nothing whole: it is removed."""
        path = self.checkpoint_path(key)
        try:
            header, _, payload = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        if header == _header(key, payload):
            return _decode(payload)
        path.unlink(missing_ok=True)
        return None

    def save_checkpoint(self, key: str, progress: CellResult) -> None:
        """Replace the checkpoint of a cell."""
        path = self.checkpoint_path(key)
        path.parent.mkdir(exist_ok=True)
        payload = _encode(progress, compress=False)
        write_atomically(path, _header(key, payload) + b"\n" + payload)

    def failure_path(self, key: str) -> Path:
        return self.path / "failed" / f"{key}.json"

    def save_failure(self, key: str, content: dict[str, Any], message: str, trace: str) -> None:
        """Record why a cell did not finish."""
        path = self.failure_path(key)
        path.parent.mkdir(exist_ok=True)
        record = {"cell": content, "error": message, "traceback": trace.splitlines()}
        write_atomically(path, json.dumps(record, indent=1).encode())
        self.checkpoint_path(key).unlink(missing_ok=True)


def _grown(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether a grid has all cells of another, on the same data, and more."""
    same_data = (found.get("datasets") or {}).items() <= wanted["datasets"].items()
    return same_data and bool(found.get("cells")) and set(found["cells"]) < set(wanted["cells"])


def sweep(folder: Path) -> int:
    """Remove half-written files of killed writers below a folder that nobody else writes into; return how many."""
    left = [path for path in folder.rglob(".*.part") if is_temporary(path)]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _is_leftover(path: Path) -> bool:
    """Whether a file is what an interrupted first `RunDirectory.open` leaves."""
    return is_temporary(path, "run.json")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        raise InputError(f"{path}: damaged, not the description of a run; give another --run-dir") from None
    return content if isinstance(content, dict) else {}


def _header(key: str, payload: bytes) -> bytes:
    """Return the first line of a cell's file: its checksum covers the key, so files cannot change places."""
    return _MAGIC + hashlib.sha256(key.encode() + payload).hexdigest().encode()


def _encode(result: CellResult, *, compress: bool = True) -> bytes:
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {"_meta": np.frombuffer(json.dumps(result.meta).encode(), np.uint8), **result.arrays}
    (np.savez_compressed if compress else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def _decode(payload: bytes) -> CellResult:
    with np.load(io.BytesIO(payload), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files if name != "_meta"}
        return CellResult(json.loads(file["_meta"].tobytes()), arrays)
