"""Variance of class scores: by hand, per network and over seeds."""

import numpy as np
import pytest
import xarray as xr

import rdstats.array as ra
from rdstats.cube import build, class_counts
from rdstats.errors import InputError
from rdstats.measures import score
from rdstats.variance import recall_variance, recall_variances

VARIANTS = ["full", "no status", "other order", "no seed", "no ratio", "no method", "fold", "pair"]


def matrix(*percent):
    """Return counts of 100 images a class with the given recalls in percent."""
    n = len(percent)
    counts = np.diag(np.array(percent, float))
    counts[np.arange(n), (np.arange(n) + 1) % n] += 100 - np.array(percent)
    return counts


def table():
    """Return two seeds, ratios 2 and 4, and a third seed whose networks are missing."""
    before = np.stack([matrix(90, 70), matrix(90, 50), matrix(90, 10)])
    after = np.stack(
        [[matrix(80, 40), matrix(60, 20)], [matrix(80, 60), matrix(50, 50)], [np.full((2, 2), np.nan)] * 2]
    )
    return build(before, after, dims=("seed", "ratio"), coords={"ratio": [2, 4]})


def test_by_hand():
    one = recall_variance(build(matrix(90, 70), matrix(80, 40)))
    assert one["variance_dense"].item() == pytest.approx(0.01, rel=1e-12)
    assert one["variance"].item() == pytest.approx(0.04, rel=1e-12)
    other = recall_variance(build(matrix(90, 70), matrix(80, 40)), ddof=1)
    assert other["variance"].item() == pytest.approx(0.08, rel=1e-12)
    assert other.attrs == {"measure": "recall", "ddof": 1}


def test_table_11():
    """Before .01 .04 (mean .025, sd .015 sqrt 2, n 2); after .04 .01 at ratio 2, .04 0 at ratio 4."""
    found = recall_variances(table())
    assert found["ddof"].values.tolist() == [0, 1]
    np.testing.assert_allclose(found["variance"], np.outer([1, 2], [0.025, 0.02]), rtol=1e-12)
    np.testing.assert_allclose(found["variance_se"], np.outer([1, 2], [0.015, 0.02]), rtol=1e-12)
    np.testing.assert_allclose(found["variance_dense"], [0.025, 0.05], rtol=1e-12)
    np.testing.assert_allclose(found["variance_dense_se"], [0.015, 0.03], rtol=1e-12)
    assert found["n"].values.tolist() == [2, 2]
    assert found["n_dense"].item() == 2
    assert found["variance"].dims == ("ddof", "ratio")
    assert found["n"].dims == ("ratio",)


def test_before_is_of_the_networks_that_the_column_has():
    cube = table()
    cube["confusion"][1, 1] = np.nan  # ratio 2 of the seed is still there
    assert recall_variances(cube)["n_dense"].item() == 2
    cube["confusion"][1] = np.nan
    found = recall_variances(cube)
    assert found["variance_dense"].sel(ddof=0).item() == pytest.approx(0.01, rel=1e-12)
    assert found["n"].values.tolist() == [1, 1]
    assert np.isnan(found["variance_se"].values).all()
    assert np.isnan(found["variance_dense_se"].values).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_over_seeds_equals_a_loop_over_cells(cubes, variant):
    cube = cubes[variant]
    found = recall_variances(cube, "precision")
    for ddof in (0, 1):
        networks = recall_variance(cube, "precision", ddof)["variance"]
        networks = networks if "seed" in networks.dims else networks.expand_dims("seed")
        cells = [d for d in networks.dims if d != "seed"]
        assert found["variance"].dims == ("ddof", *cells)
        for index in np.ndindex(*(networks.sizes[d] for d in cells)):
            where = dict(zip(cells, index, strict=True))
            values = networks[where].dropna("seed").values
            one = found.isel({d: i for d, i in where.items() if d in found.dims}).sel(ddof=ddof)
            assert one["n"].item() == len(values)
            np.testing.assert_allclose(one["variance"], values.mean() if len(values) else np.nan)
            error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
            np.testing.assert_allclose(one["variance_se"], error, rtol=1e-10, atol=1e-18)


@pytest.mark.parametrize("variant", ["full", "fold"])
def test_dask_gives_the_same(cubes, variant):
    cube = cubes[variant]
    expected = recall_variances(cube)
    xr.testing.assert_identical(recall_variances(class_counts(cube)), expected)
    lazy = cube.chunk(dict.fromkeys(cube["confusion"].dims[:-2], 1) | {"true_class": 3})
    xr.testing.assert_allclose(recall_variances(lazy), expected, rtol=1e-12)


def test_an_undefined_class_leaves_no_variance():
    """Nothing is predicted as class 1: its precision is 0/0, and a variance of the rest would be 0."""
    cube = build([[90, 10], [30, 70]], [[100, 0], [100, 0]])
    assert np.isnan(ra.score("precision", *ra.class_counts(cube["confusion"].values))).any()
    found = recall_variance(cube, "precision")
    assert np.isnan(found["variance"].item())
    assert found["variance_dense"].item() == pytest.approx(np.var([90 / 120, 70 / 80]), rel=1e-12)
    assert recall_variance(cube, "recall")["variance"].item() == 0.25


def test_padded_classes_do_not_count(cubes):
    tri = recall_variance(cubes["full"], ddof=1).sel(dataset="tri")["variance_dense"]
    recalls = score(cubes["full"])["score_dense"].sel(dataset="tri").isel({"class": slice(3)})
    np.testing.assert_allclose(tri, recalls.var("class", ddof=1), rtol=1e-12)


def test_wrong_input(cubes):
    with pytest.raises(InputError, match="before and after"):
        recall_variances(cubes["pair"].drop_vars("confusion_dense"))
    with pytest.raises(InputError, match="recal"):
        recall_variance(cubes["pair"], "recal")
    with pytest.raises(InputError, match="ddof"):
        recall_variance(cubes["pair"], ddof=-1)
