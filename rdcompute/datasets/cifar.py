"""CIFAR-10 and CIFAR-100 from the files that torchvision unpacks."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rdcompute.datasets.download import fetch
from rdcompute.datasets.folders import search_folders
from rdcompute.datasets.images import ImageData
from rdcompute.datasets.spec import DatasetSpec
from rdstats.errors import InputError, one_of

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class CifarDataset:
    """One of the two datasets; mean and std are the paper's (section 3.5 of its released code)."""

    name: str
    torchvision_name: str
    folder: str
    files: tuple[str, ...]
    archive: str
    n_classes: int
    mean: Channels
    std: Channels

    @property
    def expected(self) -> str:
        """What is looked for, as a message says it."""
        return f"{self.folder}/ with {one_of(self.files)}, as torchvision unpacks them"

    @property
    def how_to_get(self) -> str:
        """How to obtain the files."""
        return f"rd datasets --download {self.name} (torchvision.datasets.{self.torchvision_name}(DIR, download=True))"

    def locate(self, data_dir: Path | None) -> Path | None:
        """Return the first folder of that name with all files."""
        return next((folder for folder, missing in self._searched(data_dir) if not missing), None)

    def load(self, data_dir: Path | None) -> ImageData:
        """Read the batches; torchvision compares their checksums first. Raises InputError."""
        folder = self.locate(data_dir)
        if folder is None:
            raise InputError(self._absent(data_dir))
        train, test = self._open(folder, train=True), self._open(folder, train=False)
        return ImageData(
            name=self.name,
            train_images=train.data,
            train_labels=np.asarray(train.targets, dtype=np.int64),
            test_images=test.data,
            test_labels=np.asarray(test.targets, dtype=np.int64),
            class_names=tuple(train.classes),
            mean=self.mean,
            std=self.std,
            augment="crop-flip",
        )

    def _searched(self, data_dir: Path | None) -> list[tuple[Path, list[str]]]:
        """Return every folder to look into with the files missing from it."""
        folders = [base / self.folder for base in search_folders(data_dir)]
        return [(folder, [file for file in self.files if not os.path.isfile(folder / file)]) for folder in folders]

    def _absent(self, data_dir: Path | None) -> str:
        bases = search_folders(data_dir)
        text = f"dataset '{self.name}' is not in {one_of(bases)}; expected there: {self.expected}"
        for base in bases:
            if os.path.isfile(base / self.archive):
                text = f"dataset '{self.name}': {base / self.archive} is there, but not unpacked, or not whole"
        for folder, missing in self._searched(data_dir):
            if len(missing) < len(self.files):
                text = f"dataset '{self.name}' in {folder} lacks {one_of(missing)}"
        return f"{text}; how to get it: {self.how_to_get}"

    def _open(self, folder: Path, train: bool) -> Any:
        try:
            from torchvision import datasets
        except ImportError as error:
            raise InputError(
                f"dataset '{self.name}' needs torchvision: pip install torchvision "
                "(part of the extra 'compute')"
            ) from error
        try:
            with warnings.catch_warnings():
                # the files are pickles of an old NumPy, which a new one reads but comments on
                warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
                return getattr(datasets, self.torchvision_name)(folder.parent, train=train, download=False)
        except (RuntimeError, OSError) as error:
            raise InputError(
                f"{folder}: files are missing or damaged (torchvision compares their checksums); "
                f"delete it and get it again: {self.how_to_get}"
            ) from error

    def spec(self, description: str) -> DatasetSpec:
        """Return the entry of the registry."""
        return DatasetSpec(
            name=self.name,
            loader=self.load,
            n_classes=self.n_classes,
            image_shape=(3, 32, 32),
            description=description,
            how_to_get=self.how_to_get,
            augment="crop-flip",
            locate=self.locate,
            expected=self.expected,
            download=partial(fetch, self.torchvision_name),
            n_images=(50_000, 10_000),
        )


CIFAR10 = CifarDataset(
    "cifar10",
    "CIFAR10",
    "cifar-10-batches-py",
    (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"),
    "cifar-10-python.tar.gz",
    10,
    (0.491, 0.482, 0.447),
    (0.247, 0.243, 0.262),
)
CIFAR100 = CifarDataset(
    "cifar100",
    "CIFAR100",
    "cifar-100-python",
    ("train", "test", "meta"),
    "cifar-100-python.tar.gz",
    100,
    (0.507, 0.487, 0.441),
    (0.267, 0.256, 0.276),
)
SPECS = (
    CIFAR10.spec("objects, 50,000 and 10,000 colour images of 32x32 pixels (Krizhevsky 2009)"),
    CIFAR100.spec("100 kinds of objects, 50,000 and 10,000 colour images of 32x32 pixels (Krizhevsky 2009)"),
)
