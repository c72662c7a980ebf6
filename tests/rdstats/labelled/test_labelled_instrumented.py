"""Instrumented slopes and the retraining null: as the arrays give them, column by column."""

import numpy as np
import pytest
import xarray as xr

import rdstats.array as ra
from rdstats._labelled import family_size
from rdstats.cube import build, class_counts
from rdstats.errors import InputError
from rdstats.instrumented import instrumented_slopes, retrain_null
from rdstats.measures import balance, score
from rdstats.slope import slopes


@pytest.fixture(scope="module")
def cube(make_predicted):
    return make_predicted(("seed", "dataset", "method", "ratio"), n_seeds=7).drop_vars("both_correct")


@pytest.mark.parametrize("reference", ra.REFERENCES)
@pytest.mark.parametrize("measure", ra.MEASURES)
def test_equals_the_array_column_by_column(cube, measure, reference):
    found = instrumented_slopes(cube, measure, reference, level=0.9)
    values, scores, counts = balance(cube, measure, reference), score(cube, measure), class_counts(cube)
    np.testing.assert_array_equal(found["k"], family_size(slopes(cube)))
    reasons = set()
    for d, m, r in np.ndindex(2, 2, 3):
        at = {"dataset": d, "method": m, "ratio": r}
        means = [
            ra.reference_score(scores[f"score{s}"].isel(own).values, counts[f"support{s}"].isel(own).values, reference)
            for s, own in (("_dense", {"dataset": d}), ("", at))
        ]
        one, two = values["balance_dense"].isel(dataset=d).values, values["balance"].isel(at).values
        own = found.isel(at)
        expected = ra.seed_instrumented_slope(one, two, means[0] / means[1], level=0.9, k=int(own["k"]))
        for name in ("estimate", "se", "n", "strength", "reason"):
            got, wanted = own[name].values, getattr(expected, name)
            if name == "reason":
                reasons.add(str(got))
                assert str(got) == str(wanted)
            else:
                np.testing.assert_allclose(got, wanted, rtol=1e-10)
        np.testing.assert_allclose(own["interval"], [expected.lower, expected.upper], rtol=1e-10)
    assert reasons >= {"", "missing"}
    assert found["n"].sel(dataset="four", ratio=4.0).sel({"method": "mp"}) == 6  # one of seven is not done


def test_unchanged_networks_have_slope_one(cube):
    same = build(cube["confusion_dense"].values, cube["confusion_dense"].values, dims=["seed", "dataset"],
                 coords={"seed": cube["seed"].values, "dataset": ["tri", "four"]})  # fmt: skip
    found = instrumented_slopes(same)
    np.testing.assert_allclose(found["estimate"], 1, rtol=1e-12)
    assert set(found["reason"].values) == {"no_variation"}


def test_dask_counts_and_the_order_of_dimensions_and_classes(cube):
    whole = instrumented_slopes(cube)
    xr.testing.assert_allclose(instrumented_slopes(class_counts(cube)), whole)
    xr.testing.assert_allclose(instrumented_slopes(cube.chunk({"seed": 2})), whole)
    turned = instrumented_slopes(cube.transpose("ratio", "seed", ...))
    xr.testing.assert_allclose(turned.transpose(*whole["interval"].dims), whole)
    order = [2, 0, 3, 1]
    xr.testing.assert_allclose(instrumented_slopes(cube.isel(true_class=order, predicted_class=order)), whole)


def test_k_and_level(cube):
    found = instrumented_slopes(cube, k=5)
    k = xr.DataArray([5, 5, 5], dims="ratio", coords={"ratio": cube["ratio"]})
    xr.testing.assert_identical(instrumented_slopes(cube, k=k), found)
    width = np.diff(found["interval"].values)
    assert (
        width[found["reason"] == ""] > np.diff(instrumented_slopes(cube, k=1)["interval"])[found["reason"] == ""]
    ).all()


def test_instrumented_needs_seeds_and_both_sides(cube):
    with pytest.raises(InputError, match="no dimension seed"):
        instrumented_slopes(cube.isel(seed=0))
    with pytest.raises(InputError, match="confusion_dense"):
        instrumented_slopes(cube.drop_vars("confusion_dense"))
    few = instrumented_slopes(cube.isel(seed=slice(4)))
    assert set(few["reason"].values.ravel()) == {"too_few_seeds", "missing"}


@pytest.mark.parametrize("reference", ra.REFERENCES)
@pytest.mark.parametrize("measure", ra.MEASURES)
def test_retrain_null_is_the_slope_between_neighbouring_seeds(cube, measure, reference):
    found = retrain_null(cube, measure, reference)
    dense = cube["confusion_dense"].transpose("dataset", "seed", "true_class", "predicted_class").values
    pairs = build(dense[:, :-1], dense[:, 1:], dims=["dataset", "pair"], dims_dense=["dataset", "pair"])
    expected = slopes(pairs, measure, reference)
    for name in ("slope", "spread_ratio", "cosine"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)
    assert found["slope"].dims == ("dataset", "pair")
    assert found["seed_before"].values.tolist() == [10, 11, 12, 13, 14, 15]
    assert found["seed_after"].values.tolist() == [11, 12, 13, 14, 15, 16]
    values = expected["slope"].values
    for name, value in (("mean", values.mean(1)), ("sd", values.std(1, ddof=1)), ("min", values.min(1))):
        np.testing.assert_allclose(found[name], value, rtol=1e-12)
    np.testing.assert_array_equal(found["max"], values.max(1))
    assert found["n"].values.tolist() == [6, 6]
    assert "interval" not in found


def test_retrain_null_follows_the_order_of_the_coordinate_and_skips_missing_networks(cube):
    back = retrain_null(cube.isel(seed=slice(None, None, -1)))
    assert back["seed_before"].values.tolist() == [16, 15, 14, 13, 12, 11]
    dense = cube["confusion_dense"].copy()
    dense[2, 0] = np.nan
    gap = retrain_null(cube.assign(confusion_dense=dense)[["confusion_dense"]])
    assert np.isnan(gap["slope"].sel(dataset="tri")).values.tolist() == [False, True, True, False, False, False]
    assert gap["n"].values.tolist() == [4, 6]
    dense[:, 0] = np.nan
    none = retrain_null(cube.assign(confusion_dense=dense)[["confusion_dense"]])
    assert none["n"].values.tolist() == [0, 6]
    assert np.isnan(none["mean"][0])


def test_retrain_null_never_drops_a_class(cube):
    dense = cube["confusion_dense"].copy()
    dense[{"seed": 1, "dataset": 1, "true_class": 3}] = 0
    found = retrain_null(cube.assign(confusion_dense=dense)[["confusion_dense"]])
    assert np.isnan(found["slope"].sel(dataset="four")).values.tolist() == [True, True, False, False, False, False]


def test_retrain_null_of_two_seeds_and_wrong_input(cube):
    two = retrain_null(cube.isel(seed=[0, 1]))
    assert two["n"].values.tolist() == [1, 1]
    assert np.isnan(two["sd"]).all()
    with pytest.raises(InputError, match="one seed"):
        retrain_null(cube.isel(seed=[0]))
    with pytest.raises(InputError, match="no dimension seed"):
        retrain_null(cube.isel(seed=0))
    with pytest.raises(InputError, match="confusion_dense"):
        retrain_null(cube[["confusion"]])
