"""One call, everything out: against the functions it is made of."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from statsmodels.stats.proportion import proportion_confint

import rdstats
from rdstats import array
from rdstats.comparison import QUANTITIES
from rdstats.errors import InputError
from rdstats.report.losers import judged

NAMES = ["cat", "dog", "<b>&", "bird"]
N = 3000


def noisy(rng, truth, errors):
    other = (truth + rng.integers(1, 4, truth.shape)) % 4
    return np.where(rng.random(truth.shape) < np.array(errors)[truth], other, truth)


@pytest.fixture(scope="module")
def images():
    """Labels, and predictions before and after: classes 2 and 3 lose."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 4
    before = noisy(rng, labels, [0.05, 0.1, 0.2, 0.3])
    return labels, before, noisy(rng, before, [0.01, 0.02, 0.1, 0.2])


@pytest.fixture(scope="module")
def seeds():
    """Labels, and predictions of six runs before, after and of a control: the spread grows."""
    rng = np.random.default_rng(1)
    labels = np.arange(2400) % 4
    runs = np.broadcast_to(labels, (6, labels.size))
    dense, sham = (noisy(rng, runs, [0.04, 0.1, 0.2, 0.3]) for _ in range(2))
    return labels, dense, noisy(rng, runs, [0.04, 0.15, 0.35, 0.6]), sham


@pytest.fixture(scope="module")
def pair(images):
    labels, before, after = images
    return rdstats.compare(before, after, labels=labels, classes=NAMES)


@pytest.fixture(scope="module")
def matrices(images):
    labels, before, after = images
    return [array.confusion_matrix(labels, part, classes=4) for part in (before, after)]


@pytest.fixture(scope="module")
def many(seeds):
    labels, dense, after, sham = seeds
    return rdstats.compare(dense, after, labels=labels, control=sham, dims=("seed",))


def test_numbers_are_those_of_the_functions(pair, images, matrices):
    _, before, after = images
    cube, changes = pair.cube, rdstats.recall_changes(pair.cube)
    slopes, intervals = rdstats.slopes(cube), rdstats.pair_intervals(cube)
    for name in ("slope", "slope_expected", "slope_excess", "spread_ratio", "cosine", "accuracy"):
        assert pair[name].value == slopes[name].item(), name
    assert pair["slope_corrected"].value == intervals["slope_sampling_corrected"].item()
    for name in ("slope", "slope_corrected"):
        assert [pair[name].lower, pair[name].upper] == intervals["interval"].values.tolist()
    assert pair["churn"].value == (before != after).mean()
    assert pair["accuracy_drop"].value == pytest.approx(slopes["accuracy_dense"].item() - slopes["accuracy"].item())
    ends = changes["accuracy_interval"].values
    assert [pair["accuracy_drop"].lower, pair["accuracy_drop"].upper] == [-ends[1], -ends[0]]
    assert pair["worst_recall_drop"].value == -changes["change"].min().item()
    assert pair["worst_recall_drop"].lower == -changes["interval"].sel(ci_bound="upper").min().item()
    assert pair["worst_recall_drop"].upper == -changes["interval_alone"].sel(ci_bound="lower").min().item()
    assert pair["worst_recall_drop"].upper < -changes["interval"].sel(ci_bound="lower").min().item()
    assert pair["worst_recall"].value == np.min(np.diag(matrices[1]) / matrices[1].sum(1))
    assert {one.name for one in pair.quantities} == set(QUANTITIES) - {"delta"}


def test_accuracy_and_worst_recall_have_wilsons_interval(pair, matrices):
    hits, images = np.diag(matrices[1]), matrices[1].sum(1)
    accuracy = proportion_confint(hits.sum(), images.sum(), 0.05, method="wilson")
    np.testing.assert_allclose([pair["accuracy"].lower, pair["accuracy"].upper], accuracy, rtol=1e-10)
    alone = [proportion_confint(h, n, 0.05, method="wilson") for h, n in zip(hits, images, strict=True)]
    together = [proportion_confint(h, n, 0.05 / 4, method="wilson") for h, n in zip(hits, images, strict=True)]
    assert pair["worst_recall"].lower == pytest.approx(min(low for low, _ in alone), rel=1e-10)
    assert pair["worst_recall"].upper == pytest.approx(min(high for _, high in together), rel=1e-10)
    bare = rdstats.compare(*matrices, classes=NAMES)
    for name in ("accuracy", "worst_recall"):
        assert bare[name] == pair[name]
        assert pair[name].basis == "over test images, these models"


