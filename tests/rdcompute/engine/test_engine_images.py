"""The images that workers share: mapped from one copy on disk, the same bits as before."""

import numpy as np
import pytest
import torch

from rdcompute import datasets, image_parts
from rdcompute.compute import compute
from rdcompute.device_data import DeviceData
from rdcompute.image_parts import ARRAYS, FOLDER, PAD, ImageParts, n_training, parts_of, shared_parts
from rdcompute.plan import make_plan
from rdcompute.storage import StorageError
from rdstats.errors import InputError


@pytest.fixture
def colour(tiny_npz):
    return tiny_npz("rgb", channels=3)


@pytest.fixture
def cells(colour, make_grid):
    experiments = [{"dataset": colour, "arch": "lenet", "method": "sham"}]
    return make_plan(make_grid(seeds=2, experiments=experiments)).cells


@pytest.mark.parametrize("augment", ["auto", "none"])
def test_mapped_parts_are_the_split_ones(colour, augment, tmp_path):
    parts = ImageParts.split(datasets.load(colour), root_seed=3, augment=augment, train_fraction=0.5)
    parts.save(tmp_path / "x")
    mapped = ImageParts.map(tmp_path / "x")
    for name in ARRAYS:
        here, there = getattr(parts, name), getattr(mapped, name)
        assert isinstance(there, np.memmap)
        assert here.dtype == there.dtype
        np.testing.assert_array_equal(here, there)
    for name in ("name", "mean", "std", "padded"):
        assert getattr(parts, name) == getattr(mapped, name)


def test_tensors_lie_where_the_mapped_arrays_do(colour, tmp_path):
    ImageParts.split(datasets.load(colour), root_seed=0).save(tmp_path / "x")
    mapped = ImageParts.map(tmp_path / "x")
    data = DeviceData.of(mapped, torch.device("cpu"), root_seed=0)
    assert data.train_pixels.data_ptr() == mapped.train_images.ctypes.data
    assert data.holdout_images.data_ptr() == mapped.holdout_images.ctypes.data
    assert data.test_images.data_ptr() == mapped.test_images.ctypes.data


def test_what_one_process_writes_stays_its_own(colour, tmp_path):
    ImageParts.split(datasets.load(colour), root_seed=0).save(tmp_path / "x")
    first, second = ImageParts.map(tmp_path / "x"), ImageParts.map(tmp_path / "x")
    before = int(second.test_labels[0])
    first.test_labels[0] = before + 1
    assert second.test_labels[0] == ImageParts.map(tmp_path / "x").test_labels[0] == before


def test_padding_is_black_and_goes_away_again(colour):
    data = datasets.load(colour)
    plain = ImageParts.split(data, root_seed=0, augment="none")
    padded = ImageParts.split(data, root_seed=0, augment="crop-flip")
    inside = padded.train_images[:, PAD:-PAD, PAD:-PAD]
    np.testing.assert_array_equal(inside, plain.train_images)
    assert int(padded.train_images.sum()) == int(inside.sum())
    images = DeviceData.of(padded, torch.device("cpu"), root_seed=0).train_images
    np.testing.assert_array_equal(images, plain.train_images)


def test_number_of_training_images(colour):
    data = datasets.load(colour)
    for fraction in (1.0, 0.5, 1e-9):
        parts = ImageParts.split(data, root_seed=0, train_fraction=fraction)
        assert len(parts.train_labels) == n_training(60, 3, fraction)
    assert n_training(60_000, 10) == 55_000


def test_every_dataset_is_decoded_once_and_gone_afterwards(cells, colour, tmp_path, monkeypatch):
    loaded = []
    load = datasets.load
    monkeypatch.setattr(image_parts.datasets, "load", lambda *a: loaded.append(a) or load(*a))
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "of a killed process").write_text("half")
    with shared_parts(folder, cells, None):
        assert len(list(folder.iterdir())) == 1
        for cell in cells:
            assert isinstance(parts_of(cell, folder, None).train_images, np.memmap)
        assert len(loaded) == 1
    assert not folder.exists()
    assert not isinstance(parts_of(cells[0], folder, None).train_images, np.memmap)
    assert len(loaded) == 2


@pytest.mark.parametrize(
    ("lenet", "shape"), [({"train_fraction": 0.5}, (27, 10, 10, 1)), ({"augment": "crop-flip"}, (54, 18, 18, 1))]
)
def test_recipes_that_need_other_parts_do_not_share(lenet, shape, make_grid, tiny_npz, tmp_path):
    experiments = [{"dataset": [tiny_npz("one"), tiny_npz("two")], "arch": ["lenet", "resnet20"], "method": "sham"}]
    plan = make_plan(make_grid(experiments=experiments, training={"lenet": lenet, "resnet": {}}, seeds=1))
    folder = tmp_path / "images"
    with shared_parts(folder, plan.cells, None):
        assert len(list(folder.iterdir())) == 4
        sizes = {(c.dataset_label, c.arch): parts_of(c, folder, None).train_images.shape for c in plan.cells}
    plain = (54, 10, 10, 1)
    assert sizes == {("one", "lenet"): shape, ("two", "lenet"): shape, ("one", "resnet20"): plain,
                     ("two", "resnet20"): plain}  # fmt: skip


def test_no_room_for_them_is_one_line(cells, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(image_parts, "_write_array", full)
    with pytest.raises(StorageError, match="No space left on device"), shared_parts(tmp_path / "images", cells, None):
        pass
    assert not (tmp_path / "images").exists()


def test_a_run_leaves_no_images(colour, make_grid, tmp_path):
    grid = make_grid(seeds=1, experiments=[{"dataset": colour, "arch": "lenet", "method": "sham"}])
    summary = compute(grid, tmp_path / "cube.nc", device="cpu", n_workers=2)
    assert summary.n_done == 2
    assert not (summary.run_dir / FOLDER).exists()


def test_a_dataset_without_a_hold_out_is_refused_before_anything_is_written(tiny_npz, make_grid, tmp_path):
    grid = make_grid(experiments=[{"dataset": tiny_npz("few", n_train=3), "arch": "lenet", "method": "sham"}], seeds=1)
    with pytest.raises(InputError, match="dataset 'few': a hold-out of"):
        compute(grid, tmp_path / "cube.nc", device="cpu")
    assert list(tmp_path.iterdir()) == []
