"""How much room a run takes, told before it begins, from files made up in memory."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdcompute.cellfile import CellResult, pack
from rdcompute.datasets import DatasetSpec, holdout_size
from rdcompute.image_facts import ImageFacts
from rdcompute.image_parts import PAD
from rdcompute.masks import pack_masks
from rdcompute.models import ParameterCounts
from rdcompute.plan import Cell, Plan
from rdcompute.provenance import circumstances

CUBE_BASE = 110_000
"""Bytes of a cube of the smallest grid: names, attributes and the tables of HDF5 (measured)."""
CUBE_CELL = 200
"""Bytes a cell beside matrix and predictions: HDF5's index and checksums, small variables (measured)."""
MATRIX_SHARE = 0.15
"""Deflated bytes of a matrix of counts, most of them 0 or small, over its entries (measured)."""
PREDICTION_SHARE = 1.05
"""Deflated size of predictions over log2(number of classes) bits an image (measured)."""
LOG_CELL = 170
"""Bytes of the log a cell (measured)."""
RECALL = 0.9
"""Of made-up networks."""


@dataclass(frozen=True)
class DiskUse:
    """Bytes on disk.

    Attributes
    ----------
    cells : of the run directory in the end.
    cells_left : what is still to be written of them.
    images : decoded images while it is computed, which all workers share.
    checkpoints : of unfinished trainings, at most, while it is computed.
    cube : of the cube.
    free : where the run directory is or will be; None where that cannot be told.
    """

    cells: int
    cells_left: int
    images: int
    checkpoints: int
    cube: int
    free: int | None

    @property
    def needed(self) -> int:
        """Return what must be free for the rest of the run."""
        return self.cells_left + self.images + self.checkpoints + self.cube


def disk_use(
    plan: Plan, left: Iterable[Cell], facts: Mapping[str, ImageFacts], *, n_workers: int, folder: Path
) -> DiskUse:
    """Return what a plan takes; datasets without `facts` count with their weights alone.

    Parameters
    ----------
    left : the cells that are not finished.
    folder : the run directory, there or not.
    """
    sizes: dict[tuple[Any, ...], int] = {}
    waiting = {cell.key for cell in left}
    total = rest = 0
    for cell in plan.cells:
        kind = (cell.dataset, cell.arch, cell.is_dense, cell.level, cell.settings)
        if kind not in sizes:
            sizes[kind] = _cell_bytes(cell, plan, facts.get(cell.dataset))
        total += sizes[kind]
        rest += sizes[kind] if cell.key in waiting else 0
    manifest = len(json.dumps([plan.grid.resolved(), plan.grid.document()], indent=1)) + 38 * len(plan.cells)
    busy = {(cell.dataset, cell.arch, cell.settings): cell for cell in plan.cells if cell.key in waiting}
    largest = max((_checkpoint_bytes(cell, plan.datasets[cell.dataset]) for cell in busy.values()), default=0)
    images = _images(busy.values(), plan.datasets, facts)
    return DiskUse(
        total + manifest, rest + (0 if len(waiting) < len(plan.cells) else manifest), images,
        largest * min(n_workers, len(waiting)), _cube(plan, facts), _free(folder),
    )  # fmt: skip


def specimen(cell: Cell, spec: DatasetSpec, counts: ParameterCounts, n_test: int) -> CellResult:
    """Return a made-up result of the size that a cell's has: random weights and predictions."""
    rng = np.random.default_rng(0)
    losses = rng.random(cell.n_epochs).tolist()
    ident = "0" * 32
    meta: dict[str, Any] = {"kept_epoch": cell.n_epochs, "val_loss": losses[0], "loss": losses, "val_losses": losses}
    meta |= {"seconds": losses[0], "started": "2000-01-01T00:00:00+00:00", "ended": "2000-01-01T00:00:00+00:00"}
    meta |= {"made": circumstances("cpu")}
    labels, others = rng.integers(0, spec.n_classes, (2, n_test))
    prediction = np.where(rng.random(n_test) < RECALL, labels, others)
    confusion = np.bincount(labels * spec.n_classes + prediction, minlength=spec.n_classes**2)
    arrays: dict[str, NDArray[Any]] = {
        "confusion": confusion.reshape(spec.n_classes, spec.n_classes).astype(np.int32),
        "prediction": prediction.astype(np.uint32),
    }
    if cell.is_dense:
        meta |= {"dense_id": ident, "init_id": ident, "order_id": ident}
        arrays |= {name: array for part in _parts(cell) for name, array in _weights(cell, spec, rng, part).items()}
    else:
        meta |= {"kept_weights": counts.layers, "achieved_ratio": losses[0], "parent_id": ident}
    if cell.level:
        meta |= {"dense_id": ident, "own_id": ident}
        masks = {name: rng.random(n) < 1 / cell.ratio for name, n in counts.layers.items()}
        arrays |= pack_masks(masks)
        for name, weights in _weights(cell, spec, rng, "state").items():
            mask = masks.get(name.removeprefix("state/").removesuffix(".weight"))
            arrays[name] = weights if mask is None else weights * mask.reshape(weights.shape)
    return CellResult(meta, arrays)


