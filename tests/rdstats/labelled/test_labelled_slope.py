"""Slopes and their summary, by numbers worked out by hand."""

import numpy as np
import pytest
from scipy import optimize, special, stats

from rdstats import slopes, summarize_slopes
from rdstats.cube import build
from rdstats.errors import InputError

BEFORE, AFTER = [[90, 10], [30, 70]], [[70, 30], [50, 50]]


def test_worked_example():
    """Recalls .9 .7 before, .7 .5 after: Bn = +-1/8 -> +-1/6."""
    one = slopes(build(BEFORE, AFTER))
    assert one["slope"].item() == pytest.approx(4 / 3, rel=1e-12)
    assert one["beta"].item() == pytest.approx(1, rel=1e-12)
    assert one["spread_ratio"].item() == pytest.approx(4 / 3, rel=1e-12)
    assert one["cosine"].item() == pytest.approx(1, rel=1e-12)
    assert one["r_squared"].item() == pytest.approx(1, rel=1e-12)
    assert (one["accuracy_dense"].item(), one["accuracy"].item()) == (0.8, 0.6)
    assert one["slope_expected_error"].item() == pytest.approx(8 / 3, rel=1e-12)
    assert one["reason"].item() == ""
    assert not one["degenerate"].item()
    assert one.attrs == {"measure": "recall", "reference": "accuracy"}


def test_expected_slope_of_the_worked_example():
    """Both sides shrunk to (k + 1/2)/(n + 1), before the shift and after it alike."""
    x, y = (np.array(k) + 0.5 for k in ((90, 70), (70, 50)))
    x, y = x / 101, y / 101
    delta = optimize.brentq(lambda d: special.expit(special.logit(x) + d).mean() - y.mean(), -5, 5, xtol=1e-15)
    moved = special.expit(special.logit(x) + delta)
    before, after = x / x.mean() - 1, moved / moved.mean() - 1
    expected = (before * after).sum() / (before**2).sum()
    one = slopes(build(BEFORE, AFTER))
    assert one["slope_expected"].item() == pytest.approx(expected, rel=1e-10)
    assert expected == pytest.approx(2.07, abs=0.05)
    assert one["slope_excess"].item() == pytest.approx(np.log(4 / 3 / expected), rel=1e-10)


def test_no_change_gives_exactly_one():
    one = slopes(build(BEFORE, BEFORE))
    assert one["slope"].item() == one["spread_ratio"].item() == one["slope_expected"].item() == 1
    assert one["slope_expected_error"].item() == pytest.approx(1, rel=1e-12)
    assert one["slope_excess"].item() == 0


def test_unbalanced_support_weighs_classes_by_their_images():
    before, after = [[90, 10], [6, 14]], [[70, 30], [10, 10]]
    weighted, macro = (slopes(build(before, after), reference=r) for r in ("accuracy", "macro"))
    a, b = (90 + 14) / 120, 80 / 120
    bn, bn_after = np.array([0.9, 0.7]) / a - 1, np.array([0.7, 0.5]) / b - 1
    assert weighted["slope"].item() == pytest.approx((bn * bn_after).sum() / (bn**2).sum(), rel=1e-12)
    assert macro["slope"].item() == pytest.approx(4 / 3, rel=1e-12)
    # the error-odds reference uses the reference score: accuracy, or the mean recall of the worked example
    assert macro["slope_expected_error"].item() == pytest.approx(8 / 3, rel=1e-12)
    assert weighted["slope_expected_error"].item() == pytest.approx((1 - b) / b * a / (1 - a), rel=1e-12)


@pytest.mark.parametrize(
    ("before", "after", "measure", "reason"),
    [
        (BEFORE, [[np.nan] * 2] * 2, "recall", "missing"),
        ([[np.nan] * 2] * 2, AFTER, "recall", "missing"),
        ([[80, 20], [20, 80]], AFTER, "recall", "no_spread"),
        (BEFORE, [[100, 0], [100, 0]], "precision", "undefined_class"),
        ([[100, 0], [100, 0]], BEFORE, "precision", "undefined_class"),
        (BEFORE, [[100, 0], [100, 0]], "recall", ""),
    ],
)
def test_reasons(before, after, measure, reason):
    one = slopes(build(before, after), measure)
    assert one["reason"].item() == reason
    assert np.isnan(one["slope"].item()) == (reason != "")


@pytest.mark.parametrize(
    ("one", "message"), [("confusion", r"no confusion \(after\)"), ("confusion_dense", "no confusion_dense")]
)
def test_a_slope_needs_both_networks(one, message):
    with pytest.raises(InputError, match=message):
        slopes(build(BEFORE, AFTER).drop_vars(one))


def test_unknown_choices():
    with pytest.raises(InputError, match="recal"):
        slopes(build(BEFORE, AFTER), "recal")
    with pytest.raises(InputError, match="macor"):
        slopes(build(BEFORE, AFTER), reference="macor")


