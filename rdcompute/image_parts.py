"""The parts of a dataset that training needs, as arrays; on disk, one copy that all worker processes map."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rdcompute import datasets
from rdcompute.datasets import ImageData, holdout_size, stratified_holdout
from rdcompute.datasets.images import Images, Labels
from rdcompute.plan import Cell
from rdcompute.storage import cannot_write
from rdcompute.streams import stream

PAD = 4
"""Pixels added on each side before a random crop, as He et al. (2016) do for CIFAR."""

FOLDER = "images"
"""Where a run directory has them while it is computed in."""

ARRAYS = ("train_images", "train_labels", "holdout_images", "holdout_labels", "test_images", "test_labels")
_DESCRIPTION = "description.json"


@dataclass(frozen=True, eq=False)
class ImageParts:
    """Training part, hold-out and test set of a dataset.

    The hold-out validates: a part of the training set, or the test set, or no image at all.

    Parameters
    ----------
    name : of the dataset, in the cube.
    train_images, holdout_images, test_images : uint8 (N, H, W, C); the training images are surrounded by `PAD`
        black pixels if they are `padded`, (N, H + 8, W + 8, C).
    train_labels, holdout_labels, test_labels : int64 (N,).
    mean, std : of each channel, of images scaled to 0..1.
    padded : whether random crops are taken of the training images.
    n_classes : of the dataset, there may be more than the labels have.
    """

    name: str
    train_images: Images
    train_labels: Labels
    holdout_images: Images
    holdout_labels: Labels
    test_images: Images
    test_labels: Labels
    mean: tuple[float, ...]
    std: tuple[float, ...]
    padded: bool
    n_classes: int

    @classmethod
    def split(
        cls, data: ImageData, *, root_seed: int, augment: str = "auto", train_fraction: float = 1.0,
        validation: str = "holdout",
    ) -> ImageParts:  # fmt: skip
        """Split off the hold-out, one fixed split a dataset; take a stratified share of the rest.

        With `validation` ``test`` or ``none``, nothing is split off, and the hold-out is the test set, or empty.
        """
        labels = data.train_labels
        train, holdout = np.arange(len(labels)), np.arange(0)
        if validation == "holdout":
            train, holdout = stratified_holdout(
                labels, holdout_size(len(labels)), stream(root_seed, f"holdout/{data.name}")
            )
        n_left_out = len(train) - n_training(len(labels), data.n_classes, train_fraction, validation)
        if n_left_out > 0:
            kept, _ = stratified_holdout(labels[train], n_left_out, stream(root_seed, f"fraction/{data.name}"))
            train = train[kept]
        padded = (data.augment if augment == "auto" else augment) == "crop-flip"
        return cls(
            data.name,
            _surrounded(data.train_images, train) if padded else data.train_images[train],
            labels[train],
            data.test_images if validation == "test" else data.train_images[holdout],
            data.test_labels if validation == "test" else labels[holdout],
            data.test_images,
            data.test_labels,
            data.mean,
            data.std,
            padded,
            data.n_classes,
        )

    def save(self, folder: Path) -> None:
        """Write every array as a file of its own into a new folder."""
        folder.mkdir(parents=True)
        for name in ARRAYS:
            _write_array(folder / f"{name}.npy", getattr(self, name))
        rest = {name: getattr(self, name) for name in ("name", "mean", "std", "padded", "n_classes")}
        (folder / _DESCRIPTION).write_text(json.dumps(rest))

    @classmethod
    def map(cls, folder: Path) -> ImageParts:
        """Return saved parts without reading them: processes that map one folder share the memory.

        The arrays can be written to, which changes them in this process only.
        """
        rest = json.loads((folder / _DESCRIPTION).read_text())
        rest |= {"mean": tuple(rest["mean"]), "std": tuple(rest["std"])}
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False) for name in ARRAYS}
        return cls(**arrays, **rest)


def _write_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    """Write an array as `np.save` does, which cannot say why a disk refuses it."""
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(np.ascontiguousarray(array).data)


def n_training(n_images: int, n_classes: int, train_fraction: float = 1.0, validation: str = "holdout") -> int:
    """Return how many of the training images are trained on, after the hold-out: at least one a class."""
    n = n_images - (holdout_size(n_images) if validation == "holdout" else 0)
    return min(n, max(n_classes, round(n * train_fraction)))


def _surrounded(images: Images, which: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Images:
    """Return some images with PAD black pixels around."""
    _, height, width, channels = images.shape
    result = np.zeros((len(which), height + 2 * PAD, width + 2 * PAD, channels), np.uint8)
    result[:, PAD:-PAD, PAD:-PAD] = images[which]
    return result


@contextlib.contextmanager
def shared_parts(folder: Path, cells: Iterable[Cell], data_dir: Path | None) -> Iterator[None]:
    """Decode the datasets that `cells` need, once, into `folder`; it is gone after the block.

    What an earlier process left there is thrown away: nothing tells whether it is whole.

    Raises
    ------
    InputError
        A dataset that is not there or damaged.
    StorageError
        No room for them.
    """
    shutil.rmtree(folder, ignore_errors=True)
    needed = {_name(cell): cell for cell in cells}
    try:
        for name, cell in needed.items():
            parts = _parts(cell, data_dir)
            try:
                parts.save(folder / name)
            except OSError as error:
                raise cannot_write(folder, error) from None
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def parts_of(cell: Cell, folder: Path, data_dir: Path | None) -> ImageParts:
    """Return the parts that a cell trains on: mapped where they are shared, else decoded here."""
    shared = folder / _name(cell)
    return ImageParts.map(shared) if shared.is_dir() else _parts(cell, data_dir)


def _parts(cell: Cell, data_dir: Path | None) -> ImageParts:
    data = datasets.load(cell.dataset, data_dir)
    settings = cell.settings
    return ImageParts.split(
        data, root_seed=cell.root_seed, augment=settings.augment, train_fraction=settings.train_fraction,
        validation=settings.validation,
    )  # fmt: skip


def _name(cell: Cell) -> str:
    """Return the name of the folder for a cell's parts: a hash of what they depend on."""
    settings = cell.settings
    depends = (cell.dataset, cell.root_seed, settings.augment, settings.train_fraction, settings.validation)
    return hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:16]
