"""Families of tests: who is a member, what m is, and the numbers against scipy and statsmodels."""

import json

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from rdstats import Family, Member, analyze, ratio_family, run_family, slopes, summarize_slopes
from rdstats.cube import build
from rdstats.errors import InputError
from rdstats.records import document, plain, slope_records, test_records

RATIOS = [1.0, 2.0, 4.0, 10.0]
DIMS = ("seed", "method", "ratio")


def values(n=6, seed=2):
    """Return slopes (seed, method, ratio): the control at ratio 1 only, the others from 2 on."""
    rng = np.random.default_rng(seed)
    mean = np.array([[1.0, 0, 0, 0], [0, 0.9, 1.0, 1.02], [0, 1.1, 1.05, 1.3]])
    result = mean + rng.normal(scale=0.05, size=(n, 3, 4))
    result[:, 0, 1:] = result[:, 1:, 0] = np.nan
    return result


def cube(designed, slope, status=None, **variables):
    variables = {name: (("seed",), ids) for name, ids in variables.items()}
    if status is not None:
        variables["status"] = (DIMS, status)
    coords = {"method": ["sham", "mp", "gp"], "ratio": RATIOS}
    return designed(slope, dims=DIMS, coords=coords, variables=variables)


@pytest.fixture
def networks(designed):
    return slopes(cube(designed, values()))


def test_members_are_consecutive_planned_ratios_by_value(networks):
    family = ratio_family(networks)
    assert family.columns() == ["mp", "gp"]
    assert [(m.column, m.first["ratio"], m.second["ratio"]) for m in family.members] == [
        ("mp", 2.0, 4.0),
        ("mp", 4.0, 10.0),
        ("gp", 2.0, 4.0),
        ("gp", 4.0, 10.0),
    ]
    assert all(m.first["method"] == m.second["method"] == m.column for m in family.members)
    turned = ratio_family(networks.isel(ratio=[3, 0, 2, 1]))
    assert turned.members == family.members
    falling = ratio_family(networks, order=[10, 4, 2])
    assert [(m.first["ratio"], m.second["ratio"]) for m in falling.members[:2]] == [(10.0, 4.0), (4.0, 2.0)]


@pytest.mark.parametrize("labels", [np.array(["a", "b"]), np.array(["a", "b"], object), np.array([5, 6])])
def test_labels_of_any_type(designed, labels):
    one = slopes(designed(1 + 0.1 * np.random.default_rng(0).random((4, 2, 3)), coords={"ratio": [2, 4, 8]}))
    family = ratio_family(one.assign_coords(method=("method", labels)))
    assert family.columns() == [str(label) for label in labels]
    assert run_family(one.assign_coords(method=("method", labels)), family).sizes["test"] == 4


@pytest.mark.parametrize(
    ("state", "members"), [(np.nan, [(2.0, 10.0)]), (0, [(2.0, 4.0), (4.0, 10.0)]), (2, [(2.0, 4.0), (4.0, 10.0)])]
)
def test_planned_but_missing_cells_are_members_and_others_not(designed, state, members):
    slope = values()
    slope[:, 1, 2] = np.nan
    status = np.where(np.isnan(slope), np.nan, 1.0)
    status[:, 1, 2] = state
    networks = slopes(cube(designed, slope, status))
    family = ratio_family(networks)
    mp = [m for m in family.members if m.column == "mp"]
    assert [(m.first["ratio"], m.second["ratio"]) for m in mp] == members
    assert family.m("mp") == len(members)
    assert family.m("gp") == 2
    tests = run_family(networks, family)
    assert tests["m"].values.tolist() == [len(members)] * len(members) + [2, 2]
    if len(members) == 2:
        assert tests["reason"].values[:2].tolist() == ["missing", "missing"]
        assert tests["p_corrected"][:2].isnull().all()


def test_a_member_without_data_still_costs_the_others(designed):
    """The last ratio failed for every seed: m stays 2, and p is corrected with it."""
    slope = values()
    slope[:, 1, 3] = np.nan
    status = np.where(np.isnan(slope), np.nan, 1.0)
    status[:, 1, 3] = 2
    networks = slopes(cube(designed, slope, status))
    for correction in ("bonferroni", "holm", "bh"):
        tests = run_family(networks, ratio_family(networks, correction=correction))
        assert tests["p_corrected"].values[0] == pytest.approx(min(1, 2 * tests["p"].values[0]), rel=1e-12)
        assert np.isnan(tests["p_corrected"].values[1])


