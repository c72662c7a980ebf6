"""The six families: who is a member, which way it is tested, and that the declaration can be saved and rebuilt."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from rdstats import Family, Member, declare, run_family
from rdstats.control import control_differences
from rdstats.errors import InputError
from rdstats.families import FAMILIES

LABELS = {
    "seed": [0, 1, 2, 3, 4, 5],
    "dataset": ["mnist", "fashion-mnist", "cifar10", "cifar100"],
    "arch": ["lenet", "resnet20", "resnet32", "resnet56", "resnet110"],
    "method": ["sham", "mp", "gp", "up"],
    "ratio": [1.0, 2.0, 4.0],
}
ARMS = {
    ("mnist", "lenet"): ["mp"],
    ("fashion-mnist", "lenet"): ["mp"],
    ("cifar10", "resnet20"): ["mp", "up"],
    ("cifar10", "resnet32"): ["mp", "up"],
    ("cifar10", "resnet56"): ["mp", "gp", "up"],
    ("cifar10", "resnet110"): ["mp", "up"],
    ("cifar100", "resnet56"): ["mp"],
}


def paper_like(seed=0, achieved=None):
    """Return slopes of a grid like the paper's, with a control for every network."""
    rng = np.random.default_rng(seed)
    shape = tuple(len(own) for own in LABELS.values())
    dims = tuple(LABELS)
    slope = xr.DataArray(np.full(shape, np.nan), LABELS, dims)
    for (dataset, arch), methods in ARMS.items():
        for method in ["sham", *methods]:
            for ratio in [1.0] if method == "sham" else [2.0, 4.0]:
                cell = {"dataset": dataset, "arch": arch, "method": method, "ratio": ratio}
                slope.loc[cell] = 1 + 0.1 * np.log2(ratio) + rng.normal(scale=0.05, size=6)
    there = slope.notnull()
    ids = xr.DataArray(
        [[[f"{s}-{d}-{a}" for a in LABELS["arch"]] for d in LABELS["dataset"]] for s in LABELS["seed"]],
        {dim: LABELS[dim] for dim in ("seed", "dataset", "arch")},
        ("seed", "dataset", "arch"),
    )
    return xr.Dataset(
        {
            "slope": slope,
            "spread_ratio": abs(slope),
            "reason": xr.where(there, "", "missing"),
            "status": xr.where(there, 1.0, np.nan),
            "degenerate": xr.zeros_like(there),
            "dense_id": ids.astype(object),
            "achieved_ratio": (slope["ratio"] * there if achieved is None else achieved).where(there),
        },
        attrs={"measure": "recall", "reference": "accuracy"},
    )


@pytest.fixture(scope="module")
def networks():
    return paper_like()


def pairs(family, dim, column=None):
    return [(m.first[dim], m.second[dim]) for m in family.members if column in (None, m.column)]


def test_ratio(networks):
    family = declare("ratio", networks)
    assert family.m("cifar10 resnet56 gp") == 1
    assert pairs(family, "ratio") == [(2.0, 4.0)] * 12
    assert (family.paired, family.alternative, family.test) == (True, "less", "paired t-test")
    assert not any("sham" in m.column for m in family.members)


def test_arch(networks):
    family = declare("arch", networks)
    assert family.columns() == [f"cifar10 {m} ratio {r}" for m in ("mp", "up") for r in (2, 4)]
    chain = [("resnet20", "resnet32"), ("resnet32", "resnet56"), ("resnet56", "resnet110")]
    assert pairs(family, "arch", "cifar10 up ratio 2") == chain
    assert (family.paired, family.alternative) == (False, "greater")
    assert family.m("cifar10 up ratio 2") == 3
    turned = declare("arch", networks, order=["resnet110", "resnet20"])
    assert pairs(turned, "arch", "cifar10 mp ratio 2") == [("resnet110", "resnet20")]
    chosen = declare("arch", networks, pairs=[("resnet20", "resnet110")])
    assert pairs(chosen, "arch") == [("resnet20", "resnet110")] * 4


