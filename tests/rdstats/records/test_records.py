"""Records hold exactly what the results hold: one record a cell or test, plain data, None where there is no number."""

import json

import numpy as np
import pytest

import rdstats
from rdstats import records
from rdstats._labelled import family_size, planned
from rdstats.classes import per_class, worst
from rdstats.columns import accuracies, tradeoff
from rdstats.credible import posterior_summary
from rdstats.instrumented import instrumented_slopes, retrain_null
from rdstats.pair_probability import pair_probabilities
from rdstats.regression import contributions, intercept_model, pooled
from rdstats.tables import TABLES
from rdstats.variance import recall_variances

CELL = ["dataset", "arch", "method", "ratio"]
KEYS = {
    "slopes": (
        CELL,
        "mean sd n lower upper level verdict spread cosine expected n_degenerate reason k accuracy accuracy_dense "
        "achieved_ratio beta r_squared expected_error p_equivalent mean_without n_without lower_without upper_without "
        "verdict_without",
    ),
    "control": (
        CELL,
        "control mean sd n lower upper log_spread log_spread_lower log_spread_upper control_slope p_equivalent k claim "
        "reason level corrected corrected_lower corrected_upper corrected_estimator corrected_reason support "
        "slope_ratio slope_ratio_lower slope_ratio_upper slope_ratio_form g_av d_z control_collapsed mean_without "
        "n_without lower_without upper_without claim_without",
    ),
    "tests": (
        CELL,
        "estimate statistic df n p p_corrected m alternative lower upper reason family column quantity n_first "
        "n_second g_av d_z estimate_without n_without p_corrected_without",
    ),
    "sampling": (
        CELL,
        "raw mean se n lower upper level estimator strength pooled_strength reliability reason bound_lower bound_upper",
    ),
    "intervals": (
        CELL,
        "quantity mean n lower upper crossed_lower crossed_upper image_share bca_lower bca_upper level reason",
    ),
    "pairs": (
        ["seed", *CELL],
        "slope slope_sampling_corrected se n lower upper strength reliability reason bound_lower bound_upper",
    ),
    "changes": (
        ["seed", *CELL, "class"],
        "class_name recall_dense recall only_before only_after p p_corrected reason",
    ),
    "classes": (
        [*CELL, "class"],
        "class_name score_dense score change sd n lower upper balance_dense balance reason",
    ),
    "contributions": ([*CELL, "class"], "class_name contribution contribution_sd weight n"),
    "worst": (CELL, "worst_gap_dense worst_gap worst_ratio_dense worst_ratio worst_class_dense worst_class n"),
    "model": (
        CELL,
        "slope_origin slope intercept r_squared n pooled_slope pooled_r_squared n_pooled",
    ),
    "accuracy": (CELL[:3], "accuracy_dense accuracy_dense_se n"),
    "variance": (["ddof", *CELL], "variance_dense variance_dense_se n_dense variance variance_se n"),
    "tradeoff": (
        CELL,
        "achieved_ratio accuracy accuracy_se n slope slope_se n_slope accuracy_dense accuracy_dense_se n_dense",
    ),
    "instrumented": (CELL, "estimate se n lower upper strength k reason"),
    "retrain": (CELL[:2], "mean sd n min max"),
    "posterior": (
        CELL,
        "mean sd n lower upper hdi_lower hdi_upper p_above_one p_within_margin delta_mean delta_sd delta_lower "
        "delta_upper p_delta_positive p_delta_within_margin p_log_spread_positive level reason",
    ),
    "posterior-pairs": (CELL, "p_slope_less p_spread_less p_sd_less family"),
}
STUDIES = ("usual", "crumbling", "pair_of_models", "large")


def rows(every, kind, study="usual"):
    return every["pair_of_models" if kind in ("pairs", "changes") else study][kind]


def test_every_kind_has_its_keys_written_down():
    assert set(KEYS) == set(TABLES)


@pytest.mark.parametrize("kind", KEYS)
def test_keys(every, kind):
    dims, values = KEYS[kind]
    found = rows(every, kind)
    assert found
    for record in found:
        assert list(record) == [*dims, *values.split()]


