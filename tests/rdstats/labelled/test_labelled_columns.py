"""Accuracy of a column before compression, and accuracy against slope along the ratios."""

import numpy as np
import pytest
import xarray as xr

from rdstats import slopes
from rdstats.columns import accuracies, tradeoff
from rdstats.cube import build
from rdstats.errors import InputError

NAN = np.nan


def matrix(first, second):
    """Return counts of 100 images a class with the given recalls in percent."""
    return np.array([[first, 100 - first], [100 - second, second]], float)


GONE = np.full((2, 2), NAN)
FLAT = matrix(60, 60)


def networks(status=None):
    """Return three seeds, methods mp and gp, ratios 2 and 4; accuracies before .80 .70 .60."""
    before = np.stack([matrix(90, 70), matrix(80, 60), matrix(70, 50)])
    mp = [[matrix(80, 60), matrix(60, 40)], [matrix(80, 40), GONE], [matrix(60, 50), matrix(50, 30)]]
    gp = [[matrix(80, 60), GONE], [GONE, GONE], [GONE, GONE]]
    after = np.array([[a, b] for a, b in zip(mp, gp, strict=True)])
    dims = ("seed", "method", "ratio")
    achieved = np.where(np.isnan(after[..., 0, 0]), NAN, [2.1, 4.4]) + np.array([0, 0.3, 0])[:, None, None]
    variables = {"achieved_ratio": (dims, achieved)}
    if status is not None:
        variables["status"] = (dims, status)
    coords = {"method": ["mp", "gp"], "ratio": [2, 4]}
    return slopes(build(before, after, dims=dims, coords=coords, variables=variables))


def test_table_10():
    """mp has all three networks, gp the first one only."""
    found = accuracies(networks())
    np.testing.assert_allclose(found["accuracy_dense"], [0.7, 0.8], rtol=1e-12)
    np.testing.assert_allclose(found["accuracy_dense_se"], [0.1 / np.sqrt(3), NAN], rtol=1e-12)
    assert found["n"].values.tolist() == [3, 1]
    assert found["planned"].values.tolist() == [True, True]
    assert found["n"].dims == ("method",)
    assert found.attrs["measure"] == "recall"


@pytest.mark.parametrize(("state", "planned"), [(0, True), (2, True), (NAN, False)])
def test_a_planned_column_may_have_no_network(state, planned):
    status = np.ones((3, 2, 2))
    status[:, 1] = state
    status[1, 0, 1] = 2
    found = accuracies(networks(status))
    assert found["planned"].values.tolist() == [True, planned]
    assert found["n"].values.tolist() == [3, 0]
    assert np.isnan(found["accuracy_dense"].values[1])


def test_figure_13():
    found = tradeoff(networks()).sel({"method": "mp"})
    first = np.array([0.7, 0.6, 0.55])
    np.testing.assert_allclose(found["accuracy"], [first.mean(), 0.45], rtol=1e-12)
    np.testing.assert_allclose(found["accuracy_se"], [first.std(ddof=1) / np.sqrt(3), 0.05], rtol=1e-12)
    # Bn before: 1/8, 1/7, 1/6; after: 1/7, 1/3, 1/11 at ratio 2 and 1/5, -, 1/4 at ratio 4
    second = np.array([8 / 7, 7 / 3, 6 / 11])
    np.testing.assert_allclose(found["slope"], [second.mean(), (8 / 5 + 6 / 4) / 2], rtol=1e-12)
    np.testing.assert_allclose(found["slope_se"], [second.std(ddof=1) / np.sqrt(3), 0.05], rtol=1e-12)
    assert found["n"].values.tolist() == found["n_slope"].values.tolist() == [3, 2]
    np.testing.assert_allclose(found["achieved_ratio"], [2.2, 4.4], rtol=1e-12)
    np.testing.assert_allclose(found["accuracy_dense"], 0.7, rtol=1e-12)
    np.testing.assert_allclose(found["accuracy_dense_se"], 0.1 / np.sqrt(3), rtol=1e-12)
    assert found["n_dense"].item() == 3


