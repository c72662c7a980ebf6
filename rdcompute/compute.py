"""The whole job: grid file in, cube out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdcompute.assemble import assemble
from rdcompute.grid import Grid
from rdcompute.image_facts import ImageFacts, checksums, image_facts
from rdcompute.journal import Journal, logged
from rdcompute.lineage import Identities, check_replicates, check_rewind_points, identities, orphans
from rdcompute.manifest import DamagedManifestError, described_networks, grids_before, known_networks
from rdcompute.output import check_output, default_run_dir
from rdcompute.plan import Cell, Plan, make_plan
from rdcompute.provenance import described, now
from rdcompute.rundir import RunDirectory
from rdcompute.runner import run_cells
from rdcompute.runs import Run, failed_cells
from rdcompute.schedule import CHECKPOINT_EVERY, Listener, logger
from rdcompute.storage import cannot_write_cube
from rdcompute.underway import UnderWay
from rdcompute.workers import check_device_name, worker_devices
from rdstats.differences import describe_differences
from rdstats.errors import InputError

if TYPE_CHECKING:
    from rdcompute.cluster.start import Cluster


@dataclass(frozen=True)
class Summary:
    """What a run has: the cube, its directory, and its cells.

    Attributes
    ----------
    failed, failures : messages, by key and by what the cell is.
    kept : whether the cube that was there is kept, as it holds more finished cells.
    """

    output: Path
    run_dir: Path
    n_cells: int
    n_done: int
    n_reused: int
    failed: dict[str, str]
    failures: dict[str, str] = field(default_factory=dict)
    kept: bool = False


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
    cluster: Cluster | None = None,
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
    cluster : Dask workers, which compute in place of `n_workers` processes here; each finds its own `device`.

    Raises
    ------
    InputError
        Wrong input; nothing was written.
    """
    check_device_name(device)
    run_dir = run_dir or default_run_dir(output)
    manifest = _manifest(run_dir)
    plan = make_plan(grid, data_dir, known_networks(manifest))
    devices = worker_devices("cpu", n_workers, workers_per_device)
    if missing := _seem_missing(plan, run_dir):  # else torch, seconds to import, may not be needed
        devices = _devices(device, n_workers, workers_per_device, missing, cluster)
    target = check_output(output, grid, smaller=grids_before(manifest, extend=extend))
    if run_dir.absolute() == output.absolute():
        raise InputError(f"--output {output} is the run directory too; give another name or --run-dir")
    facts = image_facts(plan, data_dir)
    found = checksums(facts)
    target.check_same_data(found)
    check_rewind_points(plan, lambda cell: facts[cell.dataset].n_train(cell))
    run = RunDirectory.open(
        run_dir, grid.resolved(), found, document=grid.document(), cells=(cell.key for cell in plan.cells),
        networks=described_networks(plan.parameters), extend=extend,
    )  # fmt: skip
    started = now()
    with run.writing(), logged(run_dir):
        target.sweep()
        there = _without_orphans(plan, run, identities(plan.cells, run))
        n_reused = len(there)
        if n_reused < len(plan.cells):
            devices = _devices(device, n_workers, workers_per_device, missing, cluster, check=False)
        _log_beginning(plan, n_reused, devices, cluster)
        check_replicates(plan, there, lambda cell: facts[cell.dataset].n_train(cell))
        failed = _run_all(
            plan, run, there, data_dir=data_dir, devices=devices, cluster=cluster, device=device,
            listener=listener(plan, n_reused) if listener else None, order=order, fail_fast=fail_fast,
            checkpoint_every=checkpoint_every,
        )  # fmt: skip
        target = check_output(output, grid, smaller=grids_before(manifest, extend=extend))  # hours may have passed
        target.check_same_data(found)
        if failed and _n_compressed(plan, run) < target.n_done:
            logger.warning("cube %s holds more finished cells and is kept", output)
            return Summary(output, run_dir, len(plan.cells), 0, n_reused, failed, _failures(plan, failed), kept=True)
        provenance = {"started": started, "n_workers": len(devices), "datasets": found}
        try:
            n_done = assemble(plan, run, facts, output, device=devices[0], provenance=provenance)
        except OSError as error:
            raise cannot_write_cube(output, run_dir, error) from error
        logger.info("cube %s: %d of %d cells, %d failed", output, n_done, len(plan.cells), len(failed))
    return Summary(output, run_dir, len(plan.cells), n_done, n_reused, failed, _failures(plan, failed))


def _manifest(run_dir: Path) -> dict[str, Any]:
    """Return what a run directory says it is; nothing where there is none, or its word cannot be taken."""
    if not (run_dir / "run.json").is_file():
        return {}
    try:
        return RunDirectory.existing(run_dir).manifest
    except DamagedManifestError:
        return {}


def _failures(plan: Plan, failed: Mapping[str, str]) -> dict[str, str]:
    return {cell.title: failed[cell.key] for cell in plan.cells if cell.key in failed}


def _devices(
    device: str, n_workers: int | str, per_device: int, cells: Iterable[Cell], cluster: Cluster | None = None, *,
    check: bool = True,
) -> tuple[str, ...]:  # fmt: skip
    """Return the device of every worker, nameless those of a cluster; refuse cells that these cannot compute."""
    if cluster is not None:
        if check:
            cluster.check(device)
        return ("",) * max(1, cluster.n_workers)
    from rdcompute.compiled import check_compiler
    from rdcompute.execute import choose_device

    devices = worker_devices(choose_device(device), n_workers, per_device)
    check_compiler({cell.settings for cell in cells}, devices)
    return devices


