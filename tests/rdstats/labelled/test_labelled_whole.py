"""The whole analysis: every option has its effect, and every part is there exactly when it can be."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import rdstats.array as ra
from rdstats import (
    analyze,
    bca_intervals,
    build,
    class_changes,
    corrected_slopes,
    crossed_intervals,
    declare,
    fold_slopes,
    pair_intervals,
    posterior,
    run_family,
    sampling_terms,
    select,
)
from rdstats._labelled import family_size
from rdstats.control import control_differences
from rdstats.cube import class_counts
from rdstats.errors import InputError

ARMS = {"sham": 1.0, "mp": (1.3, 1.4), "up": (0.7, 0.6)}
PLACES = (("mnist", "lenet"), ("cifar10", "resnet20"), ("cifar10", "resnet56"))


@pytest.fixture(scope="module")
def matrices(make_study):
    """A cube with nothing but matrices and dense_id."""
    return make_study(ARMS, keep="matrices", images=100)


@pytest.fixture(scope="module")
def bare(matrices):
    """The same without a control."""
    return matrices.sel({"method": ["mp", "up"], "ratio": [2.0, 4.0]})


@pytest.fixture(scope="module")
def plain(matrices):
    return analyze(matrices)


@pytest.fixture(scope="module")
def places(make_study):
    """Two datasets, one with two archs, all with a control; one method has none."""
    arms = {"sham": 1.0, "mp": (1.2, 1.3), "lth": (1.2, 1.1)}
    return make_study(arms, places=PLACES, achieved={}, keep="matrices")


@pytest.fixture(scope="module")
def run(matrices, bare, places, usual_cube):
    """Return `analyze` of a cube by name; equal calls share their analysis."""
    cubes, known = {"matrices": matrices, "bare": bare, "places": places, "usual": usual_cube}, {}

    def analysis_of(name, **options):
        key = name, repr(options)
        if key not in known:
            known[key] = analyze(cubes[name], **options)
        return known[key]

    return analysis_of


def cell(data, method, ratio, **more):
    return data.sel({"method": method, "ratio": ratio, **more}).squeeze()


# --- families ---


def names(analysis):
    return [one.family.name for one in analysis.families]


def test_families_are_what_declare_gives(run):
    """Archs and datasets are compared by the difference from the control, since they do not share it."""
    arch = {"cifar10": "resnet56"}
    against, raw = (run("places", family="all", arch=arch, against=word) for word in ("sham", "one"))
    quantities = {"ratio": "slope", "arch": "delta", "dataset": "delta", "method": "slope", "method-by-arch": "slope"}
    assert names(against) == names(raw) == list(quantities)
    for analysis in (against, raw):
        for one in analysis.families:
            name = one.family.name
            quantity = quantities[name] if analysis is against else "slope"
            options = {"arch": arch} if name == "dataset" else {}
            assert one.family == declare(name, analysis.slopes, quantity=quantity, **options)
            xr.testing.assert_identical(one.tests, run_family(analysis.slopes, one.family))
    delta = control_differences(against.slopes)["delta"]
    found = against.families[1].tests
    sides = [cell(delta, "mp", 2.0, dataset="cifar10", arch=a).values for a in ("resnet20", "resnet56")]
    test = stats.ttest_ind(*sides, equal_var=False, alternative="greater")
    at = found["column"].values.tolist().index("cifar10 mp ratio 2")
    assert found["estimate"].values[at] == pytest.approx(sides[0].mean() - sides[1].mean(), rel=1e-10)
    assert found["p"].values[at] == pytest.approx(test.pvalue, rel=1e-10)
    # lth has no control of its own
    assert set(found["reason"].values[[("lth" in c) for c in found["column"].values]]) == {"no_control"}


def test_several_families_and_objects_at_once(run):
    every = run("places", family="all", arch={"cifar10": "resnet56"}, against="sham")
    own = declare("arch", every.slopes, correction="none", level=0.8, quantity="slope")
    analysis = run("places", family=["method", own, "ratio"])
    assert names(analysis) == ["method", "arch", "ratio"]
    for name, one in zip(("method", None, "ratio"), analysis.families, strict=True):
        if name:
            xr.testing.assert_identical(one.tests, every.families[names(every).index(name)].tests)
    # an object is run as it is
    tests = analysis.families[1].tests
    assert analysis.families[1].family == own
    assert (tests["p_corrected"].values == tests["p"].values).all()
    assert analysis.family is analysis.families[0].family
    xr.testing.assert_identical(analysis.tests, analysis.families[0].tests)
    alone = run("places", family=own)
    assert (alone.family, names(alone)) == (own, ["arch"])


def test_all_families_that_the_cube_can_answer(run, places):
    analysis = run("places", family="all", arch={"cifar10": "resnet56"}, against="sham")
    assert names(analysis) == ["ratio", "arch", "dataset", "method", "method-by-arch"]
    skipped = [line for line in analysis.warnings if "not run" in line]
    assert skipped == ["family matched not run: say which criterion and which twin of sham, mp, lth: --pairs a:b"]
    without = run("places", family="all")
    assert names(without) == ["ratio", "arch", "method", "method-by-arch"]
    assert "family dataset not run: cifar10 has several archs (resnet20, resnet56)" in "\n".join(without.warnings)
    alone = analyze(places.isel(dataset=[0], arch=[0]), family="all")
    assert names(alone) == ["ratio", "method", "method-by-arch"]
    lines = "\n".join(alone.warnings)
    assert "family arch not run: nothing to compare along arch; the cube has lenet" in lines
    assert "family dataset not run: nothing to compare along dataset; the cube has mnist" in lines
    assert not any("not run" in line for line in run("places", family=["ratio"]).warnings)


@pytest.mark.parametrize(
    ("family", "wrong"),
    [
        ("all", {"alternative": "lesser"}),
        ("dataset", {"correction": "bonf"}),
        ("all", {"pair_by": "id"}),
        ("all", {"arch": {"imagenet": "lenet"}}),
    ],
)
def test_a_wrong_choice_is_refused_whatever_the_family(run, family, wrong):
    """A choice that does not exist is no reason to leave families out."""
    with pytest.raises(InputError, match=str(next(iter(wrong)))):
        run("places", family=family, **{"arch": {"cifar10": "resnet56"}, **wrong})


def test_a_wrong_choice_is_refused_without_a_family_too(bare):
    for wrong in ({"alternative": "lesser"}, {"correction": "bonf"}, {"pair_by": "id"}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            analyze(bare.isel(seed=[0]), **wrong)


def test_the_arch_of_a_dataset_may_be_said_beside_other_families(run):
    analysis = run("places", family=["dataset", "method"], arch={"cifar10": "resnet20"})
    assert names(analysis) == ["dataset", "method"]
    assert {m.second["arch"] for m in analysis.family.members} == {"resnet20"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": ["ratio", "arch"], "order": [4, 2]}, "--order belongs to one family"),
        ({"family": "all", "pairs": [(2, 4)]}, "--pairs belongs to one family"),
        ({"family": ["ratio", "method"], "arch": {"cifar10": "resnet56"}}, "--arch belongs to family dataset"),
    ],
)
def test_a_choice_that_belongs_to_no_single_family(run, options, message):
    with pytest.raises(InputError, match=message):
        run("places", **options)


def test_methods_with_controls_of_their_own_are_compared_by_the_difference(make_study):
    """Two methods with one control differ as their slopes do; with two, recipes of fine-tuning would differ, too."""
    arms = {"sham": 1.0, "sham-lth": 0.6, "mp": 1.3, "lth": 1.3}
    cube = make_study(arms, ratios=(2,), keep="matrices")
    analysis = analyze(cube, family="method")
    assert analysis.family.quantity == "delta"
    delta = control_differences(analysis.slopes)["delta"]
    one, two = (cell(delta, m, 2.0).values for m in ("mp", "lth"))
    assert analysis.tests["p"].item() == pytest.approx(stats.ttest_rel(one, two).pvalue, rel=1e-10)
    assert analyze(cube, family="method", against="one").family.quantity == "slope"
    alone = cube.sel({"method": ["sham", "mp", "lth"]})
    assert analyze(alone, family="method").family.quantity == "slope"


def test_no_family_by_default_without_seeds_or_ratios(bare, make_study):
    one = bare.isel(seed=[2])
    for cube in (one, one.isel(seed=0, drop=True), bare.isel(ratio=1, drop=True)):
        analysis = analyze(cube)
        assert analysis.families == ()
        for name in ("family", "tests"):
            with pytest.raises(InputError, match="ran no family"):
                getattr(analysis, name)


@pytest.mark.parametrize("family", ["ratio", "all"])
def test_a_family_needs_several_seeds(bare, family):
    with pytest.raises(InputError, match="the cube has one seed: a test over training runs needs several"):
        analyze(bare.isel(seed=[2]), family=family)


@pytest.mark.parametrize("family", ["ratios", ["ratio", "methods"], ["all", "x"]])
def test_unknown_families(run, family):
    with pytest.raises(InputError, match=r"accepted is ratio, arch, dataset, method, method-by-arch, matched, all"):
        run("bare", family=family)


# --- options that reach every part ---


def width(analysis):
    return float(cell(analysis.summary["interval"], "mp", 2.0).diff("ci_bound").item())


# options together -> what each of them changes
EFFECTS = [
    (
        {"measure": "f1", "correction": "holm", "family": "method"},
        {
            "measure": lambda a: cell(a.summary["mean"], "mp", 2.0).item(),
            "correction": lambda a: a.tests.attrs["correction"],
            "family": lambda a: a.family.name,
        },
    ),
    (
        {"level": 0.8, "margin": 0.3, "bayes": True, "exclude_degenerate": True, "sampling": True},
        {
            "level": width,
            "margin": lambda a: cell(a.summary["p_equivalent"], "mp", 2.0).item(),
            "bayes": lambda a: a.posterior is None,
            "exclude_degenerate": lambda a: a.summary.attrs["exclude_degenerate"],
            "sampling": lambda a: a.corrected is None,
        },
    ),
    (
        {"reference": "macro", "bootstrap": 10_000},
        {"reference": lambda a: a.summary.attrs["reference"], "bootstrap": lambda a: sorted(a.bca)},
    ),
]


@pytest.mark.parametrize(("options", "shown"), EFFECTS, ids=lambda part: " ".join(part))
def test_every_option_has_an_effect(run, options, shown):
    changed, plain = run("bare", **options), run("bare")
    assert set(shown) == set(options)
    for name, of in shown.items():
        assert of(changed) != of(plain), name


def test_what_the_options_of_families_do(run):
    plain = run("bare")
    turned = run("bare", order=[4, 2])
    assert [(m.first["ratio"], m.second["ratio"]) for m in turned.family.members] == [(4, 2)] * 2
    chosen = run("bare", pairs=[(4, 2)])
    assert chosen.family.members == turned.family.members
    assert turned.tests["estimate"].values[0] == pytest.approx(-plain.tests["estimate"].values[0], rel=1e-10)
    assert turned.tests["p"].values[0] == pytest.approx(1 - plain.tests["p"].values[0], rel=1e-9)
    greater = run("bare", alternative="greater")
    assert greater.tests["p"].values[0] == pytest.approx(1 - plain.tests["p"].values[0], rel=1e-9)
    by_seed = run("bare", pair_by="seed")
    np.testing.assert_array_equal(by_seed.tests["p"], plain.tests["p"])
    assert by_seed.tests.attrs["pair_by"] == "seed"
    welch, pooled = (run("places", family="arch", equal_variance=flag) for flag in (False, True))
    assert (welch.family.equal_variance, pooled.family.equal_variance) == (False, True)
    assert (pooled.tests["df"].values[:2] == 10).all()
    assert (welch.tests["df"].values[:2] < 10).all()
    with pytest.raises(InputError, match="pooled variance belongs to independent samples"):
        run("places", family="ratio", equal_variance=True)


def test_every_analysis_of_a_level_uses_it(run, usual):
    other = run("usual", level=0.8)
    for part in ("summary", "control", "corrected"):
        assert getattr(other, part).attrs["level"] == 0.8
        wide, narrow = (getattr(a, part)["interval"].diff("ci_bound") for a in (usual, other))
        assert (wide > narrow).where(wide.notnull(), True).all()
    for quantity in ("slope", "corrected", "delta"):
        wide, narrow = (a.crossed[quantity]["interval"].diff("ci_bound") for a in (usual, other))
        assert (wide > narrow).where(wide.notnull(), True).all()
    assert other.family.level == 0.8


# --- against what ---


def test_against_one_makes_no_claims(run):
    analysis = run("usual", against="one")
    assert analysis.control is None
    assert set(analysis.crossed) == {"slope", "corrected"}
    assert analysis.corrected is not None


def test_the_control_is_the_default_where_there_is_one(run, make_study, plain):
    assert plain.control is not None
    alone = make_study({"mp": 1.2}, keep="matrices")
    assert analyze(alone).control is None
    with pytest.raises(InputError) as error:
        analyze(alone, against="sham")
    message = "--against sham: the cube has no control (method sham at ratio 1) for any of its methods"
    assert str(error.value) == message
    with pytest.raises(InputError, match=r"against 'shame' \(did you mean 'sham'\?\); accepted are sham, one"):
        run("matrices", against="shame")


def test_methods_without_their_control_are_named(run, places):
    line = "no control (sham-lth at ratio 1) here for lth: nothing is claimed for it"
    assert line in run("places").warnings
    assert line not in run("places", against="one").warnings
    assert line not in analyze(places.sel({"method": ["sham", "mp"]})).warnings
    warnings = analyze(places.sel({"method": ["mp", "lth"]})).warnings
    assert line in warnings
    assert "no control (sham at ratio 1) here for mp: nothing is claimed for it" in warnings


# --- sampling of test images ---


def test_slopes_are_corrected_where_the_cube_has_what_it_needs(run, usual_cube, usual, plain):
    assert plain.corrected is None
    assert usual.corrected.attrs["estimator"] == "analytic"
    by_counts = analyze(usual_cube.drop_vars(["prediction", "prediction_dense", "label"]))
    assert by_counts.corrected.attrs["estimator"] == "analytic"
    xr.testing.assert_allclose(by_counts.corrected["mean"], usual.corrected["mean"], rtol=1e-10)
    expected = corrected_slopes(sampling_terms(usual_cube), k=family_size(usual.slopes))
    xr.testing.assert_allclose(usual.corrected, expected, rtol=1e-10)
    with_f1 = run("usual", measure="f1")
    assert with_f1.corrected.attrs["estimator"] == "cross-fitting"
    assert with_f1.corrected["mean"].notnull().sum() == 5
    assert "corrected" in with_f1.control
    # precision without predictions: nothing is asked for, nothing is said
    assert analyze(by_counts.counts, measure="precision").corrected is None


def test_sampling_can_be_left_out(run):
    analysis = run("usual", sampling=False)
    assert analysis.corrected is None
    assert "corrected" not in analysis.control
    assert set(analysis.control["support"].values.ravel().tolist()) == {"not checked", ""}
    assert set(analysis.crossed) == {"slope", "delta"}


def test_matrices_alone_give_bounds_if_asked(run, matrices, plain):
    analysis = run("matrices", sampling=True)
    assert analysis.corrected.attrs["estimator"] == "bounds"
    assert analysis.corrected["mean"].isnull().all()
    counts = class_counts(matrices).squeeze(["dataset", "arch"], drop=True)
    for method, ratio in (("mp", 2.0), ("up", 4.0), ("sham", 1.0)):
        own = counts.sel({"method": method, "ratio": ratio})
        ends = [ra.both_correct_bounds(*(own[n].isel(seed=s).values for n in ("correct_dense", "correct", "support")))
                for s in range(6)]  # fmt: skip
        found = cell(analysis.corrected, method, ratio)
        assert found["bound_lower"].item() == pytest.approx(np.mean([e.slope_lower for e in ends]), rel=1e-10)
        assert found["bound_upper"].item() == pytest.approx(np.mean([e.slope_upper for e in ends]), rel=1e-10)
        assert found["reason"].item() == "bounds_only"
        strengths = [ra.strength(own["correct_dense"].isel(seed=s), own["support"].isel(seed=s)) for s in range(6)]
        assert found["strength"].item() == pytest.approx(np.median(strengths), rel=1e-10)
    assert cell(analysis.corrected, "mp", 1.0)["bound_lower"].isnull()
    # bounds are no verdict: the claims are those without them
    xr.testing.assert_identical(analysis.control, plain.control)


def test_a_weak_test_set_gives_no_bounds(make_study):
    analysis = analyze(make_study(ARMS, keep="matrices", images=15), sampling=True)
    assert (analysis.corrected["strength"] < 4).where(analysis.corrected["strength"].notnull(), True).all()
    assert analysis.corrected["bound_lower"].isnull().all()


def test_precision_cannot_be_corrected_without_predictions(run):
    with pytest.raises(InputError, match="correction of precision needs the predictions of both networks"):
        run("bare", measure="precision", sampling=True)


# --- crossed and bootstrap intervals ---


def test_crossed_intervals_are_there_exactly_with_predictions(usual_cube, usual, plain, crumbling):
    assert plain.crossed == {}
    assert crumbling.crossed == {}
    assert set(usual.crossed) == {"slope", "corrected", "delta"}
    folds = fold_slopes(usual_cube)
    k = family_size(usual.slopes)
    expected = crossed_intervals(usual.slopes["slope"], folds["slope"], k=k)
    xr.testing.assert_allclose(usual.crossed["slope"], expected, rtol=1e-10)
    name = "slope_sampling_corrected"
    expected = crossed_intervals(usual.corrected[name], folds[name], k=k)
    xr.testing.assert_allclose(usual.crossed["corrected"], expected, rtol=1e-10)
    arms = [part["slope"].sel({"method": "mp", "ratio": 4.0}) - part["slope"].sel({"method": "sham", "ratio": 1.0})
            for part in (usual.slopes, folds)]  # fmt: skip
    expected = crossed_intervals(*(arm.drop_vars(["method", "ratio"], errors="ignore") for arm in arms), k=2)
    found = usual.crossed["delta"].sel({"method": "mp", "ratio": 4.0})
    for part in ("mean", "interval", "image_share", "se"):
        np.testing.assert_allclose(found[part], expected[part], rtol=1e-9)


def test_folds(run, usual_cube, usual):
    assert run("usual", folds=0).crossed == {}
    assert run("usual", folds=0).corrected is not None
    five = run("usual", folds=5)
    expected = crossed_intervals(
        usual.slopes["slope"], fold_slopes(usual_cube, folds=5)["slope"], k=family_size(usual.slopes)
    )
    xr.testing.assert_allclose(five.crossed["slope"], expected, rtol=1e-10)
    assert not five.crossed["slope"]["se"].equals(usual.crossed["slope"]["se"])
    xr.testing.assert_allclose(five.corrected["mean"], usual.corrected["mean"], rtol=1e-10)
    with pytest.raises(InputError, match="leaving out folds of test images needs the predictions"):
        run("bare", folds=10)


@pytest.mark.parametrize("folds", [-1, 1, 1000])
def test_impossible_folds(run, folds):
    with pytest.raises(InputError, match=f"folds: received {folds}, accepted: "):
        run("usual", folds=folds)


def test_folds_that_were_asked_for_need_three_seeds(usual_cube):
    two = usual_cube.isel(seed=[0, 1])
    assert analyze(two).crossed == {}
    with pytest.raises(InputError, match="seeds"):
        analyze(two, folds=5)


def test_bootstrap_from_twenty_seeds_on(make_study, plain):
    cube = make_study({"sham": 1.0, "mp": 1.2}, seeds=20, images=20, classes=3)
    analysis = analyze(cube, bootstrap=10_000)
    assert analyze(cube).bca == plain.bca == {}
    k = family_size(analysis.slopes)
    xr.testing.assert_identical(analysis.bca["slope"], bca_intervals(analysis.slopes["slope"], k=k))
    delta = control_differences(analysis.slopes)["delta"]
    xr.testing.assert_identical(analysis.bca["delta"], bca_intervals(delta, k=k.sel({"method": ["mp"]})))
    found = cell(analysis.bca["slope"], "mp", 2.0)["interval"].values
    t = cell(analysis.summary, "mp", 2.0)["interval"].values
    assert (found != t).all()
    np.testing.assert_allclose(found, t, atol=0.5 * (t[1] - t[0]))
    again = analyze(cube, bootstrap=10_000, random_seed=1)
    assert not again.bca["slope"]["interval"].equals(analysis.bca["slope"]["interval"])
    strong = "corrected" in analysis.bca
    assert strong == bool(analysis.corrected["slope_sampling_corrected"].notnull().any())
    with pytest.raises(InputError, match="replicates: received 999, accepted: 10000 or more"):
        analyze(cube, bootstrap=999)


def test_bootstrap_below_twenty_seeds_says_why_not(run):
    analysis = run("bare", bootstrap=10_000)
    assert cell(analysis.bca["slope"], "mp", 2.0)["reason"].item() == "too_few_seeds"
    assert analysis.bca["slope"]["interval"].isnull().all()


# --- single pairs ---


def test_one_seed_fills_pairs_and_changes(pair_of_models, usual, make_study):
    analysis = pair_of_models
    assert analysis.families == ()
    assert analysis.crossed == analysis.bca == {}
    xr.testing.assert_identical(analysis.pairs, pair_intervals(analysis.counts))
    xr.testing.assert_identical(analysis.changes, class_changes(analysis.counts))
    assert (usual.pairs, usual.changes) == (None, None)
    cube = make_study({"mp": 1.2}, seeds=1, keep="predictions")
    bare = analyze(cube.isel(seed=0, drop=True).drop_vars("both_correct"), level=0.8)
    assert bare.pairs.attrs["level"] == 0.8
    expected = analyze(cube, level=0.8).pairs.isel(seed=0, drop=True)
    xr.testing.assert_allclose(bare.pairs["interval"], expected["interval"], rtol=1e-10)
    by_precision = analyze(cube, measure="precision")
    assert by_precision.pairs is None
    assert by_precision.changes is not None


# --- without degenerate networks ---


def test_without_is_the_analysis_that_excludes(crumbling, make_study, usual):
    cube = make_study(ARMS, collapse={(0, "mp", 4.0), (3, "mp", 4.0)})
    excluded = analyze(cube, exclude_degenerate=True)
    assert excluded.without is None
    assert usual.without is None
    without = crumbling.without
    for part in ("summary", "control", "corrected", "tests"):
        xr.testing.assert_identical(getattr(without, part), getattr(excluded, part))
    assert without.without is None
    assert cell(crumbling.summary["n"], "mp", 4.0).item() == 6
    assert cell(without.summary["n"], "mp", 4.0).item() == 4
    assert crumbling.tests["n"].values.tolist() == [6, 6]
    assert without.tests["n"].values.tolist() == [4, 6]


def test_networks_that_are_missing_are_not_degenerate(make_study):
    cube = make_study(ARMS, missing={(0, "mp", 4.0)}, keep="matrices")
    assert analyze(cube).without is None


# --- margin, posterior, notes ---


@pytest.mark.parametrize("measure", ["recall", "precision"])
def test_margin_points(run, bare, measure):
    """A margin of slope moves the worst class of a dense network by margin x its balance."""
    dense = bare["confusion_dense"].squeeze(["dataset", "arch"], drop=True).values
    scores = np.array([np.diag(m) / m.sum(1 if measure == "recall" else 0) for m in dense])
    means = (scores * dense.sum(2)).sum(1) / dense.sum((1, 2))
    worst = (means - scores.min(1)).mean()
    points = run("bare", measure=measure, margin=0.3).margin_points
    assert points == pytest.approx(100 * 0.3 * worst, rel=1e-10)


def test_margin_points_of_networks_that_are_not_there(make_study):
    gone = {(s, m, r) for s in range(3) for m, r in (("sham", 1.0), ("mp", 2))}
    cube = make_study({"sham": 1.0, "mp": 1.2}, seeds=3, ratios=(2,), missing=gone, keep="matrices", ids=False)
    analysis = analyze(cube.assign(confusion_dense=cube["confusion_dense"] * np.nan))
    assert analysis.margin_points is None
    assert analysis.test_images_per_class == (0, 0)


def test_the_posterior_is_drawn_from_the_random_seed(run, usual):
    xr.testing.assert_identical(usual.posterior["posterior"], posterior(usual.slopes)["posterior"])
    other = run("usual", bayes=True, folds=0, random_seed=5)
    xr.testing.assert_identical(other.posterior["posterior"], posterior(usual.slopes, seed=5)["posterior"])
    assert not other.posterior["posterior"]["slope"].equals(usual.posterior["posterior"]["slope"])


def test_a_posterior_needs_three_seeds(bare):
    with pytest.raises(InputError, match="no posterior over seeds"):
        analyze(bare.isel(seed=[0]), bayes=True)


def test_a_selected_part_says_so(run, bare):
    part = select(bare, method=["mp"]).assign_attrs(selected="method=mp")
    line = "selected part only (method=mp): families and intervals count what is selected"
    assert analyze(part).warnings[0] == line
    assert line not in run("bare").warnings


def uneven(images, **variables):
    """Return a cube of two datasets with the given test images of two classes each, half of them right."""
    right = np.array(images, float) / 2
    before = np.stack([[[r, r], [s, s]] for r, s in right])
    before = np.tile(before, (5, 1, 1, 1)) + np.arange(5)[:, None, None, None] * np.array([[1, -1], [0, 0]])
    after = before + np.array([[2, -2], [-1, 1]])
    data = {"class_name": (("dataset", "true_class"), np.array(variables["names"], object))} if variables else {}
    cube = {"dims": ("seed", "dataset", "ratio"), "coords": {"dataset": ["digits", "things"], "ratio": [2.0]}}
    return build(before, after[:, :, None], variables=data, **cube)


@pytest.mark.parametrize(
    ("images", "names", "words"),
    [
        ([(100, 100), (80, 200)], None, "up to 2.50 to 1 (things): class 1 has 200 images, class 0 80"),
        (
            [(100, 100), (80, 200)],
            [["zero", "one"], ["cup", "hat"]],
            "up to 2.50 to 1 (things): hat has 200 images, cup 80",
        ),
        (
            [(120, 100), (100, 100)],
            [["zero", "one"], ["cup", ""]],
            "up to 1.20 to 1 (digits): zero has 120 images, one 100",
        ),
        ([(80, 200), (100, 110)], [["", "one"], ["cup", "hat"]], "(digits): one has 200 images, class 0 80"),
    ],
)
def test_the_note_on_balance_names_dataset_and_classes(images, names, words):
    cube = uneven(images, **({"names": names} if names else {}))
    lines = [line for line in analyze(cube).warnings if line.startswith("test classes differ in size")]
    assert len(lines) == 1
    assert words in lines[0]
    assert lines[0].endswith("a line through the origin is an approximation")


def test_family_notes(make_study):
    gone = {(s, "mp", 4.0) for s in range(6)} | {(s, "up", 4.0) for s in range(4)}
    arms = {"sham": 1.0, "mp": 1.3, "up": 0.7}
    cube = make_study(arms, missing=gone, ratios=(2, 4, 10), keep="matrices")
    lines = analyze(cube).warnings
    assert "family ratio: 4 of 4 declared tests have no result (missing 2, too_few_seeds 2)" in lines
    assert not any("label of their seed" in line for line in lines)
    by_seed = analyze(cube, pair_by="seed", family=["ratio", "method"]).warnings
    for name in ("ratio", "method"):
        assert f"family {name}: networks are paired by the label of their seed alone" in by_seed
    assert (
        "family ratio: networks are paired by the label of their seed alone"
        in analyze(cube.drop_vars("dense_id")).warnings
    )


def test_unsupported_cells_are_counted(make_study):
    analysis = analyze(
        make_study({"sham": 1.0, "mp": np.full(8, 1.15)}, ratios=range(2, 10), images=80, seeds=8, rng=3)
    )
    n = int((analysis.control["support"] == "not supported").sum())
    line = f"cells whose raw difference from the control is not supported by the sampling-corrected one: {n}"
    assert (line in analysis.warnings) == (n > 0)


def test_a_weak_test_set_is_noted(make_study):
    analysis = analyze(make_study(ARMS, images=20, deviation=0.0, noise=0.0))
    weak = int((analysis.corrected["estimator"] == "not estimable").sum())
    assert weak > 0
    line = f"test set too weak to correct slopes for its sampling (strength below 4): {weak} of 5 cells"
    assert line in analysis.warnings