@pytest.mark.parametrize("study", STUDIES)
def test_records_are_json(every, study):
    for kind, found in every[study].items():
        again = json.loads(json.dumps(found, allow_nan=False))
        assert again == found, kind
        for record in found:
            for key, value in record.items():
                plain = value if isinstance(value, list) else [value]
                assert all(type(part) in (str, int, float, bool, type(None)) for part in plain), (kind, key)


def value(data, record, name, dims, bound=None):
    """Return a value of a result at a record's labels, as plain data."""
    own = data[name] if bound is None else data[name].isel(ci_bound=bound)
    return records.plain(own.sel({dim: record[dim] for dim in dims if dim in own.dims}).values[()])


def ends(*pairs):
    return {f"{prefix}{end}": (name, i) for prefix, name in pairs for i, end in enumerate(("lower", "upper"))}


def sources(kind, analysis):
    """Return what the records of a kind are made of: data -> record key -> (variable, bound)."""
    attrs = analysis.summary.attrs
    level, k = attrs["level"], family_size(analysis.slopes)
    interval = ends(("", "interval"))
    names = [n for n in KEYS[kind][1].split() if not n.endswith("_without")]
    found = {
        "slopes": lambda: [(analysis.summary, interval)],
        "control": lambda: [(analysis.control, ends(("", "interval"), ("log_spread_", "log_spread_interval"),
                             ("corrected_", "corrected_interval"), ("slope_ratio_", "slope_ratio_interval")))],
        "sampling": lambda: [(analysis.corrected.assign(raw=analysis.summary["mean"]), interval)],
        "pairs": lambda: [(analysis.pairs, interval)],
        "changes": lambda: [(analysis.changes.assign(class_name=analysis.counts["class_name"]), {})],
        "classes": lambda: [(per_class(analysis.counts, level=level), interval)],
        "accuracy": lambda: [(accuracies(analysis.slopes), {})],
        "variance": lambda: [(recall_variances(analysis.counts), {})],
        "tradeoff": lambda: [(tradeoff(analysis.slopes), {})],
        "instrumented": lambda: [(instrumented_slopes(analysis.counts, level=level, k=k), interval)],
        "retrain": lambda: [(retrain_null(analysis.counts), {})],
        "posterior": lambda: [(posterior_summary(analysis.posterior, level=level, margin=analysis.margin, k=k),
                               ends(("", "interval"), ("hdi_", "hdi"), ("delta_", "delta_interval")))],
    }  # fmt: skip
    data, bounds = found[kind]()[0]
    return data, {name: bounds.get(name, (name, None)) for name in names}


ONE_RESULT = ["slopes", "control", "sampling", "pairs", "changes", "classes", "accuracy", "variance", "tradeoff",
              "instrumented", "retrain", "posterior"]  # fmt: skip