def _seem_missing(plan: Plan, run_dir: Path) -> list[Cell]:
    """Return the cells without a file; only reading one says whether it is whole."""
    run = RunDirectory(run_dir, {})
    return [cell for cell in plan.cells if not run.cell_path(cell.key).is_file()]


def _log_beginning(plan: Plan, n_reused: int, devices: tuple[str, ...], cluster: Cluster | None = None) -> None:
    how = [str(cluster)] if cluster else [f"{name} {value}" for name, value in described(devices).items()]
    logger.info(
        "grid %s: %d of %d cells are finished; %s", plan.grid.name, n_reused, len(plan.cells), "; ".join(how)
    )


def _run_all(
    plan: Plan, run: RunDirectory, there: Identities, *, devices: tuple[str, ...], listener: Listener | None,
    cluster: Cluster | None = None, **how: Any,
) -> dict[str, str]:
    """Run all cells that are not finished, and those that lost what they need to a network with other bits."""
    with contextlib.ExitStack() as stack:
        under_way = UnderWay(run.path, len(devices), listener)
        stack.callback(under_way.close)
        how |= {"devices": devices, "listener": Journal(under_way)}
        if cluster and len(there) < len(plan.cells):
            from rdcompute.cluster.start import started

            how["team"] = stack.enter_context(started(cluster))
        failed = run_cells(plan, run, finished=there, **how)
        stranded = _stranded(plan, there)
        if stranded:  # what they need had to be computed again
            keys = {one.key for cell in stranded for one in (cell, *cell.needs)}
            part = replace(plan, cells=tuple(cell for cell in plan.cells if cell.key in keys))
            known = identities(part.cells, run)
            kept = _without_orphans(part, run, known)
            if known.keys() - kept.keys():
                failed |= run_cells(part, run, **how)
        return failed


def _stranded(plan: Plan, there: Identities) -> list[Cell]:
    """Return the finished cells that need one which was not finished, or another such cell; parents first."""
    found: dict[str, Cell] = {}
    for cell in plan.cells:
        if cell.key in there and any(other.key not in there or other.key in found for other in cell.needs):
            found[cell.key] = cell
    return list(found.values())


def _without_orphans(plan: Plan, run: RunDirectory, known: Identities) -> Identities:
    """Set aside finished cells that were made from another network; return the others."""
    lost = orphans(plan.cells, known)
    for cell in lost:
        of = cell.parent.kind if cell.parent and not cell.match else "network"
        run.set_aside(cell.key, f"was made from another {of} than the one that is there now", ".orphan")
    return {key: known[key] for key in known.keys() - {cell.key for cell in lost}}


def _n_compressed(plan: Plan, run: RunDirectory) -> int:
    """Return how many compressed networks a cube of the run has: those with the dense network each was made from."""
    known = identities(plan.cells, run)
    lost = {cell.key for cell in orphans(plan.cells, known)}
    here = known.keys() - lost
    return sum(cell.key in here and cell.dense.key in here for cell in plan.cells if not cell.is_dense)


def assemble_run(run: Run, output: Path, *, data_dir: Path | None = None) -> Summary:
    """Write the cube of what a run directory has finished; another process may go on computing in it.

    Raises
    ------
    InputError
        An output that cannot be written or holds another grid, or datasets other than those of the run.
    """
    target = check_output(output, run.grid, smaller=grids_before(run.directory.manifest))
    facts, found = _images_of(run, data_dir)
    target.check_same_data(found)
    if target.n_done:
        target.check_no_loss(run.directory.path, _n_compressed(run.plan, run.directory))
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
    cluster: Cluster | None = None,
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
    wanted: dict[str, Cell] = {}
    for cell in cells:
        if run.directory.has(cell.key):
            raise InputError(f"cell {cell.key} ({cell.title}) is finished; only what failed or is missing is retried")
        wanted |= {one.key: one for one in cell.lineage}
    devices = _devices(device, n_workers, workers_per_device, wanted.values(), cluster)
    facts, _ = _images_of(run, data_dir)
    with run.directory.writing(), logged(run.directory.path):
        here = [cell for cell in run.plan.cells if cell.key in wanted]
        part = replace(run.plan, cells=tuple(here))
        known = identities(run.plan.cells, run.directory)
        check_replicates(run.plan, known, lambda cell: facts[cell.dataset].n_train(cell))
        there = {key: known[key] for key in known.keys() & wanted.keys()}
        n_reused = len(there)
        _log_beginning(run.plan, len(known), devices, cluster)
        failed = _run_all(
            part, run.directory, there, data_dir=data_dir, devices=devices, cluster=cluster, device=device,
            listener=listener(part, n_reused) if listener else None,
        )  # fmt: skip
    n_done = sum(run.directory.has(cell.key) for cell in run.plan.cells)
    failures = _failures(run.plan, failed)
    return Summary(run.directory.path, run.directory.path, len(run.plan.cells), n_done, n_reused, failed, failures)


def _images_of(run: Run, data_dir: Path | None) -> tuple[dict[str, ImageFacts], dict[str, str]]:
    """Return the datasets of a run and their checksums; refuse others under the same names."""
    facts = image_facts(run.plan, data_dir)
    here, there = checksums(facts), run.directory.manifest.get("datasets")
    if there != here:
        differences = "; ".join(describe_differences(there, here, "datasets"))
        raise InputError(f"run directory {run.directory.path} was computed on other data: {differences}")
    return facts, here
