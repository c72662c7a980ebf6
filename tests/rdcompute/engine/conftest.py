"""Tiny datasets and grids: whole runs in a second."""

import json

import numpy as np
import pytest

from rdcompute.compute import compute
from rdcompute.grid_file import load_grid

TINY = {"batch_size": 16, "train": [[2, 0.05]], "finetune": [[2, 0.05]], "weight_decay": 5e-4}


def tiny_images(n_classes, n_train, n_test, size, channels, seed):
    """Return the arrays of a dataset whose classes are blurred patterns, learnt within an epoch or two."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 256, (n_classes, size, size, channels))
    arrays = {}
    for part, n in (("train", n_train), ("test", n_test)):
        labels = np.arange(n) % n_classes
        noise = rng.integers(-90, 91, (n, size, size, channels))
        arrays[f"{part}_images"] = np.clip(patterns[labels] + noise, 0, 255).astype(np.uint8)
        arrays[f"{part}_labels"] = labels
    return arrays


@pytest.fixture(scope="session")
def tiny_npz(tmp_path_factory):
    """Write a small dataset and return its path."""

    def write(name="tiny", *, n_classes=3, n_train=60, n_test=31, size=10, channels=1, seed=0):
        path = tmp_path_factory.mktemp("data") / f"{name}.npz"
        np.savez_compressed(path, **tiny_images(n_classes, n_train, n_test, size, channels, seed))
        return str(path)

    return write


@pytest.fixture(scope="session")
def make_grid(tmp_path_factory):
    """Return a checked grid of a document; without `training` it is short."""

    def make(**document):
        document = {"name": "test", "training": {"lenet": TINY, "resnet": TINY}, **document}
        path = tmp_path_factory.mktemp("grid") / "grid.yaml"
        path.write_text(json.dumps(document))
        return load_grid(str(path))

    return make


@pytest.fixture
def refused(tmp_path):
    """Return the message with which a grid file of this text is refused, after the file's name."""

    def refused(text):
        from rdstats.errors import InputError

        path = tmp_path / "wrong.yaml"
        path.write_text(text)
        with pytest.raises(InputError) as caught:
            load_grid(str(path))
        message = str(caught.value)
        assert "\n" not in message
        assert message.startswith(f"{path}:"), message
        return message.removeprefix(f"{path}:")

    return refused


@pytest.fixture(scope="session")
def finished(tiny_npz, make_grid, tmp_path_factory):
    """A finished run: two datasets of different class numbers, every criterion; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    three, two = tiny_npz("three"), tiny_npz("two", n_classes=2, n_test=20, size=12)
    every = ["sham", "mp", "gp", "up", "rp"]
    grid = make_grid(
        seeds=[0, 3],
        experiments=[
            {"dataset": three, "arch": "lenet", "method": every, "ratio": [1, 4]},
            {"dataset": two, "arch": "lenet", "method": "mp", "ratio": 2.5},
        ],
    )
    return grid, compute(grid, folder / "cube.nc", device="cpu")
