"""CIFAR through torchvision, on small batches in the layout of the real ones."""

import hashlib
import pickle

import numpy as np
import pytest

from rdcompute.datasets import load, locate, status
from rdstats.errors import InputError

torchvision_datasets = pytest.importorskip("torchvision.datasets")

LAYOUT = {
    "cifar10": ("CIFAR10", "cifar-10-batches-py", 10, "label_names", "labels"),
    "cifar100": ("CIFAR100", "cifar-100-python", 100, "fine_label_names", "fine_labels"),
}

CONSTANTS = {  # of the paper
    "cifar10": ((0.491, 0.482, 0.447), (0.247, 0.243, 0.262)),
    "cifar100": ((0.507, 0.487, 0.441), (0.267, 0.256, 0.276)),
}


@pytest.fixture(params=sorted(LAYOUT))
def small_cifar(request, tmp_path, monkeypatch):
    """A folder with two batches and the metadata, whose checksums torchvision is told to expect."""
    class_name, folder, n_classes, names_key, labels_key = LAYOUT[request.param]
    cifar = getattr(torchvision_datasets, class_name)
    root = tmp_path / folder
    root.mkdir()

    def write(name, content):
        payload = pickle.dumps(content, protocol=2)
        (root / name).write_bytes(payload)
        return hashlib.md5(payload).hexdigest()

    rng = np.random.default_rng(0)
    sums, arrays = {}, {}
    for part, n in (("train", 2 * n_classes), ("test", n_classes)):
        rows = rng.integers(0, 256, (n, 3 * 32 * 32), dtype=np.uint8)
        sums[part] = write(part, {"data": rows, labels_key: [i % n_classes for i in range(n)]})
        arrays[part] = rows.reshape(n, 3, 32, 32).transpose(0, 2, 3, 1)
    names = [f"class {i}" for i in range(n_classes)]
    meta_sum = write("names", {names_key: names})
    monkeypatch.setattr(cifar, "train_list", [["train", sums["train"]]])
    monkeypatch.setattr(cifar, "test_list", [["test", sums["test"]]])
    monkeypatch.setattr(cifar, "meta", {"filename": "names", "key": names_key, "md5": meta_sum})
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


@pytest.mark.parametrize("file", ["train", "test", "names"])
@pytest.mark.parametrize("damage", ["cut", "delete"])
def test_damaged_or_missing_batches(small_cifar, file, damage):
    name, data_dir, root, _ = small_cifar
    path = root / file
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[:-1])
    with pytest.raises(InputError, match="files are missing or damaged") as caught:
        load(name, data_dir)
    assert str(caught.value).startswith(f"{root}: ")


@pytest.mark.parametrize("name", sorted(LAYOUT))
def test_nothing_there(tmp_path, name):
    with pytest.raises(InputError) as caught:
        load(name, tmp_path)
    for part in (str(tmp_path), LAYOUT[name][1], "download=True"):
        assert part in str(caught.value)
    assert not status(name, tmp_path).present
