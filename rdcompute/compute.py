"""The whole job: grid file in, cube out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rdcompute.assemble import assemble
from rdcompute.grid import Grid
from rdcompute.image_facts import ImageFacts, checksums, image_facts
from rdcompute.journal import Journal, logged
from rdcompute.lineage import check_replicates, orphans
from rdcompute.manifest import described_networks
from rdcompute.plan import Cell, Plan, make_plan
from rdcompute.provenance import described, now
from rdcompute.rundir import RunDirectory
from rdcompute.runner import run_cells
from rdcompute.runs import Run, failed_cells
from rdcompute.schedule import CHECKPOINT_EVERY, Listener, logger
from rdcompute.underway import UnderWay
from rdcompute.workers import worker_devices
from rdstats.cube import DONE, open_cube
from rdstats.differences import describe_differences
from rdstats.errors import InputError, one_of
from rdstats.files import check_writable, is_temporary


@dataclass(frozen=True)
class Summary:
    """What a run has: the cube, its directory, and its cells (failed: key -> message)."""

    output: Path
    run_dir: Path
    n_cells: int
    n_done: int
    n_reused: int
    failed: dict[str, str]


def compute(
    grid: Grid,
    output: Path,
    *,
    run_dir: Path | None = None,
    data_dir: Path | None = None,
    n_workers: int | str = 1,
    workers_per_device: int = 1,
    device: str = "auto",
    listener: Callable[[Plan, int], Listener] | None = None,
    order: Callable[[Iterable[Cell]], Iterable[Cell]] = list,
    fail_fast: bool = False,
    extend: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
) -> Summary:
    """Train, prune and fine-tune a grid and write its cube; finished cells of `run_dir` are not repeated.

    Parameters
    ----------
    output : the cube; replaced only when it holds this very grid.
    run_dir : finished cells; default: `output` with the suffix ``.run``.
    n_workers, workers_per_device : see `rdcompute.workers.worker_devices`; one worker is this process.
    fail_fast : stop at the first cell that fails.
    extend : go on in the run directory of a smaller grid, all of whose cells are in this one.
    checkpoint_every : seconds between the checkpoints of a training.
    listener : called with the plan and the number of finished cells; what it returns is told the progress.

    Raises
    ------
    InputError
        Wrong input; nothing was written.
    """
    from rdcompute.execute import choose_device

    device = choose_device(device)
    devices = worker_devices(device, n_workers, workers_per_device)
    plan = make_plan(grid, data_dir)
    run_dir = run_dir or output.with_suffix(".run")
    check_output(output, grid, smaller=_grid_there(run_dir) if extend else None)
    if run_dir.absolute() == output.absolute():
        raise InputError(f"--output {output} is the run directory too; give another name or --run-dir")
    facts = image_facts(plan, data_dir)
    found = checksums(facts)
    _check_same_data(output, found)
    run = RunDirectory.open(
        run_dir, grid.resolved(), found, document=grid.document(), cells=(cell.key for cell in plan.cells),
        networks=described_networks(plan.parameters), extend=extend,
    )  # fmt: skip
    started = now()
    with run.writing(), logged(run_dir):
        sweep_output(output)
        n_reused = sum(run.has(cell.key) for cell in plan.cells)
        _begin(plan, run, facts, n_reused, devices)
        failed = _run_all(
            plan, run, data_dir=data_dir, devices=devices,
            listener=listener(plan, n_reused) if listener else None, order=order, fail_fast=fail_fast,
            checkpoint_every=checkpoint_every,
        )  # fmt: skip
        _check_no_loss(output, plan, run)
        provenance = {"started": started, "n_workers": len(devices), "datasets": found}
        n_done = assemble(plan, run, facts, output, device=device, provenance=provenance)
        logger.info("cube %s: %d of %d cells, %d failed", output, n_done, len(plan.cells), len(failed))
    return Summary(output, run_dir, len(plan.cells), n_done, n_reused, failed)


def _begin(
    plan: Plan, run: RunDirectory, facts: Mapping[str, ImageFacts], n_reused: int, devices: tuple[str, ...]
) -> None:
    """Log the beginning; refuse replicates that are none."""
    logger.info(
        "grid %s: %d of %d cells are finished; %s", plan.grid.name, n_reused, len(plan.cells),
        "; ".join(f"{name} {value}" for name, value in described(devices).items()),
    )  # fmt: skip
    check_replicates(plan, run, lambda cell: facts[cell.dataset].n_train(cell))


def _run_all(
    plan: Plan, run: RunDirectory, *, devices: tuple[str, ...], listener: Listener | None, **how: Any
) -> dict[str, str]:
    """Run all cells that are not finished; those that were made from another dense network, once more."""
    under_way = UnderWay(run.path, len(devices), listener)
    try:
        how |= {"devices": devices, "listener": Journal(under_way)}
        failed = run_cells(plan, run, **how)
        return run_cells(plan, run, **how) if _set_aside_orphans(plan, run) else failed
    finally:
        under_way.close()


def _set_aside_orphans(plan: Plan, run: RunDirectory) -> int:
    found = orphans(plan, run)
    for cell in found:
        run.set_aside(cell.key, "was made from another dense network than the one that is there now")
    return len(found)


def _check_no_loss(output: Path, plan: Plan, run: RunDirectory) -> None:
    """Refuse to replace a cube by one of fewer finished cells."""
    if not output.exists():
        return
    with open_cube(output) as cube:
        n_there = int((cube["status"] == DONE).sum()) if "status" in cube else 0
    n_here = sum(run.has(c.key) and run.has(c.parent.key) for c in plan.cells if c.parent is not None)
    if n_here < n_there:
        raise InputError(
            f"--output {output} holds {n_there} finished cells and is kept; run directory {run.path} has {n_here}: "
            "give another name"
        )


def assemble_run(run: Run, output: Path, *, data_dir: Path | None = None) -> Summary:
    """Write the cube of what a run directory has finished; another process may go on computing in it.

    Raises
    ------
    InputError
        An output that cannot be written or holds another grid, or datasets other than those of the run.
    """
    check_output(output, run.grid)
    facts, found = _images_of(run, data_dir)
    _check_same_data(output, found)
    _check_no_loss(output, run.plan, run.directory)
    provenance = {"started": now(), "datasets": found}
    n_done = assemble(run.plan, run.directory, facts, output, device="", provenance=provenance)
    failed = {cell.key: message for cell, message in failed_cells(run)}
    return Summary(output, run.directory.path, len(run.plan.cells), n_done, n_done, failed)


def retry(
    run: Run,
    cells: Iterable[Cell],
    *,
    data_dir: Path | None = None,
    n_workers: int | str = 1,
    workers_per_device: int = 1,
    device: str = "auto",
    listener: Callable[[Plan, int], Listener] | None = None,
) -> Summary:
    """Compute some cells of a run directory again, with the dense networks and whatever else they need.

    Parameters
    ----------
    cells : cells that are not finished.

    Raises
    ------
    InputError
        A cell that is finished, or datasets other than those of the run.
    """
    from rdcompute.execute import choose_device

    wanted: dict[str, Cell] = {}
    for cell in cells:
        if run.directory.has(cell.key):
            raise InputError(f"cell {cell.key} ({cell.title}) is finished; only what failed or is missing is retried")
        needed: Cell | None = cell
        while needed is not None:
            wanted[needed.key] = needed
            needed = needed.parent
    devices = worker_devices(choose_device(device), n_workers, workers_per_device)
    facts, _ = _images_of(run, data_dir)
    with run.directory.writing(), logged(run.directory.path):
        here = [cell for cell in run.plan.cells if cell.key in wanted]
        n_reused = sum(run.directory.has(cell.key) for cell in here)
        _begin(run.plan, run.directory, facts, n_reused, devices)
        part = replace(run.plan, cells=tuple(here))
        failed = _run_all(
            part, run.directory, data_dir=data_dir, devices=devices,
            listener=listener(part, n_reused) if listener else None,
        )  # fmt: skip
    n_done = sum(run.directory.has(cell.key) for cell in run.plan.cells)
    return Summary(run.directory.path, run.directory.path, len(run.plan.cells), n_done, n_reused, failed)


def _images_of(run: Run, data_dir: Path | None) -> tuple[dict[str, ImageFacts], dict[str, str]]:
    """Return the datasets of a run and their checksums; refuse others under the same names."""
    facts = image_facts(run.plan, data_dir)
    here, there = checksums(facts), run.directory.manifest.get("datasets")
    if there != here:
        differences = "; ".join(describe_differences(there, here, "datasets"))
        raise InputError(f"run directory {run.directory.path} was computed on other data: {differences}")
    return facts, here


def sweep_output(output: Path) -> None:
    """Remove half-written cubes that killed writers of this output left beside it."""
    for path in output.absolute().parent.glob(".*.part"):
        if is_temporary(path, output.name):
            path.unlink(missing_ok=True)


def _grid_there(run_dir: Path) -> dict[str, Any] | None:
    """Return the resolved grid of a run directory that is there, None where there is none."""
    if not (run_dir / "run.json").is_file():
        return None
    found = RunDirectory.existing(run_dir).manifest.get("grid")
    return found if isinstance(found, dict) else None


def check_output(output: Path, grid: Grid, *, smaller: dict[str, Any] | None = None) -> None:
    """Refuse an output that cannot be written, or that holds anything but a cube of this grid (or a smaller one)."""
    check_writable(output)
    if not output.exists():
        return
    try:
        with open_cube(output) as cube:
            found = _grid_of(cube.attrs.get("grid"))
    except InputError as error:
        raise InputError(f"--output {output} is there and would be lost: {error}; give another name") from None
    if found is None:
        raise InputError(f"--output {output} is there and would be lost: no cube of a grid; give another name")
    if found not in (grid.resolved(), smaller):
        differences = "; ".join(describe_differences(found, grid.resolved()))
        raise InputError(f"--output {output} belongs to a different grid: {differences}; give another name")


def _check_same_data(output: Path, sums: Mapping[str, str]) -> None:
    """Refuse to replace a cube that was computed on other images under the same name."""
    if not output.exists():
        return
    with open_cube(output) as cube:
        found = _grid_of(cube.attrs.get("data_sha256"))
    other = [name for name, checksum in sums.items() if found is not None and found.get(name) != checksum]
    if other:
        raise InputError(f"--output {output} was computed on other data called {one_of(other)}; give another name")


def _grid_of(attribute: Any) -> dict[str, Any] | None:
    """Return the resolved grid that a cube carries; None if it carries none, as cubes from elsewhere."""
    try:
        found = json.loads(attribute)
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, dict) else None

