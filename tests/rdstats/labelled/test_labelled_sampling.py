"""Sampling terms and corrected slopes: as the arrays give them, cell by cell, whatever the cube looks like."""

import numpy as np
import pytest
import xarray as xr

import rdstats.array as ra
from rdstats._folds import stream
from rdstats._labelled import family_size
from rdstats.cube import class_counts, open_cube, save
from rdstats.errors import InputError
from rdstats.sampling import corrected_slopes, sampling_terms, weak_test_set
from rdstats.slope import slopes

NAMES = ["full", "other order", "no seed", "no dataset", "pair"]
PARTS = ("numerator", "denominator", "accuracy_ratio", "error")
COUNTED = ("correct_dense", "correct", "both_correct", "support")


def cells(cube):
    """Yield the labels of every cell and, if it is done, its labels and predictions."""
    dims = cube["prediction"].dims[:-1]
    for index in np.ndindex(*(cube.sizes[d] for d in dims)):
        at = dict(zip(dims, index, strict=True))
        done = "status" not in cube or cube["status"].isel(at) == 1
        parts = [cube[n].isel({d: i for d, i in at.items() if d in cube[n].dims}).values for n in
                 ("label", "prediction_dense", "prediction")]  # fmt: skip
        here = ~np.isnan(parts[0])
        yield at, [part[here].astype(int) for part in parts] if done else None


def fold_counts_of(cube, at, parts, *, folds=10, seed=0):
    """Count one cell on its dataset's folds, with the array functions alone."""
    label, before, after = parts
    name = str(cube["dataset"].values[at["dataset"]]) if "dataset" in at else ""
    fold_of = ra.stratified_folds(label, folds=folds, generator=stream(seed, f"folds/{name}"))
    return ra.fold_counts(label, before, after, fold_of, classes=4, folds=folds)


@pytest.mark.parametrize("measure", ra.MEASURES)
@pytest.mark.parametrize("name", NAMES)
def test_labelled_equals_a_loop_over_cells(predicted, name, measure):
    cube = predicted[name]
    terms = sampling_terms(cube, measure, "macro", folds=6, fold_seed=3)
    assert terms.attrs["estimator"] == ("analytic" if measure == "recall" else "cross-fitting")
    for at, parts in cells(cube):
        found = terms.isel(at)
        if parts is None:
            assert found["reason"] == "missing"
            assert all(np.isnan(found[part]) for part in PARTS)
            continue
        counts = fold_counts_of(cube, at, parts, folds=6, seed=3)
        expected = ra.fold_terms(counts, measure, "macro")
        for part, value in zip(PARTS, expected.terms, strict=True):
            np.testing.assert_allclose(found[part], value, rtol=1e-10, err_msg=part)
        np.testing.assert_allclose(found["denominator_deleted"], expected.deleted, rtol=1e-10)
        d, squares = expected.terms.denominator, expected.squares
        np.testing.assert_allclose(found["strength"], d / expected.terms.error, rtol=1e-10)
        np.testing.assert_allclose(found["reliability"], d / squares, rtol=1e-10)
        if measure == "recall":
            right, support = (counts.correct_before.sum(0), counts.support.sum(0))
            np.testing.assert_allclose(found["reliability"], ra.reliability(right, support, "macro"), rtol=1e-10)
            np.testing.assert_allclose(found["strength"], ra.strength(right, support, "macro"), rtol=1e-10)
        assert found["reason"] == ""


@pytest.mark.parametrize("name", NAMES)
def test_dimensions_keep_their_order(predicted, name):
    cube = predicted[name]
    order = cube["confusion"].dims[:-2]
    terms = sampling_terms(cube)
    for part in (*PARTS, "strength", "reliability", "reason"):
        assert terms[part].dims == order
    assert terms["denominator_deleted"].dims == (*order, "fold")
    result = corrected_slopes(terms)
    assert result["interval"].dims == (*result["mean"].dims, "ci_bound")
    if "seed" in order:
        assert result["slope_sampling_corrected"].dims == order
        assert result["mean"].dims == tuple(d for d in order if d != "seed")


@pytest.mark.parametrize("name", NAMES)
def test_recall_from_stored_counts_is_recall_from_predictions(predicted, name):
    cube = predicted[name]
    whole = sampling_terms(cube)
    bare = cube.drop_vars(["prediction", "prediction_dense", "label"])
    counted = sampling_terms(cube.drop_vars("both_correct"))
    xr.testing.assert_allclose(counted, whole, rtol=1e-11)
    for stored in (sampling_terms(bare), sampling_terms(class_counts(bare))):
        assert stored.attrs == whole.attrs
        xr.testing.assert_allclose(stored, whole.drop_vars(["denominator_deleted", "fold"]), rtol=1e-11)


