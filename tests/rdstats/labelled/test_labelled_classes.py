"""The worst class of every network, and the table of the classes that pay."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from rdstats.classes import per_class, worst
from rdstats.cube import build, class_counts
from rdstats.errors import InputError
from rdstats.measures import balance, score

VARIANTS = ["full", "no status", "other order", "no seed", "no ratio", "no method", "fold", "pair"]
BEFORE, AFTER = [[90, 10], [30, 70]], [[50, 50], [40, 60]]


def test_worst_by_hand():
    one = worst(build(BEFORE, AFTER, class_names=["cat", "dog"]))
    assert one["worst_gap_dense"].item() == pytest.approx(0.2, rel=1e-12)
    assert one["worst_gap"].item() == pytest.approx(0.1, rel=1e-12)
    assert one["worst_ratio_dense"].item() == pytest.approx(7 / 9, rel=1e-12)
    assert one["worst_ratio"].item() == pytest.approx(5 / 6, rel=1e-12)
    assert (one["worst_class_dense"].item(), one["worst_class"].item()) == ("dog", "cat")
    assert one.attrs == {"measure": "recall"}


def test_worst_names_the_class_of_its_dataset():
    before = np.array([BEFORE, AFTER, AFTER], float)
    names = np.array([["cat", "dog"], ["ship", "truck"], ["", ""]], object)
    cube = build(
        before,
        before,
        dims=("dataset",),
        coords={"dataset": ["a", "b", "c"], "true_class": ["x", "y"], "predicted_class": ["x", "y"]},
        variables={"class_name": (("dataset", "true_class"), names)},
    )
    assert worst(cube)["worst_class"].values.tolist() == ["dog", "ship", "x"]


def test_worst_without_scores():
    """A missing network, and one with an undefined precision: no gap of what is left."""
    after = np.array([[[100, 0], [100, 0]], [[np.nan] * 2] * 2])
    found = worst(build([BEFORE] * 2, after, dims=("seed",)), "precision")
    assert np.isnan(found["worst_gap"].values).all()
    assert np.isnan(found["worst_ratio"].values).all()
    assert found["worst_class"].values.tolist() == ["", ""]
    assert np.isfinite(found["worst_gap_dense"].values).all()
    recall = worst(build([BEFORE] * 2, after, dims=("seed",)))
    assert recall["worst_class"].values.tolist() == ["1", ""]
    assert recall["worst_gap"].values[0] == 1
    assert recall["worst_ratio"].values[0] == 0


def change_table(n=6):
    """Return n seeds with recalls .90 and .70 before, and after .80 + i/100 and .40 - i/50 in seed i."""
    i = np.arange(n)[:, None, None]
    before = np.broadcast_to(np.array(BEFORE, float), (n, 2, 2))
    after = np.array([[80.0, 20], [60, 40]]) + i * np.array([[1, -1], [2, -2]])
    return build(before, after[:, None], dims=("seed", "ratio"), coords={"ratio": [2]}, class_names=["cat", "dog"])


def test_change_of_every_class_with_a_simultaneous_interval():
    found = per_class(change_table(), level=0.9).isel(ratio=0)
    i = np.arange(6)
    changes = np.array([-0.1 + i / 100, -0.3 - i / 50])
    np.testing.assert_allclose(found["score_dense"], [0.9, 0.7], rtol=1e-12)
    np.testing.assert_allclose(found["score"], [0.825, 0.35], rtol=1e-12)
    np.testing.assert_allclose(found["change"], changes.mean(-1), rtol=1e-10)
    np.testing.assert_allclose(found["sd"], changes.std(-1, ddof=1), rtol=1e-10)
    assert found["k"].item() == 2
    assert found["level"].item() == pytest.approx(0.95, rel=1e-12)
    half = stats.t.ppf(1 - 0.1 / 4, 5) * changes.std(-1, ddof=1) / np.sqrt(6)
    np.testing.assert_allclose(found["interval"].sel(ci_bound="lower"), changes.mean(-1) - half, rtol=1e-10)
    np.testing.assert_allclose(found["interval"].sel(ci_bound="upper"), changes.mean(-1) + half, rtol=1e-10)
    np.testing.assert_allclose(found["balance_dense"], [0.1, -0.1], rtol=1e-10)
    np.testing.assert_allclose(found["balance"], [0.2375, -0.2375], rtol=1e-10)
    assert found["class_name"].values.tolist() == ["cat", "dog"]
    assert "conditional on this test set" in found.attrs["conditional_on"]


@pytest.mark.parametrize("measure", ["recall", "precision"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_per_class_equals_a_loop_over_classes(cubes, variant, measure):
    cube = cubes[variant]
    found = per_class(cube, measure, "macro", level=0.8)
    scores, both = score(cube, measure), balance(cube, measure, "macro")
    scores = scores if "seed" in scores["score"].dims else scores.expand_dims("seed")
    both = both if "seed" in both["balance"].dims else both.expand_dims("seed")
    cells = [d for d in scores["score"].dims if d not in ("seed", "class")]
    assert found["change"].dims == (*cells, "class")
    assert found["interval"].dims == (*cells, "class", "ci_bound")
    assert found["k"].dims == tuple(cells)
    support = class_counts(cube)["support"]
    support = support if "seed" in support.dims else support.expand_dims("seed")
    dims = (*cells, "class")
    for index in np.ndindex(*(scores.sizes[d] for d in dims)):
        where = dict(zip(dims, index, strict=True))
        one = found.isel(where)
        x, y, b, bb = (
            part.isel({d: i for d, i in where.items() if d in part.dims}).values
            for part in (scores["score_dense"], scores["score"], both["balance_dense"], both["balance"])
        )
        x, b = np.broadcast_to(x, y.shape), np.broadcast_to(b, y.shape)
        known = ~np.isnan(x + y)
        assert one["n"].item() == known.sum()
        k = max(1, int((support[{d: i for d, i in where.items() if d != "class"}] > 0).any("seed").sum()))
        assert one["k"].item() == k
        if not known.any():
            assert all(np.isnan(one[name].item()) for name in ("score", "score_dense", "change", "balance"))
            assert one["reason"].item() == "missing"
            continue
        np.testing.assert_allclose([one["score_dense"], one["score"]], [x[known].mean(), y[known].mean()], rtol=1e-12)
        np.testing.assert_allclose(one["change"], one["score"] - one["score_dense"], atol=1e-14)
        some = ~np.isnan(b + bb)
        if some.any():
            np.testing.assert_allclose(
                [one["balance_dense"], one["balance"]], [b[some].mean(), bb[some].mean()], rtol=1e-10, atol=1e-15
            )
        if known.sum() > 2:
            d = (y - x)[known]
            expected = stats.t.interval(1 - 0.2 / k, len(d) - 1, d.mean(), stats.sem(d))
            np.testing.assert_allclose(one["interval"], expected, rtol=1e-9, atol=1e-12)
        else:
            assert one["reason"].item() == "too_few_seeds"


def test_the_reference_moves_the_balances_only():
    before, after = [[[90, 10], [6, 14]]] * 3, [[[70, 30], [10, 10]]] * 3
    cube = build(before, after, dims=("seed",))
    accuracy, macro = (per_class(cube, reference=r) for r in ("accuracy", "macro"))
    np.testing.assert_array_equal(accuracy["change"], macro["change"])
    np.testing.assert_allclose(macro["balance_dense"], [0.1, -0.1], rtol=1e-10)
    np.testing.assert_allclose(accuracy["balance_dense"], [0.9 - 104 / 120, 0.7 - 104 / 120], rtol=1e-10)


@pytest.mark.parametrize("variant", ["full", "fold"])
def test_dask_gives_the_same(cubes, variant):
    cube = cubes[variant]
    lazy = cube.chunk(dict.fromkeys(cube["confusion"].dims[:-2], 1) | {"true_class": 3})
    xr.testing.assert_allclose(per_class(lazy), per_class(cube), rtol=1e-12)
    found = worst(lazy)
    assert all(found[name].chunks is not None for name in found.data_vars)


def test_wrong_input(cubes):
    with pytest.raises(InputError, match="before and after"):
        per_class(cubes["pair"].drop_vars("confusion_dense"))
    with pytest.raises(InputError, match="level"):
        per_class(cubes["pair"], level=95)
    for function in (worst, per_class):
        with pytest.raises(InputError, match="recal"):
            function(cubes["pair"], "recal")
