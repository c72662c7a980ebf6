"""What is in a run directory, without its grid file: how far it is, what failed, its cube, cells to be done again."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rdcompute.grid import Grid
from rdcompute.manifest import known_networks
from rdcompute.plan import Cell, Plan, make_plan
from rdcompute.rundir import RunDirectory
from rdstats.cube.join_grids import completed
from rdstats.errors import InputError, nearest

DENSE = "dense"


@dataclass(frozen=True)
class Run:
    """A run directory with the plan that it belongs to."""

    directory: RunDirectory
    grid: Grid
    plan: Plan


@dataclass(frozen=True)
class ColumnState:
    """How far a column is: all seeds and ratios of a dataset, an arch and a method (or its dense networks).

    Attributes
    ----------
    n, done, running, failed, unfinished : cells; unfinished ones have a checkpoint and nobody computes them, the
        rest is missing.
    seconds : spent on finished cells.
    seconds_left : what the others will take at the pace of the finished ones; None where no pace is known.
    """

    dataset: str
    arch: str
    method: str
    n: int
    done: int
    running: int
    failed: int
    unfinished: int
    seconds: float
    seconds_left: float | None

    @property
    def missing(self) -> int:
        return self.n - self.done - self.running - self.failed - self.unfinished


def open_run(path: Path, data_dir: Path | None = None) -> Run:
    """Open a run directory that is there.

    Raises
    ------
    InputError
        No run directory, one of another version, or one whose datasets are not found.
    """
    directory, grid = directory_and_grid(path)
    return Run(directory, grid, make_plan(grid, data_dir, known_networks(directory.manifest)))


def directory_and_grid(path: Path) -> tuple[RunDirectory, Grid]:
    """Open a run directory without its datasets; an `InputError` as by `open_run`."""
    directory = RunDirectory.existing(path)
    document = directory.manifest.get("document")
    if not document:
        raise InputError(f"run directory {path}: its grid is not in it; repeat rd compute with the grid file once")
    grid = Grid.model_validate(document)
    if grid.resolved() != completed(directory.manifest["grid"]):
        raise InputError(f"run directory {path}: made by a version with other defaults; give a new folder")
    return directory, grid


def count_cells(path: Path) -> tuple[int, int]:
    """Return how many cells of a run directory are finished, and how many there are.

    Raises
    ------
    InputError
        No run directory.
    """
    directory = RunDirectory.existing(path)
    keys = directory.manifest.get("cells", [])
    return sum(directory.cell_path(key).is_file() for key in keys), len(keys)


def column_states(run: Run, running: Collection[str] = ()) -> list[ColumnState]:
    """Return how far every column is, in the plan's order; `running` are the keys of cells under way."""
    columns: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in run.plan.cells:
        columns.setdefault((cell.dataset_label, cell.arch, cell.method or DENSE), []).append(cell)
    seconds = {cell.key: spent for cell in run.plan.cells if (spent := _seconds(run.directory, cell)) is not None}
    pace = _pace(run.plan.cells, seconds)
    return [_state(run.directory, names, cells, (seconds, pace), running) for names, cells in columns.items()]


def _state(
    directory: RunDirectory, names: tuple[str, str, str], cells: Sequence[Cell],
    times: tuple[dict[str, float], dict[tuple[str, str, str], float]], running: Collection[str],
) -> ColumnState:  # fmt: skip
    seconds, pace = times
    done = [cell for cell in cells if cell.key in seconds]
    rest = [cell for cell in cells if cell.key not in seconds]
    states = Counter(cell_state(directory, cell, running) for cell in rest)
    n_epochs, epoch = sum(cell.n_epochs for cell in rest), pace.get(_pace_of(cells[0]))
    left = 0.0 if not rest else None if epoch is None else epoch * n_epochs
    spent = sum(seconds[cell.key] for cell in done)
    return ColumnState(
        *names, n=len(cells), done=len(done), running=states["running"], failed=states["failed"],
        unfinished=states["unfinished"], seconds=spent, seconds_left=left,
    )  # fmt: skip


def cell_state(directory: RunDirectory, cell: Cell, running: Collection[str] = ()) -> str:
    """Return ``done``, ``running``, ``failed``, ``unfinished`` or ``missing``."""
    if directory.cell_path(cell.key).is_file():
        return "done"
    if cell.key in running:
        return "running"
    if directory.failure_path(cell.key).is_file():
        return "failed"
    return "unfinished" if directory.checkpoint_path(cell.key).is_file() else "missing"


def _pace_of(cell: Cell) -> tuple[str, str, str]:
    """Return what decides how long an epoch takes: epochs that are counted in steps are those of CIFAR-10."""
    return cell.dataset_label, cell.arch, cell.settings.unit


def _pace(cells: Iterable[Cell], seconds: dict[str, float]) -> dict[tuple[str, str, str], float]:
    """Return seconds per epoch of every dataset, arch and unit that has finished cells."""
    spent: dict[tuple[str, str, str], list[float]] = {}
    for cell in cells:
        if cell.key in seconds:
            total = spent.setdefault(_pace_of(cell), [0.0, 0.0])
            total[0] += seconds[cell.key]
            total[1] += cell.n_epochs
    return {name: total / epochs for name, (total, epochs) in spent.items()}


def _seconds(directory: RunDirectory, cell: Cell) -> float | None:
    """Return the seconds of a finished cell (0 where its twin cannot be read); None where it is not finished."""
    if not directory.cell_path(cell.key).is_file():
        return None
    seconds = directory.readable(cell.key).get("seconds", 0.0)
    return float(seconds) if isinstance(seconds, int | float) and math.isfinite(seconds) else 0.0


def failed_cells(run: Run) -> list[tuple[Cell, str]]:
    """Return the cells that failed, with the message of each."""
    found = []
    for cell in run.plan.cells:
        path = run.directory.failure_path(cell.key)
        if path.is_file() and not run.directory.cell_path(cell.key).is_file():
            found.append((cell, _message(path)))
    return found


def _message(path: Path) -> str:
    try:
        return str(json.loads(path.read_bytes())["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return "its record cannot be read"


def cells_named(run: Run, keys: Sequence[str]) -> list[Cell]:
    """Return the cells with these keys, or beginnings of keys.

    Raises
    ------
    InputError
        A key that no cell has, or several have.
    """
    result = []
    for key in keys:
        found = [cell for cell in run.plan.cells if cell.key.startswith(key)]
        if not found:
            near = nearest(key, [cell.key for cell in run.plan.cells])
            raise InputError(f"--cell {key}: no such cell{near}; rd status --cells lists them")
        if len(found) > 1:
            raise InputError(f"--cell {key}: {len(found)} cells begin so; give more of the key")
        result += found
    return result