def _parts(cell: Cell) -> tuple[str, ...]:
    """Return the parts of a dense network's result that are as large as the network."""
    return ("state", "rewind") if getattr(cell.settings, "rewind_steps", 0) else ("state",)


def _weights(cell: Cell, spec: DatasetSpec, rng: np.random.Generator, part: str) -> dict[str, NDArray[Any]]:
    """Return random weights and buffers of a cell's network."""
    state = _state(cell.arch, spec)
    return {f"{part}/{name}": rng.random(shape).astype(dtype) for name, (shape, dtype) in state.items()}


def _cell_bytes(cell: Cell, plan: Plan, facts: ImageFacts | None) -> int:
    """Return the size of a cell's file and of its readable twin."""
    n_test = len(facts.test_labels) if facts else 0
    result = specimen(cell, plan.datasets[cell.dataset], plan.parameters[cell.dataset, cell.arch], n_test)
    twin = json.dumps({"cell": cell.content(), "result": result.meta}, indent=1)
    return len(pack(cell.key, result)) + len(twin) + LOG_CELL


def _state(arch: str, spec: DatasetSpec) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return shape and type of every parameter and buffer of a network, without allocating any."""
    import torch

    from rdcompute.models.architectures import construct

    with torch.device("meta"):
        model = construct(arch, spec.n_classes, spec.image_shape)
    return {name: (tuple(t.shape), str(t.dtype).removeprefix("torch.")) for name, t in model.state_dict().items()}


def _checkpoint_bytes(cell: Cell, spec: DatasetSpec) -> int:
    """Return the size of a checkpoint: network, momentum, best state, and what it is rewound to."""
    return (2 + len(_parts(cell.dense))) * _state_bytes(cell, spec)


def _state_bytes(cell: Cell, spec: DatasetSpec) -> int:
    return sum(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in _state(cell.arch, spec).values())


def _images(cells: Iterable[Cell], specs: Mapping[str, DatasetSpec], facts: Mapping[str, ImageFacts]) -> int:
    """Return the size of the decoded parts: uint8, the training part with a margin where it is cropped."""
    total = 0
    distinct = {
        (c.dataset, c.settings.augment, c.settings.train_fraction, c.settings.validation): c
        for c in cells if c.dataset in facts
    }  # fmt: skip
    for cell in distinct.values():
        known, spec = facts[cell.dataset], specs[cell.dataset]
        channels, height, width = spec.image_shape
        augment = spec.augment if cell.settings.augment == "auto" else cell.settings.augment
        margin = 2 * PAD if augment == "crop-flip" else 0
        validating = {"holdout": holdout_size(known.n_train_images), "test": len(known.test_labels), "none": 0}
        n_train, n_other = known.n_train(cell), validating[cell.settings.validation] + len(known.test_labels)
        total += n_train * channels * (height + margin) * (width + margin) + n_other * channels * height * width
        total += 8 * (n_train + n_other)  # labels
    return total


def _cube(plan: Plan, facts: Mapping[str, ImageFacts]) -> int:
    """Return about the size of the cube: per cell a matrix of counts and a list of predictions, both deflated."""
    size = CUBE_BASE
    for cell in plan.cells:
        n_test = len(facts[cell.dataset].test_labels) if cell.dataset in facts else 0
        n_classes = plan.datasets[cell.dataset].n_classes
        bits = PREDICTION_SHARE * math.log2(max(2, n_classes))
        size += round(n_test * bits / 8 + MATRIX_SHARE * n_classes**2) + CUBE_CELL
    return size


def _free(folder: Path) -> int | None:
    """Return the free bytes of the disk that a folder, there or not, is on."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None