@pytest.mark.parametrize("study", ["usual", "large"])
@pytest.mark.parametrize("kind", ONE_RESULT)
def test_values_are_exactly_those_of_the_result(request, every, kind, study):
    if kind in ("pairs", "changes"):
        study = "pair_of_models"
    analysis, dims = request.getfixturevalue(study), KEYS[kind][0]
    data, names = sources(kind, analysis)
    found = every[study][kind]
    for record in found[:: max(1, len(found) // 12)]:
        for key, (name, bound) in names.items():
            if name in data:
                assert record[key] == value(data, record, name, dims, bound), (kind, key, record)
            else:
                assert record[key] is None, (kind, key)
    labels = [tuple(record[dim] for dim in dims) for record in found]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("study", ["usual", "crumbling", "large"])
def test_every_planned_cell_has_its_record(request, every, study):
    analysis = request.getfixturevalue(study)
    there = planned(analysis.slopes)
    cells = [tuple(there[d].values[i] for d, i in zip(there.dims, at, strict=True)) for at in np.argwhere(there.values)]
    for kind in ("slopes", "sampling", "tradeoff", "worst", "model", "instrumented"):
        assert [tuple(r[d] for d in CELL) for r in every[study][kind]] == cells, kind
    pruned = [c for c in cells if c[2] != "sham"]
    assert [tuple(r[d] for d in CELL) for r in every[study]["control"]] == pruned
    assert len(every[study]["variance"]) == 2 * len(cells)
    assert len(every[study]["classes"]) == 5 * len(cells)


def test_tests_are_the_members_of_every_family(request, every):
    analysis = request.getfixturevalue("large")
    found = iter(every["large"]["tests"])
    for one in analysis.families:
        for i, member in enumerate(one.family.members):
            record = next(found)
            assert record["family"] == one.family.name
            assert record["column"] == member.column
            for dim in CELL:
                pair = [records.plain(np.array(side[dim])[()]) for side in (member.first, member.second)]
                assert record[dim] == (pair[0] if pair[0] == pair[1] else pair)
            for key in ("estimate", "statistic", "df", "n", "p", "p_corrected", "m", "lower", "upper", "reason",
                        "n_first", "n_second", "g_av", "d_z"):  # fmt: skip
                assert record[key] == records.plain(one.tests[key].values[i])
            assert (record["alternative"], record["quantity"]) == (one.family.alternative, one.family.quantity)
    assert next(found, None) is None


def test_intervals_are_of_slope_corrected_and_delta(request, every):
    analysis = request.getfixturevalue("usual")
    found = every["usual"]["intervals"]
    assert [r["quantity"] for r in found] == ["slope"] * 5 + ["corrected"] * 5 + ["delta"] * 4
    plain = {"slope": analysis.summary, "corrected": analysis.corrected, "delta": analysis.control}
    for record in found:
        data, crossed = plain[record["quantity"]], analysis.crossed[record["quantity"]]
        for i, end in enumerate(("lower", "upper")):
            assert record[end] == value(data, record, "interval", CELL, i)
            assert record[f"crossed_{end}"] == value(crossed, record, "interval", CELL, i)
            assert record[f"bca_{end}"] is None
        assert record["image_share"] == value(crossed, record, "image_share", CELL)
        assert (record["mean"], record["n"]) == (value(data, record, "mean", CELL), 6)
    assert every["crumbling"]["intervals"] == []


def test_bootstrap_intervals_stand_beside(make_study):
    cube = make_study({"sham": 1.0, "mp": 1.3}, ratios=(2,), seeds=20, images=60, classes=3)
    analysis = rdstats.analyze(cube, bootstrap=10_000)
    found = records.interval_records(analysis)
    assert {r["quantity"] for r in found} == {"slope", "delta", "corrected"}
    for record in found:
        bca = analysis.bca[record["quantity"]]
        assert [record["bca_lower"], record["bca_upper"]] == [value(bca, record, "interval", CELL, i) for i in (0, 1)]
        assert record["bca_lower"] is not None
        assert record["crossed_lower"] is None
    raw = records.interval_records(rdstats.analyze(cube, bootstrap=10_000, against="one", sampling=False))
    assert [r["quantity"] for r in raw] == ["slope", "slope"]


def test_kinds_that_an_analysis_does_not_have_are_empty(every):
    for kind in ("posterior", "posterior-pairs", "intervals"):
        assert every["crumbling"][kind] == []
    for kind in ("tests", "intervals", "instrumented", "retrain", "posterior", "posterior-pairs"):
        assert every["pair_of_models"][kind] == [], kind
    for kind in ("pairs", "changes"):
        assert every["usual"][kind] == []


def test_values_without_degenerate_networks_stand_beside(request, every):
    analysis = request.getfixturevalue("crumbling")
    without = {
        "slopes": records.slope_records(analysis.without),
        "control": records.control_records(analysis.without),
        "tests": records.test_records(analysis.without),
    }
    changed = 0
    for kind, others in without.items():
        keys = [key for key in KEYS[kind][1].split() if key.endswith("_without")]
        for record, other in zip(every["crumbling"][kind], others, strict=True):
            for key in keys:
                assert record[key] == other[key.removesuffix("_without")]
            changed += record["n_without"] != record["n"]
            assert all(other[key] is None for key in keys)
        assert all(record[key] is None for record in every["usual"][kind] for key in keys)
    assert changed == 3  # the slope, the difference and the test of (mp, 4)


def test_a_cell_that_is_not_there_has_no_numbers(make_study):
    gone = {(s, "mp", 4.0) for s in range(6)}
    analysis = rdstats.analyze(make_study({"sham": 1.0, "mp": 1.3}, missing=gone), bootstrap=10_000)
    one = next(r for r in records.slope_records(analysis) if (r["method"], r["ratio"]) == ("mp", 4))
    assert (one["n"], one["reason"], one["verdict"]) == (0, "missing", "?")
    assert [one[key] for key in ("mean", "sd", "lower", "upper", "spread", "accuracy", "achieved_ratio")] == [None] * 7
    (test,) = records.test_records(analysis)
    assert (test["n"], test["m"], test["reason"]) == (0, 1, "missing")
    assert [test[key] for key in ("p", "p_corrected", "estimate", "lower", "df", "g_av")] == [None] * 6
    intervals = [r for r in records.interval_records(analysis) if (r["method"], r["ratio"]) == ("mp", 4)]
    assert [(r["quantity"], r["n"], r["reason"]) for r in intervals] == [
        (quantity, 0, "missing") for quantity in ("slope", "corrected", "delta")
    ]
    assert {r[key] for r in intervals for key in ("mean", "lower", "upper", "bca_lower", "bca_upper")} == {None}


def test_changes_and_pairs_of_every_network(request, every):
    analysis = request.getfixturevalue("pair_of_models")
    pairs, changes = every["pair_of_models"]["pairs"], every["pair_of_models"]["changes"]
    assert [(r["seed"], r["method"], r["ratio"]) for r in pairs] == [(0, "sham", 1), (0, "mp", 2), (0, "mp", 4)]
    assert [r["class_name"] for r in changes] == ["cat", "dog", "bird", "fish", "<b>&_x"] * 3
    counts = analysis.counts.squeeze(drop=True).sel({"method": "mp", "ratio": 4.0})
    for record in changes[10:]:
        own = counts.sel({"class": record["class"]})
        assert record["only_before"] == (own["correct_dense"] - own["both_correct"]).item()
        assert record["only_after"] == (own["correct"] - own["both_correct"]).item()


def test_means_over_seeds_of_contributions_and_lines(request, every):
    analysis = request.getfixturevalue("usual")
    parts = contributions(analysis.counts).squeeze(["dataset", "arch"], drop=True)
    line = intercept_model(analysis.counts).squeeze(["dataset", "arch"], drop=True)
    one_line = pooled(analysis.counts).squeeze(["dataset", "arch"], drop=True)
    for record in every["usual"]["contributions"]:
        own = parts.sel({dim: record[dim] for dim in ("method", "ratio", "class")})
        assert record["contribution"] == pytest.approx(own["contribution"].mean().item(), rel=1e-12)
        assert record["contribution_sd"] == pytest.approx(own["contribution"].std(ddof=1).item(), rel=1e-10)
        assert record["weight"] == pytest.approx(own["weight"].mean().item(), rel=1e-12)
        assert record["n"] == 6
    sums = {}
    for record in every["usual"]["contributions"]:
        cell = record["method"], record["ratio"]
        sums[cell] = sums.get(cell, 0) + record["contribution"]
    slopes = {(r["method"], r["ratio"]): r["mean"] for r in every["usual"]["slopes"]}
    assert sums == pytest.approx(slopes, rel=1e-10)
    for record in every["usual"]["model"]:
        cell = {dim: record[dim] for dim in ("method", "ratio")}
        for name in ("slope", "intercept", "r_squared"):
            assert record[name] == pytest.approx(line[name].sel(cell).mean().item(), rel=1e-10)
        assert record["pooled_slope"] == one_line["slope"].sel(cell).item()
        assert record["pooled_r_squared"] == one_line["r_squared"].sel(cell).item()
        assert record["n_pooled"] == one_line["n"].sel(cell).item()
        assert record["slope_origin"] == slopes[(record["method"], record["ratio"])]


def test_the_worst_class_is_the_most_frequent_one(request, every):
    found = worst(request.getfixturevalue("large").counts)
    for record in every["large"]["worst"][::9]:
        own = found.sel({dim: record[dim] for dim in CELL if dim in found.dims})
        names = [name for name in own["worst_class"].values.tolist() if name]
        assert names.count(record["worst_class"]) == max(map(names.count, names))
        assert record["worst_gap"] == pytest.approx(own["worst_gap"].mean().item(), rel=1e-12)
        assert record["worst_ratio"] == pytest.approx(own["worst_ratio"].mean().item(), rel=1e-12)
        assert record["n"] == len(names)
        dense = own["worst_class_dense"].values.tolist()
        assert dense.count(record["worst_class_dense"]) == max(map(dense.count, dense))


def test_probabilities_of_comparisons(request, every):
    analysis = request.getfixturevalue("usual")
    found = pair_probabilities(analysis.slopes, analysis.family)
    assert [(r["method"], r["ratio"], r["family"]) for r in every["usual"]["posterior-pairs"]] == [
        ("mp", [2, 4], "ratio"),
        ("up", [2, 4], "ratio"),
    ]
    for i, record in enumerate(every["usual"]["posterior-pairs"]):
        for name in ("p_slope_less", "p_spread_less", "p_sd_less"):
            assert record[name] == records.plain(found[name].values[i])


def test_the_document_holds_every_default_table(request, every):
    for study in ("crumbling", "pair_of_models"):
        found = records.document(request.getfixturevalue(study))
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        for kind in ("slopes", "control", "sampling", "tests", "pairs", "changes", "intervals"):
            assert found[kind] == every[study][kind]
    analysis = request.getfixturevalue("large")
    found = records.document(analysis)
    assert found["family"]["name"] == "ratio, arch, method, matched"
    assert [one["name"] for one in found["families"]] == ["ratio", "arch", "method", "matched"]
    assert found["families"][3]["missing"] == 25
    assert found["families"][0]["pair_by"] == "seed"
    assert found["families"][1]["pair_by"] == ""
    assert found["family"]["warnings"] == list(analysis.warnings)
    one = records.document(request.getfixturevalue("usual"))["family"]
    assert (one["name"], one["m"], one["correction"]) == (
        "ratio",
        {"digits lenet mp": 1, "digits lenet up": 1},
        "bonferroni",
    )
    assert one["exclude_degenerate"] is False


def test_degenerate_networks_that_are_left_out_enter_no_record(make_study):
    """A column of which a part collapsed: every mean over seeds is one of the others."""
    collapse = {(0, "mp", 4.0), (1, "mp", 4.0)}
    cube = make_study({"sham": 1.0, "mp": 1.2}, seeds=6, collapse=collapse)
    with_all, without = (rdstats.analyze(cube, exclude_degenerate=exclude, folds=0) for exclude in (False, True))
    kept = rdstats.analyze(rdstats.select(cube, seed=[2, 3, 4, 5]), folds=0)

    def at(found, analysis, **more):
        wanted = {"method": "mp", "ratio": 4, **more}
        return [r for r in found(analysis) if all(r[key] == value for key, value in wanted.items())]

    for found, names in (
        (records.class_records, ("score", "change", "n")),
        (records.contribution_records, ("contribution", "n")),
        (records.worst_records, ("worst_gap", "n")),
        (records.model_records, ("slope", "pooled_slope", "n", "n_pooled")),
        (records.variance_records, ("variance", "n")),
        (records.tradeoff_records, ("accuracy", "slope", "n", "n_slope")),
    ):
        ours, theirs, all_of_them = (at(found, analysis) for analysis in (without, kept, with_all))
        assert len(ours) == len(theirs) > 0
        for one, other in zip(ours, theirs, strict=True):
            assert [one[name] for name in names] == pytest.approx([other[name] for name in names], rel=1e-12)
        assert ours != all_of_them, found