def test_a_network_without_a_slope_has_an_accuracy():
    """Equal recalls before: no slope, but an accuracy."""
    before, after = np.stack([matrix(90, 70), FLAT]), np.stack([matrix(80, 60), matrix(50, 30)])
    found = tradeoff(slopes(build(before, after, dims=("seed",))))
    assert (found["n"].item(), found["n_slope"].item()) == (2, 1)
    assert found["accuracy"].item() == pytest.approx(0.55, rel=1e-12)
    assert found["slope"].item() == pytest.approx(8 / 7, rel=1e-12)
    assert np.isnan(found["slope_se"].item())


def test_a_network_that_is_there_on_one_side_only_is_not_there():
    before, after = np.stack([matrix(90, 70), GONE]), np.stack([matrix(80, 60), matrix(50, 30)])
    found = tradeoff(slopes(build(before, after, dims=("seed",))))
    assert found["n"].item() == 1
    assert found["accuracy"].item() == pytest.approx(0.7, rel=1e-12)


def test_nothing_there_is_missing():
    found = tradeoff(networks()).sel({"method": "gp", "ratio": 4})
    assert (found["n"].item(), found["n_slope"].item()) == (0, 0)
    for name in ("accuracy", "accuracy_se", "slope", "slope_se", "achieved_ratio"):
        assert np.isnan(found[name].item())


def test_methods_with_dense_networks_of_their_own():
    """LTH and CHIP come with their own dense networks: Table 10 has one accuracy a method."""
    before = np.array([[matrix(90, 70), matrix(60, 40)], [matrix(80, 60), matrix(50, 30)]])
    after = before[:, :, None]
    cube = build(
        before, after, dims=("seed", "method", "ratio"), dims_dense=("seed", "method"),
        coords={"method": ["mp", "lth"], "ratio": [2]},
    )  # fmt: skip
    np.testing.assert_allclose(accuracies(slopes(cube))["accuracy_dense"], [0.75, 0.45], rtol=1e-12)


def test_dense_networks_that_differ_between_ratios_are_averaged():
    before = np.array([[matrix(90, 70), matrix(60, 40)], [matrix(80, 60), matrix(50, 30)]])
    after = before.copy()
    after[1, 1] = NAN
    cube = build(before, after, dims=("seed", "ratio"), dims_dense=("seed", "ratio"), coords={"ratio": [2, 4]})
    np.testing.assert_allclose(accuracies(slopes(cube))["accuracy_dense"], (0.65 + 0.7) / 2, rtol=1e-12)


@pytest.mark.parametrize(
    "variant", ["full", "no status", "other order", "no seed", "no ratio", "no method", "fold", "pair"]
)
def test_equal_a_loop_over_cells_and_dask(cubes, variant):
    data = slopes(cubes[variant], "precision")
    found, table = tradeoff(data), accuracies(data)
    lazy = slopes(cubes[variant].chunk({"true_class": 3}), "precision")
    xr.testing.assert_allclose(tradeoff(lazy), found, rtol=1e-12)
    xr.testing.assert_allclose(accuracies(lazy), table, rtol=1e-12)
    every = data if "seed" in data["slope"].dims else data.expand_dims("seed")
    cells = [d for d in data["slope"].dims if d != "seed"]
    assert found["accuracy"].dims == found["slope"].dims == found["n"].dims == tuple(cells)
    column = tuple(d for d in cells if d != "ratio")
    assert table["accuracy_dense"].dims == found["accuracy_dense"].dims == table["planned"].dims == column
    for index in np.ndindex(*(data.sizes[d] for d in cells)):
        where = dict(zip(cells, index, strict=True))
        part, one = every.isel(where), found.isel(where)
        there = part["reason"].values != "missing"
        for name, count in (("accuracy", "n"), ("slope", "n_slope")):
            values = np.broadcast_to(part[name].values, there.shape)[there]
            values = values[~np.isnan(values)]
            assert one[count].item() == len(values)
            np.testing.assert_allclose(one[name], values.mean() if len(values) else NAN, rtol=1e-12)
            error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else NAN
            np.testing.assert_allclose(one[name + "_se"], error, rtol=1e-10)
    for name in ("accuracy_dense", "accuracy_dense_se"):
        xr.testing.assert_identical(table[name], found[name])
    np.testing.assert_array_equal(table["n"], found["n_dense"])


def test_wrong_input(cubes):
    for function in (accuracies, tradeoff):
        with pytest.raises(InputError, match=r"rdstats\.slopes; it has no slope"):
            function(cubes["full"])
