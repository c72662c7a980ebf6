"""Against the control: effect sizes, the sampling-corrected difference, and whether it supports the raw verdict."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import rdstats.array as ra
from rdstats import against_control, analyze, corrected_slopes, sampling_terms, slopes
from rdstats.control import control_arm, control_differences, difference_terms
from rdstats.cube import class_counts
from rdstats.errors import InputError
from rdstats.slope import family_size

ARMS = {"sham": 1.0, "mp": (1.3, 0.6)}
COUNTED = ("correct_dense", "correct", "both_correct", "support")
CELLS = [("mp", 2.0), ("mp", 4.0)]


@pytest.fixture(scope="module")
def strong(make_study):
    """A cube whose test set is large enough for single networks."""
    return make_study(ARMS, images=150)


@pytest.fixture(scope="module")
def weak(make_study):
    """A cube whose networks are only strong enough together."""
    return make_study(ARMS, images=30, deviation=0.22, agree=0.97)


@pytest.fixture(scope="module")
def networks(strong):
    return slopes(strong)


@pytest.fixture(scope="module")
def terms(strong):
    return sampling_terms(strong)


@pytest.fixture(scope="module")
def result(networks, terms):
    return against_control(networks, level=0.9, terms=terms)


def cell(data, method, ratio):
    return data.squeeze(["dataset", "arch"], drop=True).sel({"method": method, "ratio": ratio})


def series(networks, method, ratio, name="slope"):
    return cell(networks[name], method, ratio).values


@pytest.mark.parametrize(("method", "ratio"), CELLS)
def test_the_ratio_of_slopes_has_fiellers_interval(networks, result, method, ratio):
    """At both bounds the paired t test of slope - theta x control slope is on the edge of its level."""
    one, two, found = series(networks, method, ratio), series(networks, "sham", 1), cell(result, method, ratio)
    assert found["slope_ratio"].item() == pytest.approx(one.mean() / two.mean(), rel=1e-12)
    assert found["slope_ratio_form"].item() == "bounded"
    for theta in found["slope_ratio_interval"].values:
        t = stats.ttest_1samp(one - theta * two, 0).statistic
        assert abs(t) == pytest.approx(stats.t.ppf(1 - 0.1 / 4, 5), rel=1e-9)
    lower, upper = found["slope_ratio_interval"].values
    assert lower < found["slope_ratio"].item() < upper
    expected = ra.fieller_interval(one, two, level=0.9, k=2)
    np.testing.assert_allclose(found["slope_ratio_interval"], [expected.lower, expected.upper], rtol=1e-12)


def test_a_control_slope_near_zero_gives_no_bounded_ratio(designed):
    noise = np.array([-1.0, 0.5, 0, 1, -0.5, 0.2, -0.2])
    slope = np.full((7, 2, 2), np.nan)
    slope[:, 0, 0], slope[:, 1, 1] = noise / 10, 1 + noise[::-1] / 50
    coords = {"method": ["sham", "mp"], "ratio": [1.0, 2.0]}
    found = against_control(slopes(designed(slope, np.ones_like(slope) * 1.2, coords=coords, jitter=0.002)))
    one = found.sel({"method": "mp", "ratio": 2.0})
    assert one["slope_ratio_form"].item() in ("complement", "whole line")
    assert found.sel({"method": "mp", "ratio": 1.0})["slope_ratio_form"].item() == ""


@pytest.mark.parametrize(("method", "ratio"), CELLS)
def test_standardised_differences(networks, result, method, ratio):
    one, two, found = series(networks, method, ratio), series(networks, "sham", 1), cell(result, method, ratio)
    difference = one - two
    pooled = np.sqrt((one.var(ddof=1) + two.var(ddof=1)) / 2)
    assert found["g_av"].item() == pytest.approx((1 - 3 / (4 * 5 - 1)) * difference.mean() / pooled, rel=1e-10)
    assert found["d_z"].item() == pytest.approx(difference.mean() / difference.std(ddof=1), rel=1e-10)


def terms_of_seeds(cube, method, ratio, reference="accuracy"):
    """Return the terms of a column and of its control by the array functions, seed by seed."""
    counts = class_counts(cube).squeeze(["dataset", "arch"], drop=True)

    def of(method, ratio):
        own = counts.sel({"method": method, "ratio": ratio})
        return [ra.slope_terms(*(own[name].isel(seed=s).values for name in COUNTED), reference) for s in range(6)]

    return of(method, ratio), of("sham", 1.0)


@pytest.mark.parametrize("reference", ra.REFERENCES)
def test_corrected_delta_per_seed(strong, reference):
    found = against_control(slopes(strong, "recall", reference), level=0.9,
                            terms=sampling_terms(strong, "recall", reference))  # fmt: skip
    for method, ratio in CELLS:
        pruned, sham = terms_of_seeds(strong, method, ratio, reference)
        values = [t.ratio * t.numerator / t.denominator - c.ratio * c.numerator / c.denominator
                  for t, c in zip(pruned, sham, strict=True)]  # fmt: skip
        one = cell(found, method, ratio)
        assert one["corrected_estimator"].item() == "per seed"
        assert one["corrected"].item() == pytest.approx(np.mean(values), rel=1e-10)
        interval = stats.t.interval(1 - 0.1 / 2, 5, np.mean(values), stats.sem(values))
        np.testing.assert_allclose(one["corrected_interval"], interval, rtol=1e-10)
        strength = np.median([t.denominator / t.error for t in pruned])
        assert one["strength"].item() == pytest.approx(strength, rel=1e-10)
        assert strength > 4


def test_corrected_delta_pooled(weak):
    found = against_control(slopes(weak), terms=sampling_terms(weak))
    for method, ratio in CELLS:
        one = cell(found, method, ratio)
        pruned, sham = terms_of_seeds(weak, method, ratio)
        above = np.array([t.ratio * t.numerator - c.ratio * c.numerator for t, c in zip(pruned, sham, strict=True)])
        below = np.array([t.denominator for t in pruned])
        assert np.median([t.denominator / t.error for t in pruned]) < 4
        assert one["corrected_estimator"].item() == "pooled"
        estimate = above.sum() / below.sum()
        deleted = (above.sum() - above) / (below.sum() - below)
        se = np.sqrt(5 / 6 * ((deleted - deleted.mean()) ** 2).sum())
        assert one["corrected"].item() == pytest.approx(estimate, rel=1e-10)
        expected = estimate + np.array([-1, 1]) * stats.t.ppf(1 - 0.05 / 4, 5) * se
        np.testing.assert_allclose(one["corrected_interval"], expected, rtol=1e-10)


@pytest.mark.parametrize("cube", ["strong", "weak"])
def test_corrected_delta_is_a_difference_of_corrected_slopes(request, cube):
    """Both arms have one denominator: numerators are subtracted, and nothing else."""
    terms = sampling_terms(request.getfixturevalue(cube))
    own = difference_terms(terms, "mp", "sham")
    sham, pruned = control_arm(terms, "sham"), terms.sel({"method": ["mp"]})
    xr.testing.assert_allclose(own["denominator"], pruned["denominator"])
    same = xr.zeros_like(pruned["denominator"]) + sham["denominator"]
    xr.testing.assert_allclose(same.where(pruned["numerator"].notnull()), pruned["denominator"], rtol=1e-12)
    first, second = (part["accuracy_ratio"] * part["numerator"] for part in (pruned, sham))
    xr.testing.assert_allclose(own["numerator"], (first - second).transpose(*own["numerator"].dims))
    there = own["numerator"].notnull()
    assert (own["accuracy_ratio"].where(there, 1) == 1).all()
    assert own["accuracy_ratio"].isnull().equals(~there)
    assert int(there.sum()) == 12
    # pooled or per seed, the corrected difference is that of the corrected slopes
    whole, delta = corrected_slopes(terms), corrected_slopes(own)
    difference = whole["mean"].sel({"method": ["mp"]}) - whole["mean"].sel({"method": "sham", "ratio": 1}, drop=True)
    xr.testing.assert_allclose(delta["mean"], difference, rtol=1e-10)


def test_raw_delta_does_not_depend_on_the_terms(networks, result):
    without = against_control(networks, level=0.9)
    for name in ("mean", "interval", "log_spread", "g_av", "p_equivalent", "control_slope", "k", "level"):
        xr.testing.assert_identical(without[name], result[name])
    assert "corrected" not in without
    assert result["corrected_reason"].sel({"method": "mp", "ratio": 4.0}).item() == ""
    assert result["corrected_reason"].sel({"method": "mp", "ratio": 1.0}).item() == "missing"


def moved(terms, values):
    """Return terms whose corrected delta of (mp, 2) is `values`, seed by seed."""
    sham = control_arm(terms, "sham")
    wanted = sham["accuracy_ratio"] * sham["numerator"] + xr.DataArray(values, dims="seed") * sham["denominator"]
    here = (terms["method"] == "mp") & (terms["ratio"] == 2)
    numerator = xr.where(here, wanted / terms["accuracy_ratio"], terms["numerator"])
    return terms.assign(numerator=numerator.transpose(*terms["numerator"].dims))


SPREAD = np.array([-1, 1, -1, 1, -1, 1]) / 10
SUPPORT = [
    (0.3 + SPREAD / 10, "supported", "intensified"),
    (SPREAD, "not supported", "undecided"),
    (-0.3 + SPREAD / 10, "not supported", "undecided"),
]


@pytest.mark.parametrize(("values", "support", "claim"), SUPPORT)
def test_a_verdict_that_the_corrected_one_does_not_give_is_undecided(networks, terms, values, support, claim):
    found = cell(against_control(networks, terms=moved(terms, values)), "mp", 2.0)
    assert found["corrected"].item() == pytest.approx(np.mean(values), rel=1e-9)
    assert found["support"].item() == support
    assert found["claim"].item() == claim
    assert cell(against_control(networks), "mp", 2.0)["claim"].item() == "intensified"


def test_a_change_without_a_change_of_spread_needs_support(networks, terms):
    """Sampling alone can shift the raw difference; unchecked, it is no change."""
    ones = xr.ones_like(networks["spread_ratio"]).where(networks["slope"].notnull())
    flat = networks.assign(spread_ratio=ones + 0.1 * xr.DataArray(SPREAD, dims="seed") * (networks["ratio"] == 2))
    words = "changed relative to the control, spread undecided"
    supported = against_control(flat, terms=moved(terms, 0.3 + SPREAD / 10))
    assert cell(supported, "mp", 2.0)["claim"].item() == words
    for unsure in (None, moved(terms, SPREAD), terms.assign(error=1e6 * terms["error"])):
        assert cell(against_control(flat, terms=unsure), "mp", 2.0)["claim"].item() == "undecided"


def test_other_words_are_not_downgraded(networks, terms):
    bad = networks["degenerate"] | ((networks["method"] == "mp") & (networks["seed"] == 1))
    broken = networks.assign(degenerate=bad.transpose(*networks["slope"].dims))
    unsupported = moved(terms, SPREAD)
    assert cell(against_control(broken, terms=unsupported), "mp", 2.0)["claim"].item() == "collapsed"
    wide = cell(against_control(networks, margin=5, terms=unsupported), "mp", 2.0)
    assert (wide["support"].item(), wide["claim"].item()) == ("not supported", "practically none")


def test_practically_none_needs_the_corrected_difference_too(networks, terms):
    """Sampling pulls the raw difference towards 0: it alone shows no equivalence."""
    for far, claim in ((0.3 + SPREAD / 10, "practically none"), (2 + SPREAD / 10, "intensified")):
        found = cell(against_control(networks, margin=1, terms=moved(terms, far)), "mp", 2.0)
        assert (found["support"].item(), found["claim"].item()) == ("supported", claim)
    hopeless = terms.assign(error=1e6 * terms["error"])
    for unknown in (None, hopeless):
        assert cell(against_control(networks, margin=1, terms=unknown), "mp", 2.0)["claim"].item() == "practically none"


def test_without_a_corrected_verdict_nothing_is_checked(networks, terms):
    hopeless = terms.assign(error=1e6 * terms["error"])
    for found in (against_control(networks), against_control(networks, terms=hopeless)):
        one = cell(found, "mp", 2.0)
        assert (one["support"].item(), one["claim"].item()) == ("not checked", "intensified")
    one = cell(against_control(networks, terms=hopeless), "mp", 2.0)
    assert np.isnan(one["corrected"])
    assert (one["corrected_estimator"].item(), one["corrected_reason"].item()) == ("not estimable", "not_estimable")


def test_support_is_empty_where_the_raw_interval_holds_zero(make_study):
    cube = make_study({"sham": 1.0, "mp": (1.0, 1.5)}, images=150, rng=1)
    for terms in (None, sampling_terms(cube)):
        found = against_control(slopes(cube), terms=terms)
        lower, upper = cell(found, "mp", 2.0)["interval"].values
        assert lower < 0 < upper
        assert cell(found, "mp", 2.0)["support"].item() == ""
        assert found.sel({"method": "mp", "ratio": 1.0})["support"].values.tolist() == [[""]]
        assert cell(found, "mp", 4.0)["support"].item() == ("not checked" if terms is None else "supported")


@pytest.fixture(scope="module")
def recipes(make_study):
    """Two recipes of fine-tuning with a control each, and a method whose control is lacking."""
    return make_study({"sham": 1.0, "sham-lth": 0.8, "mp": (1.3, 1.4), "lth": (1.3, 1.4), "chip": 1.2}, images=150)


@pytest.mark.parametrize("with_terms", [False, True])
def test_every_method_has_its_own_control(recipes, with_terms):
    networks = slopes(recipes)
    terms = sampling_terms(recipes) if with_terms else None
    found = against_control(networks, terms=terms)
    assert dict(zip(found["method"].values.tolist(), found["control"].values.tolist(), strict=True)) == {
        "mp": "sham",
        "lth": "sham-lth",
    }
    for method, control in (("mp", "sham"), ("lth", "sham-lth")):
        own = ["seed", "dataset", "arch"]
        alone = recipes.sel({"method": [control, method]})
        alone_terms = sampling_terms(alone) if with_terms else None
        expected = against_control(slopes(alone), terms=alone_terms).sel({"method": method})
        for name in ("mean", "interval", "slope_ratio", "slope_ratio_interval", "g_av", "control_slope", "claim",
                     *(("corrected", "corrected_interval") if with_terms else ())):  # fmt: skip
            xr.testing.assert_identical(found[name].sel({"method": method}), expected[name])
        slope = networks["slope"].sel({"method": control, "ratio": 1.0}).mean(own).item()
        assert cell(found, method, 2.0)["control_slope"].item() == pytest.approx(slope, rel=1e-12)
    delta = control_differences(networks)["delta"]
    assert cell(delta, "lth", 2.0).mean() > cell(delta, "mp", 2.0).mean() + 0.1


def test_other_dense_networks_are_no_pairs(recipes):
    ids = recipes["dense_id"].expand_dims(method=recipes["method"], axis=-1).values.copy()
    ids[2, 0, 0, 3] = "another"
    cube = recipes.assign(dense_id=(("seed", "dataset", "arch", "method"), ids))
    for call in (lambda: against_control(slopes(cube), terms=sampling_terms(cube)), lambda: analyze(cube)):
        with pytest.raises(InputError, match=r"lth.*sham-lth.*their dense networks differ"):
            call()


EVERY = (
    "mean", "interval", "log_spread", "log_spread_interval", "control_slope", "slope_ratio", "slope_ratio_interval",
    "g_av", "d_z", "p_equivalent", "corrected", "corrected_interval",
)  # fmt: skip


def test_excluding_degenerate_networks_reaches_the_corrected_delta(make_study):
    """The two networks that collapsed, and the partner of the control that did, leave every column of theirs."""
    gone = {(0, "mp", 4.0), (3, "mp", 4.0), (5, "sham", 1.0)}
    cube = make_study(ARMS, images=150, collapse=gone, seeds=8)
    every, kept = (analyze(cube, exclude_degenerate=flag) for flag in (False, True))
    assert cell(every.control, "mp", 4.0)["n"].item() == 8
    terms = sampling_terms(cube)
    for method, ratio, left in (("mp", 4.0, [1, 2, 4, 6, 7]), ("mp", 2.0, [0, 1, 2, 3, 4, 6, 7])):
        own = against_control(slopes(cube.isel(seed=left)), terms=terms.isel(seed=left))
        one, expected = cell(kept.control, method, ratio), cell(own, method, ratio)
        assert one["n"].item() == len(left)
        for name in EVERY:
            np.testing.assert_allclose(one[name], expected[name], rtol=1e-10, err_msg=name)
    assert cell(kept.control, "mp", 4.0)["claim"].item() == "collapsed"
    assert cell(kept.corrected, "mp", 4.0)["n"].item() == 6


def test_the_number_of_intervals_is_that_of_the_planned_ratios(make_study, networks, result):
    assert result["k"].values.tolist() == [[[[2, 2, 2]]]]
    np.testing.assert_allclose(result["level"], 0.95, rtol=1e-12)
    xr.testing.assert_equal(result["k"], family_size(networks).sel({"method": result["method"]}))
    # a ratio that was planned and failed everywhere still counts
    cube = make_study(ARMS, missing={(s, "mp", 4.0) for s in range(6)})
    found = against_control(slopes(cube), terms=sampling_terms(cube))
    assert cell(found, "mp", 2.0)["k"].item() == 2
    assert cell(found, "mp", 4.0)["reason"].item() == "missing"
    assert cell(found, "mp", 4.0)["claim"].item() == ""
