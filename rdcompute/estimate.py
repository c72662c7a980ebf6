"""How long a plan takes on given timings: arithmetic, and the schedule of the workers played through."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from rdcompute.criteria import criterion_of, is_criterion
from rdcompute.plan import Cell
from rdcompute.schedule import Schedule

Network = tuple[str, str]
"""A dataset, as a grid names it, and an architecture; one that has lost channels is a network of its own."""


def network_of(cell: Cell) -> Network:
    """Return the network that a cell trains."""
    return cell.dataset, cell.arch if cell.widths is None else f"{cell.arch} {cell.method} {cell.ratio:g}"


@dataclass(frozen=True)
class Timing:
    """What one dataset and architecture takes on one worker, all workers being busy; seconds and images.

    Attributes
    ----------
    n_train, n_holdout, n_test : images trained on, validated on after every epoch, and tested on once, by cells that
        validate on a hold-out.
    epoch_start : seconds before the first step of an epoch (order and augmentation are drawn).
    train, evaluate : seconds an image.
    gradient : seconds an image of the pass that some criteria need, 0 where none of the grid does.
    dense, compressed : seconds a cell beside epochs and test: making the network, pruning, saving.
    channels : seconds in which the channels of the dense network are measured, 0 where none of this one are removed.
    """

    n_train: float
    n_holdout: float
    n_test: float
    epoch_start: float
    train: float
    evaluate: float
    gradient: float
    dense: float
    compressed: float
    channels: float = 0.0

    @property
    def epoch(self) -> float:
        """Return the seconds of an epoch: start + n_train train + n_holdout evaluate."""
        return self.epoch_start + self.n_train * self.train + self.n_holdout * self.evaluate

    def cell(self, cell: Cell) -> float:
        """Return the seconds of a cell, without what is measured once of its dense network."""
        own = self.dense if cell.is_dense else self.compressed
        return own + self.training(cell) + self.n_test * self.evaluate

    def training(self, cell: Cell) -> float:
        """Return the seconds of the epochs of a cell, which validates on a hold-out, the test set, or not at all."""
        settings = cell.settings
        n_train = self.n_train + (0 if settings.validation == "holdout" else self.n_holdout)
        validating = {"holdout": self.n_holdout, "test": self.n_test, "none": 0}[settings.validation]
        total = sum(n for n, _ in cell.phases)
        n_epochs = total if settings.unit == "epochs" else total * settings.batch_size / n_train
        return n_epochs * (self.epoch_start + n_train * self.train + validating * self.evaluate)


def mean_timing(timings: Sequence[Timing]) -> Timing:
    """Return the mean of every field."""
    n = len(timings)
    return Timing(**{f.name: sum(getattr(t, f.name) for t in timings) / n for f in fields(Timing)})


@dataclass(frozen=True)
class Durations:
    """What the cells take.

    Attributes
    ----------
    wall : seconds from the first cell's begin to the last one's end.
    busy : seconds that workers compute, by network; its sum over `wall` is how many are busy on average.
    """

    wall: float
    busy: dict[Network, float]


def play(cells: Iterable[Cell], done: Iterable[str], timings: Mapping[Network, Timing], n_workers: int) -> Durations:
    """Play the runner's schedule through: every idle worker takes the first cell whose parent is finished.

    The gradient at a dense network is computed once by every worker that prunes it with a criterion that needs it, and
    its channels are measured once by every worker that removes some.

    Parameters
    ----------
    cells : those to be computed, in the plan's order; each one's network has a timing.
    done : keys of the cells that are finished.
    """
    schedule = Schedule(list(cells), set(done))
    idle = list(range(n_workers))
    running: list[tuple[float, int, str]] = []
    gradients: dict[int, str] = {}
    measured: dict[int, str] = {}
    busy: dict[Network, float] = {}
    clock = 0.0
    while True:
        while idle and (cell := schedule.next_ready()) is not None:
            worker = idle.pop(0)
            network = network_of(cell)
            seconds = timings[network].cell(cell)
            if _needs_gradient(cell) and cell.parent is not None and gradients.get(worker) != cell.parent.key:
                gradients[worker] = cell.parent.key
                seconds += timings[network].n_train * timings[network].gradient
            if cell.widths is not None and measured.get(worker) != cell.dense.key:
                measured[worker] = cell.dense.key
                seconds += timings[network].channels
            busy[network] = busy.get(network, 0.0) + seconds
            heapq.heappush(running, (clock + seconds, worker, cell.key))
        if not running:
            return Durations(clock, busy)
        clock, worker, key = heapq.heappop(running)
        schedule.done.add(key)
        idle.append(worker)


def _needs_gradient(cell: Cell) -> bool:
    if cell.is_dense or not is_criterion(cell.method):
        return False
    criterion = criterion_of(cell.method)
    return criterion.needs_gradient and criterion.gradient == "training"  # that of a batch is a step among thousands


def needs_gradient(cells: Iterable[Cell]) -> set[Network]:
    """Return the networks at which a gradient is computed."""
    return {network_of(cell) for cell in cells if _needs_gradient(cell)}