def column(designed, values, **options):
    """Return networks of one method: values (seed, ratio)."""
    values = np.asarray(values, float)
    coords = {"ratio": [2.0, 4.0, 10.0][: values.shape[1]]}
    return slopes(designed(values, dims=("seed", "ratio"), coords=coords, **options))


@pytest.mark.parametrize("variant", ["full", "other order", "no seed", "fold", "pair"])
def test_slope_is_the_accuracy_ratio_times_beta(cubes, variant):
    """And beta is missing where the slope is, so that one reason serves both."""
    one = slopes(cubes[variant])
    assert one["beta"].dims == one["slope"].dims
    product = (one["accuracy_dense"] / one["accuracy"] * one["beta"]).transpose(*one["slope"].dims)
    np.testing.assert_allclose(one["slope"], product, rtol=1e-10)
    assert one["beta"].isnull().equals(one["slope"].isnull())
    assert one["beta"].notnull().any()


def test_nothing_right_after_has_neither_slope_nor_beta():
    """Balances of 0 would give beta 0, but there is no accuracy to normalise them by."""
    one = slopes(build(BEFORE, [[0, 100], [100, 0]]))
    assert one["reason"].item() == "undefined_class"
    assert np.isnan([one["slope"].item(), one["beta"].item()]).all()


def test_means_of_beta_and_r_squared_are_over_the_networks_with_a_slope(designed):
    values = np.array([[1.5], [1.2], [0.9]])
    networks = column(designed, values, spread=1.25 * values)
    networks["slope"][2] = np.nan
    summary = summarize_slopes(networks)
    # accuracy stays, so that beta is the slope; r squared is (1 / 1.25)^2
    assert summary["beta"].item() == pytest.approx(1.35, rel=1e-6)
    assert summary["r_squared"].item() == pytest.approx(0.64, rel=1e-6)
    changed = networks.assign({name: networks[name].where(networks["seed"] < 2, 99) for name in ("beta", "r_squared")})
    for name in ("beta", "r_squared"):
        assert summarize_slopes(changed)[name].item() == summary[name].item()


def test_mean_interval_and_verdicts(designed):
    rng = np.random.default_rng(3)
    noise = rng.normal(size=6)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    values = np.stack([0.7 + 0.01 * noise, 1.0 + 0.05 * noise, 1.5 + 0.1 * noise], axis=1)
    summary = summarize_slopes(column(designed, values), level=0.95)
    np.testing.assert_allclose(summary["mean"], [0.7, 1.0, 1.5], rtol=1e-6)
    np.testing.assert_allclose(summary["sd"], [0.01, 0.05, 0.1], rtol=1e-4)
    assert summary["n"].values.tolist() == [6, 6, 6]
    assert summary["k"].values.tolist() == [3, 3, 3]
    np.testing.assert_allclose(summary["level"], 1 - 0.05 / 3, rtol=1e-12)
    half = stats.t.ppf(1 - 0.05 / 6, 5) * np.array([0.01, 0.05, 0.1]) / np.sqrt(6)
    np.testing.assert_allclose(summary["interval"].sel(ci_bound="upper") - summary["mean"], half, rtol=1e-4)
    np.testing.assert_allclose(summary["mean"] - summary["interval"].sel(ci_bound="lower"), half, rtol=1e-4)
    assert summary["verdict"].values.tolist() == ["<", "?", ">"]
    assert summary["spread"].values == pytest.approx([0.7, 1.0, 1.5], rel=1e-6)
    assert summary["cosine"].values == pytest.approx([1, 1, 1], rel=1e-6)
    assert summary["accuracy"].values == pytest.approx([0.65] * 3, rel=1e-6)
    assert summary.attrs["level"] == 0.95
    assert "conditional on this test set" in summary.attrs["conditional_on"]


@pytest.mark.parametrize(
    ("n", "lower_is_known", "verdict", "reason"),
    [
        (1, False, "?", "too_few_seeds"),
        (2, False, "?", "too_few_seeds"),
        (3, True, "?", ""),
        (4, True, "?", ""),
        (5, True, ">", ""),
    ],
)
def test_few_seeds(designed, n, lower_is_known, verdict, reason):
    values = 2 + 0.001 * np.arange(n)[:, None]
    summary = summarize_slopes(column(designed, values))
    assert summary["n"].item() == n
    assert summary["mean"].item() == pytest.approx(values.mean(), rel=1e-6)
    assert np.isfinite(summary["interval"].values).tolist() == [[lower_is_known] * 2]
    assert summary["verdict"].item() == verdict
    assert summary["reason"].item() == reason


def test_no_variation(designed):
    summary = summarize_slopes(column(designed, np.full((6, 1), 1.5)))
    assert summary["reason"].item() == "no_variation"
    assert summary["verdict"].item() == "?"


