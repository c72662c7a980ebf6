"""Contributions, the line with intercept and the pooled line of a cube."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import rdstats.array as ra
from rdstats import slopes
from rdstats.cube import build, class_counts
from rdstats.errors import InputError
from rdstats.measures import balance
from rdstats.regression import contributions, intercept_model, pooled

VARIANTS = ["full", "no status", "other order", "no seed", "no ratio", "no method", "fold", "pair"]
EVERY = [contributions, intercept_model, pooled]


@pytest.mark.parametrize("reference", ra.REFERENCES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_contributions_add_up_to_the_slope(cubes, variant, reference):
    networks = slopes(cubes[variant], "precision", reference)
    parts = contributions(cubes[variant], "precision", reference)
    total = parts.sum("class", min_count=1)
    xr.testing.assert_allclose(total["contribution"], networks["slope"].rename("contribution"), rtol=1e-12)
    xr.testing.assert_allclose(total["weight"], xr.ones_like(networks["slope"]).where(networks["slope"].notnull()))
    assert parts["contribution"].dims == parts["weight"].dims == (*networks["slope"].dims, "class")
    ratio = balance(cubes[variant], "precision", reference)["intensification_ratio"]
    np.testing.assert_allclose(
        (parts["weight"] * ratio).where(ratio.notnull()), parts["contribution"].where(ratio.notnull())
    )


def test_worked_contributions():
    """Recalls .9 .5 .7 before, .8 .4 .9 after: balances 2 -2 0 tenths over .7, then 1 -3 2 tenths over .7."""
    before, after = ([[k, 100 - k, 0], [0, j, 100 - j], [0, 100 - i, i]] for k, j, i in ((90, 50, 70), (80, 40, 90)))
    parts = contributions(build(before, after))
    np.testing.assert_allclose(parts["contribution"], [2 / 8, 6 / 8, 0], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(parts["weight"], [1 / 2, 1 / 2, 0], rtol=1e-12, atol=1e-13)
    assert parts.attrs == {"measure": "recall", "reference": "accuracy"}


def test_intercept_model_is_a_regression():
    before, after = [[90, 10, 0], [6, 14, 0], [20, 10, 30]], [[70, 30, 0], [10, 10, 0], [30, 10, 20]]
    both = balance(build(before, after))
    fit = stats.linregress(both["normalized_balance_dense"], both["normalized_balance"])
    line = intercept_model(build(before, after))
    np.testing.assert_allclose(
        [line[name].item() for name in ("slope", "intercept", "r_squared")],
        [fit.slope, fit.intercept, fit.rvalue**2],
        rtol=1e-10,
    )
    assert line["reason"].item() == ""
    assert abs(fit.intercept) > 0.005


def test_intercept_model_has_the_reasons_of_the_slope(cubes):
    networks, line = (f(cubes["full"], "precision") for f in (slopes, intercept_model))
    np.testing.assert_array_equal(line["reason"], networks["reason"])
    assert {"", "missing", "undefined_class"} == set(line["reason"].values.ravel().tolist())
    assert line["slope"].isnull().equals(networks["slope"].isnull())


@pytest.mark.parametrize("measure", ra.MEASURES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_pooled_equals_array_and_a_loop_over_cells(cubes, variant, measure):
    cube = cubes[variant]
    found = pooled(cube, measure)
    both, counts = balance(cube, measure), class_counts(cube)
    after = both["normalized_balance"]
    before, present = xr.broadcast(
        both["normalized_balance_dense"], (counts["support"] > 0) & (counts["support_dense"] > 0), after
    )[:2]
    cells = [d for d in after.dims if d not in ("seed", "class")]
    for index in np.ndindex(*(after.sizes[d] for d in cells)):
        where = dict(zip(cells, index, strict=True))
        order = [d for d in ("seed", "class") if d in after.dims]
        parts = [part[where].transpose(*order).values for part in (before, after, present)]
        alone = ra.pooled_origin_slope(*(np.atleast_2d(part) for part in parts))
        for name in ("slope", "r_squared", "n", "reason"):
            np.testing.assert_array_equal(found[name][where], getattr(alone, name), err_msg=name)
    assert found["slope"].dims == tuple(cells)


def test_pooled_is_not_the_mean_slope(designed):
    """Two seeds, slopes 1 and 1.5, the second with wider balances before: it weighs more."""
    cube = designed(np.array([[1.0], [1.5]]), dims=("seed", "ratio"), coords={"ratio": [2.0]}, jitter=0.05)
    before = balance(cube)["normalized_balance_dense"]
    weights = (before**2).sum("class").values
    assert weights[1] > 1.05 * weights[0]
    expected = (weights * [1, 1.5]).sum() / weights.sum()
    assert pooled(cube)["slope"].item() == pytest.approx(expected, rel=1e-5)
    assert pooled(cube)["n"].item() == 2


def test_one_dense_network_for_every_seed():
    before, after = np.array([[90, 10], [30, 70]]), np.array([[[80, 20], [50, 50]], [[85, 15], [40, 60]]])
    found = pooled(build(before, after, dims=("seed",), dims_dense=()))
    same = pooled(build(np.stack([before] * 2), after, dims=("seed",)))
    assert found["slope"].item() == same["slope"].item()
    assert found["n"].item() == 2


@pytest.mark.parametrize("function", EVERY)
@pytest.mark.parametrize("variant", ["full", "no status", "fold"])
def test_dask_and_counts_give_the_same_lazily(cubes, variant, function):
    cube = cubes[variant]
    expected = function(cube, "f1", "macro")
    xr.testing.assert_identical(function(class_counts(cube), "f1", "macro"), expected)
    lazy = function(cube.chunk(dict.fromkeys(cube["confusion"].dims[:-2], 1) | {"true_class": 3}), "f1", "macro")
    assert all(lazy[name].chunks is not None for name in lazy.data_vars)
    xr.testing.assert_allclose(lazy.compute(), expected, rtol=1e-12)


@pytest.mark.parametrize("function", EVERY)
def test_wrong_input(cubes, function):
    with pytest.raises(InputError, match="before and after"):
        function(cubes["pair"].drop_vars("confusion_dense"))
    with pytest.raises(InputError, match="recal"):
        function(cubes["pair"], "recal")
    with pytest.raises(InputError, match="macor"):
        function(cubes["pair"], reference="macor")
