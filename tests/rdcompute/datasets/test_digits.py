"""UCI digits: enlargement, split, constants."""

import importlib.util
import sys

import numpy as np
import pytest

from rdcompute.datasets import load, status
from rdcompute.datasets.digits import upsample
from rdcompute.datasets.images import channel_statistics
from rdstats.errors import InputError


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_shapes_and_a_stratified_half(digits):
    assert digits.train_images.shape == (899, 28, 28, 1)
    assert digits.test_images.shape == (898, 28, 28, 1)
    train, test = np.bincount(digits.train_labels), np.bincount(digits.test_labels)
    assert np.abs(train - test).max() <= 1
    assert 87 <= test.min() <= test.max() <= 91


def test_contents_are_frozen(digits):
    # NumPy 2.4, scikit-learn 1.9, 2026-11; integers only, so no version may change it
    assert digits.checksum() == "7ff7a09e26bc27a950aa0267da91b8dee55eaee4116e289086e31141095cc65b"
    assert load("digits").checksum() == digits.checksum()


def test_mean_and_std_are_those_of_the_training_half(digits):
    assert (digits.mean, digits.std) == channel_statistics(digits.train_images)


def test_enlargement_equals_bilinear_interpolation(digits):
    torch = pytest.importorskip("torch")
    small = np.random.default_rng(0).integers(0, 17, (20, 8, 8))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(small).double()[:, None], size=28, mode="bilinear", align_corners=False
    )
    expected = expected[:, 0].numpy() * 255 / 16
    assert np.abs(upsample(small)[..., 0] - expected).max() <= 0.5 + 1e-9


def test_enlargement_by_hand():
    flat = upsample(np.stack([np.zeros((8, 8), int), np.full((8, 8), 16), np.full((8, 8), 8)]))
    assert np.unique(flat[0]).tolist() == [0]
    assert np.unique(flat[1]).tolist() == [255]
    assert np.unique(flat[2]).tolist() == [128]  # 127.5 rounds up
    ramp = upsample(np.broadcast_to(np.arange(8) * 2, (1, 8, 8)))[0, 0, :, 0]
    assert ramp[0] == 0  # clamped at the edge
    assert ramp[2] == round(3 / 14 * 2 * 255 / 16)  # pixel 2 lies at (4 * 2 - 5)/14


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InputError, match="dataset 'digits' needs scikit-learn: pip install"):
        load("digits")


def test_status_says_whether_scikit_learn_is_there(monkeypatch):
    assert status("digits").present
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not status("digits").present