def test_against_scipy(networks):
    """scipy.stats.ttest_rel and t.interval; reference computed at run time."""
    tests = run_family(networks, ratio_family(networks, level=0.9))
    for i, (method, first, second) in enumerate([("mp", 2, 4), ("mp", 4, 10), ("gp", 2, 4), ("gp", 4, 10)]):
        a, b = (networks["slope"].sel({"method": method, "ratio": r}).values for r in (first, second))
        expected = stats.ttest_rel(a, b, alternative="less")
        both = stats.ttest_rel(a, b).confidence_interval(1 - 0.1 / 2)
        assert tests["estimate"].values[i] == pytest.approx(a.mean() - b.mean(), rel=1e-10)
        assert tests["statistic"].values[i] == pytest.approx(expected.statistic, rel=1e-10)
        assert tests["p"].values[i] == pytest.approx(expected.pvalue, rel=1e-10)
        assert tests["df"].values[i] == expected.df == 5
        assert tests["n"].values[i] == 6
        assert tests["lower"].values[i] == pytest.approx(both.low, rel=1e-10)
        assert tests["upper"].values[i] == pytest.approx(both.high, rel=1e-10)
    assert tests.attrs["level"] == 0.9
    assert tests.attrs["alternative"] == "less"


@pytest.mark.parametrize(
    ("ours", "theirs"), [("bonferroni", "bonferroni"), ("holm", "holm"), ("bh", "fdr_bh"), ("none", None)]
)
def test_corrections_are_by_column(networks, ours, theirs):
    """statsmodels.stats.multitest.multipletests on each column alone; reference computed at run time."""
    tests = run_family(networks, ratio_family(networks, correction=ours))
    for part in (slice(0, 2), slice(2, 4)):
        p = tests["p"].values[part]
        expected = multipletests(p, method=theirs)[1] if theirs else p
        np.testing.assert_allclose(tests["p_corrected"].values[part], expected, rtol=1e-10)


def test_pairs_with_a_degenerate_network_are_dropped_whole(networks):
    bad = networks["degenerate"].copy()
    bad[0, 1, 1] = True
    networks = networks.assign(degenerate=bad)
    family = ratio_family(networks)
    kept = run_family(networks, family, exclude_degenerate=True)
    assert kept["n"].values.tolist() == [5, 6, 6, 6]
    a, b = (networks["slope"].sel({"method": "mp", "ratio": r}).values[1:] for r in (2, 4))
    assert kept["p"].values[0] == pytest.approx(stats.ttest_rel(a, b, alternative="less").pvalue, rel=1e-10)
    assert run_family(networks, family)["n"].values.tolist() == [6] * 4


def family_of(**changed):
    members = (Member("all", {"method": "mp", "ratio": 2.0}, {"method": "gp", "ratio": 4.0}),)
    return Family(**{"name": "own", "members": members, "paired": False, "alternative": "two-sided", **changed})


def test_members_may_differ_in_several_dimensions(networks):
    tests = run_family(networks, family_of())
    a = networks["slope"].sel({"method": "mp", "ratio": 2}).values
    b = networks["slope"].sel({"method": "gp", "ratio": 4}).values
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert tests["p"].item() == pytest.approx(expected.pvalue, rel=1e-10)
    assert tests["df"].item() == pytest.approx(expected.df, rel=1e-10)
    assert tests["estimate"].item() == pytest.approx(a.mean() - b.mean(), rel=1e-10)
    names = [str(tests[f"{side}_{dim}"].item()) for side in ("first", "second") for dim in ("method", "ratio")]
    assert names == ["mp", "2.0", "gp", "4.0"]


def test_independent_tests_of_one_dense_network_are_refused(designed):
    networks = slopes(cube(designed, values(), dense_id=[f"id{s}" for s in range(6)]))
    with pytest.raises(InputError, match=r"they share dense networks \(id0\); use paired samples"):
        run_family(networks, family_of())
    run_family(networks, family_of(paired=True))


def test_paired_tests_of_other_dense_networks_are_refused(designed):
    ids = [[f"{m}-{s}" for m in ("x", "x", "z")] for s in range(6)]
    networks = slopes(cube(designed, values()).assign(dense_id=(("seed", "method"), ids)))
    run_family(networks, family_of())
    with pytest.raises(InputError, match="their dense networks differ, so they are no pairs"):
        run_family(networks, family_of(paired=True))
    run_family(networks, ratio_family(networks))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"alternative": "lesser"}, r"alternative 'lesser' \(did you mean 'less'\?\)"),
        ({"correction": "holms"}, r"correction 'holms' \(did you mean 'holm'\?\)"),
        ({"level": 95}, "level 95: a number between 0 and 1"),
    ],
)
def test_unknown_choices(changed, message):
    with pytest.raises(InputError, match=message):
        family_of(**changed)


