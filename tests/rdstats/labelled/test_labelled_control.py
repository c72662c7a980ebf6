"""Against the control: the identity of delta, what it leaves alone, the words, and the pairing."""

import numpy as np
import pytest
from scipy import stats

from rdstats import against_control, analyze, ratio_family, run_family, slopes
from rdstats.cube import build
from rdstats.errors import InputError
from rdstats.measures import balance
from rdstats.records import control_records

DIMS = ("seed", "method", "ratio")
NOISE = np.array([-1.0, 0.5, 0, 1, -0.5, 0.2, -0.2])[:, None] / 100


def networks_of(designed, mp, sham=1.0, spread=None, sham_spread=None, methods=("sham", "mp"), noise=NOISE, **options):
    """Return a cube of one pruned method (slopes `mp` by ratio) and its control; noise differs between them."""
    mp = np.atleast_1d(mp)
    n = len(noise)
    slope, wide = (np.full((n, 2, 1 + len(mp)), np.nan) for _ in range(2))
    slope[:, 0, 0] = sham + noise[::-1, 0] / 2
    slope[:, 1, 1:] = mp + noise
    wide[:, 0, 0] = slope[:, 0, 0] if sham_spread is None else sham_spread + noise[::-1, 0] / 2
    wide[:, 1, 1:] = slope[:, 1, 1:] if spread is None else spread + noise
    coords = {"method": list(methods), "ratio": [1.0, 2.0, 4.0, 10.0][: 1 + len(mp)]}
    return designed(slope, np.maximum(wide, np.abs(slope)), dims=DIMS, coords=coords, jitter=0.002, **options)


def test_delta_is_a_weighted_sum_of_balance_differences(designed):
    """delta = sum Bn (Bn_t - Bn_control) / sum Bn^2, network by network."""
    cube = networks_of(designed, [1.2, 0.8])
    both = balance(cube)
    before, after = both["normalized_balance_dense"], both["normalized_balance"]
    control = after.sel({"method": "sham", "ratio": 1}, drop=True)
    delta = (before * (after - control)).sum("class") / (before**2).sum("class")
    result = against_control(slopes(cube))
    for ratio in (2.0, 4.0):
        one = delta.sel({"method": "mp", "ratio": ratio}).values
        found = result.sel({"method": "mp", "ratio": ratio})
        assert found["mean"].item() == pytest.approx(one.mean(), rel=1e-10)
        assert found["sd"].item() == pytest.approx(one.std(ddof=1), rel=1e-10)
        low, high = stats.t.interval(1 - 0.05 / 2, 6, one.mean(), stats.sem(one))
        np.testing.assert_allclose(found["interval"], [low, high], rtol=1e-10)
        assert found["k"].item() == 2
        assert found["n"].item() == 7


def test_the_ratio_family_does_not_change_when_the_control_is_subtracted(designed):
    networks = slopes(networks_of(designed, [1.2, 0.8, 1.1]))
    family = ratio_family(networks)
    control = networks["slope"].sel({"method": "sham", "ratio": 1.0}, drop=True)
    moved = networks.assign(slope=(networks["slope"] - control).transpose(*networks["slope"].dims))
    before, after = run_family(networks, family), run_family(moved, family)
    assert len(family.members) == 2
    for name in ("estimate", "statistic", "p", "p_corrected", "lower", "upper"):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-9, err_msg=name)


CLAIMS = [
    ("intensified", {"mp": 1.4}),
    ("de-intensified", {"mp": 0.6}),
    ("practically none", {"mp": 1.02}),
    ("undecided", {"mp": 0.7, "spread": 1.2, "sham_spread": 1.2}),  # no corrected difference supports the change
    ("undecided", {"mp": 0.6, "spread": 1.5}),
    ("undecided", {"mp": 1.05, "noise": 20 * NOISE}),
    ("undecided", {"mp": 1.4, "noise": NOISE[:4]}),
    ("undecided", {"mp": 1.4, "noise": NOISE[:2]}),
]


@pytest.mark.parametrize(("words", "options"), CLAIMS)
def test_claims(designed, words, options):
    result = against_control(slopes(networks_of(designed, **options)))
    found = result.sel({"method": "mp", "ratio": 2})
    assert found["claim"].item() == words
    assert found["control"].item() == "sham"
    assert found["control_slope"].item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("margin", "words"), [(0.1, "practically none"), (0.001, "intensified")])
def test_margin(designed, margin, words):
    result = against_control(slopes(networks_of(designed, 1.02, noise=NOISE / 10)), margin=margin)
    assert result["claim"].sel({"method": "mp", "ratio": 2}).item() == words
    assert result.attrs["margin"] == margin


def test_equivalence_is_two_one_sided_tests(designed):
    networks = slopes(networks_of(designed, [1.05, 1.0]))
    result = against_control(networks)
    delta = networks["slope"].sel({"method": "mp", "ratio": 2}) - networks["slope"].sel({"method": "sham", "ratio": 1})
    upper = stats.ttest_1samp(delta.values, 0.1, alternative="less").pvalue
    lower = stats.ttest_1samp(delta.values, -0.1, alternative="greater").pvalue
    assert result["p_equivalent"].sel({"method": "mp", "ratio": 2}).item() == pytest.approx(
        max(upper, lower), rel=1e-10
    )


