"""Where lost recall went: the labelled function against a loop over networks, in memory, in a file and lazy."""

import numpy as np
import pytest
import xarray as xr

import rdstats
from rdstats import array
from rdstats.errors import InputError

DIMS = ("seed", "dataset", "arch", "method", "ratio")


@pytest.fixture(scope="module")
def cube(make_study):
    """Return two places, a control, a network that is missing and one cell that is."""
    arms = {"sham": 1.0, "mp": (1.3, 1.4), "up": (0.7, 0.6)}
    gone = {(1, "mp", 2.0)} | {(seed, "up", 4.0) for seed in range(4)}
    names = ["cat", "dog", "bird", "fish", "ant"]
    places = (("a", "x"), ("b", "y"))
    return make_study(arms, seeds=4, images=30, places=places, missing=gone, keep="matrices", class_names=names)


def loop(cube, entering=None):
    """Return the mean difference of every cell, network by network."""
    after = cube["confusion"].transpose(*DIMS, "true_class", "predicted_class").values
    dense = cube["confusion_dense"].transpose(*DIMS[:3], "true_class", "predicted_class").values
    result = np.full((*after.shape[1:],), np.nan)
    n = np.zeros(after.shape[1:-2], int)
    for cell in np.ndindex(*after.shape[1:-2]):
        pairs = [
            array.confusion_difference(dense[(s, *cell[:2])], after[(s, *cell)])
            for s in range(after.shape[0])
            if not np.isnan(after[(s, *cell)]).any() and (entering is None or entering[(s, *cell)])
        ]
        n[cell] = len(pairs)
        if pairs:
            result[cell] = np.mean(pairs, axis=0)
    return result, n


def test_equals_a_loop_over_networks(cube):
    found = rdstats.confusion_difference(cube)
    expected, n = loop(cube)
    assert found["difference"].dims == (*DIMS[1:], "true_class", "predicted_class")
    np.testing.assert_allclose(found["difference"].values, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(found["n"].values, np.broadcast_to(n[..., None], found["n"].shape))
    assert sorted(set(n.ravel().tolist())) == [0, 3, 4]
    xr.testing.assert_allclose(found["share"] - found["share_dense"], found["difference"].rename(None))
    assert found["class_name"].values.ravel()[0] == "cat"


def test_diagonal_is_the_change_of_recall(cube):
    found = rdstats.confusion_difference(cube)["difference"].values
    change = rdstats.per_class(cube)["change"].transpose(*DIMS[1:], "class").values
    np.testing.assert_allclose(np.diagonal(found, axis1=-2, axis2=-1), change, rtol=1e-12, atol=1e-15)


def test_networks_can_be_left_out(cube):
    entering = xr.ones_like(cube["status"], bool)
    entering[{"seed": 0}] = False
    found = rdstats.confusion_difference(cube, entering=entering)
    np.testing.assert_allclose(found["difference"].values, loop(cube, entering.values)[0], rtol=1e-12, atol=1e-15)


def test_file_and_dask_give_the_same(cube, tmp_path):
    expected = rdstats.confusion_difference(cube)
    rdstats.save(cube, tmp_path / "cube.nc")
    with rdstats.open_cube(tmp_path / "cube.nc") as opened:
        xr.testing.assert_allclose(rdstats.confusion_difference(opened)["difference"], expected["difference"])
    lazy = rdstats.confusion_difference(cube.chunk({"method": 1, "seed": 2}))
    assert lazy["difference"].chunks is not None
    xr.testing.assert_allclose(lazy.compute(), expected)
    entering = xr.ones_like(cube["status"], bool)
    entering[{"seed": 0}] = False
    xr.testing.assert_allclose(
        rdstats.confusion_difference(cube.chunk({"method": 1}), entering=entering).compute(),
        rdstats.confusion_difference(cube, entering=entering),
    )


@pytest.mark.parametrize("chunks", [None, {}])
@pytest.mark.parametrize("drop", [["seed"], ["method", "ratio"], ["seed", "dataset", "arch"]])
def test_any_dimensions(cube, drop, chunks):
    part = cube.isel(dict.fromkeys(drop, 0) | ({"method": 1, "ratio": 1} if "method" in drop else {}), drop=True)
    part = part if chunks is None else part.chunk(chunks)
    found = rdstats.confusion_difference(part).compute()
    before, after = xr.broadcast(part["confusion_dense"].compute(), part["confusion"].compute())
    before, after = (part.transpose(..., "true_class", "predicted_class") for part in (before, after))
    after = after.transpose(*before.dims)
    one = before.copy(data=array.confusion_difference(before.values, after.values))
    one = (one.mean("seed") if "seed" in one.dims else one).transpose(*found["difference"].dims)
    np.testing.assert_allclose(found["difference"].values, one.values, rtol=1e-12, atol=1e-15)


def test_a_dense_network_for_each_method(cube):
    several = cube.assign(confusion_dense=cube["confusion_dense"].expand_dims({"method": cube["method"]}))
    xr.testing.assert_allclose(rdstats.confusion_difference(several), rdstats.confusion_difference(cube))


def test_refused(cube):
    with pytest.raises(InputError, match="no confusion_dense"):
        rdstats.confusion_difference(cube.drop_vars("confusion_dense"))
    with pytest.raises(InputError, match="dimension width"):
        rdstats.confusion_difference(cube.assign(confusion_dense=cube["confusion_dense"].expand_dims("width")))
    negative = cube.assign(confusion=cube["confusion"] - 100)
    with pytest.raises(InputError, match="counts are 0 or more"):
        rdstats.confusion_difference(negative)
    other = cube.assign(confusion_dense=2 * cube["confusion_dense"])
    with pytest.raises(InputError, match="support differs"):
        rdstats.confusion_difference(other)
