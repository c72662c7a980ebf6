"""Datasets of one's own: a NumPy archive with images and labels, as MedMNIST and Keras store them.

Keys ``train_images, train_labels, test_images, test_labels`` or ``x_train, y_train, x_test, y_test``, and
optionally ``class_names``; other keys (MedMNIST's ``val_images``) are not read, since hold-outs are drawn
from the training set. Images are uint8, (N, H, W) or (N, H, W, 1 or 3); labels are integers, (N,) or
(N, 1), 0 to the number of classes less one. Without class names there are as many classes as the training
labels name, and none may be skipped.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np

from rdcompute.datasets.archive import Archive
from rdcompute.datasets.folders import search_folders
from rdcompute.datasets.images import ImageData, Labels, channel_statistics
from rdcompute.datasets.spec import DatasetSpec
from rdstats.errors import InputError, one_of

KEYS = ("train_images", "train_labels", "test_images", "test_labels")
OTHER_KEYS = ("x_train", "y_train", "x_test", "y_test")
DESCRIPTION = "images and labels in a NumPy archive"
HOW_TO_GET = f"np.savez_compressed(FILE, {', '.join(f'{key}=...' for key in KEYS)})"


def is_path(name: str) -> bool:
    """Return whether a dataset's name is the path of an archive."""
    return isinstance(name, str) and name.endswith(".npz")


def resolve(name: str, data_dir: Path | None) -> Path:
    """Return the path that `name` stands for: absolute, or relative to the data folder."""
    return search_folders(data_dir)[0] / Path(os.path.expanduser(name))


def spec(path: Path) -> DatasetSpec:
    """Return the archive's number of classes and image shape, reading headers and labels only.

    Raises
    ------
    InputError
        The file is missing or damaged, or its arrays are not as this module's top describes.
    """
    with Archive(path) as archive:
        keys = _keys(archive)
        shape = _image_shape(archive, keys)
        class_names = _labels_and_names(archive, keys)[2]
    return DatasetSpec(
        name=path.stem,
        loader=partial(_load_from, path),
        n_classes=len(class_names),
        image_shape=shape,
        description=DESCRIPTION,
        how_to_get=HOW_TO_GET,
        augment=_augment(shape[0]),
        locate=partial(_locate_at, path),
        expected=str(path),
    )


def load(path: Path) -> ImageData:
    """Load an archive. Its name in the cube is the file's stem.

    Mean and standard deviation are those of its training images, rounded to 4 decimals; colour images are
    augmented by crop and flip, grey ones not at all. Raises InputError as `spec`, and for a channel that
    never varies.
    """
    with Archive(path) as archive:
        keys = _keys(archive)
        channels, height, width = _image_shape(archive, keys)
        train_labels, test_labels, class_names = _labels_and_names(archive, keys)
        train_images, test_images = (
            archive.read(key).reshape(-1, height, width, channels) for key in (keys[0], keys[2])
        )
    mean, std = channel_statistics(train_images)
    if not min(std) > 0:
        raise InputError(f"{path}: channel {std.index(min(std))} of '{keys[0]}' never varies")
    return ImageData(
        name=path.stem,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        class_names=class_names,
        mean=mean,
        std=std,
        augment=_augment(channels),
    )


def _load_from(path: Path, data_dir: Path | None) -> ImageData:
    return load(path)


def _locate_at(path: Path, data_dir: Path | None) -> Path | None:
    return path if os.path.isfile(path) else None


def _augment(n_channels: int) -> str:
    return "crop-flip" if n_channels == 3 else "none"


def _keys(archive: Archive) -> tuple[str, ...]:
    found = set(archive.headers)
    for keys in (KEYS, OTHER_KEYS):
        if found.issuperset(keys):
            return keys
    nearest_set = max((KEYS, OTHER_KEYS), key=lambda keys: len(found.intersection(keys)))
    raise InputError(
        f"{archive.path}: lacks {one_of(key for key in nearest_set if key not in found)}; "
        f"found: {one_of(sorted(found)) or 'nothing'}; accepted: {one_of(KEYS)} (or {one_of(OTHER_KEYS)})"
    )


