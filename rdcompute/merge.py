"""Merge the run directories of several machines into a new one; refuse what contradicts."""

from __future__ import annotations

import os
import secrets
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdcompute.criteria import recipe_of
from rdcompute.grid import Grid, dataset_label
from rdcompute.lock import LOCK, RunLock
from rdcompute.manifest import described_networks, known_networks
from rdcompute.merge_cells import CellMerge
from rdcompute.method_settings import method_fields
from rdcompute.plan import grid_cells
from rdcompute.rundir import RunDirectory
from rdcompute.runs import directory_and_grid
from rdcompute.storage import cannot_begin, cannot_write
from rdcompute.training_settings import settings_for
from rdstats.cube.join_attrs import join_checksums
from rdstats.cube.join_grids import join_grids
from rdstats.cube.merge import check_distinct
from rdstats.errors import InputError
from rdstats.files import check_writable, is_temporary


@dataclass(frozen=True)
class MergedRun:
    """What `merge_runs` wrote: the folder, the cells of its grid, how many of them are finished."""

    path: Path
    n_cells: int
    n_done: int


def merge_runs(
    paths: Sequence[Path], output: Path, *, progress: Callable[[int, int], None] | None = None
) -> MergedRun:
    """Merge run directories into a new one, whose grid has the seeds and experiments of all.

    Finished cells are checked and copied; those that several runs have must be equal in all but times and
    circumstances, and a compressed network must come with the dense one it was made of.  Damaged cells are left
    out.  Of cells that no run has finished, the record of a failure and the training that came furthest go along.
    The runs are only read; another process may go on computing in them.

    Parameters
    ----------
    paths : two or more run directories.
    output : a folder that is not there, or empty; it is there when all is in it, or not at all.
    progress : told the number of cells looked at, and of all.

    Raises
    ------
    InputError
        Fewer than two runs, one given twice, no run, runs of different grids or data, cells that contradict each
        other (naming the cell), or an output that holds something.
    StorageError
        The disk is full, or fails.

    Warns
    -----
    UserWarning
        Damaged cells, and cells whose dense network cannot be told, that are left out.
    """
    check_distinct(paths, "run directories")
    runs = [directory_and_grid(path) for path in paths]
    names = list(map(str, paths))
    _check_new(output, paths)
    grid = join_run_grids([grid for _, grid in runs], names)
    checksums = join_checksums([run.manifest.get("datasets") or {} for run, _ in runs], names)
    cells = grid_cells(grid)
    _sweep(output)
    temporary = output.absolute().parent / f".{output.name}-{secrets.token_hex(4)}.part"
    try:
        temporary.mkdir()
    except OSError as error:
        raise cannot_begin(output, error) from None
    try:
        target = RunDirectory.open(
            temporary, grid.resolved(), checksums, document=grid.document(), cells=(cell.key for cell in cells),
            networks=described_networks({k: v for run, _ in runs for k, v in known_networks(run.manifest).items()}),
        )
        with RunLock(temporary).take():
            merge = CellMerge([run for run, _ in runs], target)
            for i, cell in enumerate(cells):
                merge.take(cell)
                if progress is not None:
                    progress(i + 1, len(cells))
        _rename(temporary, output)
    except OSError as error:
        raise cannot_write(output, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for line in merge.left_out:
        warnings.warn(line, stacklevel=2)
    return MergedRun(output, len(cells), merge.n_done)


def join_run_grids(grids: Sequence[Grid], names: Sequence[str]) -> Grid:
    """Return the grid of a merged run.

    Recipes are written out, one block an architecture or method; a dataset in a file is named as the first run names it
    whose name is a file here.

    Raises
    ------
    InputError
        Grids that differ in more than seeds and experiments.
    """
    joined = join_grids([grid.resolved() for grid in grids], names)
    files: dict[str, list[str]] = {}
    recipes: dict[str, Any] = {}
    for grid in grids:
        for experiment in grid.experiments:
            for name in experiment.dataset:
                files.setdefault(dataset_label(name), []).append(name)
            for arch in experiment.arch:
                recipes.setdefault(arch, settings_for(arch, grid.training).model_dump(mode="json"))
            for recipe in filter(None, map(recipe_of, experiment.method)):
                recipes.setdefault(recipe, method_fields(recipe, grid.training))
    found = {label: min(several, key=lambda name: not Path(name).is_file()) for label, several in files.items()}
    experiments = [
        {**experiment, "dataset": [found[label] for label in experiment["dataset"]]}
        for experiment in joined["experiments"]
    ]
    description = next((grid.description for grid in grids if grid.description), "")
    return Grid.model_validate({**joined, "description": description, "experiments": experiments, "training": recipes})


def _check_new(output: Path, sources: Sequence[Path]) -> None:
    if output.is_dir():
        if next(output.iterdir(), None) is not None:
            raise InputError(f"output {output} holds files; give a new or empty folder")
    elif output.exists():
        raise InputError(f"output {output} is a file; give the name of a new folder")
    else:
        check_writable(output)
    for source in sources:
        if source.resolve() in output.resolve().parents:
            raise InputError(f"output {output} is inside the run directory {source}; give another folder")


def _sweep(output: Path) -> None:
    """Remove what killed merges of this output left; one that still runs holds its lock."""
    for left in output.absolute().parent.iterdir():
        if is_temporary(left, output.name) and (left / LOCK).is_file():
            try:
                RunLock(left).take().release()
            except (InputError, OSError):
                continue
            shutil.rmtree(left, ignore_errors=True)


def _rename(temporary: Path, output: Path) -> None:
    try:
        if output.is_dir():
            output.rmdir()
        os.rename(temporary, output)
    except OSError as error:
        raise InputError(f"output {output}: {error.strerror}; give the name of a new folder") from None
