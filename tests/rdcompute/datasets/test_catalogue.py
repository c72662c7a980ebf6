"""Names, listing, and what a look-up costs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from rdcompute.datasets import (
    DATASETS,
    DatasetSpec,
    ImageData,
    check_dataset_name,
    dataset_names,
    dataset_spec,
    default_data_dir,
    load,
    locate,
    status,
)
from rdstats.errors import InputError

BUILT_IN = {
    "digits": (10, (1, 28, 28), "none"),
    "mnist": (10, (1, 28, 28), "none"),
    "fashion-mnist": (10, (1, 28, 28), "none"),
    "cifar10": (10, (3, 32, 32), "crop-flip"),
    "cifar100": (100, (3, 32, 32), "crop-flip"),
}


def test_names_in_order():
    assert dataset_names()[:5] == tuple(BUILT_IN)


@pytest.mark.parametrize("name", BUILT_IN)
def test_plan_level_facts_need_no_files(name, tmp_path):
    spec = dataset_spec(name, tmp_path / "absent")
    assert (spec.n_classes, spec.image_shape, spec.augment) == BUILT_IN[name]


def test_look_ups_import_neither_torch_nor_scikit_learn():
    code = (
        "import sys\n"
        "from rdcompute import criteria, datasets, masks, models\n"
        "datasets.dataset_spec('cifar10'), datasets.status('digits'), datasets.check_dataset_name('mnist')\n"
        "criteria.criterion_names(), criteria.is_control('sham'), models.architecture_names()\n"
        "print(sorted({'torch', 'torchvision', 'sklearn', 'scipy', 'xarray'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("function", [load, dataset_spec, locate, status, check_dataset_name])
@pytest.mark.parametrize("name", ["fashion_mnist", "", 3, None])
def test_unknown_names(function, name):
    with pytest.raises(InputError) as caught:
        function(name)
    assert repr(name) in str(caught.value)
    assert "accepted: digits, mnist" in str(caught.value)
    assert str(caught.value).endswith("or the path of a .npz file")
    if name == "fashion_mnist":
        assert "did you mean 'fashion-mnist'?" in str(caught.value)


def test_the_name_of_an_archive_is_accepted_before_it_exists():
    check_dataset_name("not/there/yet.npz")


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("RD_DATA_DIR", str(tmp_path))
    assert default_data_dir() == tmp_path
    monkeypatch.setenv("RD_DATA_DIR", "~/data")
    assert default_data_dir() == Path.home() / "data"
    for unset in (lambda: monkeypatch.setenv("RD_DATA_DIR", ""), lambda: monkeypatch.delenv("RD_DATA_DIR")):
        unset()
        assert default_data_dir() == platformdirs.user_data_path("rd")


def tiny(name, n_classes=2):
    images = np.zeros((4, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(4) % 2
    names = tuple(map(str, range(n_classes)))
    return ImageData(name, images, labels, images, labels, names, (0.5,), (0.5,))


@pytest.fixture
def registered(monkeypatch):
    """Register a dataset for one test."""
    monkeypatch.setattr(DATASETS, "_own", dict(DATASETS._own))

    def register(loader):
        return DATASETS.add(DatasetSpec("other", loader, 2, (1, 8, 8), "description", "how"))

    return register


def test_a_registered_dataset_that_reads_no_files(registered):
    registered(lambda data_dir: tiny("other"))
    assert load("other").n_classes == 2
    found = status("other")
    assert (found.present, found.where, found.how_to_get) == (True, None, "how")


@pytest.mark.parametrize("data", [tiny("another"), tiny("other", 3)])
def test_a_loader_that_returns_something_else_than_promised(registered, data):
    registered(lambda data_dir: data)
    with pytest.raises(
        InputError, match=r"dataset 'other' was loaded with .* accepted: \('other', 2, \(1, 8, 8\)\)"
    ):
        load("other")
