"""The arrays of a dataset: checks, checksum, channel statistics."""

from dataclasses import replace

import numpy as np
import pytest

from rdcompute.datasets import ImageData
from rdcompute.datasets.images import channel_statistics
from rdstats.errors import InputError


def make(**changes):
    rng = np.random.default_rng(0)
    fields = {
        "name": "tiny",
        "train_images": rng.integers(0, 256, (6, 4, 5, 3), dtype=np.uint8),
        "train_labels": np.array([0, 1, 2, 0, 1, 2]),
        "test_images": rng.integers(0, 256, (3, 4, 5, 3), dtype=np.uint8),
        "test_labels": np.array([2, 1, 0]),
        "class_names": ("a", "b", "c"),
        "mean": (0.1, 0.2, 0.3),
        "std": (1.0, 2.0, 3.0),
    }
    return ImageData(**(fields | changes))


def test_properties():
    data = make()
    assert data.n_classes == 3
    assert data.image_shape == (3, 4, 5)  # channels, height, width
    assert data.augment == "none"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": np.zeros((6, 4, 5), np.uint8)}, "train images of shape"),
        ({"test_images": np.zeros((3, 4, 5, 3))}, "test images of shape .* and type float64"),
        ({"test_images": np.zeros((3, 5, 4, 3), np.uint8)}, r"test images of shape \(5, 4, 3\)"),
        ({"train_labels": np.zeros(5, np.int64)}, "train labels of shape"),
        ({"train_labels": np.zeros(6, np.int32)}, "train labels .* int32"),
        ({"test_labels": np.array([0, 1, 3])}, "test labels from 0 to 3; accepted: 0 to 2"),
        ({"test_labels": np.array([0, 1, -1])}, "test labels from -1 to 1"),
        (
            {"test_images": np.zeros((0, 4, 5, 3), np.uint8), "test_labels": np.zeros(0, np.int64)},
            "at least one",
        ),
        ({"mean": (0.5,)}, "accepted: 3 of each"),
        ({"std": (1.0, 0.0, 1.0)}, "every std above 0"),
        ({"std": (1.0, float("nan"), 1.0)}, "every std above 0"),
        ({"mean": (0.5, float("inf"), 0.5)}, "3 of each, finite"),
        ({"augment": "cutout"}, "augment 'cutout'; accepted: none, crop-flip"),
    ],
)
def test_wrong_arrays_are_refused(changes, message):
    with pytest.raises(InputError, match=f"dataset 'tiny' has .*{message}"):
        make(**changes)


def test_checksum_depends_on_every_content_and_on_nothing_else():
    data = make()
    flipped = data.train_images.copy()
    flipped[0, 0, 0, 0] ^= 1
    changed = [
        replace(data, train_images=flipped),
        replace(data, train_labels=data.train_labels[::-1]),
        replace(data, test_images=data.test_images[::-1]),
        replace(data, test_labels=np.array([2, 1, 1])),
        replace(data, class_names=("a", "b", "d")),
        replace(data, mean=(0.1, 0.2, 0.4)),
        replace(data, std=(1.0, 2.0, 4.0)),
        replace(
            data,
            train_images=data.train_images.reshape(6, 5, 4, 3),
            test_images=data.test_images.reshape(3, 5, 4, 3),
        ),
    ]
    assert len({data.checksum(), *(other.checksum() for other in changed)}) == len(changed) + 1
    fortran = replace(
        data, name="other", augment="crop-flip", train_images=np.asfortranarray(data.train_images)
    )
    assert fortran.checksum() == make().checksum()


def test_channel_statistics_equal_numpy():
    images = np.random.default_rng(1).integers(0, 256, (50, 7, 6, 3), dtype=np.uint8)
    images[..., 1] //= 3
    mean, std = channel_statistics(images)
    scaled = images.astype(np.float64) / 255
    np.testing.assert_allclose(mean, scaled.mean((0, 1, 2)), rtol=0, atol=5.0001e-5)
    np.testing.assert_allclose(std, scaled.std((0, 1, 2)), rtol=0, atol=5.0001e-5)
    assert mean == tuple(round(value, 4) for value in mean)


def test_channel_statistics_cover_every_block_of_images():
    images = np.zeros((1203, 2, 2, 1), np.uint8)
    images[:400], images[1001:] = 255, 51
    scaled = images / 255
    assert channel_statistics(images) == ((round(scaled.mean(), 4),), (round(scaled.std(), 4),))


def test_channel_statistics_by_hand():
    images = np.array([0, 255, 0, 255], dtype=np.uint8).reshape(2, 2, 1, 1)
    assert channel_statistics(images) == ((0.5,), (0.5,))
