"""Carry out one cell of a plan: train a dense network, or prune and fine-tune a copy of it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rdcompute.checkpoint import CellCheckpoint, EpochReport, stays
from rdcompute.compress import Tools, make_start, rewind_point, state_arrays
from rdcompute.device_data import MEMORY_FORMATS, DeviceData
from rdcompute.image_parts import FOLDER, parts_of
from rdcompute.lineage import beginning, content_hash, initial_network, stream_name
from rdcompute.masks import pack_masks
from rdcompute.memory import keep_memory
from rdcompute.models import ParameterCounts, parameter_counts
from rdcompute.plan import Cell
from rdcompute.precision import arithmetic
from rdcompute.provenance import determinism, now
from rdcompute.rundir import CellResult, RunDirectory
from rdcompute.schedule import CHECKPOINT_EVERY, How
from rdcompute.training import Fit, confusion_matrix, fit, predict
from rdcompute.workers import check_device_name
from rdstats.errors import InputError

OnEpoch = Callable[[EpochReport], None]
Meta = dict[str, Any]
Arrays = dict[str, NDArray[Any]]
Outcome = tuple[Meta, Arrays, CellCheckpoint]


def use_one_thread() -> None:
    """Fix what bit-identical results need of a whole process: one thread, and a workspace for CUDA's products.

    The rest belongs to a cell (`precision.arithmetic`).
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(1)
    if torch.get_num_interop_threads() != 1:
        # refused once parallel work has begun in this process; only task-parallel scripts use these threads
        with contextlib.suppress(RuntimeError):
            torch.set_num_interop_threads(1)


def choose_device(name: str) -> str:
    """Return the device that ``auto`` stands for; check the others.

    Raises
    ------
    InputError
        A device that this machine does not have.
    """
    mps = torch.backends.mps.is_available()
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu"
    kind, number = check_device_name(name)
    n_found = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(mps)}[kind]
    if int(number or 0) >= n_found:
        raise InputError(f"--device {name}: not on this machine ({n_found} {kind} devices found); try auto or cpu")
    return name