def test_classes_without_images_have_no_part_in_the_worst_recall():
    three = rdstats.compare([[90, 10, 0], [30, 70, 0], [0, 0, 0]], [[70, 30, 0], [50, 50, 0], [0, 0, 0]])
    two = rdstats.compare([[90, 10], [30, 70]], [[70, 30], [50, 50]])
    assert three["worst_recall"].upper == two["worst_recall"].upper
    assert three["worst_recall"].lower == two["worst_recall"].lower


def test_the_interval_of_the_worst_recall_covers_it_with_many_classes_alike():
    """20 classes of one recall: the lowest observed one is far below, its interval is not."""
    rng = np.random.default_rng(0)
    n_classes, n, recall, draws = 20, 100, 0.8, 400
    hits = rng.binomial(n, recall, (draws, n_classes))
    matrices = np.zeros((draws, n_classes, n_classes), int)
    classes = np.arange(n_classes)
    matrices[:, classes, classes] = hits
    matrices[:, classes, (classes + 1) % n_classes] = n - hits
    compared = rdstats.compare(matrices, matrices, dims=("draw",)).quantities
    found = [one for one in compared if one.name == "worst_recall"]
    assert len(found) == draws
    error = np.sqrt(0.025 * 0.975 / draws)
    assert np.mean([one.lower <= recall for one in found]) > 0.975 - 4 * error
    assert 0.975 - 4 * error < np.mean([recall <= one.upper for one in found]) < 1


def test_the_macro_mean_and_several_runs_have_no_interval_of_that_kind(pair, images, many):
    labels, before, after = images
    assert rdstats.compare(before, after, labels=labels, reference="macro")["accuracy"].lower is None
    assert many["accuracy"].basis == "over training runs, this test set"
    assert many["worst_recall"].lower is None


def test_classes_hold_everything(pair, images):
    records = pair.classes
    assert [record["class_name"] for record in records] == NAMES
    tests, parts = rdstats.class_changes(pair.cube), rdstats.contributions(pair.cube)
    balances, changes = rdstats.balance(pair.cube), rdstats.recall_changes(pair.cube)
    for i, record in enumerate(records):
        assert record["lost"] == tests["only_before"].values[i]
        assert record["gained"] == tests["only_after"].values[i]
        assert record["p_corrected"] == tests["p_corrected"].values[i]
        assert record["contribution"] == parts["contribution"].values[i]
        assert record["intensification_ratio"] == balances["intensification_ratio"].values[i]
        assert record["change"] == changes["change"].values[i]
        assert [record["lower"], record["upper"]] == changes["interval"].values[i].tolist()
        assert record["n"] == N / 4
    assert sum(record["contribution"] for record in records) == pytest.approx(pair["slope"].value)


def test_one_pair_carries_no_claim(pair):
    text = pair.summary()
    assert "no claim is made" in text
    assert "say nothing about other training runs" in text
    assert "lose: bird" in text
    assert "Compared with the control" not in text
    assert all("training" not in one.basis for one in pair.quantities)
    assert pair.analysis.families == ()


def test_matrices_alone_give_wider_intervals_and_bounds(pair, matrices):
    bare = rdstats.compare(*matrices, classes=NAMES)
    for name in ("slope", "spread_ratio", "cosine", "accuracy_drop", "worst_recall_drop", "worst_recall"):
        assert bare[name].value == pair[name].value, name
    for name in ("accuracy_drop", "worst_recall_drop"):
        assert bare[name].upper > pair[name].upper
        assert bare[name].lower < pair[name].lower
    assert bare["churn"].value is None
    assert bare["churn"].lower <= pair["churn"].value <= bare["churn"].upper
    assert bare["slope_corrected"].lower <= pair["slope_corrected"].value <= bare["slope_corrected"].upper
    assert bare["slope"].lower is None
    assert bare["slope"].basis == "no interval"
    assert "cover whatever it is" in bare.summary()
    assert all(record["p"] is None for record in bare.classes)


def test_two_equal_models(images):
    labels, before, _ = images
    same = rdstats.compare(before, before, labels=labels)
    assert (same["slope"].value, same["churn"].value, same["accuracy_drop"].value) == (1, 0, 0)
    assert "No change of the 4 classes is beyond chance" in same.summary()