def test_stored_counts_fill_in_for_missing_predictions(predicted):
    cube = predicted["full"]
    prediction = cube["prediction"].copy()
    prediction[0, 0, 0, 0] = np.nan
    whole, part = sampling_terms(cube), sampling_terms(cube.assign(prediction=prediction))
    np.testing.assert_allclose(part["numerator"], whole["numerator"], rtol=1e-11)
    assert np.isnan(part["denominator_deleted"][0, 0, 0, 0]).all()
    gaps = cube.assign(prediction=prediction)
    assert sampling_terms(gaps, "f1")["reason"][0, 0, 0, 0] == "no_predictions"
    none = gaps.assign(both_correct=cube["both_correct"].where(prediction.notnull().any("sample")))
    assert sampling_terms(none)["reason"][0, 0, 0, 0] == "no_both_correct"


@pytest.mark.parametrize("measure", ["recall", "precision"])
def test_dask_and_files_give_the_same(predicted, tmp_path, measure):
    cube = predicted["full"]
    whole = sampling_terms(cube, measure)
    chunks = {"seed": 2, "method": 1, "sample": 50}
    xr.testing.assert_allclose(sampling_terms(cube.chunk(chunks), measure), whole, rtol=1e-11)
    save(cube, tmp_path / "cube.nc")
    with open_cube(tmp_path / "cube.nc") as opened:
        xr.testing.assert_allclose(
            sampling_terms(opened, measure).drop_attrs(), whole.sortby("ratio").drop_attrs(), rtol=1e-11
        )


@pytest.mark.parametrize("measure", ra.MEASURES)
def test_the_order_of_classes_does_not_matter(predicted, measure):
    cube = predicted["no dataset"]
    order = [2, 0, 3, 1]
    turned = cube.isel(true_class=order, predicted_class=order)
    xr.testing.assert_allclose(sampling_terms(turned, measure), sampling_terms(cube, measure), rtol=1e-9)


def test_folds_do_not_depend_on_other_networks(predicted):
    cube = predicted["full"]
    part = cube.isel(dataset=[1], seed=[3, 0])
    for measure in ("recall", "f1"):
        whole = sampling_terms(cube, measure).isel(dataset=[1], seed=[3, 0])
        xr.testing.assert_allclose(sampling_terms(part, measure), whole, rtol=1e-12)
    first, second = (sampling_terms(cube, "f1", fold_seed=s)["numerator"] for s in (0, 1))
    assert (first != second).any()


def test_matrices_alone_give_bounds(predicted):
    cube = predicted["full"]
    whole = sampling_terms(cube)
    bare = cube[["confusion", "confusion_dense", "status"]]
    terms = sampling_terms(bare)
    assert terms.attrs["estimator"] == "bounds"
    assert np.isnan(terms["numerator"]).all()
    xr.testing.assert_allclose(terms["denominator"], whole["denominator"], rtol=1e-11)
    xr.testing.assert_allclose(terms["strength"], whole["strength"], rtol=1e-11)
    slope = whole["accuracy_ratio"] * whole["numerator"] / whole["denominator"]
    there = whole["reason"] == ""
    assert ((terms["slope_lower"] <= slope) & (slope <= terms["slope_upper"])).where(there, True).all()
    counts = class_counts(bare).sel(dataset="four", seed=10, ratio=4.0).sel({"method": "mp"})
    expected = ra.both_correct_bounds(*(counts[n].values for n in ("correct_dense", "correct", "support")))
    found = terms.sel(dataset="four", seed=10, ratio=4.0).sel({"method": "mp"})
    np.testing.assert_allclose([found["slope_lower"], found["slope_upper"]], expected[2:], rtol=1e-12)
    assert set(np.unique(terms["reason"].values.astype(str))) == {"bounds_only", "missing"}
    result = corrected_slopes(terms)
    assert set(np.unique(result["reason"].values.astype(str))) == {"bounds_only", "missing"}
    assert result["mean"].isnull().all()


