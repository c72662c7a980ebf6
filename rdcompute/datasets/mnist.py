"""MNIST and Fashion-MNIST: IDX files in torchvision's layout or in a folder of their own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rdcompute.datasets.download import fetch
from rdcompute.datasets.folders import search_folders
from rdcompute.datasets.idx import read_images, read_labels
from rdcompute.datasets.images import ImageData, Images, Labels
from rdcompute.datasets.spec import DatasetSpec
from rdstats.errors import InputError, one_of

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SIZE = (28, 28)


@dataclass(frozen=True)
class IdxDataset:
    """A dataset of the four IDX files; mean and std are the paper's (section 3.5 of its released code)."""

    name: str
    torchvision_name: str
    class_names: tuple[str, ...]
    mean: float
    std: float

    @property
    def folders(self) -> tuple[Path, Path]:
        """Folders to look into, relative to the data folder."""
        return Path(self.torchvision_name, "raw"), Path(self.name)

    @property
    def expected(self) -> str:
        """What is looked for, as a message says it."""
        files = one_of(f"{file}[.gz]" for file in FILES)
        return f"{self.folders[0].as_posix()}/ or {self.folders[1].as_posix()}/ with {files}"

    @property
    def how_to_get(self) -> str:
        """How to obtain the files."""
        own = f"rd datasets --download {self.name} (torchvision.datasets.{self.torchvision_name}(DIR, download=True))"
        if self.name != "fashion-mnist":
            return own
        return f"{own}, or Debian's package dataset-fashion-mnist (in /usr/share/datasets)"

    def locate(self, data_dir: Path | None) -> Path | None:
        """Return the first folder with all four files."""
        return next((folder for folder, missing in self._searched(data_dir) if not missing), None)

    def load(self, data_dir: Path | None) -> ImageData:
        """Read and check the four files; raises InputError."""
        folder = self.locate(data_dir)
        if folder is None:
            raise InputError(self._absent(data_dir))
        train_images, train_labels = self._read(folder, FILES[0], FILES[1])
        test_images, test_labels = self._read(folder, FILES[2], FILES[3])
        return ImageData(
            name=self.name,
            train_images=train_images,
            train_labels=train_labels,
            test_images=test_images,
            test_labels=test_labels,
            class_names=self.class_names,
            mean=(self.mean,),
            std=(self.std,),
        )

    def _read(self, folder: Path, image_file: str, label_file: str) -> tuple[Images, Labels]:
        images = read_images(_present(folder, image_file)[0], SIZE)
        labels = read_labels(_present(folder, label_file)[0], len(images), len(self.class_names))
        return images, labels

    def _searched(self, data_dir: Path | None) -> list[tuple[Path, list[str]]]:
        """Return every folder to look into with the files missing from it."""
        folders = [base / folder for base in search_folders(data_dir) for folder in self.folders]
        return [(folder, [file for file in FILES if not _present(folder, file)]) for folder in folders]

    def _absent(self, data_dir: Path | None) -> str:
        bases = one_of(search_folders(data_dir))
        text = f"dataset '{self.name}' is not in {bases}; expected there: {self.expected}"
        for folder, missing in self._searched(data_dir):
            if len(missing) < len(FILES):
                text = f"dataset '{self.name}' in {folder} lacks {one_of(missing)} (plain or .gz)"
        return f"{text}; how to get it: {self.how_to_get}"

    def spec(self, description: str) -> DatasetSpec:
        """Return the entry of the registry."""
        return DatasetSpec(
            name=self.name,
            loader=self.load,
            n_classes=len(self.class_names),
            image_shape=(1, *SIZE),
            description=description,
            how_to_get=self.how_to_get,
            locate=self.locate,
            expected=self.expected,
            download=partial(fetch, self.torchvision_name),
            n_images=(60_000, 10_000),
        )


def _present(folder: Path, file: str) -> list[Path]:
    return [path for path in (folder / file, folder / f"{file}.gz") if os.path.isfile(path)]


MNIST = IdxDataset("mnist", "MNIST", tuple("0123456789"), 0.1307, 0.3081)
FASHION_MNIST = IdxDataset(
    "fashion-mnist",
    "FashionMNIST",
    (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    0.5,
    0.5,
)
SPECS = (
    MNIST.spec("handwritten digits, 60,000 and 10,000 grey images of 28x28 pixels (LeCun et al. 1998)"),
    FASHION_MNIST.spec("clothing, 60,000 and 10,000 grey images of 28x28 pixels (Xiao et al. 2017)"),
)