def test_several_seeds_with_a_control(many, seeds):
    _, dense, after, _ = seeds
    control = many.analysis.control
    assert many["delta"].value == control["mean"].item()
    assert [many["delta"].lower, many["delta"].upper] == control["interval"].values.ravel().tolist()
    assert control["claim"].item() == "intensified"
    assert "compression intensified differences in recall between classes: the slope lies" in many.summary()
    assert "above the control's" in many.summary()
    assert many["churn"].value == pytest.approx((dense != after).mean())
    t = array.t_interval((dense != after).mean(1))
    assert [many["churn"].lower, many["churn"].upper] == [t.lower.item(), t.upper.item()]
    per_class = rdstats.per_class(many.source.counts)
    assert many["worst_recall_drop"].value == -per_class["change"].min().item()
    assert many["worst_recall_drop"].lower == -per_class["interval"].sel(ci_bound="upper").min().item()
    assert {one.basis for one in many.quantities if one.lower is not None} == {
        "over training runs, this test set", "over training runs, freed of the sampling of test images",
    }  # fmt: skip
    assert "intensification_ratio" in many.classes[0]
    assert many.classes[0]["intensification_ratio"] is None


def test_several_seeds_without_a_control(seeds):
    labels, dense, after, _ = seeds
    found = rdstats.compare(dense, after, labels=labels, dims="seed")
    assert "so no claim about compression is made" in found.summary()
    with pytest.raises(InputError, match="delta: this comparison has none"):
        found["delta"]
    summary = rdstats.summarize_slopes(rdstats.slopes(found.cube))
    assert [found["slope"].lower, found["slope"].upper] == summary["interval"].values.tolist()


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_seeds_have_no_interval_over_runs(seeds, n):
    labels, dense, after, sham = (part if i == 0 else part[:n] for i, part in enumerate(seeds))
    found = rdstats.compare(dense, after, labels=labels, control=sham, dims=("seed",))
    if n == 1:
        assert "no claim is made" in found.summary()
        assert found["slope"].lower is not None
        assert "of one run each" in found.summary()
    else:
        assert "everything is undecided: too few seeds" in found.summary()
        assert found["slope"].lower is None
        assert found["slope"].reason == "too_few_seeds"
        assert "too few pairs" in found.summary()


def test_one_pair_and_a_control(matrices):
    before, after = matrices
    found = rdstats.compare(before, after, control=before)
    assert found["delta"].value == pytest.approx(found["slope"].value - 1)
    assert found["delta"].lower is None
    assert "of one run each" in found.summary()


def test_other_dimensions_keep_pairs_apart(matrices):
    before, after = matrices
    found = rdstats.compare([before, before], [after, before], dims=("pair",))
    table = found.table("quantities").set_index(["quantity", "pair"])
    assert table.loc[("slope", 1), "value"] == 1
    assert table.loc[("slope", 0), "value"] == rdstats.compare(before, after)["slope"].value
    assert found.summary().count("pair 0: ") == found.summary().count("pair 1: ") == 5
    with pytest.raises(InputError, match="there are 2 of it"):
        found["slope"]
    many = rdstats.compare([before] * 9, [after] * 9, dims=("pair",))
    assert many.summary() == "9 comparisons: see table('quantities'), table('classes') and table('slopes')."


def test_dictionary_json_and_table_are_exact(pair, many):
    for found in (pair, many):
        document = found.to_dict()
        assert json.loads(found.to_json()) == document | {"gates": []}
        table = found.table()
        assert isinstance(table, pd.DataFrame)
        for record, one in zip(document["quantities"], found.quantities, strict=True):
            assert record["value"] == one.value
            assert table.loc[table["quantity"] == one.name, "value"].item() == one.value
    assert found.table("control")["claim"].tolist() == ["intensified"]
    assert pair.table("changes")["p"].tolist() == [record["p"] for record in pair.classes]
    with pytest.raises(InputError, match=r"table 'clases' \(did you mean 'classes'\?\)"):
        pair.table("clases")
    with pytest.raises(InputError, match=r"no quantity 'slop' \(did you mean 'slope'\?\)"):
        pair["slop"]


def test_it_shows_itself(pair):
    page = pair._repr_html_()
    assert "&lt;b&gt;&amp;" in page
    assert "<b>&<" not in page
    assert page.count("<table>") == 2
    assert repr(pair).startswith("<rdstats.Comparison>\nAccuracy ")


def test_it_is_frozen(pair):
    with pytest.raises(AttributeError):
        pair.cube = None