def test_reasons_of_networks(make_predicted):
    cube = make_predicted(("seed",))
    shown = cube["prediction"].values.copy()
    label = cube["label"].values
    shown[0] = np.where(label == 0, 1, 0)  # nothing right
    shown[1] = np.where(shown[1] == 2, 1, shown[1])  # never the third class
    matrices = np.stack([np.histogram2d(label, row, bins=[np.arange(5)] * 2)[0] for row in shown])
    changed = cube.drop_vars("both_correct").assign(
        prediction=(("seed", "sample"), shown), confusion=(cube["confusion"].dims, matrices)
    )
    terms = sampling_terms(changed)
    assert terms["reason"].values.tolist() == ["undefined", "", "", ""]
    assert sampling_terms(changed, "precision")["reason"].values.tolist()[1:] == ["undefined_class", "", ""]
    one = cube.drop_vars("both_correct").isel(sample=np.flatnonzero((label != 3) | (label == 3).cumsum().__eq__(1)))
    before, after = (
        np.stack([np.histogram2d(one["label"], row, bins=[np.arange(5)] * 2)[0] for row in one[name].values])
        for name in ("prediction_dense", "prediction")
    )
    one = one.assign(confusion=(cube["confusion"].dims, after), confusion_dense=(cube["confusion"].dims, before))
    assert set(sampling_terms(one)["reason"].values) == {"too_few_images"}


@pytest.mark.parametrize("measure", ["precision", "f1"])
def test_precision_without_predictions_is_refused(predicted, measure):
    bare = predicted["full"].drop_vars("label")
    with pytest.raises(InputError, match=rf"correction of {measure} needs the predictions of both networks") as error:
        sampling_terms(bare, measure)
    assert str(error.value).endswith("the cube has no label")
    assert "\n" not in str(error.value)


