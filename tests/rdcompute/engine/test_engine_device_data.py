"""Images on the device: parts, normalisation, order and augmentation."""

import dataclasses

import numpy as np
import pytest
import torch

from rdcompute.datasets import ImageData
from rdcompute.device_data import DeviceData
from rdcompute.image_parts import PAD
from rdcompute.streams import stream

CPU = torch.device("cpu")


def images(n_train=50, n_classes=3, size=6, channels=3, augment="crop-flip", n_test=12):
    """Return a dataset in which every image is another one."""
    rng = np.random.default_rng(1)
    draw = rng.integers(1, 256, (n_train + n_test, size, size, channels), dtype=np.uint8)
    labels = (np.arange(n_train + n_test) % n_classes).astype(np.int64)
    mean, std = tuple([0.4, 0.5, 0.3][:channels]), tuple([0.2, 0.25, 0.3][:channels])
    names = tuple("abc"[:n_classes])
    return ImageData(
        "tiny", draw[:n_train], labels[:n_train], draw[n_train:], labels[n_train:], names, mean, std, augment
    )


def load(data, **options):
    return DeviceData.load(data, CPU, **{"root_seed": 0, **options})


def which(images, among):
    """Return the position in `among` of each image."""
    lookup = {image.tobytes(): i for i, image in enumerate(among)}
    return [lookup[image.tobytes()] for image in images.numpy()]


def one_epoch(device_data, batch_size=16, names=("order/x", "augment/x")):
    batches = list(device_data.epoch(names, batch_size))
    return torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])


def formula(images, data):
    """(x/255 - mean)/std in float64, (N, C, H, W)."""
    x = (images / 255 - np.array(data.mean)) / np.array(data.std)
    return np.moveaxis(x, 3, 1)


def test_holdout_is_disjoint_and_stratified():
    data = images()
    parts = load(data)
    train, holdout = which(parts.train_images, data.train_images), which(parts.holdout_images, data.train_images)
    assert sorted(train + holdout) == list(range(50))
    assert len(holdout) == 5
    np.testing.assert_array_equal(parts.train_labels, data.train_labels[train])
    np.testing.assert_array_equal(parts.holdout_labels, data.train_labels[holdout])
    assert sorted(np.bincount(parts.holdout_labels)) == [1, 2, 2]
    np.testing.assert_array_equal(parts.test_images, data.test_images)
    np.testing.assert_array_equal(parts.test_labels, data.test_labels)


def test_the_split_is_one_for_a_dataset_and_follows_the_root():
    data = images()
    assert torch.equal(load(data).holdout_images, load(data, memory_format="contiguous", augment="none").holdout_images)
    assert not torch.equal(load(data).holdout_images, load(data, root_seed=1).holdout_images)
    assert not torch.equal(load(data).holdout_images, load(dataclasses.replace(data, name="other")).holdout_images)


def test_a_fraction_of_the_training_images_is_stratified_and_leaves_the_rest_alone():
    data = images()
    whole, part = load(data), load(data, train_fraction=0.4)
    kept = which(part.train_images, data.train_images)
    assert len(kept) == part.n_train == 18
    assert np.bincount(part.train_labels).tolist() == [6, 6, 6]
    assert set(kept) <= set(which(whole.train_images, data.train_images))
    assert torch.equal(part.holdout_images, whole.holdout_images)
    assert torch.equal(part.test_images, whole.test_images)


