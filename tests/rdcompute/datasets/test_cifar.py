"""CIFAR through torchvision, on small batches in the layout of the real ones."""

import hashlib
import pickle

import numpy as np
import pytest

from rdcompute.datasets import load, locate, status
from rdstats.errors import InputError

torchvision_datasets = pytest.importorskip("torchvision.datasets")

LAYOUT = {  # as in the archives: folder, batches of training and of test images, names; keys of names and labels
    "cifar10": (
        "CIFAR10", "cifar-10-batches-py", [f"data_batch_{i}" for i in range(1, 6)], "test_batch", "batches.meta",
        "label_names", "labels",
    ),
    "cifar100": (
        "CIFAR100", "cifar-100-python", ["train"], "test", "meta", "fine_label_names", "fine_labels",
    ),
}  # fmt: skip

CONSTANTS = {  # of the paper
    "cifar10": ((0.491, 0.482, 0.447), (0.247, 0.243, 0.262)),
    "cifar100": ((0.507, 0.487, 0.441), (0.267, 0.256, 0.276)),
}


@pytest.fixture(params=sorted(LAYOUT))
def small_cifar(request, tmp_path, monkeypatch):
    """A folder as torchvision unpacks it, with few images, whose checksums torchvision is told to expect."""
    class_name, folder, train, test, meta, names_key, labels_key = LAYOUT[request.param]
    n_classes = 10 if request.param == "cifar10" else 100
    cifar = getattr(torchvision_datasets, class_name)
    real = [[name for name, _ in part] for part in (cifar.train_list, cifar.test_list)]
    assert (*real, cifar.meta["filename"], cifar.meta["key"]) == (train, [test], meta, names_key)
    root = tmp_path / folder
    root.mkdir()

    def write(name, content):
        payload = pickle.dumps(content, protocol=2)
        (root / name).write_bytes(payload)
        return [name, hashlib.md5(payload).hexdigest()]

    rng = np.random.default_rng(0)

    def batch(name, n, first):
        rows = rng.integers(0, 256, (n, 3 * 32 * 32), dtype=np.uint8)
        labels = [(first + i) % n_classes for i in range(n)]
        return write(name, {"data": rows, labels_key: labels}), rows.reshape(n, 3, 32, 32).transpose(0, 2, 3, 1)

    n = 2 * n_classes // len(train)
    batches = [batch(name, n, i * n) for i, name in enumerate(train)]
    tested, images = batch(test, n_classes, 0)
    meta_sum = write(meta, {names_key: [f"class {i}" for i in range(n_classes)]})[1]
    monkeypatch.setattr(cifar, "train_list", [entry for entry, _ in batches])
    monkeypatch.setattr(cifar, "test_list", [tested])
    monkeypatch.setattr(cifar, "meta", {"filename": meta, "key": names_key, "md5": meta_sum})
    arrays = {"train": np.concatenate([part for _, part in batches]), "test": images}
    return request.param, tmp_path, root, arrays


def test_images_labels_and_names(small_cifar):
    name, data_dir, root, arrays = small_cifar
    data = load(name, data_dir)
    np.testing.assert_array_equal(data.train_images, arrays["train"])
    np.testing.assert_array_equal(data.test_images, arrays["test"])
    np.testing.assert_array_equal(data.train_labels, np.arange(2 * data.n_classes) % data.n_classes)
    assert data.class_names[-1] == f"class {data.n_classes - 1}"
    assert (data.mean, data.std, data.augment) == (*CONSTANTS[name], "crop-flip")
    assert locate(name, data_dir) == root
    assert status(name, data_dir).present


def files_of(name):
    _, _, train, test, meta, *_ = LAYOUT[name]
    return [*train, test, meta]


@pytest.mark.parametrize("which", [0, -2, -1])
def test_damaged_batches(small_cifar, which):
    name, data_dir, root, _ = small_cifar
    path = root / files_of(name)[which]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="files are missing or damaged") as caught:
        load(name, data_dir)
    assert str(caught.value).startswith(f"{root}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("which", [0, -2, -1])
def test_a_folder_that_was_unpacked_in_part_names_what_is_missing(small_cifar, which):
    name, data_dir, root, _ = small_cifar
    lost = files_of(name)[which]
    (root / lost).unlink()
    with pytest.raises(InputError, match=f"{root.name} lacks {lost}; how to get it: .*download=True") as caught:
        load(name, data_dir)
    assert "\n" not in str(caught.value)
    assert not status(name, data_dir).present
    assert locate(name, data_dir) is None


@pytest.mark.parametrize("name", sorted(LAYOUT))
def test_an_archive_that_is_not_unpacked_or_not_whole_is_named(tmp_path, name):
    archive = tmp_path / ("cifar-10-python.tar.gz" if name == "cifar10" else "cifar-100-python.tar.gz")
    assert getattr(torchvision_datasets, LAYOUT[name][0]).filename == archive.name
    archive.write_bytes(b"\x1f\x8b half")
    with pytest.raises(InputError, match=f"{archive.name} is there, but not unpacked, or not whole; how to get it"):
        load(name, tmp_path)
    assert not status(name, tmp_path).present


@pytest.mark.parametrize("name", sorted(LAYOUT))
def test_nothing_there(tmp_path, name):
    with pytest.raises(InputError) as caught:
        load(name, tmp_path)
    for part in (str(tmp_path), LAYOUT[name][1], *files_of(name), "download=True"):
        assert part in str(caught.value)
    assert not status(name, tmp_path).present
