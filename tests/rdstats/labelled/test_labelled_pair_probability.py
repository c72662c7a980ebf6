"""Probabilities of the comparisons of a family: against exact distributions, and against the tests."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from rdstats import ratio_family, run_family, slopes
from rdstats.control import control_differences
from rdstats.errors import InputError
from rdstats.families import Family, Member
from rdstats.pair_probability import pair_probabilities

DIMS = ("seed", "method", "ratio")
DRAWS = 40_000
NAMES = ["p_slope_less", "p_spread_less", "p_sd_less"]


def networks(designed, n=8, **options):
    """Return a control, mp and gp at two ratios: gp's slopes vary more, mp's spread is wider."""
    rng = np.random.default_rng(3)
    shared, noise = 0.03 * rng.normal(size=n), 0.02 * rng.normal(size=(n, 5))
    slope = np.full((n, 3, 3), np.nan)
    slope[:, 0, 0] = 1 + noise[:, 0]
    slope[:, 1, 1:] = np.array([1.1, 1.12]) + shared[:, None] + noise[:, 1:3]
    slope[:, 2, 1:] = np.array([1.09, 1.14]) + 2 * noise[:, 3:]
    wide = slope * np.array([1.0, 1.3, 1.28])[:, None]
    coords = {"method": ["sham", "mp", "gp"], "ratio": [1.0, 2.0, 4.0]}
    return slopes(designed(slope, wide, dims=DIMS, coords=coords, jitter=0.002, **options))


def family(paired, quantity="slope", **options):
    cells = {m + str(r): {"method": m, "ratio": float(r)} for m in ("mp", "gp") for r in (2, 4)}
    pairs = [("mp2", "mp4"), ("mp2", "gp2"), ("gp4", "mp4")]
    members = tuple(Member("all", cells[one], cells[other]) for one, other in pairs)
    return Family("own", members, paired=paired, alternative="less", quantity=quantity, **options)


def series(data, declared):
    """Return slope and log spread ratio of both sides of every member, (member, 2, seed)."""
    if declared.quantity == "delta":
        found = control_differences(data)
        slope, spread = found["delta"], found["log_spread"]
    else:
        slope, spread = data["slope"], np.log(data["spread_ratio"])
    return [
        np.array([[values.sel(side).values for side in (m.first, m.second)] for m in declared.members])
        for values in (slope, spread)
    ]


def close(found, expected, draws=DRAWS):
    error = np.sqrt(expected * (1 - expected) / draws)
    assert np.all(np.abs(found - expected) <= 4 * error + 1e-12), (found, expected)


@pytest.mark.parametrize("quantity", ["slope", "delta"])
def test_paired_means_follow_the_t_distribution_of_the_differences(designed, quantity):
    data, declared = networks(designed), family(True, quantity)
    found = pair_probabilities(data, declared, draws=DRAWS)
    for name, values in zip(NAMES, series(data, declared), strict=False):
        change = values[:, 0] - values[:, 1]
        expected = stats.t.cdf(-change.mean(-1) / stats.sem(change, axis=-1), 7)
        close(found[name].values, expected)
        assert ((expected > 0.01) & (expected < 0.99)).any()


def test_a_probability_is_one_minus_the_one_sided_p(designed):
    data = networks(designed)
    declared = ratio_family(data)
    p = run_family(data, declared)["p"].values
    close(pair_probabilities(data, declared, draws=DRAWS)["p_slope_less"].values, 1 - p)


@pytest.mark.parametrize("quantity", ["slope", "delta"])
def test_independent_means_follow_the_difference_of_two_t_distributions(designed, quantity):
    """P(a < b) by numerical integration of a's density times b's survival function."""
    data, declared = networks(designed), family(False, quantity)
    found = pair_probabilities(data.drop_vars("dense_id", errors="ignore"), declared, draws=DRAWS)
    for name, values in zip(NAMES, series(data, declared), strict=False):
        mean, scale = values.mean(-1), stats.sem(values, axis=-1)
        grid = np.linspace(-1, 1, 200_001) / (1 - np.linspace(-1, 1, 200_001) ** 2 + 1e-9)
        for i in range(len(mean)):
            density = stats.t.pdf(grid, 7)
            beyond = stats.t.sf((mean[i, 0] + scale[i, 0] * grid - mean[i, 1]) / scale[i, 1], 7)
            close(found[name].values[i], np.trapezoid(density * beyond, grid))


@pytest.mark.parametrize("paired", [True, False])
def test_standard_deviations_follow_the_f_distribution(designed, paired):
    data, declared = networks(designed), family(paired)
    found = pair_probabilities(data, declared, draws=DRAWS)["p_sd_less"].values
    variance = series(data, declared)[0].var(-1, ddof=1)
    # sigma1 < sigma2: F = (s1^2/sigma1^2) / (s2^2/sigma2^2) > s1^2/s2^2
    close(found, stats.f.sf(variance[:, 0] / variance[:, 1], 7, 7))


def test_paired_and_independent_differ_where_seeds_share_their_noise(designed):
    data = networks(designed)
    paired, independent = (
        pair_probabilities(data, family(p), draws=DRAWS)["p_slope_less"].values for p in (True, False)
    )
    assert paired[0] > independent[0] + 0.02


def test_missing_seeds_and_pairs(designed):
    data = networks(designed)
    slope = data["slope"].copy()
    slope[:3, 1, 1] = np.nan  # mp at 2
    slope[3:6, 1, 2] = np.nan  # mp at 4: two pairs are left
    slope[:, 2, 2] = 1.3  # gp at 4
    found = {p: pair_probabilities(data.assign(slope=slope), family(p)) for p in (True, False)}
    assert np.isnan(found[True]["p_slope_less"].values).tolist() == [True, False, False]
    assert np.isnan(found[True]["p_sd_less"].values).tolist() == [True, False, True]
    assert np.isnan(found[True]["p_spread_less"].values).tolist() == [False] * 3
    assert np.isnan(found[False]["p_slope_less"].values).tolist() == [False, False, True]
    assert np.isnan(found[False]["p_sd_less"].values).tolist() == [False, False, True]


def test_a_spread_of_zero_has_no_logarithm(designed):
    data = networks(designed)
    wide = data["spread_ratio"].copy()
    wide[0, 1, 1] = 0
    some = pair_probabilities(data.assign(spread_ratio=wide), family(True))
    expected = pair_probabilities(data.assign(spread_ratio=wide.where(wide > 0)), family(True))
    xr.testing.assert_identical(some, expected)
    assert some["p_spread_less"].notnull().all()


def test_a_seed_reproduces_the_result(designed):
    data = networks(designed)
    first, again, other = (pair_probabilities(data, family(False), seed=s) for s in (1, 1, 2))
    xr.testing.assert_identical(first, again)
    assert all((first[name] != other[name]).any() for name in NAMES)
    xr.testing.assert_identical(pair_probabilities(data.chunk({"seed": 2}), family(False), seed=1), first)
    assert (first.attrs["draws"], first.attrs["seed"], first.attrs["name"]) == (4000, 1, "own")


def test_it_merges_with_the_tests(designed):
    data = networks(designed)
    declared = ratio_family(data)
    both = run_family(data, declared).merge(pair_probabilities(data, declared))
    assert {"p", *NAMES} <= set(both.data_vars)
    assert both.sizes == {"test": 2}


def test_no_comparison(designed):
    empty = Family("none", (), paired=True, alternative="less")
    assert pair_probabilities(networks(designed), empty).sizes == {"test": 0}


def test_pairing_is_checked(designed):
    ids = np.array([[f"{m}{i}" for m in "abc"] for i in range(8)], object)
    data = networks(designed).assign(dense_id=(("seed", "method"), ids))
    crossed = Family("own", family(True).members[1:2], paired=True, alternative="less")
    with pytest.raises(InputError, match="dense networks differ"):
        pair_probabilities(data, crossed)
    by_seed = Family("own", crossed.members, paired=True, alternative="less", pair_by="seed")
    assert pair_probabilities(data, by_seed)["p_slope_less"].notnull().all()
    same = networks(designed).assign(dense_id=("seed", ids[:, 0]))
    with pytest.raises(InputError, match="share dense networks"):
        pair_probabilities(same, family(False))


def test_wrong_input(cubes, designed):
    data = networks(designed)
    with pytest.raises(InputError, match="no dimension seed"):
        pair_probabilities(slopes(cubes["no seed"]), family(True))
    with pytest.raises(InputError, match="draws"):
        pair_probabilities(data, family(True), draws=0)
    with pytest.raises(InputError, match="seed: received -1"):
        pair_probabilities(data, family(True), seed=-1)
    with pytest.raises(InputError, match="no method has its control"):
        pair_probabilities(data.sel({"method": ["mp", "gp"]}), family(True, "delta"))
    wrong = Member("all", {"method": "mp", "ratio": 2.0}, {"method": "mp", "ratio": 3.0})
    with pytest.raises(InputError, match="ratio has no 3"):
        pair_probabilities(data, Family("own", (wrong,), paired=True, alternative="less"))
