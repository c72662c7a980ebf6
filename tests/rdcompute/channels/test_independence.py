"""Independence of channels against singular values, as its definition has it."""

import numpy as np
import pytest
import torch

from rdcompute.channels import feature_maps
from rdcompute.channels.feature_maps import independence_of_maps
from rdcompute.channels.independence import channel_independence


def by_definition(rows):
    """|A|_* - |A with row c zeroed|_* by singular values, of one image (C, pixels)."""
    whole = np.linalg.svd(rows, compute_uv=False).sum()
    found = []
    for c in range(len(rows)):
        zeroed = rows.copy()
        zeroed[c] = 0
        found.append(whole - np.linalg.svd(zeroed, compute_uv=False).sum())
    return np.array(found), whole


def maps_of(kind, rng):
    """Feature maps (C, pixels) after a ReLU."""
    n_channels, n_pixels = {"wide": (6, 40), "fewer pixels": (12, 5), "one pixel": (4, 1)}.get(kind, (8, 30))
    rows = np.maximum(0, rng.normal(size=(n_channels, n_pixels)))
    if kind == "a channel twice":
        rows[5] = rows[2]
    elif kind == "a sum":
        rows[7] = rows[0] + rows[3]
    elif kind == "zero channels":
        rows[[1, 4]] = 0
    elif kind == "all zero":
        rows[:] = 0
    elif kind == "one is left":
        rows[1:] = 0
    elif kind == "sizes apart":
        rows *= 10.0 ** np.arange(-4, 4)[:, None]
    elif kind == "nearly dependent":
        rows[3] = rows[2] + 1e-4 * rows[4]
    return rows


KINDS = ["wide", "fewer pixels", "one pixel", "a channel twice", "a sum", "zero channels", "all zero", "one is left",
         "sizes apart", "nearly dependent"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_independence_is_what_the_nuclear_norm_loses(kind):
    rows = maps_of(kind, np.random.default_rng(0))
    expected, whole = by_definition(rows)
    gram = torch.from_numpy(rows @ rows.T)
    found = channel_independence(gram).numpy()
    # rounding of the Gram matrix takes half the digits of singular values that are small beside the largest
    np.testing.assert_allclose(found, expected, rtol=0, atol=(1e-11 if kind != "sizes apart" else 1e-8) * whole)
    assert (found >= 0).all()
    assert (found[~rows.any(axis=1)] == 0).all()


def test_scale_and_order_of_channels():
    rows = torch.from_numpy(maps_of("a sum", np.random.default_rng(1)))
    found = channel_independence(rows @ rows.T)
    order = torch.from_numpy(np.random.default_rng(2).permutation(len(rows)))
    torch.testing.assert_close(channel_independence(rows[order] @ rows[order].T), found[order], rtol=1e-10, atol=0)
    torch.testing.assert_close(channel_independence(1e6 * rows @ rows.T), 1e3 * found, rtol=1e-10, atol=0)
    several = torch.stack([rows, 2 * rows])
    torch.testing.assert_close(channel_independence(several @ several.mT), torch.stack([found, 2 * found]))


def test_maps_are_rounded_and_summed_over_images(monkeypatch):
    rng = np.random.default_rng(3)
    maps = np.maximum(0, rng.normal(size=(5, 6, 4, 3))).astype(np.float32)
    expected = sum(by_definition(np.round(image.reshape(6, 12).astype(np.float64), 4))[0] for image in maps)
    tensor = torch.from_numpy(maps).to(memory_format=torch.channels_last)
    whole = independence_of_maps(tensor)
    np.testing.assert_allclose(whole.numpy(), expected, rtol=1e-6)
    raw = sum(by_definition(image.reshape(6, 12).astype(np.float64))[0] for image in maps)
    assert abs(raw / expected - 1).max() > 1e-5, "rounding would not be seen"
    sizes = []

    def watched(gram):
        sizes.append(len(gram))
        return channel_independence(gram)

    monkeypatch.setattr(feature_maps, "LARGEST", 2 * 6 * 12)
    monkeypatch.setattr(feature_maps, "channel_independence", watched)
    torch.testing.assert_close(independence_of_maps(tensor), whole, rtol=1e-12, atol=0)
    assert sizes == [2, 2, 1]
