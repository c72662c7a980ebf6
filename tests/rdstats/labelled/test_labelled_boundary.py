"""Labelled results equal those on plain arrays, on Dask chunks, and of a loop over cells."""

import numpy as np
import pytest
import xarray as xr

import rdstats.array as ra
from rdstats import against_control, degenerate, ratio_family, run_family, slopes, summarize_slopes
from rdstats.classes import worst
from rdstats.cube import build, class_counts
from rdstats.measures import accuracy, balance, score, shrunk_score
from rdstats.regression import contributions, intercept_model
from rdstats.variance import recall_variance

VARIANTS = ["full", "no status", "other order", "no seed", "no ratio", "no method", "fold", "pair"]
PARTS = ("correct", "support", "predicted")

PER_CELL = {
    "accuracy": lambda cube, measure, reference: accuracy(cube),
    "score": lambda cube, measure, reference: score(cube, measure),
    "shrunk_score": lambda cube, measure, reference: shrunk_score(cube, measure),
    "balance": balance,
    "degenerate": lambda cube, measure, reference: degenerate(cube),
    "contributions": contributions,
    "intercept_model": intercept_model,
    "recall_variance": lambda cube, measure, reference: recall_variance(cube, measure, ddof=1),
    "worst": lambda cube, measure, reference: worst(cube, measure),
    "slopes": slopes,
}


def combinations(name, variant):
    """Return measures and references: all for the full cube, one without a choice, else a few."""
    everything = [(m, r) for m in ra.MEASURES for r in ra.REFERENCES]
    if name in ("accuracy", "degenerate"):
        return everything[:1]
    return everything if variant == "full" else everything[::5]


def same(first, second):
    """Assert equal values, NaN for NaN, text for text."""
    if np.asarray(first).dtype.kind == "f":
        np.testing.assert_allclose(first, second, rtol=1e-12, atol=1e-15)
    else:
        np.testing.assert_array_equal(first, second)


def aligned(cube):
    """Return plain arrays before and after over the same leading axes, those of the matrices after."""
    after = cube["confusion"]
    before = cube["confusion_dense"].broadcast_like(after).transpose(*after.dims)
    return before.values, after.values


def on_arrays(before, after, measure, reference):
    """Return what the labelled functions give, by the array functions alone."""
    one, two = ra.class_counts(before), ra.class_counts(after)
    present = (one.support > 0) & (two.support > 0)
    x, y = ra.score(measure, *one), ra.score(measure, *two)
    bn = [ra.normalized_balance(s, c.support, reference) for s, c in ((x, one), (y, two))]
    pair = (*bn, present)
    plain = [ra.balance(s, c.support, reference) for s, c in ((x, one), (y, two))]
    line = ra.slope_intercept(*pair)
    parts = ra.slope_contribution(*pair)
    # a class with images whose score is 0/0 leaves the network without a variance and without a worst class
    whole = [~((c.support > 0) & np.isnan(s)).any(-1) for s, c in ((y, two), (x, one))]
    per_network = {}
    for stage, s, known in zip(("", "_dense"), (y, x), whole, strict=True):
        index = np.where(known, ra.worst_class(s), -1)
        per_network["variance" + stage] = np.where(known, ra.recall_variance(s, ddof=1), np.nan)
        per_network["worst_gap" + stage] = np.where(known, ra.worst_gap(s), np.nan)
        per_network["worst_ratio" + stage] = np.where(known, ra.worst_ratio(s), np.nan)
        per_network["worst_class" + stage] = np.array(["0", "1", "2", "3", ""])[index]
    shrunk = (ra.shrunk_score(measure, *one), ra.shrunk_score(measure, *two))
    expected = ra.slope_expected_shift(*shrunk, ra.class_weights(two.support, reference))
    references = (ra.reference_score(x, one.support, reference), ra.reference_score(y, two.support, reference))
    why = ra.degenerate_reasons(*two)
    dense_only = (ra.degenerate_reasons(*one) != "") & (why == "") & (two.support > 0).any(-1)
    why = np.where(dense_only, "dense", why)
    return {
        "accuracy": {
            "accuracy": ra.accuracy(two.correct, two.support),
            "accuracy_dense": ra.accuracy(one.correct, one.support),
        },
        "score": {"score": y, "score_dense": x},
        "shrunk_score": {"score": shrunk[1], "score_dense": shrunk[0]},
        "balance": {
            "balance": ra.balance(y, two.support, reference),
            "balance_dense": ra.balance(x, one.support, reference),
            "normalized_balance": bn[1],
            "normalized_balance_dense": bn[0],
            "intensification_ratio": ra.intensification_ratio(*bn),
        },
        "degenerate": {"degenerate": why != "", "degenerate_reason": why},
        "contributions": {
            "contribution": parts,
            "weight": np.where(np.isnan(parts), np.nan, ra.slope_contribution(bn[0], bn[0], present)),
        },
        "intercept_model": line._asdict(),
        "recall_variance": {name: v for name, v in per_network.items() if name.startswith("variance")},
        "worst": {name: v for name, v in per_network.items() if name.startswith("worst")},
        "slopes": {
            "slope": ra.slope(*pair),
            "beta": np.where(np.isnan(ra.slope(*pair)), np.nan, ra.slope(*plain, present)),
            "spread_ratio": ra.spread_ratio(*pair),
            "cosine": ra.cosine(*pair),
            "r_squared": ra.r_squared(*pair),
            "reason": ra.slope_reason(*pair),
            "slope_expected": expected,
            "slope_expected_error": ra.slope_expected_error(*references),
            "slope_excess": ra.slope_excess(ra.slope(*pair), expected),
            "degenerate_reason": why,
        },
    }