def test_dataset_needs_a_choice_of_arch(networks):
    with pytest.raises(InputError, match=r"cifar10 has several archs \(resnet20, resnet32, resnet56, resnet110\)"):
        declare("dataset", networks)
    family = declare("dataset", networks, arch={"cifar10": "resnet56"})
    assert family.columns() == ["mp ratio 2", "mp ratio 4"]
    expected = [("mnist", "cifar10"), ("fashion-mnist", "cifar10"), ("cifar10", "cifar100")]
    assert pairs(family, "dataset", "mp ratio 4") == expected
    assert pairs(family, "arch", "mp ratio 4") == [("lenet", "resnet56")] * 2 + [("resnet56", "resnet56")]
    assert (family.paired, family.alternative) == (False, "less")
    for wrong, words in (({"cifar10": "resnet57"}, "did you mean 'resnet56'"), ({"cifar11": "lenet"}, "cifar11")):
        with pytest.raises(InputError, match=words):
            declare("dataset", networks, arch={"cifar10": "resnet56", **wrong})


def test_dataset_of_other_names_is_all_pairs_two_sided(networks):
    other = networks.isel(dataset=[0, 1]).assign_coords(dataset=["cats", "dogs"])
    family = declare("dataset", other)
    assert pairs(family, "dataset") == [("cats", "dogs")] * 2
    assert family.alternative == "two-sided"


def test_method(networks):
    family = declare("method", networks)
    own = pairs(family, "method", "cifar10 resnet56 ratio 2")
    assert own == [("mp", "gp"), ("mp", "up"), ("gp", "up")]
    assert pairs(family, "method", "cifar10 resnet20 ratio 4") == [("mp", "up")]
    assert (family.paired, family.alternative) == (True, "two-sided")
    assert "mnist lenet ratio 2" not in family.columns()


def test_method_by_arch_is_one_family(networks):
    family = declare("method-by-arch", networks)
    assert family.columns() == ["cifar10"]
    assert family.m("cifar10") == 8
    assert set(pairs(family, "method")) == {("mp", "up")}
    with pytest.raises(InputError, match="say which two of mp, gp"):
        declare("method-by-arch", networks.assign_coords({"method": ["sham", "mp", "gp", "rp"]}))


def test_matched_looks_at_the_achieved_ratio(networks):
    renamed = networks.assign_coords({"method": ["sham", "up-released", "gp", "up-released-abs"]})
    family = declare("matched", renamed)
    assert set(pairs(family, "method")) == {("up-released", "up-released-abs")}
    assert family.ratio_tolerance == 0.02
    assert run_family(renamed, family)["reason"].values.tolist() == [""] * len(family.members)
    achieved = renamed["achieved_ratio"].copy()
    achieved.loc[{"method": "up-released", "ratio": 4.0}] *= 0.9
    tests = run_family(renamed.assign(achieved_ratio=achieved), family)
    off = tests["first_ratio"].values == 4
    assert tests["reason"].values[off].tolist() == ["unmatched_ratio"] * int(off.sum())
    assert tests["p"].isnull().values.tolist() == off.tolist()
    assert tests["estimate"].isnull().values.tolist() == off.tolist()
    assert tests.attrs["missing"] == int(off.sum())
    with pytest.raises(InputError, match="say which criterion"):
        declare("matched", networks)
    with pytest.raises(InputError, match="no achieved_ratio"):
        declare("matched", networks.drop_vars("achieved_ratio"))


def test_independent_tests_against_scipy(networks):
    """scipy.stats.ttest_ind, Welch and pooled; reference computed at run time."""
    for equal in (False, True):
        family = declare("arch", networks, equal_variance=equal or None)
        assert ("pooled" in family.test) == equal
        tests = run_family(networks, family)
        member = family.members[1]
        a, b = (networks["slope"].sel(side).values for side in (member.first, member.second))
        expected = stats.ttest_ind(a, b, equal_var=equal, alternative="greater")
        assert tests["statistic"].values[1] == pytest.approx(expected.statistic, rel=1e-10)
        assert tests["p"].values[1] == pytest.approx(expected.pvalue, rel=1e-10)
        assert tests["p_corrected"].values[1] == pytest.approx(min(1, 3 * expected.pvalue), rel=1e-10)
        assert (tests["n_first"].values[1], tests["n_second"].values[1]) == (6, 6)
        assert np.isnan(tests["g_av"].values).all()


