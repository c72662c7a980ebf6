"""The place of the cube that a run will write: what is there is replaced by more of the same, or kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdcompute.grid import Grid
from rdstats.cube import DONE, open_cube
from rdstats.cube.join_grids import completed
from rdstats.differences import describe_differences
from rdstats.errors import InputError, one_of
from rdstats.files import check_writable, is_temporary


def default_run_dir(output: Path) -> Path:
    """Return the run directory that belongs to an output: the same name with the suffix ``.run``.

    Raises
    ------
    InputError
        An output without a name of its own, such as ``.``.
    """
    if not output.name:
        raise InputError(f"--output {output}: is a folder; give the name of a file")
    return output.with_suffix(".run")


@dataclass(frozen=True)
class Output:
    """Where a cube will be written, and what is there: checksums of the images, number of finished cells."""

    path: Path
    data: Mapping[str, str]
    n_done: int

    def check_same_data(self, checksums: Mapping[str, str]) -> None:
        """Refuse to replace a cube that was computed on other images under the same name."""
        other = [name for name, checksum in checksums.items() if self.data and self.data.get(name) != checksum]
        if other:
            raise InputError(
                f"--output {self.path} was computed on other data called {one_of(other)}; give another name"
            )

    def check_no_loss(self, run_dir: Path, n_done: int) -> None:
        """Refuse to replace a cube by one of fewer finished cells."""
        if n_done < self.n_done:
            raise InputError(
                f"--output {self.path} holds {self.n_done} finished cells and is kept; run directory {run_dir} has "
                f"{n_done}: give another name"
            )

    def sweep(self) -> None:
        """Remove half-written cubes that killed writers of this output left beside it."""
        for path in self.path.absolute().parent.glob(".*.part"):
            if is_temporary(path, self.path.name):
                path.unlink(missing_ok=True)


def check_output(path: Path, grid: Grid, *, smaller: Sequence[Any] = ()) -> Output:
    """Return what is at the place of an output.

    Raises
    ------
    InputError
        It cannot be written, or holds anything but a cube of this grid (or of a `smaller` one that it has grown from).
    """
    check_writable(path)
    if not path.exists():
        return Output(path, {}, 0)
    try:
        with open_cube(path) as cube:
            found, data = (_json(cube.attrs.get(name)) for name in ("grid", "data_sha256"))
            n_done = int((cube["status"] == DONE).sum()) if "status" in cube else 0
    except InputError as error:
        raise InputError(f"--output {path} is there and would be lost: {error}; give another name") from None
    if found is None:
        raise InputError(f"--output {path} is there and would be lost: no cube of a grid; give another name")
    found = completed(found)
    if found not in (grid.resolved(), *map(completed, smaller)):
        differences = "; ".join(describe_differences(found, grid.resolved()))
        raise InputError(f"--output {path} belongs to a different grid: {differences}; give another name")
    return Output(path, data or {}, n_done)


def _json(attribute: Any) -> dict[str, Any] | None:
    """Return what an attribute of a cube describes; None where it does not, as in cubes from elsewhere."""
    try:
        found = json.loads(attribute)
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, dict) else None
