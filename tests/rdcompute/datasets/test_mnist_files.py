"""MNIST and Fashion-MNIST: the two layouts, missing files, and the real thing where it is installed."""

from pathlib import Path

import numpy as np
import pytest

from rdcompute.datasets import folders, load, locate, status
from rdstats.errors import InputError

DEBIAN = Path("/usr/share/datasets")
LAYOUTS = {
    ("mnist", "MNIST/raw"),
    ("mnist", "mnist"),
    ("fashion-mnist", "FashionMNIST/raw"),
    ("fashion-mnist", "fashion-mnist"),
}


@pytest.mark.parametrize(("name", "folder"), sorted(LAYOUTS))
@pytest.mark.parametrize("compressed", ["all", "none", "labels"])
def test_both_layouts_plain_and_compressed(tmp_path, small_idx, write_idx, name, folder, compressed):
    packed = {
        file for file in small_idx if compressed == "all" or (compressed == "labels" and "idx1" in file)
    }
    write_idx(tmp_path / folder, small_idx, packed)
    data = load(name, tmp_path)
    np.testing.assert_array_equal(data.train_images[..., 0], small_idx["train-images-idx3-ubyte"])
    np.testing.assert_array_equal(data.test_images[..., 0], small_idx["t10k-images-idx3-ubyte"])
    np.testing.assert_array_equal(data.train_labels, small_idx["train-labels-idx1-ubyte"])
    np.testing.assert_array_equal(data.test_labels, small_idx["t10k-labels-idx1-ubyte"])
    assert data.image_shape == (1, 28, 28)
    assert locate(name, tmp_path) == tmp_path / folder
    assert status(name, tmp_path).present


@pytest.mark.parametrize(
    ("name", "mean", "std", "last_class"),
    [("mnist", 0.1307, 0.3081, "9"), ("fashion-mnist", 0.5, 0.5, "Ankle boot")],
)
def test_constants_of_the_paper(tmp_path, small_idx, write_idx, name, mean, std, last_class):
    write_idx(tmp_path / name, small_idx)
    data = load(name, tmp_path)
    assert (data.mean, data.std, data.augment) == ((mean,), (std,), "none")
    assert data.class_names[-1] == last_class


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_nothing_there_says_what_is_expected_where_and_how_to_get_it(tmp_path, name):
    for data_dir in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError) as caught:
            load(name, data_dir)
        for part in (str(data_dir), f"{name}/ with train-images-idx3-ubyte[.gz]", "download=True"):
            assert part in str(caught.value)
        assert "\n" not in str(caught.value)
        assert locate(name, data_dir) is None
        assert not status(name, data_dir).present


def test_an_incomplete_folder_names_what_is_missing(tmp_path, small_idx, write_idx):
    del small_idx["t10k-labels-idx1-ubyte"]
    write_idx(tmp_path / "mnist", small_idx)
    with pytest.raises(InputError, match=r"mnist lacks t10k-labels-idx1-ubyte \(plain or \.gz\)"):
        load("mnist", tmp_path)
    assert not status("mnist", tmp_path).present


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_a_download_that_broke_off_ends_in_one_line(tmp_path, small_idx, write_idx, name):
    """As torchvision leaves it: every file compressed, the first of them cut."""
    raw = tmp_path / ("MNIST" if name == "mnist" else "FashionMNIST") / "raw"
    write_idx(raw, small_idx, set(small_idx))
    cut = raw / "train-images-idx3-ubyte.gz"
    cut.write_bytes(cut.read_bytes()[:200])
    with pytest.raises(InputError) as caught:
        load(name, tmp_path)
    assert str(caught.value).startswith(f"{cut}: damaged gzip file")
    assert "\n" not in str(caught.value)


def test_a_complete_folder_is_found_behind_an_incomplete_one(tmp_path, small_idx, write_idx):
    write_idx(tmp_path / "mnist", small_idx)
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte").touch()
    assert locate("mnist", tmp_path) == tmp_path / "mnist"


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("train-images-idx3-ubyte", lambda a: a[:, :27], "images of 27x28 pixels; accepted: 28x28"),
        ("t10k-labels-idx1-ubyte", lambda a: a[1:], "19 labels for 20 images"),
        ("train-labels-idx1-ubyte", lambda a: a + 1, "label 10 at position 9; accepted: 0 to 9"),
    ],
)
def test_files_that_do_not_fit_together(tmp_path, small_idx, write_idx, file, change, message):
    write_idx(tmp_path / "mnist", {**small_idx, file: change(small_idx[file])})
    with pytest.raises(InputError, match=f"{file}: {message}"):
        load("mnist", tmp_path)


def test_without_a_folder_the_default_and_then_the_system_are_searched(
    tmp_path, small_idx, write_idx, monkeypatch
):
    own, system = tmp_path / "own", tmp_path / "system"
    monkeypatch.setenv("RD_DATA_DIR", str(own))
    monkeypatch.setattr(folders, "SYSTEM_FOLDERS", (system,))
    write_idx(system / "mnist", small_idx)
    assert locate("mnist") == system / "mnist"
    write_idx(own / "mnist", small_idx)
    assert locate("mnist") == own / "mnist"
    assert locate("mnist", tmp_path) is None


@pytest.mark.skipif(
    not (DEBIAN / "fashion-mnist").is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)
def test_the_real_fashion_mnist():
    data = load("fashion-mnist", DEBIAN)
    assert data.train_images.shape == (60_000, 28, 28, 1)
    assert data.test_images.shape == (10_000, 28, 28, 1)
    assert np.bincount(data.train_labels).tolist() == [6000] * 10
    assert np.bincount(data.test_labels).tolist() == [1000] * 10
    assert data.train_labels[:6].tolist() == [9, 0, 0, 3, 0, 2]  # as in the dataset's own examples
    assert round(data.train_images.mean() / 255, 4) == 0.2860  # the mean usually quoted
    assert data.checksum() == "3f577829afd2a6f4617933c254082ce3cd2908a53cd5533c09a528efb7e74510"