def test_paired_tests_carry_effect_sizes(networks):
    tests = run_family(networks, declare("ratio", networks))
    member = declare("ratio", networks).members[0]
    a, b = (networks["slope"].sel(side).values for side in (member.first, member.second))
    d = a - b
    assert tests["d_z"].values[0] == pytest.approx(d.mean() / d.std(ddof=1), rel=1e-12)
    j = 1 - 3 / (4 * 5 - 1)
    spread = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    assert tests["g_av"].values[0] == pytest.approx(j * d.mean() / spread, rel=1e-12)


def test_alternative_overrides_and_says_so(networks):
    family = declare("ratio", networks, alternative="two-sided")
    assert family.alternative == "two-sided"
    assert "not below" not in family.question
    one, both = run_family(networks, declare("ratio", networks)), run_family(networks, family)
    half = np.minimum(one["p"], 1 - one["p"])
    np.testing.assert_allclose(both["p"], 2 * half, rtol=1e-9)


def test_delta_subtracts_each_networks_own_control(networks):
    family = declare("arch", networks, quantity="delta")
    tests = run_family(networks, family)
    member = family.members[0]
    delta = [
        networks["slope"].sel(side).values - networks["slope"].sel({**side, "method": "sham", "ratio": 1.0}).values
        for side in (member.first, member.second)
    ]
    expected = stats.ttest_ind(*delta, equal_var=False, alternative="greater")
    assert tests["p"].values[0] == pytest.approx(expected.pvalue, rel=1e-10)
    assert tests.attrs["quantity"] == "delta"


@pytest.mark.parametrize("name", ["ratio", "method", "method-by-arch"])
def test_a_common_control_changes_no_paired_family(networks, name):
    raw = run_family(networks, declare(name, networks))
    delta = run_family(networks, declare(name, networks, quantity="delta"))
    for value in ("estimate", "statistic", "p", "p_corrected", "lower", "upper"):
        np.testing.assert_allclose(raw[value], delta[value], rtol=1e-9, atol=1e-12)


def test_methods_without_a_control_have_no_delta(networks):
    lonely = networks.assign_coords({"method": ["sham", "mp", "lth", "up"]})
    tests = run_family(lonely, declare("method", lonely, quantity="delta"))
    with_lth = (tests["first_method"].values == "lth") | (tests["second_method"].values == "lth")
    assert with_lth.any()
    assert set(tests["reason"].values[with_lth]) == {"no_control"}
    assert set(tests["reason"].values[~with_lth]) == {""}
    none = networks.sel({"method": ["mp", "up"]})
    with pytest.raises(InputError, match="no method has its control"):
        run_family(none, declare("method", none, quantity="delta"))


def test_differences_from_the_control_are_per_network(networks):
    found = control_differences(networks)
    cell = {"dataset": "cifar10", "arch": "resnet20", "method": "up", "ratio": 4.0}
    sham = {**cell, "method": "sham", "ratio": 1.0}
    expected = networks["slope"].sel(cell) - networks["slope"].sel(sham).values
    np.testing.assert_allclose(found["delta"].sel(cell), expected, rtol=1e-12)
    np.testing.assert_allclose(
        found["log_spread"].sel(cell),
        np.log(networks["spread_ratio"].sel(cell).values / networks["spread_ratio"].sel(sham).values),
        rtol=1e-12,
    )
    assert found["method"].values.tolist() == ["mp", "gp", "up"]
    assert found["control"].values.tolist() == ["sham"] * 3
    assert control_differences(networks.sel({"method": ["mp"]})) is None


