"""Run the cells of a plan that are not finished yet, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rdcompute.image_parts import FOLDER, shared_parts
from rdcompute.plan import Cell, Plan
from rdcompute.processes import run_in_processes
from rdcompute.provenance import circumstances
from rdcompute.rundir import RunDirectory, StorageError
from rdcompute.schedule import CHECKPOINT_EVERY, Job, Listener, Schedule, Silent, describe_error

if TYPE_CHECKING:
    from rdcompute.cluster.start import Team


def finished_cells(plan: Plan, run: RunDirectory) -> set[str]:
    """Return the keys of the cells that are finished and whole."""
    return {cell.key for cell in plan.cells if run.has(cell.key)}


def run_cells(
    plan: Plan,
    run: RunDirectory,
    *,
    data_dir: Path | None,
    device: str = "cpu",
    n_workers: int = 1,
    devices: Sequence[str] = (),
    listener: Listener | None = None,
    order: Callable[[Iterable[Cell]], Iterable[Cell]] = list,
    fail_fast: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    finished: Collection[str] | None = None,
    team: Team | None = None,
) -> dict[str, str]:
    """Compute every cell that the run directory does not hold; return key -> message of those that failed.

    Parameters
    ----------
    device, n_workers : 1 computes in this process; more start as many processes, one thread each.
    devices : in place of these, the device of every worker.
    order : rearranges the cells that are to be computed; a parent always comes before its children.
    fail_fast : stop at the first failure; cells under way are left at their last checkpoint.
    checkpoint_every : seconds between the checkpoints of a training.
    finished : keys of the finished cells, where they have just been looked for.
    team : Dask workers, which compute in place of processes here; each finds its own device, as `device` says.

    Raises
    ------
    WorkerDiedError
        Worker processes that end before they can begin, or a scheduler that has gone.
    StorageError
        The run directory cannot be written any more; what is finished is kept.
    """
    done = set(finished_cells(plan, run) if finished is None else finished)
    schedule = Schedule([c for c in order(plan.cells) if c.key not in done], done)
    if schedule.waiting:
        places = (device,) if team else tuple(devices) or (device,) * n_workers
        made = {} if team else {place: circumstances(place) for place in places}
        hows = [(data_dir, place, checkpoint_every, made.get(place, {})) for place in places]
        job = Job(schedule, run, hows, listener or Silent(), fail_fast)
        with shared_parts(run.path / FOLDER, schedule.waiting, data_dir):
            if team:
                from rdcompute.cluster.run import run_on_cluster

                run_on_cluster(job, team)
            elif len(hows) == 1:
                _run_here(job)
            else:
                run_in_processes(job, min(len(hows), len(schedule.waiting)))
    return schedule.failed


def _run_here(job: Job) -> None:
    from rdcompute.execute import make_worker

    worker = make_worker(job.run, job.hows[0])
    while (cell := job.next_cell()) is not None:
        job.listener.started(cell)
        try:
            worker.execute(cell, partial(job.listener.epoch, cell))
        except StorageError:
            raise
        except Exception as error:  # one cell's failure, whatever it is, must not stop the grid
            job.failed(cell, *describe_error(error))
        else:
            job.finished(cell)
