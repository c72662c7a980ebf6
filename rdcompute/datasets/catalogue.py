"""Which datasets there are, where they are on disk, and loading one by name."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from rdcompute.datasets import cifar, digits, mnist, npz
from rdcompute.datasets.folders import default_data_dir
from rdcompute.datasets.images import ImageData
from rdcompute.datasets.spec import DatasetSpec
from rdcompute.registry import Registry
from rdstats.errors import InputError

DATASETS: Registry[DatasetSpec] = Registry(
    "dataset", "rdcompute.datasets", DatasetSpec, also="or the path of a .npz file"
)
for _spec in (digits.SPEC, *mnist.SPECS, *cifar.SPECS):
    DATASETS.add(_spec)


@dataclass(frozen=True)
class DatasetStatus:
    """One line of a listing of datasets.

    Parameters
    ----------
    name
        Name of the dataset.
    present
        Whether everything that loading needs was found (contents are checked when loading).
    where
        Folder or file it was found in; None when absent or when nothing is read from disk.
    expected
        What is looked for, and where.
    description, how_to_get
        One line each.
    """

    name: str
    present: bool
    where: Path | None
    expected: str
    description: str
    how_to_get: str


def dataset_names() -> tuple[str, ...]:
    """Return the names of all datasets, those of installed packages included; .npz files have none."""
    return DATASETS.names()


def check_dataset_name(name: str) -> None:
    """Raise InputError unless `name` is registered or the path of a .npz file, there or not."""
    if not npz.is_path(name):
        DATASETS.get(name)


def dataset_spec(name: str, data_dir: Path | None = None) -> DatasetSpec:
    """Return what is known of a dataset before it is loaded: number of classes, shape, augmentation.

    Of a named dataset nothing is read; of a .npz file the labels and the headers of the arrays.

    Parameters
    ----------
    name
        Registered name, or the path of a .npz file, relative to `data_dir` or absolute.
    data_dir
        Data folder; None searches the default folder and the system's.

    Raises
    ------
    InputError
        Unknown name; a .npz file that is missing or not as described in `rdcompute.datasets.npz`.
    """
    if npz.is_path(name):
        return npz.spec(npz.resolve(name, data_dir))
    return DATASETS.get(name)


def load(name: str, data_dir: Path | None = None) -> ImageData:
    """Load a dataset; parameters as `dataset_spec`.

    Raises
    ------
    InputError
        As `dataset_spec`; files that are missing (the message says what is expected where and how to get it),
        damaged, or inconsistent (the message names the file).
    """
    if npz.is_path(name):
        return npz.load(npz.resolve(name, data_dir))
    known = DATASETS.get(name)
    data = known.loader(data_dir)
    received = (data.name, data.n_classes, data.image_shape)
    promised = (known.name, known.n_classes, known.image_shape)
    if received != promised:
        raise InputError(
            f"dataset '{name}' was loaded with (name, classes, image shape) {received}; accepted: {promised}"
        )
    return data


def download(name: str, data_dir: Path | None = None) -> Path | None:
    """Put a dataset into the data folder unless it is found, and whole; return where it is (None: nowhere on disk).

    Parameters
    ----------
    data_dir : data folder; None searches the default folder and the system's, and downloads into the default one.

    Raises
    ------
    InputError
        Unknown name, a dataset that has to be obtained in another way, a download that fails (the message says what
        to put where instead).
    """
    found = status(name, data_dir)
    if found.present:
        with contextlib.suppress(InputError):  # damaged, or downloaded in part
            load(name, data_dir)
            return found.where
    known = None if npz.is_path(name) else DATASETS.get(name)
    if known is None or known.download is None:
        raise InputError(f"dataset '{name}' cannot be downloaded; how to get it: {found.how_to_get}")
    folder = data_dir or default_data_dir()
    try:
        known.download(folder)
    except InputError as error:
        raise InputError(f"dataset '{name}': {error}; without a network, put there: {found.expected}") from error
    load(name, data_dir)  # what torchvision found there already, it may not have checked
    return locate(name, data_dir)


def locate(name: str, data_dir: Path | None = None) -> Path | None:
    """Return the folder or file that `load` would read, or None if it is not there.

    None also for datasets of packages that read nothing from disk. Raises InputError for unknown names.
    """
    if npz.is_path(name):
        path = npz.resolve(name, data_dir)
        return path if path.is_file() else None
    known = DATASETS.get(name)
    return known.locate(data_dir) if known.locate is not None else None


def status(name: str, data_dir: Path | None = None) -> DatasetStatus:
    """Return whether a dataset is present, where, and what is expected; parameters as `dataset_spec`."""
    where = locate(name, data_dir)
    if npz.is_path(name):
        path = npz.resolve(name, data_dir)
        return DatasetStatus(path.stem, where is not None, where, str(path), npz.DESCRIPTION, npz.HOW_TO_GET)
    known = DATASETS.get(name)
    present = where is not None or known.locate is None
    return DatasetStatus(name, present, where, known.expected, known.description, known.how_to_get)