@pytest.mark.parametrize(("fraction", "n"), [(0.999, 45), (0.99, 45), (0.97, 44), (1e-9, 3)])
def test_fractions_at_the_edges(fraction, n):
    part = load(images(), train_fraction=fraction)
    assert part.n_train == n
    assert set(part.train_labels.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("memory_format", ["channels_last", "contiguous"])
def test_normalisation_is_the_formula(memory_format):
    data = images(augment="none")
    device_data = load(data, memory_format=memory_format)
    x = device_data.normalize(device_data.test_images)
    assert x.dtype == torch.float32
    assert x.is_contiguous(memory_format=getattr(torch, memory_format, torch.contiguous_format))
    # float32: x/255 and mean/std have an error of 2^-24 each, of values up to 5
    np.testing.assert_allclose(x.numpy(), formula(data.test_images, data), rtol=0, atol=2e-6)


def test_every_image_comes_once_in_the_order_of_its_stream():
    data = images(augment="none")
    device_data = load(data)
    x, y = one_epoch(device_data)
    order = stream(0, "order/x").permutation(45)
    assert sorted(order) != order.tolist()
    np.testing.assert_array_equal(y, device_data.train_labels[order])
    assert torch.equal(x, device_data.normalize(device_data.train_images[order]))
    assert not torch.equal(y, one_epoch(device_data, names=("order/y", ""))[1])
    assert [len(labels) for _, labels in device_data.epoch(("order/x", ""), 16)] == [16, 16, 13]


def naive_crop_flip(image, top, left, flip):
    """Pad one image by black, cut out its size, mirror it."""
    size, width, channels = image.shape
    padded = np.zeros((size + 2 * PAD, width + 2 * PAD, channels), np.uint8)
    padded[PAD : PAD + size, PAD : PAD + width] = image
    crop = padded[top : top + size, left : left + width]
    return crop[:, ::-1] if flip else crop


@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_is_the_naive_one_image_at_a_time(channels):
    data = images(channels=channels)
    device_data = load(data)
    n = device_data.n_train
    rng = stream(0, "augment/x")
    top, left = rng.integers(0, 2 * PAD + 1, (2, n))
    flip = rng.random(n) < 0.5
    expected = np.array(
        [
            naive_crop_flip(device_data.train_images[i].numpy(), top[i], left[i], flip[i])
            for i in stream(0, "order/x").permutation(n)
        ]
    )
    x, _ = one_epoch(device_data)
    assert torch.equal(x, device_data.normalize(torch.from_numpy(expected)))
    np.testing.assert_allclose(x.numpy(), formula(expected, data), rtol=0, atol=2e-6)


def test_augmented_images_are_crops_and_flips_of_every_kind():
    """Whatever the draws: each image is one of its own 162 variants, and all shifts and both sides occur."""
    data = images(n_train=400)
    device_data = load(data)
    raw = DeviceData(**{**vars(device_data), "normalize": lambda batch: batch})
    augmented, _ = one_epoch(raw)
    order = stream(0, "order/x").permutation(raw.n_train)
    found = []
    for image, i in zip(augmented.numpy(), order, strict=True):
        original = raw.train_images[i].numpy()
        variants = [
            (top, left, flip)
            for top in range(9)
            for left in range(9)
            for flip in (False, True)
            if np.array_equal(naive_crop_flip(original, top, left, flip), image)
        ]
        assert variants, f"image {i} is no crop or flip of itself"
        found.append(variants[0])
    tops, lefts, flips = map(np.array, zip(*found, strict=True))
    assert set(tops) == set(lefts) == set(range(9))
    assert 0.4 < flips.mean() < 0.6


def test_augmentation_follows_its_own_stream_and_can_be_switched():
    data = images()
    device_data = load(data)
    first, other = one_epoch(device_data), one_epoch(device_data, names=("order/x", "augment/y"))
    assert torch.equal(first[1], other[1])
    assert not torch.equal(first[0], other[0])
    assert torch.equal(first[0], one_epoch(device_data, batch_size=7)[0])
    plain = one_epoch(load(data, augment="none"))
    assert torch.equal(plain[0], one_epoch(load(dataclasses.replace(data, augment="none")))[0])
    assert torch.equal(one_epoch(load(dataclasses.replace(data, augment="none"), augment="crop-flip"))[0], first[0])
    assert not torch.equal(plain[0], first[0])
