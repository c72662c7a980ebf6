"""Unfinished trainings on disk: all that a training needs to go on after the epoch it reached, bit for bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from rdcompute.provenance import now
from rdcompute.rundir import CellResult, RunDirectory

State = dict[str, Tensor]


@dataclass(frozen=True)
class EpochReport:
    """What one epoch did; `seconds` covers training and validation, whose loss and accuracy are NaN without any."""

    epoch: int
    n_epochs: int
    loss: float
    val_loss: float
    n_images: int
    seconds: float
    accuracy: float = math.nan


@dataclass(frozen=True)
class Progress:
    """A training after an epoch: network, momentum, the best state so far, and the course of the epochs."""

    model: State
    momentum: State
    best: State
    kept_epoch: int
    val_loss: float
    history: tuple[EpochReport, ...]


class Checkpoint(Protocol):
    """Where a training leaves its progress."""

    def load(self) -> Progress | None: ...
    def due(self) -> bool: ...
    def save(self, progress: Progress) -> None: ...


class LeftError(Exception):
    """A training was left, with its checkpoint, as whoever computes it was asked to."""


def stays() -> bool:
    """Never leave a training."""
    return False


class CellCheckpoint:
    """The checkpoint of a cell in a run directory: one checked file, replaced whole, gone when the cell is done.

    `leaving` is asked after every epoch; once it says so, the training ends with its checkpoint and a `LeftError`.
    """

    def __init__(
        self, run: RunDirectory, key: str, every: float, parent_id: str = "", leaving: Callable[[], bool] = stays
    ) -> None:
        self._run, self._key, self._every, self._parent_id, self._leaving = run, key, every, parent_id, leaving
        self._last = time.monotonic()
        self.began, self.earlier = now(), 0.0
        """When the training began, and the seconds of epochs that an earlier process computed."""
        self.carried: State = {}
        """What else is kept with the training: the weights that a lottery ticket is rewound to."""
        self.before = 0.0
        """Seconds that making it took."""

    def of_stage(self, stage: str) -> CellCheckpoint:
        """Return the checkpoint of a stage that comes before, in the same file; neither takes the other's for its own.
        """
        return CellCheckpoint(self._run, self._key, self._every, stage, self._leaving)

    def carry(self, state: State, earlier: CellCheckpoint, seconds: float) -> None:
        """Keep `state`, what the stage of the `earlier` checkpoint came to in so many seconds, with the training."""
        self.carried, self.before = state, seconds
        self.began, self.earlier = earlier.began, earlier.earlier

    def load(self) -> Progress | None:
        """Return where an earlier process was; None to start anew.

        That is so where its file is damaged, too, or tells of a copy of another network than `parent_id`.
        """
        found = self._run.load_checkpoint(self._key)
        if found is None or found.meta.get("parent_id") != self._parent_id:
            return None
        try:
            progress, self.carried = _progress(found)
            self.before = found.meta.get("before", 0.0)
            self.began = found.meta["began"]
            self.earlier = self.before + sum(report.seconds for report in progress.history)
        except (KeyError, TypeError):  # another version's: it is only a shorter way
            return None
        return progress

    def due(self) -> bool:
        """Return whether enough time has passed since the last checkpoint, or the beginning, or it is the last one."""
        return time.monotonic() - self._last >= self._every or self._leaving()

    def save(self, progress: Progress) -> None:
        """Replace the checkpoint."""
        parts = {"model": progress.model, "momentum": progress.momentum, "best": progress.best}
        parts |= {"carried": self.carried}
        arrays = {f"{part}/{name}": t.cpu().numpy() for part, state in parts.items() for name, t in state.items()}
        meta: dict[str, Any] = {
            "kept_epoch": progress.kept_epoch,
            "val_loss": progress.val_loss,
            "history": [asdict(report) for report in progress.history],
            "parent_id": self._parent_id,
            "began": self.began,
            "before": self.before,
        }
        self._run.save_checkpoint(self._key, CellResult(meta, arrays))
        self._last = time.monotonic()
        if self._leaving():
            raise LeftError


def _progress(found: CellResult) -> tuple[Progress, State]:
    """Return a training's progress, and what is carried with it."""
    parts: dict[str, State] = {"model": {}, "momentum": {}, "best": {}, "carried": {}}
    for name, array in found.arrays.items():
        part, _, own = name.partition("/")
        parts[part][own] = torch.from_numpy(array)
    meta = found.meta
    history = tuple(EpochReport(**report) for report in meta["history"])
    carried = parts.pop("carried")
    return Progress(**parts, kept_epoch=meta["kept_epoch"], val_loss=meta["val_loss"], history=history), carried


def momentum_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> State:
    """Return copies of the momentum buffers by parameter; none before the first step or without momentum."""
    buffers = {name: optimizer.state[p].get("momentum_buffer") for name, p in model.named_parameters()
               if p in optimizer.state}  # fmt: skip
    return {name: buffer.detach().clone() for name, buffer in buffers.items() if buffer is not None}


def restore_momentum(model: nn.Module, optimizer: torch.optim.Optimizer, momentum: State) -> None:
    """Give the optimizer its momentum back, in the type, layout and place of the parameters."""
    for name, parameter in model.named_parameters():
        if name in momentum:
            buffer = torch.empty_like(parameter).copy_(momentum[name])
            optimizer.state[parameter]["momentum_buffer"] = buffer.detach()