def test_cubes_that_cannot_answer():
    pair = build([[9, 1], [3, 7]], [[7, 3], [5, 5]])
    with pytest.raises(InputError, match="no dimension ratio"):
        ratio_family(slopes(pair))
    seedless = build([[9, 1], [3, 7]], [[[7, 3], [5, 5]]] * 2, dims=("ratio",), coords={"ratio": [2, 4]})
    networks = slopes(seedless)
    with pytest.raises(InputError, match="the cube has one seed"):
        run_family(networks, ratio_family(networks))


def test_a_single_ratio_has_no_members(designed):
    one = designed(1 + 0.1 * np.random.default_rng(0).random((5, 1)), dims=("seed", "ratio"), coords={"ratio": [2]})
    analysis = analyze(one)
    assert analysis.family.members == ()
    assert analysis.tests.sizes["test"] == 0
    assert test_records(analysis) == []
    assert len(slope_records(analysis)) == 1


def test_test_records(designed):
    slope = values()
    slope[:, 2, 3] = np.nan
    status = np.where(np.isnan(slope), np.nan, 1.0)
    status[:, 2, 3] = 0
    analysis = analyze(cube(designed, slope, status), level=0.9)
    records = test_records(analysis)
    assert [list(r)[:13] for r in records] == [
        [
            "method",
            "ratio",
            "estimate",
            "statistic",
            "df",
            "n",
            "p",
            "p_corrected",
            "m",
            "alternative",
            "lower",
            "upper",
            "reason",
        ]
    ] * 4
    assert [(r["method"], r["ratio"]) for r in records] == [
        ("mp", [2, 4]),
        ("mp", [4, 10]),
        ("gp", [2, 4]),
        ("gp", [4, 10]),
    ]
    assert {r["alternative"] for r in records} == {"less"}
    assert records[0]["p"] == analysis.tests["p"].values[0]
    last = records[3]
    assert [last[k] for k in ("p", "p_corrected", "statistic", "estimate", "lower", "n", "m", "reason")] == [
        *[None] * 5,
        0,
        2,
        "missing",
    ]


def test_slope_records(designed):
    slope = values(n=2)
    analysis = analyze(cube(designed, slope))
    records = slope_records(analysis)
    assert [(r["method"], r["ratio"]) for r in records] == [
        ("sham", 1),
        *(("mp", r) for r in (2, 4, 10)),
        *(("gp", r) for r in (2, 4, 10)),
    ]
    assert list(records[0])[2:14] == [
        *("mean", "sd", "n", "lower", "upper", "level", "verdict"),
        *("spread", "cosine", "expected", "n_degenerate", "reason"),
    ]
    first = records[1]
    assert first["mean"] == analysis.summary["mean"].sel({"method": "mp", "ratio": 2}).item()
    assert (first["lower"], first["upper"], first["reason"], first["verdict"]) == (None, None, "too_few_seeds", "?")
    assert first["level"] == pytest.approx(1 - 0.05 / 3, rel=1e-12)
    assert records[0]["level"] == pytest.approx(0.95, rel=1e-12)


def test_the_document_is_json(designed):
    analysis = analyze(cube(designed, values()))
    text = json.dumps(document(analysis), allow_nan=False)
    again = json.loads(text)
    assert list(again)[:4] == ["family", "tests", "slopes", "families"]
    assert again["tests"] == test_records(analysis)
    assert again["slopes"] == slope_records(analysis)
    assert again["family"]["m"] == {"mp": 2, "gp": 2}
    assert again["family"]["measure"] == "recall"
    assert again["family"]["warnings"] == list(analysis.warnings)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64("nan"), None),
        (float("inf"), None),
        (np.float64(2.0), 2),
        (np.float64(2.5), 2.5),
        (np.int64(3), 3),
        (np.str_("a"), "a"),
        (np.bool_(True), True),
    ],
)
def test_plain(value, expected):
    result = plain(value)
    assert result == expected
    assert type(result) is type(expected)


def test_a_control_with_many_ratios_is_no_column(cubes):
    """Its own interval is at the plain level, and nothing is tested within it."""
    networks = slopes(cubes["no status"])
    assert (networks["reason"].sel({"method": "sham"}) == "").sum() > 20
    assert ratio_family(networks).columns() == ["tri mp", "four mp"]
    k = summarize_slopes(networks)["k"]
    assert k.sel({"method": "sham"}).values.tolist() == [[1] * 3] * 2
    assert k.sel({"method": "mp"}).values.tolist() == [[3] * 3] * 2
