"""Slopes without a fold are slopes of a smaller test set; intervals over seeds equal those of the arrays."""

import numpy as np
import pytest
import xarray as xr

import rdstats.array as ra
from rdstats._folds import stream
from rdstats.cube import build, open_cube, save
from rdstats.errors import InputError
from rdstats.resampling import bca_intervals, crossed_intervals, fold_slopes
from rdstats.slope import slopes, t_intervals

NAMES = ["full", "other order", "no seed", "no dataset", "pair"]


def without_images(cube, at, kept):
    """Return a pair of matrices of one cell on some of its images."""
    matrices = []
    for name in ("prediction_dense", "prediction"):
        shown = cube[name].isel({d: i for d, i in at.items() if d in cube[name].dims}).values
        label = cube["label"].isel({d: i for d, i in at.items() if d in cube["label"].dims}).values
        here = np.flatnonzero(~np.isnan(label))[kept]
        flat = label[here].astype(int) * 4 + shown[here].astype(int)
        matrices.append(np.bincount(flat, minlength=16).reshape(4, 4))
    return build(*matrices)


@pytest.mark.parametrize("measure", ra.MEASURES)
@pytest.mark.parametrize("name", NAMES)
def test_each_fold_is_the_slope_of_the_other_images(predicted, name, measure):
    cube = predicted[name]
    dims = cube["confusion"].dims[:-2]
    found = fold_slopes(cube, measure, "macro", folds=5, fold_seed=2)
    assert found["slope"].dims == found["slope_sampling_corrected"].dims == (*dims, "fold")
    assert found["fold"].values.tolist() == [0, 1, 2, 3, 4]
    assert measure == "recall" or found["slope_sampling_corrected"].isnull().all()
    cells = list(np.ndindex(*(cube.sizes[d] for d in dims)))
    for index in cells[:: max(1, len(cells) // 8)]:
        at = dict(zip(dims, index, strict=True))
        own = found.isel(at)
        if "status" in cube and cube["status"].isel(at) != 1:
            assert own["slope"].isnull().all()
            continue
        label = cube["label"].isel({d: i for d, i in at.items() if d in cube["label"].dims}).values
        label = label[~np.isnan(label)]
        dataset = str(cube["dataset"].values[at["dataset"]]) if "dataset" in at else ""
        fold_of = ra.stratified_folds(label, folds=5, generator=stream(2, f"folds/{dataset}"))
        for fold in (0, 4):
            rest = without_images(cube, at, fold_of != fold)
            np.testing.assert_allclose(own["slope"][fold], slopes(rest, measure, "macro")["slope"], rtol=1e-10)


def test_corrected_slopes_without_a_fold(predicted):
    cube = predicted["no dataset"]
    found = fold_slopes(cube, folds=4)["slope_sampling_corrected"]
    label, before, after = (cube[n].values for n in ("label", "prediction_dense", "prediction"))
    fold_of = ra.stratified_folds(label, folds=4, generator=stream(0, "folds/"))
    for seed, ratio, fold in np.ndindex(4, 3, 4):
        kept = fold_of != fold
        right = [p[kept] == label[kept] for p in (before[seed], after[seed, ratio])]
        counts = [np.bincount(label[kept][w].astype(int), minlength=4) for w in (*right, right[0] & right[1])]
        support = np.bincount(label[kept].astype(int), minlength=4)
        np.testing.assert_allclose(found[seed, ratio, fold], ra.slope_sampling_corrected(*counts, support), rtol=1e-10)


@pytest.mark.parametrize("measure", ["recall", "f1"])
def test_dask_and_files_give_the_same(predicted, tmp_path, measure):
    cube = predicted["full"]
    whole = fold_slopes(cube, measure)
    xr.testing.assert_identical(fold_slopes(cube.chunk({"seed": 1, "sample": 30}), measure), whole)
    xr.testing.assert_identical(fold_slopes(cube.chunk({"dataset": 1}), measure), whole)
    save(cube, tmp_path / "cube.nc")
    with open_cube(tmp_path / "cube.nc") as opened:
        xr.testing.assert_allclose(fold_slopes(opened, measure), whole, rtol=1e-12)


def test_whole_numbers_and_labels_per_seed_give_the_same(predicted):
    cube = predicted["no dataset"]
    whole = fold_slopes(cube)
    numbers = cube.assign({n: cube[n].astype(np.uint8) for n in ("label", "prediction", "prediction_dense")})
    xr.testing.assert_identical(fold_slopes(numbers), whole)
    each = cube.assign(label=cube["label"].expand_dims(seed=cube["seed"].values))
    xr.testing.assert_allclose(fold_slopes(each), whole, rtol=1e-12)


def test_classes_are_known_by_their_label(predicted):
    """The class axes in another order, or labelled 11, 12, ...: predictions name the labels."""
    cube = predicted["no dataset"]
    whole = fold_slopes(cube)
    order = [2, 0, 3, 1]
    xr.testing.assert_allclose(fold_slopes(cube.isel(true_class=order, predicted_class=order)), whole, rtol=1e-10)
    moved = cube.assign({n: cube[n] + 11 for n in ("label", "prediction", "prediction_dense")})
    moved = moved.assign_coords(true_class=[11, 12, 13, 14], predicted_class=[11, 12, 13, 14])
    xr.testing.assert_allclose(fold_slopes(moved), whole, rtol=1e-12)
    with pytest.raises(InputError, match="class 0 among labels or predictions is not on true_class"):
        fold_slopes(moved.assign(label=cube["label"]))


def test_folds_are_the_same_for_all_networks_of_a_dataset(predicted):
    cube = predicted["full"]
    whole = fold_slopes(cube)
    part = cube.isel(dataset=[1], method=[1], seed=[3, 1])
    xr.testing.assert_identical(fold_slopes(part), whole.isel(dataset=[1], method=[1], seed=[3, 1]))
    assert (fold_slopes(cube, fold_seed=1)["slope"] != whole["slope"]).any()


def test_networks_that_are_not_done_are_not_read(predicted):
    cube = predicted["full"]
    at = {"seed": 12, "dataset": "four", "ratio": 4.0}
    found = fold_slopes(cube).sel(at)
    assert found.sel({"method": "mp"})["slope"].isnull().all()
    assert cube["prediction"].sel(at).sel({"method": "mp"}).notnull().any()


@pytest.mark.parametrize("name", ["prediction", "prediction_dense", "label"])
def test_no_predictions_is_one_clear_line(predicted, name):
    with pytest.raises(InputError, match="needs the predictions of both networks") as error:
        fold_slopes(predicted["full"].drop_vars(name))
    assert str(error.value).endswith(f"the cube has no {name}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"measure": "recal"}, "recall"),
        ({"reference": "acc"}, "accuracy"),
        ({"folds": 1}, "folds: received 1"),
        ({"fold_seed": 0.5}, "fold_seed: received 0.5"),
    ],
)
def test_wrong_choices(predicted, options, match):
    with pytest.raises(InputError, match=match):
        fold_slopes(predicted["pair"], **options)


@pytest.fixture(scope="module")
def both(predicted):
    """Return slopes of a cube, and the same without each fold."""
    cube = predicted["other order"]
    return slopes(cube)["slope"], fold_slopes(cube)["slope"]


def test_crossed_intervals_equal_the_array(both):
    values, deleted = both
    k = xr.DataArray([[1, 2], [3, 4], [5, 6]], dims=["ratio", "method"])
    found = crossed_intervals(values, deleted, level=0.9, k=k)
    assert found["mean"].dims == ("ratio", "dataset", "method")
    assert found["interval"].dims == ("ratio", "dataset", "method", "ci_bound")
    for r, d, m in np.ndindex(3, 2, 2):
        column = values[r, d, :, m].values
        expected = ra.crossed_interval(column, deleted[r, d, :, m].values, level=0.9, k=int(k[r, m]))
        own = found.isel({"ratio": r, "dataset": d, "method": m})
        for name, field in (("mean", "estimate"), *((n, n) for n in ("sd", "se", "n", "image_share", "reason"))):
            np.testing.assert_array_equal(own[name], getattr(expected, field), err_msg=name)
        np.testing.assert_array_equal(own["interval"], [expected.lower, expected.upper])
        t = ra.t_interval(column)
        if own["n"] == t.n:
            np.testing.assert_allclose([own["mean"], own["sd"]], [t.mean, t.sd], rtol=1e-12)
    turned = crossed_intervals(values, deleted.transpose("fold", "seed", ...), level=0.9, k=k)
    xr.testing.assert_identical(turned, found)


def test_crossed_intervals_have_the_layout_of_t_intervals(both):
    values, deleted = both
    crossed, t = crossed_intervals(values, deleted, k=2), t_intervals(values, level=0.95, k=2)
    assert set(crossed) - set(t) == {"se", "image_share"}
    for name in t:
        assert crossed[name].dims == t[name].dims
        assert crossed[name].dtype == t[name].dtype
    share = crossed["image_share"]
    assert ((share >= 0) & (share <= 1) | share.isnull()).all()
    np.testing.assert_allclose(crossed["se"] ** 2 * (1 - share), t["sd"] ** 2 / t["n"], rtol=1e-9)


def test_crossed_intervals_leave_out_seeds_without_a_fold(both):
    values, deleted = both
    blank = crossed_intervals(values.where(values["seed"] != 11), deleted)
    dropped = crossed_intervals(values.drop_sel(seed=11), deleted.drop_sel(seed=11))
    xr.testing.assert_allclose(blank, dropped, rtol=1e-12)
    gap = crossed_intervals(values, deleted.where((deleted["seed"] != 11) | (deleted["fold"] != 3)))
    xr.testing.assert_identical(gap, blank)


def test_crossed_intervals_refuse_what_does_not_belong_together(both):
    values, deleted = both
    with pytest.raises(InputError, match="deleted has dimensions"):
        crossed_intervals(values, values)
    with pytest.raises(InputError, match="no dimension seed"):
        crossed_intervals(values.isel(seed=0), deleted)
    with pytest.raises(InputError, match="deleted has dimensions"):
        crossed_intervals(values.isel(ratio=0), deleted)
    with pytest.raises(InputError, match="same labels"):
        crossed_intervals(values, deleted.isel(seed=slice(1, None)))
    with pytest.raises(InputError, match="level"):
        crossed_intervals(values, deleted, level=95)


def columns(n):
    rng = np.random.default_rng(3)
    values = xr.DataArray(rng.normal(1, 0.2, (n, 2, 3)), dims=["seed", "method", "ratio"])
    return values.assign_coords(seed=range(n), method=["sham", "mp"], ratio=[1.0, 2.0, 4.0])


def test_bca_intervals_equal_the_array():
    values = columns(25)
    values[4, 0, 1] = np.nan
    values[:10, 1, 2] = np.nan
    k = xr.DataArray([1, 2, 3], dims="ratio")
    found = bca_intervals(values, k=k, seed=5)
    expected = ra.bca_interval(
        np.moveaxis(values.values, 0, -1), generator=stream(5, "bca"), k=np.broadcast_to([1, 2, 3], (2, 3))
    )
    for name in ("mean", "n", "reason"):
        np.testing.assert_array_equal(found[name], getattr(expected, name))
    np.testing.assert_array_equal(found["interval"].sel(ci_bound="lower"), expected.lower)
    np.testing.assert_array_equal(found["interval"].sel(ci_bound="upper"), expected.upper)
    t = t_intervals(values, level=0.95)
    np.testing.assert_array_equal(found["sd"], t["sd"])
    for name in t:
        assert found[name].dims == t[name].dims
    assert found["reason"].sel({"method": "mp", "ratio": 4.0}) == "too_few_seeds"
    xr.testing.assert_identical(bca_intervals(values, k=k, seed=5), found)
    assert (bca_intervals(values, k=k, seed=6)["interval"] != found["interval"]).any()


def test_bca_intervals_of_wrong_input():
    with pytest.raises(InputError, match="no dimension seed"):
        bca_intervals(columns(25).isel(seed=0))
    with pytest.raises(InputError, match="seed: received -1"):
        bca_intervals(columns(25), seed=-1)
    with pytest.raises(InputError, match="replicates"):
        bca_intervals(columns(25), replicates=100)