def test_cube_goes_everywhere(pair, many, tmp_path):
    path = tmp_path / "pair.nc"
    rdstats.save(many.cube, path)
    with rdstats.open_cube(path) as again:
        assert rdstats.slopes(again)["slope"].values.tolist() == many.analysis.slopes["slope"].values.tolist()
        xr.testing.assert_allclose(rdstats.churn(again), rdstats.churn(many.cube))
    pair.write_report(tmp_path / "page.html")
    assert "&lt;b&gt;&amp;" in (tmp_path / "page.html").read_text("utf-8")


def test_a_collapsed_model_is_named(images):
    labels, before, _ = images
    found = rdstats.compare(before, np.zeros_like(before), labels=labels)
    assert "1 pair with a model that is no classifier" in found.summary()


def test_undefined_slopes_say_why():
    found = rdstats.compare([[50, 50], [50, 50]], [[60, 40], [50, 50]])
    assert "There is no slope: all classes of the dense network have one score." in found.summary()
    assert found["slope"].value is None
    assert found["slope"].reason == "no_spread"


def test_few_images_do_without_folds():
    found = rdstats.compare([0, 0, 1, 1], [0, 1, 1, 1], labels=[0, 0, 1, 1])
    assert found["churn"].value == 1 / 4
    assert found["slope"].value is None


def test_churn_and_changes_on_cubes(many):
    cube = many.cube
    bare = cube.drop_vars(["prediction", "prediction_dense", "label"])
    assert rdstats.churn(bare)["churn"].isnull().all()
    known, possible = rdstats.churn(cube), rdstats.churn(bare)
    assert (possible["bound_lower"] <= known["churn"]).all()
    assert (known["churn"] <= possible["bound_upper"]).all()
    assert known["churn"].dims == ("seed", "method")
    counted = rdstats.recall_changes(bare)
    xr.testing.assert_allclose(rdstats.recall_changes(cube.drop_vars("both_correct")), counted)
    assert counted.attrs["basis"] == "paired"
    assert rdstats.recall_changes(bare.drop_vars("both_correct")).attrs["basis"] == "covering"
    assert counted["interval"].dims == ("seed", "method", "class", "ci_bound")
    with pytest.raises(InputError, match="churn compares"):
        rdstats.churn(bare.drop_vars("confusion_dense"))


def test_a_class_loses_by_its_corrected_p_or_its_interval(pair):
    tested = [record | {"p_corrected": p} for record, p in zip(pair.classes, [0.049, 0.051, 0.9, 0.01], strict=True)]
    assert [change.sure for change in judged(tested, 0.95)] == [True, False, False, True]
    ends = [(-0.2, -0.1), (-0.2, 0.1), (0.1, 0.2), (None, None)]
    bare = [record | {"p_corrected": None, "lower": low, "upper": high, "reason": ""}
            for record, (low, high) in zip(pair.classes, ends, strict=True)]  # fmt: skip
    assert [change.sure for change in judged(bare, 0.95)] == [True, False, True, False]


def test_the_bounds_of_the_worst_drop_hold():
    """Ten classes that drop alike: the picked one looks worst by chance, its lower bound holds all the same."""
    rng = np.random.default_rng(0)
    images, cells = 200, [0.80, 0.08, 0.02, 0.10]  # both right, only before, only after, neither: a drop of .06
    counts = rng.multinomial(images, cells, size=(3000, 10))
    alone, together = (array.paired_change(counts[..., 1], counts[..., 2], images, k=k) for k in (1, 10))
    assert ((-together.upper).max(-1) <= 0.06).mean() > 0.975 - 4 * np.sqrt(0.975 * 0.025 / 3000)
    assert ((-alone.upper).max(-1) <= 0.06).mean() < 0.9  # why the lower bound must be simultaneous
    one_bad = rng.multinomial(images, cells, size=3000)
    upper = -array.paired_change(one_bad[..., 1], one_bad[..., 2], images).lower
    assert (upper >= 0.06).mean() > 0.975 - 0.01  # near-exact for a single class, which is all the upper bound needs


def test_losers_beyond_the_change_of_accuracy():
    """One class loses 40 points, another 6, all together 11: only the first lies beyond."""
    labels = np.repeat(np.arange(4), 1000)
    after = labels.copy()
    after[:400], after[1000:1060] = 3, 3
    sentence = rdstats.compare(labels, after, labels=labels, classes=NAMES).sentences()[1]
    assert sentence.startswith("Classes: 2 of 4 lose: cat -40.0 points")
    assert sentence.endswith("1 of the losers loses beyond the change of accuracy.")