def test_a_column_that_was_never_run(designed):
    values = 1.5 + 0.01 * np.arange(6)[:, None] * [1, np.nan]
    summary = summarize_slopes(column(designed, values))
    assert summary["k"].values.tolist() == [1, 1]
    assert summary["reason"].values.tolist() == ["", "missing"]
    assert summary["n_networks"].values.tolist() == [6, 0]
    assert summary["verdict"].values.tolist() == [">", "?"]


def methods(designed, planned):
    """Return networks of sham (ratio 1), mp and gp over ratios 1 2 4; `planned` fills the status."""
    values = 1.2 + 0.01 * np.arange(5)[:, None, None] * np.ones((3, 3))
    values[:, 0, 1:] = values[:, 1:, 0] = np.nan
    status = np.where(np.isnan(values), np.nan, 1.0)
    values[:, 2, 2] = np.nan
    status[:, 2, 2] = planned
    return slopes(
        designed(
            values,
            dims=("seed", "method", "ratio"),
            coords={"method": ["sham", "mp", "gp"], "ratio": [1.0, 2.0, 4.0]},
            variables={"status": (("seed", "method", "ratio"), status)} if planned is not None else {},
        )
    )


@pytest.mark.parametrize(("planned", "k"), [(0, 2), (2, 2), (np.nan, 1)])
def test_k_counts_planned_ratios_and_not_the_controls(designed, planned, k):
    summary = summarize_slopes(methods(designed, planned))
    assert summary["k"].sel({"method": "sham"}).values.tolist() == [1] * 3
    assert summary["k"].sel({"method": "mp"}).values.tolist() == [2] * 3
    assert summary["k"].sel({"method": "gp"}).values.tolist() == [k] * 3
    np.testing.assert_allclose(summary["level"].sel({"method": "mp"}), 0.975, rtol=1e-12)
    np.testing.assert_allclose(summary["level"].sel({"method": "sham"}), 0.95, rtol=1e-12)


def degenerate_cube(n_bad, n=20, dense=False):
    """Return n networks, the first n_bad of which predict one class only."""
    good = np.array([[np.array(AFTER)] * 1] * n, float)
    good += np.arange(n)[:, None, None, None] % 5 * np.array([[1, -1], [-1, 1]])
    before = np.array([BEFORE] * n, float)
    (before if dense else good)[:n_bad] = [[100, 0], [100, 0]]
    return build(before, good, dims=("seed", "ratio"), coords={"ratio": [2]})


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize(
    ("n_bad", "word"), [(0, ">"), (2, None), (3, "collapsed (3 of 20)"), (20, "collapsed (20 of 20)")]
)
def test_more_than_a_tenth_degenerate_reads_collapsed(n_bad, word, dense):
    networks = slopes(degenerate_cube(n_bad, dense=dense))
    assert networks["degenerate"].sum() == n_bad
    if dense and n_bad:
        assert networks["degenerate_reason"].values[0, 0] == "dense"
    summary = summarize_slopes(networks)
    assert summary["n_degenerate"].item() == n_bad
    assert summary["n_networks"].item() == 20
    assert summary["verdict"].item() in ([word] if word else ["<", ">", "?"])


def test_degenerate_networks_can_be_left_out():
    networks = slopes(degenerate_cube(3))
    kept, every = (summarize_slopes(networks, exclude_degenerate=flag) for flag in (True, False))
    assert (every["n"].item(), kept["n"].item()) == (20, 17)
    assert kept["mean"].item() == pytest.approx(networks["slope"].values[3:].mean(), rel=1e-12)
    assert kept["accuracy"].item() == pytest.approx(networks["accuracy"].values[3:].mean(), rel=1e-12)
    assert kept["verdict"].item() == every["verdict"].item() == "collapsed (3 of 20)"
    assert (kept.attrs["exclude_degenerate"], every.attrs["exclude_degenerate"]) == (1, 0)
    nothing = summarize_slopes(slopes(degenerate_cube(20)), exclude_degenerate=True)
    assert nothing["reason"].item() == "degenerate_excluded"


def test_an_empty_layer_is_degenerate():
    cube = build(
        [BEFORE] * 2,
        [AFTER] * 2,
        dims=("seed",),
        variables={"kept_weights": (("layer", "seed"), [[5, 5], [0, 3], [np.nan, 1]])},
    )
    assert slopes(cube)["degenerate_reason"].values.tolist() == ["empty_layer", ""]


def test_small_variables_come_along(designed):
    achieved = [[[2.5]]]
    cube = designed(
        [[[1.1]]], coords={"ratio": [2]}, variables={"achieved_ratio": (("seed", "method", "ratio"), achieved)}
    )
    assert slopes(cube)["achieved_ratio"].item() == 2.5
    assert summarize_slopes(slopes(cube))["achieved_ratio"].item() == 2.5
