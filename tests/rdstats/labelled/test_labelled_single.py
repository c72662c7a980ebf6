"""One pair of models: intervals over images and changes of classes, as the arrays give them."""

import numpy as np
import pytest
import xarray as xr

import rdstats.array as ra
from rdstats import single
from rdstats.cube import class_counts
from rdstats.errors import InputError
from rdstats.single import class_changes, pair_intervals
from rdstats.slope import slopes

NAMES = ["full", "other order", "no seed", "pair"]
COUNTED = ("correct_dense", "correct", "both_correct", "support")


def cells(cube):
    """Yield the place of every cell and its counts, NaN where it is not done."""
    counts = class_counts(cube)
    dims = counts["correct"].dims[:-1]
    for index in np.ndindex(*(counts.sizes[d] for d in dims)):
        at = dict(zip(dims, index, strict=True))
        parts = [counts[n].isel({d: i for d, i in at.items() if d in counts[n].dims}).values for n in COUNTED]
        yield at, parts


@pytest.mark.parametrize("reference", ra.REFERENCES)
@pytest.mark.parametrize("name", [*NAMES, "strong"])
def test_intervals_equal_the_array_cell_by_cell(predicted, strong, name, reference):
    cube = strong if name == "strong" else predicted[name]
    found = pair_intervals(cube, "recall", reference, level=0.9)
    raw = slopes(cube, "recall", reference)["slope"]
    xr.testing.assert_identical(found["slope"].drop_attrs(), raw.drop_attrs())
    reasons = set()
    for at, parts in cells(cube):
        own, expected = found.isel(at), ra.image_jackknife(*parts, reference, level=0.9)
        reasons.add(str(own["reason"].item()))
        assert str(own["reason"].item()) == str(expected.reason)
        np.testing.assert_allclose(own["slope_sampling_corrected"], expected.estimate, rtol=1e-10)
        np.testing.assert_allclose(own["interval"], [expected.lower, expected.upper], rtol=1e-9)
        np.testing.assert_array_equal(own["n"], expected.n)
        np.testing.assert_allclose([own["se"], own["strength"]], [expected.se, expected.strength], rtol=1e-9)
        if expected.reason != "missing":
            np.testing.assert_allclose(own["reliability"], ra.reliability(parts[0], parts[3], reference), rtol=1e-12)
    assert reasons >= ({"", "missing"} if name == "strong" else {"weak_denominator"})
    assert found["interval"].dims == (*cube["confusion"].dims[:-2], "ci_bound")


@pytest.mark.parametrize("function", [pair_intervals, class_changes])
@pytest.mark.parametrize("name", NAMES)
def test_predictions_dask_and_counts_give_the_same(predicted, name, function):
    cube = predicted[name]
    whole = function(cube)
    xr.testing.assert_allclose(function(cube.drop_vars("both_correct")), whole, rtol=1e-12)
    xr.testing.assert_allclose(function(class_counts(cube)), whole, rtol=1e-12)
    xr.testing.assert_allclose(function(cube.chunk()), whole, rtol=1e-12)
    order = [2, 0, 3, 1]
    turned = function(cube.isel(true_class=order, predicted_class=order))
    expected = whole.isel({"class": order}) if "class" in whole.dims else whole
    xr.testing.assert_allclose(turned, expected, rtol=1e-8)


def test_many_networks_are_cut_in_blocks(strong, monkeypatch):
    whole = pair_intervals(strong)
    monkeypatch.setattr(single, "_BLOCK", 1)
    xr.testing.assert_allclose(pair_intervals(strong), whole, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_changes_equal_the_array_cell_by_cell(predicted, name):
    cube = predicted[name]
    found = class_changes(cube)
    for at, parts in cells(cube):
        one, two, both, support = parts
        own = found.isel(at)
        gone = ~(support > 0)
        expected = ra.mcnemar(*(np.where(gone, np.nan, p) for p in (one, two, both)))
        for part in ("only_before", "only_after", "p"):
            np.testing.assert_array_equal(own[part], getattr(expected, part))
        np.testing.assert_array_equal(own["reason"], expected.reason.astype(object))
        np.testing.assert_array_equal(own["recall"], np.where(gone, np.nan, two) / support)
        np.testing.assert_array_equal(own["recall_dense"], np.where(gone, np.nan, one) / np.where(gone, 1, support))
        if not gone.all():
            # Holm over the classes with images: three for "tri", four for "four"
            present = ra.correct(expected.p[~gone], "holm")
            np.testing.assert_allclose(own["p_corrected"].values[~gone], present, rtol=1e-12)
    assert found["p"].dims == (*cube["confusion"].dims[:-2], "class")


def test_a_changed_class_is_found(make_predicted):
    cube = make_predicted((), scale=4)
    shown, label = cube["prediction_dense"].values.copy(), cube["label"].values
    lost = np.flatnonzero((label == 2) & (shown == 2))[:20]
    shown[lost] = 0
    matrix = np.histogram2d(label, shown, bins=[np.arange(5)] * 2)[0]
    changed = cube.drop_vars("both_correct").assign(
        prediction=("sample", shown), confusion=(("true_class", "predicted_class"), matrix)
    )
    found = class_changes(changed)
    assert found["only_before"].values.tolist() == [0, 0, 20, 0]
    np.testing.assert_allclose(found["p"], [1, 1, 0.5**20, 1], rtol=1e-12)
    np.testing.assert_allclose(found["p_corrected"], [1, 1, 4 * 0.5**20, 1], rtol=1e-12)
    assert found["reason"].values.tolist() == ["no_change", "no_change", "", "no_change"]


@pytest.mark.parametrize("function", [pair_intervals, class_changes])
def test_matrices_alone_are_refused_in_one_line(predicted, function):
    bare = predicted["pair"][["confusion", "confusion_dense", "label"]]
    with pytest.raises(InputError, match="both_correct, or the predictions of both") as error:
        function(bare)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="confusion_dense"):
        function(predicted["pair"].drop_vars("confusion_dense"))


def test_wrong_choices(predicted):
    with pytest.raises(InputError, match="measure precision: intervals over test images of one pair are for recall"):
        pair_intervals(predicted["pair"], "precision")
    with pytest.raises(InputError, match="recall"):
        pair_intervals(predicted["pair"], "recal")
    with pytest.raises(InputError, match="level"):
        pair_intervals(predicted["pair"], level=95)
    with pytest.raises(InputError, match="reference"):
        pair_intervals(predicted["pair"], reference="acc")
