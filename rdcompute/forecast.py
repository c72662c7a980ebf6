"""What a grid will cost: cells, time and room, before anything is begun."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rdcompute import datasets
from rdcompute.calibrate import Calibration, calibrate
from rdcompute.disk import DiskUse, disk_use
from rdcompute.estimate import Network, Timing, network_of, play
from rdcompute.image_facts import ImageFacts, image_facts
from rdcompute.plan import Cell, Plan
from rdcompute.rundir import RunDirectory
from rdstats.cube.join_grids import completed
from rdstats.differences import describe_differences

if TYPE_CHECKING:
    from rdcompute.projection.profile import DeviceProfile
    from rdcompute.projection.project import Projection


@dataclass(frozen=True)
class NetworkCost:
    """What is left to do for one dataset and architecture, or for one with fewer channels.

    Attributes
    ----------
    arch : as `rdcompute.estimate.network_of` calls it.
    cells, epochs : that are not finished.
    seconds_per_epoch, hours : None where it was not timed; hours of one core, or of one device that workers share.
    reason : why it was not timed, "" where it was.
    """

    dataset: str
    arch: str
    cells: int
    epochs: int
    seconds_per_epoch: float | None
    hours: float | None
    reason: str


@dataclass(frozen=True)
class Forecast:
    """The cost of a plan.

    Attributes
    ----------
    run_dir, n_finished : where finished cells were looked for, and how many are there.
    devices : the device of every worker that there will be.
    networks : what each network costs.
    seconds : wall-clock time of what was timed, from the start of the workers to the cube; None if nothing was.
    disk : room that it takes.
    unread : datasets that are not on this machine: neither timed nor counted on the disk.
    notes : what else to know.
    projection : where times are projected, not measured.
    """

    plan: Plan
    run_dir: Path
    n_finished: int
    devices: tuple[str, ...]
    networks: tuple[NetworkCost, ...]
    seconds: float | None
    disk: DiskUse
    unread: tuple[str, ...]
    notes: tuple[str, ...]
    projection: Projection | None = None

    @property
    def hours(self) -> float | None:
        """Return the hours of all networks that were timed, None if none was."""
        timed = [network.hours for network in self.networks if network.hours is not None]
        return sum(timed) if timed else None


def forecast(
    plan: Plan,
    devices: Iterable[str],
    *,
    run_dir: Path,
    data_dir: Path | None = None,
    timed: bool = True,
    tell: Callable[[str], object] = lambda text: None,
) -> Forecast:
    """Say what a plan costs; nothing is written but what is timed, in the system's temporary folder.

    Parameters
    ----------
    devices : the device of every worker, see `rdcompute.workers.worker_devices`.
    run_dir : cells that are finished there cost nothing; it need not be there.
    timed : time a few steps of every network (`rdcompute.calibrate`); without it there is no time in the result.
    tell : called with a line about work that may take a minute.

    Raises
    ------
    InputError
        A run directory that is something else, a dataset that is damaged.
    """
    finished, notes = _finished(plan, run_dir)
    left = [cell for cell in plan.cells if cell.key not in finished]
    devices = tuple(devices)[: max(1, len(left))]
    present = {name: spec for name, spec in plan.datasets.items() if datasets.status(name, data_dir).present}
    begun = time.perf_counter()
    facts = image_facts(replace(plan, datasets=present), data_dir)
    reading = time.perf_counter() - begun
    found = None
    if timed:
        n = len({network_of(cell) for cell in left if cell.dataset in present})
        if n:
            tell(f"timing a few steps of {n} network{'s' if n > 1 else ''}")
        found = calibrate(left, devices, data_dir)
    disk = disk_use(plan, left, facts, n_workers=len(devices), folder=run_dir)
    if disk.free is not None and disk.free < disk.needed:
        notes.append(f"{run_dir.absolute()}: its disk has less free than the rest needs")
    networks, seconds = _durations(left, finished, devices, found)
    if seconds is not None:
        seconds += reading
    unread = tuple(name for name in plan.datasets if name not in present)
    return Forecast(
        plan, run_dir, len(finished), devices, networks, seconds, disk, unread, (*plan.notes, *notes)
    )  # fmt: skip


def forecast_on(
    plan: Plan,
    profile: DeviceProfile | None,
    devices: Iterable[str],
    *,
    run_dir: Path,
    data_dir: Path | None = None,
    tell: Callable[[str], object] = lambda text: None,
) -> Forecast:
    """Say what a plan costs on a device that need not be here, nor its datasets; arguments as `forecast`.

    Parameters
    ----------
    profile : of the device; None for cores of this machine, on which operations are timed.

    Raises
    ------
    InputError
        A dataset of which only its files tell the number of images, and which is not here; a precision that the profile
        does not know.
    """
    from rdcompute.projection.cpu import project_here
    from rdcompute.projection.project import image_counts, project

    finished, notes = _finished(plan, run_dir)
    left = [cell for cell in plan.cells if cell.key not in finished]
    devices = tuple(devices)[: max(1, len(left))]
    counts = image_counts(plan, data_dir)
    projection: Projection | None = None
    if left and profile is None:
        tell("timing operations, one by one")
        projection = project_here(plan, left, finished, counts, len(devices))
    elif left and profile is not None:
        projection = project(plan, left, finished, counts, profile, devices)
    facts = {
        name: ImageFacts(np.zeros(count.n_test, np.int64), ("",) * plan.datasets[name].n_classes, count.n_train, "")
        for name, count in counts.items()
    }
    disk = disk_use(plan, left, facts, n_workers=len(devices), folder=run_dir)
    found = Calibration(dict(projection.timings) if projection else {}, 0.0)
    networks, seconds = _durations(left, finished, devices, found)
    if any(cell.widths is not None for cell in left):
        notes.append("the measuring of channels, once for each dense network that loses some, is not in the times")
    return Forecast(
        plan, run_dir, len(finished), devices, networks, seconds, disk, (), (*plan.notes, *notes), projection
    )  # fmt: skip


def _finished(plan: Plan, run_dir: Path) -> tuple[set[str], list[str]]:
    """Return the keys of finished cells, and what is wrong with the run directory for this plan."""
    if not run_dir.exists() or (run_dir.is_dir() and not any(run_dir.iterdir())):
        return set(), []
    run = RunDirectory.existing(run_dir)
    keys = {cell.key for cell in plan.cells}
    grid = completed(run.manifest.get("grid"))
    if grid != plan.grid.resolved() and not set(run.manifest.get("cells") or [""]) <= keys:
        differences = "; ".join(describe_differences(grid, plan.grid.resolved(), limit=3))
        return set(), [f"run directory {run_dir} belongs to a different grid: {differences}; rd compute refuses it"]
    return {key for key in keys if run.cell_path(key).is_file()}, []


def _durations(
    left: list[Cell], finished: set[str], devices: tuple[str, ...], found: Calibration | None
) -> tuple[tuple[NetworkCost, ...], float | None]:
    timings = {name: t for name, t in found.timings.items() if isinstance(t, Timing)} if found else {}
    cells = [cell for cell in left if network_of(cell) in timings]
    played = play(cells, finished, timings, len(devices))
    sharing = max(Counter(devices).values()) if devices[0] != "cpu" else 1
    networks: dict[Network, list[Cell]] = {}
    for cell in left:
        networks.setdefault(network_of(cell), []).append(cell)
    costs = []
    for name, own in networks.items():
        timing = timings.get(name)
        costs.append(NetworkCost(
            own[0].dataset_label, name[1], len(own), sum(cell.n_epochs for cell in own),
            sum(map(timing.training, own)) / sum(cell.n_epochs for cell in own) if timing else None,
            played.busy[name] / 3600 / sharing if timing else None,
            "" if timing else str(found.timings[name]) if found else "timing was switched off",
        ))  # fmt: skip
    if not timings or found is None:
        return tuple(costs), None
    return tuple(costs), played.wall + found.start_up
