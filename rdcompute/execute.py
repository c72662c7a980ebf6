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

from rdcompute.checkpoint import CellCheckpoint, EpochReport
from rdcompute.criteria import CRITERIA, is_control
from rdcompute.criteria.gradient import training_gradient
from rdcompute.device_data import MEMORY_FORMATS, DeviceData
from rdcompute.image_parts import FOLDER, parts_of
from rdcompute.lineage import beginning, content_hash, initial_network, stream_name
from rdcompute.masks import kept_count, split_mask, top_k_mask
from rdcompute.models import ParameterCounts, layer_shapes, parameter_counts, prunable_layers, weight_vector
from rdcompute.plan import Cell
from rdcompute.provenance import now
from rdcompute.rundir import CellResult, RunDirectory
from rdcompute.schedule import CHECKPOINT_EVERY
from rdcompute.streams import stream
from rdcompute.training import Fit, confusion_matrix, fit, predict
from rdcompute.workers import check_device_name
from rdstats.errors import InputError

Vector = NDArray[np.float64]
OnEpoch = Callable[[EpochReport], None]


def use_one_thread() -> None:
    """Fix what bit-identical results on one machine need: one thread, deterministic kernels."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(1)
    if torch.get_num_interop_threads() != 1:
        # refused once parallel work has begun in this process; only task-parallel scripts use these threads
        with contextlib.suppress(RuntimeError):
            torch.set_num_interop_threads(1)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


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
    """What stays in memory between the cells of one process."""

    run: RunDirectory
    data_dir: Path | None
    device: torch.device
    checkpoint_every: float = CHECKPOINT_EVERY
    made: dict[str, Any] = field(default_factory=dict)
    _data: dict[Any, DeviceData] = field(default_factory=dict)
    _counts: dict[tuple[str, str], ParameterCounts] = field(default_factory=dict)
    _gradient: tuple[str, Vector] = ("", np.empty(0))

    def execute(self, cell: Cell, on_epoch: OnEpoch | None = None) -> None:
        """Compute a cell and store its result in the run directory."""
        started = time.perf_counter()
        data = self._device_data(cell)
        meta, arrays, checkpoint = (self._dense if cell.is_dense else self._compressed)(cell, data, on_epoch)
        seconds = checkpoint.earlier + time.perf_counter() - started
        meta |= {"seconds": seconds, "started": checkpoint.began, "ended": now(), "made": self.made}
        self.run.save(cell.key, CellResult(meta, arrays), cell.content())

    def _device_data(self, cell: Cell) -> DeviceData:
        s = cell.settings
        key = (cell.dataset, cell.root_seed, s.augment, s.train_fraction, s.memory_format)
        if key not in self._data:
            self._data.clear()  # cells come dataset by dataset; one at a time is enough
            parts = parts_of(cell, self.run.path / FOLDER, self.data_dir)
            self._data[key] = DeviceData.of(
                parts, self.device, root_seed=cell.root_seed, memory_format=s.memory_format
            )
        return self._data[key]

    def _model(self, cell: Cell, data: DeviceData) -> nn.Module:
        model = initial_network(cell, data.n_classes, data.image_shape)
        return model.to(self.device).to(memory_format=MEMORY_FORMATS[cell.settings.memory_format])

    def _parameters(self, cell: Cell, data: DeviceData) -> ParameterCounts:
        name = (cell.dataset, cell.arch)
        if name not in self._counts:
            self._counts[name] = parameter_counts(cell.arch, data.n_classes, data.image_shape)
        return self._counts[name]

    def _dense(self, cell: Cell, data: DeviceData, on_epoch: OnEpoch | None) -> Any:
        checkpoint = CellCheckpoint(self.run, cell.key, self.checkpoint_every)
        model = self._model(cell, data)
        first = beginning(cell, model, data.n_train)
        result = fit(
            model, data, cell.settings.train, cell.settings,
            stream_name=stream_name(cell, "dense"), on_epoch=on_epoch,
            checkpoint=checkpoint,
        )  # fmt: skip
        meta, arrays = self._evaluate(cell, model, data, result)
        state = {name: tensor.cpu().numpy() for name, tensor in result.state.items()}
        meta |= {**first, "dense_id": content_hash(state)}
        return meta, {**arrays, **{f"state/{name}": array for name, array in state.items()}}, checkpoint

    def _compressed(self, cell: Cell, data: DeviceData, on_epoch: OnEpoch | None) -> Any:
        assert cell.parent is not None
        model = self._model(cell.parent, data)
        parent_id = load_state(model, self.run, cell.parent.key)
        checkpoint = CellCheckpoint(self.run, cell.key, self.checkpoint_every, parent_id)
        masks = self._masks(cell, model, data)
        result = fit(
            model, data, cell.settings.finetune, cell.settings,
            stream_name=stream_name(cell, "finetune"),
            masks={name: torch.from_numpy(mask) for name, mask in masks.items()}, on_epoch=on_epoch,
            checkpoint=checkpoint,
        )  # fmt: skip
        meta, arrays = self._evaluate(cell, model, data, result)
        kept = {name: int(mask.sum()) for name, mask in masks.items()}
        counts = self._parameters(cell, data)
        n_masked = sum(mask.size for mask in masks.values()) - sum(kept.values())
        meta |= {"kept_weights": kept, "achieved_ratio": counts.total / (counts.total - n_masked)}
        meta["parent_id"] = parent_id
        return meta, arrays, checkpoint

    def _evaluate(self, cell: Cell, model: nn.Module, data: DeviceData, result: Fit) -> Any:
        """Put the kept state into `model` and read the test set, once."""
        model.load_state_dict(result.state)
        predictions = predict(model, data, cell.settings.eval_batch_size)
        labels = data.test_labels.cpu().numpy()
        meta = {
            "kept_epoch": result.kept_epoch,
            "val_loss": result.val_loss,
            "loss": [report.loss for report in result.history],
            "val_losses": [report.val_loss for report in result.history],
        }
        confusion = confusion_matrix(labels, predictions, data.n_classes).astype(np.int32)
        return meta, {"confusion": confusion, "prediction": predictions.astype(np.uint32)}

    def _masks(self, cell: Cell, model: nn.Module, data: DeviceData) -> dict[str, NDArray[np.bool_]]:
        """Return the mask of every prunable layer: all ones for a control."""
        shapes = layer_shapes(model)
        if is_control(cell.method):
            return {name: np.ones(shape, bool) for name, shape in shapes.items()}
        theta = weight_vector(model)
        criterion = CRITERIA.get(cell.method)
        gradient = self._training_gradient(cell, model, data) if criterion.needs_gradient else None
        name = f"mask/{cell.seed}/{cell.dataset_label}/{cell.arch}/{cell.method}/{cell.ratio:g}"
        scores = criterion.score(theta, gradient, cell.settings.weight_decay, stream(cell.root_seed, name))
        counts = self._parameters(cell, data)
        k = kept_count(counts, cell.ratio, cell.settings.ratio_accounting)
        return split_mask(top_k_mask(scores, np.abs(theta), k), shapes)

    def _training_gradient(self, cell: Cell, model: nn.Module, data: DeviceData) -> Vector:
        """Return the gradient at the dense network, kept for the other cells of the same parent.

        Batches are those of training: as large as evaluation's, they would take several times the memory.
        """
        assert cell.parent is not None
        if self._gradient[0] != cell.parent.key:
            parts = training_gradient(
                model, data.train_images, data.train_labels, data.normalize, cell.settings.batch_size
            )
            vector = np.concatenate([np.asarray(parts[name]).reshape(-1) for name in prunable_layers(model)])
            self._gradient = (cell.parent.key, vector)
        return self._gradient[1]


def load_state(model: nn.Module, run: RunDirectory, key: str) -> str:
    """Put the weights of a finished dense network into `model`; return their hash."""
    result = run.load(key)
    if result is None:
        raise RuntimeError(f"dense network {key} is damaged or gone; run the same command again")
    prefix = "state/"
    state = {n.removeprefix(prefix): torch.from_numpy(a) for n, a in result.arrays.items() if n.startswith(prefix)}
    model.load_state_dict(state)
    return str(result.meta["dense_id"])