def test_collapsed(designed):
    networks = slopes(networks_of(designed, 1.4))
    bad = networks["degenerate"].copy()
    bad[0, 1, 1] = True
    result = against_control(networks.assign(degenerate=bad))
    assert result["claim"].sel({"method": "mp", "ratio": 2}).item() == "collapsed"


@pytest.mark.parametrize(
    ("methods", "controls"),
    [
        (("sham", "mp"), ["sham"]),
        (("sham", "lth"), None),
        (("sham-lth", "lth"), ["sham-lth"]),
        (("sham-lth", "mp"), None),
        (("gp", "mp"), None),
        (("sham", "sham-lth"), None),
    ],
)
def test_which_control(designed, methods, controls):
    result = against_control(slopes(networks_of(designed, 1.2, methods=methods)))
    if controls is None:
        assert result is None
    else:
        assert result["control"].values.tolist() == controls
        assert result["method"].values.tolist() == [methods[1]]


def test_cubes_without_a_control(designed, cubes):
    for variant in ("no seed", "no method", "fold", "pair"):
        assert against_control(slopes(cubes[variant])) is None
    unnamed = networks_of(designed, 1.2).drop_vars("method")
    assert against_control(slopes(unnamed)) is None
    elsewhere = networks_of(designed, 1.2).assign_coords(ratio=[2.0, 4.0])
    assert against_control(slopes(elsewhere)) is None
    analysis = analyze(networks_of(designed, 1.2, methods=("gp", "mp")))
    assert analysis.control is None
    assert control_records(analysis) == []


def test_control_records(designed):
    analysis = analyze(networks_of(designed, [1.4, 0.6]))
    records = control_records(analysis)
    assert [(r["method"], r["ratio"], r["control"], r["claim"]) for r in records] == [
        ("mp", 2, "sham", "intensified"),
        ("mp", 4, "sham", "de-intensified"),
    ]
    one = analysis.control.sel({"method": "mp", "ratio": 2})
    assert records[0]["mean"] == one["mean"].item()
    assert [records[0]["lower"], records[0]["upper"]] == one["interval"].values.tolist()
    spread = [records[0]["log_spread_lower"], records[0]["log_spread_upper"]]
    assert spread == one["log_spread_interval"].values.tolist()
    assert records[0]["k"] == 2


def ids(cube, values, dims=("seed",)):
    return cube.assign(dense_id=(dims, np.array(values, object)))


def test_a_pair_shares_its_dense_network(designed):
    cube = networks_of(designed, 1.2)
    seeds = [f"id{i}" for i in range(7)]
    expected = against_control(slopes(cube))
    same = against_control(slopes(ids(cube, seeds)))
    np.testing.assert_array_equal(same["mean"], expected["mean"])
    by_method = [[s, s] for s in seeds]
    assert against_control(slopes(ids(cube, by_method, ("seed", "method")))) is not None
    by_method[3][1] = "other"
    with pytest.raises(InputError, match=r"mp.*sham.*their dense networks differ"):
        against_control(slopes(ids(cube, by_method, ("seed", "method"))))


@pytest.mark.parametrize("none", ["", None, np.nan])
def test_an_unknown_dense_network_contradicts_nothing(designed, none):
    by_method = [[f"id{i}"] * 2 for i in range(7)]
    by_method[3][1] = none
    cube = ids(networks_of(designed, 1.2), by_method, ("seed", "method"))
    assert against_control(slopes(cube)) is not None


def test_one_dense_network_under_two_seeds(designed):
    cube = ids(networks_of(designed, 1.2), ["a", "b", "c", "a", "d", "e", "f"]).assign_coords(seed=range(10, 17))
    with pytest.raises(InputError, match=r"seeds 10 and 13 have the same dense network \(dense_id a\)"):
        slopes(cube)


@pytest.mark.parametrize("dims", [("seed",), ("seed", "method")])
def test_one_id_with_unequal_dense_matrices(dims):
    """Ids by seed or by cell: either way one id is one matrix."""
    matrix = np.array([[9.0, 1], [3, 7]])
    before = np.tile(matrix, (2, 2, 1, 1))
    cube = build(before, before, dims=("seed", "method"), dims_dense=("seed", "method"))
    names = ["a", "b"] if len(dims) == 1 else [["a", "a"], ["b", "b"]]
    slopes(ids(cube, names, dims))
    missing = before.copy()
    missing[1, 1] = np.nan
    slopes(ids(cube.assign(confusion_dense=(cube["confusion_dense"].dims, missing)), names, dims))
    other = before.copy()
    other[1, 1] = [[8, 2], [3, 7]]
    with pytest.raises(InputError, match="dense_id b has different dense matrices"):
        slopes(ids(cube.assign(confusion_dense=(cube["confusion_dense"].dims, other)), names, dims))
