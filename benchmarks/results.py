"""A run of the benchmarks as a file: machine, and for every benchmark its rows and how busy the machine was."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from benchmarks.row import Row
from rdstats.errors import InputError

SCHEMA = 1


@dataclass(frozen=True)
class Part:
    """One benchmark of a run; `error` says why it has no rows, or not all."""

    name: str
    rows: tuple[Row, ...]
    seconds: float
    load_before: float | None
    load_after: float | None
    error: str = ""

    @property
    def load(self) -> str:
        """The load before and after, in words."""
        known = [load for load in (self.load_before, self.load_after) if load is not None]
        return f"load {' to '.join(f'{load:.2f}' for load in known)}" if known else "load unknown"


@dataclass
class Results:
    """A run: the facts of the machine, and benchmarks in the order in which they ran."""

    machine: dict[str, Any]
    parts: list[Part] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write all there is so far; the file is replaced as a whole."""
        benchmarks = [{**vars(part), "rows": [row.document() for row in part.rows]} for part in self.parts]
        document = {"schema": SCHEMA, "machine": self.machine, "benchmarks": benchmarks}
        if not path.name:
            raise InputError(f"cannot write {str(path)!r}: no name of a file")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}.{os.getpid()}")
            unfinished.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
            os.replace(unfinished, path)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}") from None

    @classmethod
    def read(cls, path: Path) -> Results:
        """Return the run that `write` has stored.

        Raises
        ------
        InputError
            No such file, or another one.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise InputError(f"{path}: not JSON; accepted is what python -m benchmarks --json wrote") from None
        try:
            if document["schema"] > SCHEMA:
                raise InputError(f"{path}: schema {document['schema']}; up to {SCHEMA} is accepted")
            parts = [
                Part(**{**part, "name": str(part["name"]), "rows": tuple(map(Row.read, part["rows"]))})
                for part in document["benchmarks"]
            ]
            return cls(dict(document["machine"]), parts)
        except InputError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError):
            raise InputError(f"{path}: JSON, but not of python -m benchmarks --json") from None


def default_path(machine: dict[str, Any]) -> Path:
    """Return where a run goes if nobody says: a folder of the user's, by date and commit."""
    date = machine["date"].partition("+")[0].replace(":", "").replace("-", "").replace("T", "-")
    name = "-".join(part for part in (date, machine["commit"][:7]) if part)
    return platformdirs.user_data_path("rd") / "benchmarks" / f"{name}.json"