def _image_shape(archive: Archive, keys: tuple[str, ...]) -> tuple[int, int, int]:
    """Return (channels, height, width) after checking type, shape and agreement of both sets of images."""
    shapes = []
    for key in (keys[0], keys[2]):
        header = archive.headers[key]
        shape = header.shape if len(header.shape) == 4 else (*header.shape, 1)
        if header.dtype != np.uint8:
            raise InputError(f"{archive.path}: '{key}' holds {header.dtype}; accepted: uint8, 0 to 255")
        if len(shape) != 4 or shape[3] not in (1, 3) or 0 in shape:
            raise InputError(
                f"{archive.path}: '{key}' has shape {header.shape}; accepted: (N, H, W) or (N, H, W, 1 or 3)"
            )
        shapes.append((shape[3], shape[1], shape[2]))
    if shapes[0] != shapes[1]:
        raise InputError(
            f"{archive.path}: '{keys[2]}' has shape {archive.headers[keys[2]].shape}, '{keys[0]}' "
            f"{archive.headers[keys[0]].shape}; accepted: the same size and channels"
        )
    return shapes[0]


def _labels_and_names(archive: Archive, keys: tuple[str, ...]) -> tuple[Labels, Labels, tuple[str, ...]]:
    train, test = (_labels(archive, keys[i + 1], keys[i]) for i in (0, 2))
    names = _class_names(archive)
    if names is None:
        present = np.unique(train)
        if present[-1] >= present.size:
            skipped = int(np.argmin(present == np.arange(present.size)))
            raise InputError(
                f"{archive.path}: '{keys[1]}' goes up to {present[-1]} but skips {skipped}; "
                "accepted: every class from 0 up, or 'class_names' for all of them"
            )
        names = tuple(str(label) for label in present)
    for key, labels in ((keys[1], train), (keys[3], test)):
        if labels.max() >= len(names):
            raise InputError(
                f"{archive.path}: '{key}' has label {labels.max()}; accepted: 0 to {len(names) - 1}"
            )
    if len(names) < 2:
        raise InputError(f"{archive.path}: has {len(names)} class; accepted: 2 or more")
    return train, test, names


def _labels(archive: Archive, key: str, image_key: str) -> Labels:
    header = archive.headers[key]
    n_images = archive.headers[image_key].shape[0]
    if header.dtype.kind not in "iu":
        raise InputError(f"{archive.path}: '{key}' holds {header.dtype}; accepted: integer labels")
    if header.shape not in ((n_images,), (n_images, 1)):
        raise InputError(
            f"{archive.path}: '{key}' has shape {header.shape}; "
            f"accepted: ({n_images},) or ({n_images}, 1), one label an image"
        )
    labels = archive.read(key).reshape(-1)
    if labels.min() < 0 or labels.max() > np.iinfo(np.int64).max:
        raise InputError(
            f"{archive.path}: '{key}' has labels from {labels.min()} to {labels.max()}; accepted: 0 and up"
        )
    return labels.astype(np.int64)


def _class_names(archive: Archive) -> tuple[str, ...] | None:
    if "class_names" not in archive.headers:
        return None
    header = archive.headers["class_names"]
    if header.dtype.kind not in "US" or len(header.shape) != 1:
        raise InputError(
            f"{archive.path}: 'class_names' has shape {header.shape} and type {header.dtype}; "
            "accepted: a list of texts"
        )
    values: list[str] | list[bytes] = archive.read("class_names").tolist()
    names = tuple(n.decode(errors="replace") if isinstance(n, bytes) else n for n in values)
    if len(set(names)) < len(names):
        raise InputError(f"{archive.path}: 'class_names' has duplicates: {one_of(names)}")
    return names
