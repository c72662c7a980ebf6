"""What is known about a dataset before it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rdcompute.datasets.images import ImageData


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset of the registry.

    Parameters
    ----------
    name
        Name in grids and cubes.
    loader
        ``loader(data_dir)`` returns the loaded dataset or raises InputError; data_dir None stands for the
        default folder.
    n_classes
        Number of classes.
    image_shape
        (channels, height, width).
    description
        One line on what it is.
    how_to_get
        One line on how to obtain it.
    augment
        Its usual augmentation in training: ``none`` or ``crop-flip``.
    locate
        ``locate(data_dir)`` returns the folder the loader would read, None if there is none. A dataset
        without `locate` reads nothing from disk.
    expected
        What the loader looks for, relative to the data folder.
    download
        ``download(folder)`` puts the files into a data folder, or raises InputError; None where that must be done by
        hand.
    n_images
        Numbers of training and of test images; None where only the dataset itself tells.
    """

    name: str
    loader: Callable[[Path | None], ImageData]
    n_classes: int
    image_shape: tuple[int, int, int]
    description: str
    how_to_get: str
    augment: str = "none"
    locate: Callable[[Path | None], Path | None] | None = None
    expected: str = ""
    download: Callable[[Path], None] | None = None
    n_images: tuple[int, int] | None = None