@pytest.mark.parametrize("name", PER_CELL)
@pytest.mark.parametrize("variant", VARIANTS)
def test_labelled_equals_array(cubes, variant, name):
    cube = cubes[variant]
    for measure, reference in combinations(name, variant):
        labelled = PER_CELL[name](cube, measure, reference)
        arrays = on_arrays(*aligned(cube), measure, reference)[name]
        assert name == "slopes" or set(labelled.data_vars) == set(arrays)
        for part, expected in arrays.items():
            cells = cube["confusion"].dims[:-2]
            dims = (*cells, "class") if expected.ndim > len(cells) else cells
            template = xr.DataArray(expected, dims=dims)
            same(labelled[part].broadcast_like(template).transpose(*dims), expected)


@pytest.mark.parametrize("name", PER_CELL)
@pytest.mark.parametrize("variant", ["full", "other order", "fold", "pair"])
def test_labelled_equals_a_loop_over_cells(cubes, variant, name):
    """Each cell as a bare pair of matrices; a cell that is missing is compared where it has a value."""
    cube = cubes[variant]
    before, after = aligned(cube)
    whole = PER_CELL[name](cube, "precision", "macro")
    cells = cube["confusion"].dims[:-2]
    indices = [*np.ndindex(*after.shape[:-2])]
    for index in indices[:: max(1, len(indices) // 6)]:
        alone = PER_CELL[name](build(before[index], after[index]), "precision", "macro")
        for part in alone.data_vars:
            where = {d: i for d, i in zip(cells, index, strict=True) if d in whole[part].dims}
            same(whole[part][where], alone[part])


@pytest.mark.parametrize("name", PER_CELL)
@pytest.mark.parametrize("variant", ["full", "no status", "fold", "pair"])
def test_labelled_equals_counts_and_dask(cubes, variant, name):
    cube = cubes[variant]
    expected = PER_CELL[name](cube, "f1", "accuracy")
    xr.testing.assert_identical(PER_CELL[name](class_counts(cube), "f1", "accuracy"), expected)
    chunks = dict.fromkeys(cube["confusion"].dims[1:-2], 1) | {"true_class": 3}
    lazy = PER_CELL[name](cube.chunk(chunks), "f1", "accuracy")
    for part in lazy.data_vars:
        assert lazy[part].chunks is not None or part == "status" or not lazy[part].dims
    # the expected slope is a root found for a whole chunk at once: its last bit depends on its company
    xr.testing.assert_allclose(lazy.compute(), expected, rtol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_dimensions_keep_their_order_and_labels(cubes, variant):
    cube = cubes[variant]
    cells = cube["confusion"].dims[:-2]
    networks = slopes(cube)
    summary = summarize_slopes(networks)
    for name in ("slope", "cosine", "reason", "slope_expected", "slope_excess", "degenerate", "accuracy"):
        assert networks[name].dims == cells, name
    for name in set(summary.data_vars) - {"interval"}:
        assert summary[name].dims == tuple(d for d in cells if d != "seed"), name
    assert summary["interval"].dims == (*summary["mean"].dims, "ci_bound")
    for dim in cells:
        assert networks[dim].values.tolist() == cube[dim].values.tolist()
        if dim != "seed":
            assert summary[dim].values.tolist() == cube[dim].values.tolist()


def columns(networks):
    """Yield every combination of labels but seed and ratio."""
    dims = [d for d in networks["slope"].dims if d not in ("seed", "ratio")]
    for index in np.ndindex(*(networks.sizes[d] for d in dims)):
        yield {d: [i] for d, i in zip(dims, index, strict=True)}


@pytest.mark.parametrize("excluded", [False, True])
@pytest.mark.parametrize("variant", ["full", "no status", "other order", "no seed", "no ratio", "no method", "fold"])
def test_summary_equals_array_and_a_loop_over_columns(cubes, variant, excluded):
    networks = slopes(cubes[variant])
    summary = summarize_slopes(networks, level=0.9, exclude_degenerate=excluded)
    xr.testing.assert_identical(
        summarize_slopes(networks.chunk({networks["slope"].dims[0]: 1}), level=0.9, exclude_degenerate=excluded),
        summary,
    )
    for where in columns(networks):
        part = networks.isel(where)
        alone = summarize_slopes(part, level=0.9, exclude_degenerate=excluded)
        for name in summary.data_vars:
            same(summary[name].isel({d: i for d, i in where.items() if d in summary.dims}), alone[name])
        values = part["slope"].where(~part["degenerate"]) if excluded else part["slope"]
        values = values.expand_dims("seed") if "seed" not in values.dims else values
        k = alone["k"].transpose(...).values
        dims = [d for d in values.dims if d != "seed"]
        expected = ra.t_interval(values.transpose(*dims, "seed").values, level=0.9, k=k)
        same(alone["mean"].transpose(*dims), expected.mean)
        same(alone["sd"].transpose(*dims), expected.sd)
        same(alone["interval"].sel(ci_bound="lower").transpose(*dims), expected.lower)
        same(alone["interval"].sel(ci_bound="upper").transpose(*dims), expected.upper)


@pytest.mark.parametrize("variant", ["full", "no status", "other order", "no ratio"])
def test_control_equals_array_and_a_loop_over_columns(cubes, variant):
    networks = slopes(cubes[variant])
    control = against_control(networks)
    xr.testing.assert_identical(against_control(networks.chunk({"method": 1})), control)
    assert control["method"].values.tolist() == ["mp"]
    cells = [d for d in networks["slope"].dims if d != "seed"]
    for name in set(control.data_vars) - {"interval", "log_spread_interval", "slope_ratio_interval"}:
        assert set(control[name].dims) <= set(cells)
        assert control[name].dims == tuple(d for d in cells if d in control[name].dims), name
    for index in np.ndindex(*(control.sizes[d] for d in cells)):
        where = {d: control[d].values[i] for d, i in zip(cells, index, strict=True)}
        sham = where | {"method": "sham"} | ({"ratio": 1.0} if "ratio" in where else {})
        pruned, base = (networks[["slope", "spread_ratio"]].sel(w) for w in (where, sham))
        k = int(control["k"].sel(where))
        delta = ra.t_interval(pruned["slope"].values - base["slope"].values, k=k)
        spread = ra.t_interval(np.log(pruned["spread_ratio"].values / base["spread_ratio"].values), k=k)
        one = control.sel(where)
        for name in ("mean", "sd", "n", "reason"):
            same(one[name], getattr(delta, name))
        same(one["interval"], [delta.lower, delta.upper])
        same(one["log_spread"], spread.mean)
        same(one["log_spread_interval"], [spread.lower, spread.upper])
        same(one["p_equivalent"], ra.tost(delta.mean, delta.sd, delta.n, margin=0.1, k=k).p)


@pytest.mark.parametrize("variant", ["full", "no status", "other order", "no method"])
def test_family_equals_array_and_a_loop_over_members(cubes, variant):
    networks = slopes(cubes[variant])
    family = ratio_family(networks)
    tests = run_family(networks, family)
    xr.testing.assert_identical(run_family(networks.chunk({"seed": 1}), family), tests)
    assert tests.sizes["test"] == len(family.members) > 0
    for i, member in enumerate(family.members):
        pair = [networks["slope"].sel(where).values for where in (member.first, member.second)]
        m = family.m(member.column)
        expected = ra.paired_ttest(*pair, alternative="less", m=m)
        for name in ("estimate", "statistic", "df", "n", "p", "lower", "upper", "reason"):
            same(tests[name][i], getattr(expected, name))
        same(tests["p_corrected"][i], np.minimum(1, m * expected.p))


def test_imported_dimensions_need_no_seed(cubes):
    networks = slopes(cubes["fold"])
    assert networks["slope"].dims == ("fold", "seed")
    assert summarize_slopes(networks)["k"].values.tolist() == [1, 1]
    assert against_control(networks) is None