def test_contradicting_and_wrong_input(predicted):
    cube = predicted["full"]
    with pytest.raises(InputError, match=r"confusion and predictions at dataset=.* contradict each other: \d+ images"):
        sampling_terms(cube.assign(label=cube["label"].isel(sample=slice(None, None, -1))))
    with pytest.raises(InputError, match="class 4 among labels or predictions at dataset=tri"):
        sampling_terms(cube.assign(prediction=cube["prediction"] * 7 / 3 // 1))
    with pytest.raises(InputError, match="prediction_dense has dimensions"):
        sampling_terms(cube.assign(prediction_dense=cube["prediction_dense"].expand_dims("layer")))
    with pytest.raises(InputError, match="measure"):
        sampling_terms(cube, "recal")
    with pytest.raises(InputError, match="reference"):
        sampling_terms(cube, reference="acc")
    with pytest.raises(InputError, match="folds: received 3"):
        sampling_terms(cube, "f1", folds=3)
    with pytest.raises(InputError, match="fold_seed: received -1"):
        sampling_terms(cube, fold_seed=-1)
    with pytest.raises(InputError, match="confusion_dense"):
        sampling_terms(cube.drop_vars("confusion_dense"))


def columns_of(terms):
    """Yield every column of `terms` as array terms over the seeds, with its place."""
    dims = [d for d in terms["numerator"].dims if d != "seed"]
    for index in np.ndindex(*(terms.sizes[d] for d in dims)):
        at = dict(zip(dims, index, strict=True))
        own = terms.isel(at)
        yield at, ra.SlopeTerms(*(own[n].values for n in PARTS)), own


def test_corrected_slopes_equal_the_arrays(predicted, strong):
    words = set()
    for cube in (predicted["full"], predicted["other order"], strong):
        terms = sampling_terms(cube)
        result = corrected_slopes(terms, level=0.9)
        for at, parts, own in columns_of(terms):
            found = result.isel(at)
            each = ra.seed_slopes(parts)
            k = int(found["k"])
            np.testing.assert_allclose(found["slope_sampling_corrected"], each.value, rtol=1e-12)
            np.testing.assert_array_equal(found["strength"], each.strength)
            deleted = own["denominator_deleted"].transpose("seed", "fold").values
            pooled = ra.pooled_slope(parts, level=0.9, k=k, deleted=deleted)
            np.testing.assert_allclose(found["pooled_strength"], pooled.strength, rtol=1e-12)
            if each.strength >= 4:
                expected = ra.t_interval(each.value, level=0.9, k=k)
                values = (expected.mean, expected.sd, expected.sd / np.sqrt(expected.n), expected.n, expected.reason)
            else:
                expected = pooled
                values = (expected.estimate, np.nan, expected.se, expected.n, expected.reason)
            for name, value in zip(("mean", "sd", "se", "n", "reason"), values, strict=True):
                np.testing.assert_array_equal(found[name], value, err_msg=name)
            np.testing.assert_array_equal(found["interval"], [expected.lower, expected.upper])
            known = ~np.isnan(own["squares"])
            reliability = own["denominator"].where(known).sum() / own["squares"].sum()
            np.testing.assert_allclose(found["reliability"], reliability, rtol=1e-12)
            words.add(str(found["estimator"].item()))
    assert words == {"per seed", "pooled", "not estimable", ""}


def test_weak_columns_are_pooled_and_hopeless_ones_say_so(make_predicted):
    same = make_predicted(("seed", "ratio"), easy=(0.7, 0.7, 0.7, 0.7))
    result = corrected_slopes(sampling_terms(same))
    assert set(result["estimator"].values) == {"not estimable"}
    assert set(result["reason"].values) == {"not_estimable"}
    assert result["mean"].isnull().all()
    assert result["interval"].isnull().all()
    assert set(result["network_reason"].values.ravel()) == {"weak_denominator"}
    assert (result["reliability"] < 0.9).all()


def test_default_k_is_the_planned_ratios(strong):
    terms = sampling_terms(strong)
    expected = family_size(slopes(strong))
    result = corrected_slopes(terms)
    np.testing.assert_array_equal(result["k"], expected.transpose(*result["k"].dims))
    assert result["k"].sel({"method": "sham", "ratio": 1.0}) == 1
    assert result["k"].sel({"method": "mp", "ratio": 2.0}) == 2
    given = corrected_slopes(terms, k=expected.transpose("ratio", "method"))
    xr.testing.assert_identical(given, result)
    wider = corrected_slopes(terms, k=5)
    assert (np.diff(wider["interval"])[0, 0] > 0).all()
    part = terms.drop_vars("status")
    np.testing.assert_array_equal(corrected_slopes(part)["k"], result["k"])


def test_terms_derived_from_terms(strong):
    """Delta against the control: another numerator over the same denominator."""
    terms = sampling_terms(strong)
    scaled = terms["accuracy_ratio"] * terms["numerator"]
    control = scaled.sel({"method": "sham", "ratio": 1.0}, drop=True)
    pruned = terms.sel({"method": ["mp"]})
    delta = (scaled - control).sel({"method": ["mp"]}).transpose(*pruned["numerator"].dims)
    derived = pruned.assign(numerator=delta, accuracy_ratio=xr.ones_like(delta).where(delta.notnull()))
    found = corrected_slopes(derived, k=2)["mean"].sel({"method": "mp", "ratio": [2.0, 4.0]})
    whole = corrected_slopes(terms)["slope_sampling_corrected"]
    apart = whole.sel({"method": "mp", "ratio": [2.0, 4.0]}) - whole.sel({"method": "sham", "ratio": 1.0}, drop=True)
    np.testing.assert_allclose(found, apart.mean("seed"), rtol=1e-10)


def test_a_missing_seed_is_left_out(strong):
    terms = sampling_terms(strong)
    terms = terms.assign(numerator=terms["numerator"].where(terms["seed"] != 11))
    result = corrected_slopes(terms)
    shorter = corrected_slopes(terms.sel(seed=[s for s in terms["seed"].values if s != 11]))
    for name in ("mean", "se", "n", "interval", "reason"):
        np.testing.assert_array_equal(result[name], shorter[name])
    assert set(result["network_reason"].sel(seed=11).values.ravel()) == {"missing"}


def test_a_single_pair(predicted, strong):
    pair = corrected_slopes(sampling_terms(predicted["pair"]))
    assert pair["mean"].dims == ()
    assert int(pair["n"]) == 1
    one = strong.isel(seed=0, drop=True)
    result = corrected_slopes(sampling_terms(one)).sel({"method": "mp", "ratio": 4.0})
    assert (result["reason"].item(), result["estimator"].item()) == ("too_few_seeds", "per seed")
    terms = sampling_terms(one).sel({"method": "mp", "ratio": 4.0})
    expected = terms["accuracy_ratio"] * terms["numerator"] / terms["denominator"]
    np.testing.assert_allclose(result["mean"], expected, rtol=1e-12)


@pytest.mark.parametrize("reference", ra.REFERENCES)
def test_weak_test_set(predicted, strong, reference):
    for cube, weak in ((predicted["full"], None), (strong, False)):
        result = weak_test_set(cube, reference)
        counts = class_counts(cube)
        for name in ("strength", "reliability"):
            expected = getattr(ra, name)(counts["correct_dense"].values, counts["support_dense"].values, reference)
            np.testing.assert_array_equal(result[name], expected)
        medians = result["strength"].median("seed")
        np.testing.assert_array_equal(result["weak"], ~(medians >= 4))
        assert weak is None or bool(result["weak"]) is weak
    assert weak_test_set(predicted["pair"])["weak"].dims == ()
    with pytest.raises(InputError, match="confusion_dense"):
        weak_test_set(predicted["pair"].drop_vars("confusion_dense"))
