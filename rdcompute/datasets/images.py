"""What every dataset is once it is loaded: arrays in memory."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdstats.errors import InputError, one_of

AUGMENTATIONS = ("none", "crop-flip")

_BLOCK = 500

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ImageData:
    """The images and labels of a dataset.

    Parameters
    ----------
    name
        Name in the cube.
    train_images, test_images
        uint8, shape (N, H, W, C).
    train_labels, test_labels
        int64, shape (N,), 0 to n_classes - 1.
    class_names
        One name a class.
    mean, std
        For each channel, of images scaled to 0..1; normalisation is (x/255 - mean)/std.
    augment
        The dataset's usual augmentation in training: ``none`` or ``crop-flip``.

    Raises
    ------
    InputError
        Arrays that are not as described.
    """

    name: str
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: str = "none"

    def __post_init__(self) -> None:
        self._check_part("train", self.train_images, self.train_labels)
        self._check_part("test", self.test_images, self.test_labels)
        height_width_channels = self.train_images.shape[1:]
        if self.test_images.shape[1:] != height_width_channels:
            self._refuse(f"test images of shape {self.test_images.shape[1:]}", str(height_width_channels))
        n_channels = height_width_channels[2]
        usable = all(map(math.isfinite, self.mean)) and all(0 < value < math.inf for value in self.std)
        if len(self.mean) != n_channels or len(self.std) != n_channels or not usable:
            self._refuse(
                f"mean {self.mean} and std {self.std}", f"{n_channels} of each, finite, every std above 0"
            )
        if self.augment not in AUGMENTATIONS:
            self._refuse(f"augment {self.augment!r}", one_of(AUGMENTATIONS))

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width), the order in which a network takes an image."""
        height, width, channels = self.train_images.shape[1:]
        return channels, height, width

    def checksum(self) -> str:
        """Return the SHA-256 (hexadecimal) of the contents.

        Images and labels with their shapes and types, class names, mean and std; not the dataset's name
        and not its augmentation.
        """
        digest = hashlib.sha256()
        text = [self.class_names, [repr(float(v)) for v in self.mean], [repr(float(v)) for v in self.std]]
        digest.update(json.dumps(text).encode())
        for images, labels in (
            (self.train_images, self.train_labels),
            (self.test_images, self.test_labels),
        ):
            for array in (images, labels.astype("<i8")):
                digest.update(json.dumps([array.shape, array.dtype.str]).encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _check_part(self, part: str, images: Images, labels: Labels) -> None:
        if images.ndim != 4 or images.dtype != np.uint8:
            self._refuse(
                f"{part} images of shape {images.shape} and type {images.dtype}", "uint8 (N, H, W, C)"
            )
        if labels.shape != (len(images),) or labels.dtype != np.int64 or not len(labels):
            self._refuse(
                f"{part} labels of shape {labels.shape} and type {labels.dtype}",
                f"int64 ({len(images)},), one an image, at least one",
            )
        if labels.min() < 0 or labels.max() >= self.n_classes:
            self._refuse(f"{part} labels from {labels.min()} to {labels.max()}", f"0 to {self.n_classes - 1}")

    def _refuse(self, received: str, accepted: str) -> None:
        raise InputError(f"dataset '{self.name}' has {received}; accepted: {accepted}")


def channel_statistics(images: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel in 0..1 units, rounded to 4 decimals.

    Population standard deviation. Sums are exact integers (a histogram of the 256 values), so the result
    depends neither on the order of summation nor on the machine.

    Parameters
    ----------
    images
        uint8, shape (N, H, W, C).
    """
    values = np.arange(256, dtype=np.int64)
    means, stds = [], []
    for channel in range(images.shape[3]):
        histogram = np.zeros(256, np.int64)
        for i in range(0, len(images), _BLOCK):  # bincount makes int64 of what it counts
            histogram += np.bincount(images[i : i + _BLOCK, ..., channel].reshape(-1), minlength=256)
        n, total, squares = (int(np.sum(histogram * values**power)) for power in (0, 1, 2))
        means.append(round(total / (n * 255), 4))
        stds.append(round(math.sqrt(squares * n - total**2) / (n * 255), 4))
    return tuple(means), tuple(stds)