@dataclass
class Worker:
    """What stays in memory between the cells of one process.

    Attributes
    ----------
    leaving : asked after every epoch, see `rdcompute.checkpoint.CellCheckpoint`.
    """

    run: RunDirectory
    data_dir: Path | None
    device: torch.device
    checkpoint_every: float = CHECKPOINT_EVERY
    made: dict[str, Any] = field(default_factory=dict)
    leaving: Callable[[], bool] = stays
    _data: dict[Any, DeviceData] = field(default_factory=dict)
    _counts: dict[tuple[str, str], ParameterCounts] = field(default_factory=dict)
    _gradients: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    _independence: dict[str, dict[str, NDArray[np.float64]]] = field(default_factory=dict)

    def execute(self, cell: Cell, on_epoch: OnEpoch | None = None) -> None:
        """Compute a cell and store its result in the run directory."""
        with arithmetic(cell.settings, self.device):
            self._execute(cell, on_epoch)

    def _execute(self, cell: Cell, on_epoch: OnEpoch | None) -> None:
        started = time.perf_counter()
        data = self._device_data(cell)
        meta, arrays, checkpoint = (self._dense if cell.is_dense else self._compressed)(cell, data, on_epoch)
        seconds = checkpoint.earlier + time.perf_counter() - started
        made = {**self.made, "determinism": determinism(cell.settings)}
        meta |= {"seconds": seconds, "started": checkpoint.began, "ended": now(), "made": made}
        self.run.save(cell.key, CellResult(meta, arrays), cell.content())

    def _device_data(self, cell: Cell) -> DeviceData:
        s = cell.settings
        key = (cell.dataset, cell.root_seed, s.augment, s.train_fraction, s.validation, s.memory_format)
        if key not in self._data:
            self._data.clear()  # cells come dataset by dataset; one at a time is enough
            parts = parts_of(cell, self.run.path / FOLDER, self.data_dir)
            self._data[key] = DeviceData.of(
                parts, self.device, root_seed=cell.root_seed, memory_format=s.memory_format
            )
        return self._data[key]

    def _network(self, cell: Cell, data: DeviceData) -> nn.Module:
        """Return the network that a dense cell begins with."""
        model = initial_network(cell, data.n_classes, data.image_shape)
        return model.to(self.device).to(memory_format=MEMORY_FORMATS[cell.settings.memory_format])

    def _parameters(self, cell: Cell, data: DeviceData) -> ParameterCounts:
        name = (cell.dataset, cell.arch)
        if name not in self._counts:
            self._counts[name] = parameter_counts(cell.arch, data.n_classes, data.image_shape)
        return self._counts[name]

    def _dense(self, cell: Cell, data: DeviceData, on_epoch: OnEpoch | None) -> Outcome:
        checkpoint = CellCheckpoint(self.run, cell.key, self.checkpoint_every, leaving=self.leaving)
        model = self._network(cell, data)
        first = beginning(cell, model, data.n_train)
        first_step, rewind = rewind_point(cell, model, data, checkpoint)
        result = fit(
            model, data, cell.phases, cell.settings, stream_name=stream_name(cell, "dense"), first_step=first_step,
            on_epoch=on_epoch, checkpoint=checkpoint,
        )  # fmt: skip
        meta, arrays = self._evaluate(cell, model, data, result)
        state = state_arrays(result.state)
        meta |= {**first, "dense_id": content_hash({name.removeprefix("state/"): a for name, a in state.items()})}
        return meta, {**arrays, **state, **rewind}, checkpoint

    def _compressed(self, cell: Cell, data: DeviceData, on_epoch: OnEpoch | None) -> Outcome:
        start = make_start(cell, Tools(
            self.run, data, lambda one: self._network(one, data), lambda one: self._parameters(one, data),
            self._gradients, self._independence,
        ))  # fmt: skip
        # a matched network that is matched anew has another mask, and cannot go on from where it was
        made_of = start.parent_id if cell.match is None else f"{start.parent_id} {start.achieved_ratio}"
        checkpoint = CellCheckpoint(self.run, cell.key, self.checkpoint_every, made_of, self.leaving)
        result = fit(
            start.model, data, cell.phases, cell.settings, stream_name=stream_name(cell, start.stage),
            masks={name: torch.from_numpy(mask) for name, mask in start.masks.items()}, first_step=start.first_step,
            on_epoch=on_epoch, checkpoint=checkpoint,
        )  # fmt: skip
        meta, arrays = self._evaluate(cell, start.model, data, result)
        meta |= {"kept_weights": start.kept_weights, "achieved_ratio": start.achieved_ratio}
        meta |= {"parent_id": start.parent_id, **start.meta}
        if start.keeps_state:
            state = {**state_arrays(result.state), **pack_masks(start.masks)}
            arrays |= state
            meta["own_id"] = content_hash(state)
        return meta, arrays, checkpoint

    def _evaluate(self, cell: Cell, model: nn.Module, data: DeviceData, result: Fit) -> tuple[Meta, Arrays]:
        """Read the test set with the kept state, which `model` then has, and with the last one where that is asked."""
        labels = data.test_labels.cpu().numpy()
        size = cell.settings.eval_batch_size
        arrays: Arrays = {}
        if cell.settings.report_last and not cell.is_dense:
            last = confusion_matrix(labels, predict(model, data, size), data.n_classes)
            arrays["confusion_last"] = last.astype(np.int32)
        model.load_state_dict(result.state)
        predictions = predict(model, data, size)
        meta = {
            "kept_epoch": result.kept_epoch,
            "val_loss": result.val_loss,
            "loss": [report.loss for report in result.history],
            "val_losses": [report.val_loss for report in result.history],
        }
        confusion = confusion_matrix(labels, predictions, data.n_classes).astype(np.int32)
        return meta, {"confusion": confusion, "prediction": predictions.astype(np.uint32), **arrays}


def make_worker(run: RunDirectory, how: How) -> Worker:
    """Return what computes cells in this process."""
    data_dir, device, checkpoint_every, made = how
    use_one_thread()
    keep_memory()
    return Worker(run, data_dir, torch.device(device), checkpoint_every, made)