def test_saved_families_come_back(networks, tmp_path):
    for name in ("ratio", "arch", "method", "method-by-arch"):
        family = declare(name, networks, correction="holm", level=0.9)
        again = Family.from_json(family.to_json())
        assert again == family
        xr.testing.assert_identical(run_family(networks, again), run_family(networks, family))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no family"),
        ('{"name": "x"}', "members"),
        ('{"name": "x", "members": [], "paired": true, "alternative": "more"}', "two-sided"),
        ('{"name": "x", "members": [{"column": "a"}], "paired": true, "alternative": "less"}', "first"),
    ],
)
def test_files_that_are_no_family(text, words):
    with pytest.raises(InputError, match=words) as error:
        Family.from_json(text, name="f.json")
    assert str(error.value).startswith("f.json: ")
    assert "\n" not in str(error.value)


def full(**changed):
    return {"dataset": "cifar10", "arch": "resnet20", "method": "mp", "ratio": 2, **changed}


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (full(method="mq"), "method has no mq"),
        (full(ratio=3), "ratio has no 3"),
        (full(depth=3), "no dimension 'depth'"),
        ({"dataset": "cifar10"}, "does not say which arch"),
    ],
)
def test_selectors_that_do_not_fit(networks, second, words):
    family = Family("own", (Member("all", full(), second),), paired=True, alternative="less")
    with pytest.raises(InputError, match=words):
        run_family(networks, family)


def test_wrong_declarations(networks):
    def refused(words, name, **options):
        with pytest.raises(InputError, match=words):
            declare(name, networks, **options)

    refused("did you mean 'method'", "methods")
    refused("arch has no resnet57.*did you mean 'resnet56'", "arch", order=["resnet20", "resnet57"])
    refused("comes twice", "arch", order=["resnet20", "resnet20"])
    refused("two different method labels", "method", pairs=[("mp", "mp")])
    refused("method has no mq", "method", pairs=[("mp", "mq")])
    refused("takes no --order; it belongs to ratio, arch", "method", order=["mp"])
    refused("takes no --arch", "ratio", arch={"mnist": "lenet"})
    refused("alternative 'more'", "ratio", alternative="more")
    refused("pair_by 'id'", "ratio", pair_by="id")
    with pytest.raises(InputError, match="no dimension arch; it has dataset, method, ratio"):
        declare("arch", networks.isel(arch=1, drop=True))
    with pytest.raises(InputError, match="nothing to compare along arch; the cube has resnet56"):
        declare("arch", networks.sel(arch=["resnet56"]))
    with pytest.raises(InputError, match="several"):
        run_family(networks.isel(seed=[0]), declare("ratio", networks))
    with pytest.raises(InputError, match="pooled variance belongs to independent"):
        Family("x", (), paired=True, alternative="less", equal_variance=True)


def test_pairs_are_checked_by_dense_id(networks):
    ids = networks["dense_id"].astype(object).copy()
    by_method = ids.expand_dims({"method": LABELS["method"]}).transpose("seed", "dataset", "arch", "method").copy()
    by_method.loc[{"method": "up"}] = by_method.sel({"method": "up"}).values + "x"
    other = networks.assign(dense_id=by_method)
    family = declare("method", other)
    with pytest.raises(InputError, match="their dense networks differ"):
        run_family(other, family)
    by_seed = declare("method", other, pair_by="seed")
    tests = run_family(other, by_seed)
    assert tests.attrs["pair_by"] == "seed"
    np.testing.assert_array_equal(tests["p"], run_family(networks, family)["p"])
    without = run_family(networks.drop_vars("dense_id"), family)
    assert without.attrs["pair_by"] == "seed"
    assert run_family(networks, family).attrs["pair_by"] == "dense_id"
    shared = networks.assign(dense_id=networks["dense_id"].where(networks["arch"] == "lenet", "same"))
    with pytest.raises(InputError, match="share dense networks"):
        run_family(shared, declare("arch", shared))


def test_every_family_has_a_name(networks):
    assert list(FAMILIES) == ["ratio", "arch", "dataset", "method", "method-by-arch", "matched"]
