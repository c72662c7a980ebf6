"""Tables for people: what captions state, how tests are laid out, and how cells are written."""

import re

import pytest

import rdstats
from rdstats import Family, Member, analyze
from rdstats.records import test_records as records_of_tests
from rdstats.tables import TABLES
from rdstats.tables.table import NONE, Column, build, fixed_text, interval, label, n_text, num, number, p_value

CONDITIONAL = "over training runs, conditional on this test set"


def tables(kind, analysis):
    return TABLES[kind].tables(analysis)


def caption(kind, analysis):
    """Return the only caption of a kind of table."""
    found = [table.caption for table in tables(kind, analysis) if table.captioned]
    assert len(found) == 1
    return found[0]


def cells(table):
    """Return the cells of a table by row label and column heading."""
    return {row[0]: dict(zip(table.columns[1:], row[1:], strict=True)) for row in table.rows}


@pytest.fixture(scope="module")
def places(make_study):
    """Two datasets, one with three archs; two methods with a control."""
    spots = [("mnist", "lenet"), *(("cifar10", a) for a in ("resnet20", "resnet56", "resnet110"))]
    return make_study({"sham": 1.0, "mp": (1.2, 1.3), "up": (0.9, 0.8)}, places=spots, seeds=5, keep="matrices")


@pytest.fixture(scope="module")
def family_of(places):
    """Return the analysis of `places` with a family; equal calls share it."""
    known = {}

    def analysis(name, **options):
        key = name, repr(options)
        if key not in known:
            known[key] = analyze(places, family=name, **options)
        return known[key]

    return analysis


# --- captions ---


def family_captions(analysis):
    return [t.caption for t in tables("tests", analysis) if t.captioned and t.caption.startswith("Family")]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("ratio", {}, ["paired t-test, paired by dense_id", "one-sided (first < second)", "slope of recall", "m = 1 "]),
        ("ratio", {"pair_by": "seed", "alternative": "two-sided"}, ["paired by seed", "two-sided, of the mean slope"]),
        ("ratio", {"alternative": "greater", "correction": "holm"}, ["one-sided (first > second)", "correction: holm"]),
        (
            "arch",
            {},
            ["independent t-test (Welch)", "one-sided (first > second)", "m = 2 ", "of recall from the control's"],
        ),
        ("arch", {"equal_variance": True, "against": "one"}, ["(pooled variance)", "of the mean slope of recall"]),
        ("dataset", {"arch": {"cifar10": "resnet20"}}, ["dataset mnist vs cifar10", "arch lenet vs resnet20", "m = 1"]),
        ("method", {"measure": "f1"}, ["paired t-test", "two-sided", "mean slope of f1", "method mp vs up"]),
        ("method-by-arch", {}, ["m = 2, 6 ", "is the same"]),
    ],
)  # fmt: skip
def test_captions_of_families(family_of, name, options, words):
    (text,) = family_captions(family_of(name, **options))
    for word in [*words, f"Family '{name}'", "null hypothesis:", "within a column of m = ", "declared comparisons; ",
                 f"n = {10 if 'independent' in text else 5} networks", "two-sided intervals simultaneous at 95%",
                 "degenerate networks included", CONDITIONAL]:  # fmt: skip
        assert word in text
    assert ("g_av" in text) == ("paired t-test" in text)
    assert ("paired by" in text) == ("paired t-test" in text)


def test_captions_count_what_is_missing_and_left_out(make_study):
    gone = {(s, "mp", 10) for s in range(5)} | {(4, "up", 4)}
    arms = {"sham": 1.0, "mp": 1.2, "up": 1.0}
    cube = make_study(arms, ratios=(2, 4, 10), seeds=5, missing=gone, collapse={(0, "up", 2.0)}, keep="matrices")
    analysis = analyze(cube, exclude_degenerate=True, level=0.9)
    (text,) = family_captions(analysis)
    assert "m = 2 declared comparisons (1 without a result)" in text
    assert "n = 3 to 5 networks" in text
    assert "simultaneous at 90%" in text
    assert "degenerate networks left out" in text
    for kind in ("slopes", "control"):
        assert "left out" in caption(kind, analysis)
        assert "90%" in caption(kind, analysis)


def test_captions_of_slopes_and_control(usual, crumbling):
    text = caption("slopes", usual)
    for words in ("slope of recall over n = 6 networks (dataset digits, arch lenet)", "simultaneous at 95%",
                  CONDITIONAL, "'vs 1' is the paper's verdict", "are included"):  # fmt: skip
        assert words in text
    text = caption("control", usual)
    for words in ("control (sham: the same fine-tuning, nothing pruned)", "paired by the dense network", "n = 6",
                  "(k = 2)", CONDITIONAL, "|delta| < 0.1", "5%/k", "corrected: delta on an infinite test set",
                  f"0.1 of slope moves the worst class by {usual.margin_points:.2g} points of recall"):  # fmt: skip
        assert words in text
    with_and_without = [t.title for t in [*tables("slopes", crumbling), *tables("control", crumbling)]]
    assert with_and_without == [
        "Slopes", "Slopes without degenerate networks", "Against the control",
        "Against the control without degenerate networks",
    ]  # fmt: skip
    assert "corrected" not in " ".join(t.caption for t in tables("control", analyze(usual_without(crumbling))))


def usual_without(analysis):
    """Return class counts without what the correction for sampling needs."""
    return analysis.counts.drop_vars("both_correct")


SAYS = {
    "sampling": ["(analytic)", "n = 6 networks", "95%", "does not remove the noise of training", "over training runs"],
    "intervals": ["95%", "n = 6 networks", f"t: {CONDITIONAL}", "crossed: over training runs and test images"],
    "classes": ["Mean recall of every class", "n = 6", "paired t intervals", "95% over the classes", CONDITIONAL],
    "contributions": ["n = 6", "add up to its slope"],
    "worst": ["of recall", "n = 6", "compare before with after"],
    "model": ["n = 6", "descriptive only"],
    "accuracy": ["before compression", "standard error", "n = 6"],
    "variance": ["divisor C, and C - 1", "n = 6", "sampling variance"],
    "tradeoff": ["standard errors", "n = 6", CONDITIONAL],
    "instrumented": ["n = 6", "the other seeds'", "jackknife", "95%"],
    "retrain": ["neighbouring seeds", "nothing pruned", "no interval"],
    "posterior": ["n = 6", "normal model over seeds", "equal-tailed", "95%", "|delta| < 0.1", "Conditional on this"],
    "posterior-pairs": ["the first is below the second", "standard deviation"],
}  # fmt: skip


@pytest.mark.parametrize("kind", SAYS)
def test_other_captions(usual, kind):
    text = caption(kind, usual)
    assert "dataset digits, arch lenet" in text
    for words in SAYS[kind]:
        assert words in text


def test_captions_of_single_pairs(pair_of_models):
    text = caption("pairs", pair_of_models)
    for words in ("One pair of networks", "delete-one-image jackknife interval at 95%", "nothing about other training"):
        assert words in text
    text = caption("changes", pair_of_models)
    for words in ("McNemar's exact two-sided mid-p", "corrected by Holm over the classes", "Images are the units"):
        assert words in text
    assert "nothing is inferred" in caption("slopes", pair_of_models)


def test_every_kind_has_one_caption_or_none_to_state(shown):
    for kind, found in shown["large"].items():
        assert bool(found) == (kind not in ("pairs", "changes"))
        if kind not in ("tests", "slopes", "control", "posterior-pairs"):
            assert [table.captioned for table in found] == [False] * (len(found) - 1) + [True] * bool(found)
        # a table that is taken out of its group keeps the words that it needs
        assert all(table.caption for table in found)


# --- the paper's layout ---


def paper(analysis):
    return [t for t in tables("tests", analysis) if t.title.startswith("Corrected p")]


def test_ratio_has_columns_across(family_of):
    (table,) = paper(family_of("ratio"))
    assert [row[0] for row in table.rows] == ["2 vs 4"]
    expected = [f"{place} {m}" for place in ("mnist lenet", "cifar10 resnet20", "cifar10 resnet56", "cifar10 resnet110")
                for m in ("mp", "up")]  # fmt: skip
    assert list(table.columns) == ["", *expected]


@pytest.mark.parametrize("name", ["arch", "dataset", "method"])
def test_ratios_are_across(family_of, name):
    analysis = family_of(name, **({"arch": {"cifar10": "resnet20"}} if name == "dataset" else {}))
    found = paper(analysis)
    rows = {"arch": ["resnet20 vs resnet56", "resnet56 vs resnet110"], "dataset": ["mnist vs cifar10"],
            "method": ["mp vs up"]}[name]  # fmt: skip
    titles = {"arch": ["mp", "up"], "dataset": ["mp", "up"],
              "method": ["mnist lenet", "cifar10 resnet20", "cifar10 resnet56", "cifar10 resnet110"]}[name]  # fmt: skip
    assert [t.title for t in found] == [f"Corrected p: family {name}: {title}" for title in titles]
    for table in found:
        assert list(table.columns) == ["", "t=2", "t=4"]
        assert [row[0] for row in table.rows] == rows
    assert [t.captioned for t in found] == [False] * (len(found) - 1) + [True]


def test_method_by_arch_has_archs_across(family_of):
    first, second = paper(family_of("method-by-arch"))
    assert (first.title, second.title) == tuple(
        f"Corrected p: family method-by-arch: {d}" for d in ("mnist", "cifar10")
    )
    assert list(second.columns) == ["", "resnet20", "resnet56", "resnet110"]
    assert [row[0] for row in second.rows] == ["mp vs up t=2", "mp vs up t=4"]
    assert "(method mp vs up)" in second.caption


def test_every_p_of_the_paper_tables_is_that_of_its_test(family_of):
    for name in ("ratio", "arch", "method", "method-by-arch"):
        analysis = family_of(name)
        shown = [cell for table in paper(analysis) for row in table.rows for cell in row[1:] if cell != NONE]
        expected = [p_value(record["p_corrected"]) for record in records_of_tests(analysis)]
        assert sorted(shown) == sorted(expected)
    record = next(
        r for r in records_of_tests(family_of("arch"))
        if r["arch"] == ["resnet56", "resnet110"] and (r["method"], r["ratio"]) == ("up", 4)
    )  # fmt: skip
    table = next(t for t in paper(family_of("arch")) if t.title.endswith(": up"))
    assert cells(table)["resnet56 vs resnet110"]["t=4"] == p_value(record["p_corrected"])


def test_labels_that_all_tests_share_are_in_the_caption_alone(make_study):
    analysis = analyze(make_study({"mp": (1.2, 1.3), "up": 1.0}, keep="matrices", seeds=5), family="method")
    (table,) = paper(analysis)
    assert list(table.columns) == ["", "t=2", "t=4"]
    assert table.title == "Corrected p: family method"
    assert "(dataset digits, arch lenet, method mp vs up)" in table.caption


def test_a_test_without_a_result_is_a_dash(make_study):
    gone = {(s, "mp", 10) for s in range(5)}
    cube = make_study({"mp": 1.2, "up": 1.0}, ratios=(2, 4, 10), seeds=5, missing=gone, keep="matrices")
    (table,) = paper(analyze(cube))
    assert cells(table)["4 vs 10"]["mp"] == NONE
    assert cells(table)["4 vs 10"]["up"] != NONE
    full = next(t for t in tables("tests", analyze(cube)) if t.title == "Tests: family ratio")
    at = next(i for i, row in enumerate(full.rows) if row[:2] == ("mp", "4 vs 10"))
    assert set(full.rows[at][2:]) == {NONE}
    assert full.reasons[at] == "missing"


def own_family(name, *pairs, **options):
    def selector(method, ratio):
        return {"dataset": "digits", "arch": "lenet", "method": method, "ratio": ratio}

    members = tuple(Member("all", selector(*first), selector(*second)) for first, second in pairs)
    return Family(name, members, paired=True, alternative="two-sided", **options)


def test_no_test_hides_behind_another(usual_cube):
    """Two tests that differ in what the layout does not show both keep their p."""
    own = own_family("own", (("mp", 2), ("up", 2)), (("mp", 2), ("up", 4)), (("mp", 4), ("up", 2)))
    analysis = analyze(usual_cube, family=own, folds=0)
    shown = [cell for table in paper(analysis) for row in table.rows for cell in row[1:] if cell != NONE]
    assert sorted(shown) == sorted(p_value(record["p_corrected"]) for record in records_of_tests(analysis))


def test_families_of_one_name_keep_to_their_own_tests(usual_cube):
    one, other = own_family("own", (("mp", 2), ("up", 2))), own_family("own", (("mp", 4), ("up", 4)), correction="none")
    analysis = analyze(usual_cube, family=[one, other], folds=0, bayes=True)
    differences = [f"{record['estimate']:.3f}" for record in records_of_tests(analysis)]
    full = [t for t in tables("tests", analysis) if t.title.startswith("Tests")]
    assert [[row[t.columns.index("difference")] for row in t.rows] for t in full] == [[text] for text in differences]
    assert differences[0] != differences[1]
    probabilities = [[row[-2:] for row in t.rows] for t in tables("posterior-pairs", analysis)]
    records = TABLES["posterior-pairs"].records(analysis)
    shown = [[tuple(f"{record[name]:.3f}" for name in ("p_spread_less", "p_sd_less"))] for record in records]
    assert probabilities == shown
    assert shown[0] != shown[1]


def test_the_full_table_has_estimates_and_effect_sizes(family_of, crumbling):
    full = [t for t in tables("tests", family_of("method")) if t.title == "Tests: family method"]
    assert full[0].columns[-7:] == ("difference", "interval", "t", "df", "p", "p corrected", "g_av")
    independent = [t for t in tables("tests", family_of("arch")) if t.title == "Tests: family arch"]
    assert independent[0].columns[-1] == "p corrected"
    record, row = records_of_tests(family_of("method"))[0], full[0].rows[0]
    assert row[-7] == f"{record['estimate']:.3f}"
    assert row[-6] == f"{record['lower']:.3f} to {record['upper']:.3f}"
    assert row[-4:-1] == ("4", p_value(record["p"]), p_value(record["p_corrected"]))
    without = tables("tests", crumbling)[-1]
    assert without.title == "Tests: family ratio without degenerate networks"
    assert len(without.rows) == 1
    assert dict(zip(without.columns, without.rows[0], strict=True))["n without"] == "4"


def test_a_family_without_members_says_so(make_study):
    cube = make_study({"sham": 1.0, "mp": 1.2}, ratios=(2,), keep="matrices", seeds=5)
    (table,) = tables("tests", analyze(cube))
    assert (table.title, table.rows) == ("Tests: family ratio", ())
    assert "m = 0 declared comparisons; no network" in table.caption


# --- how cells are written ---


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (-0.0004, "0.000"), (0.0, "0.000"), (-0.0006, "-0.001"), (None, NONE), (2, "2.000")],
)
def test_numbers(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00099999, "<0.001"), (0.0, "<0.001"), (0.001, "0.001"), (0.0499, "0.050"), (1.0, "1.000"), (1, "1.000"),
     (None, NONE)],
)  # fmt: skip
def test_p_values(value, text):
    assert p_value(value) == text


def test_intervals_and_labels():
    assert interval(-0.0001, 0.25) == "0.000 to 0.250"
    assert interval(None, 1) == interval(1, None) == NONE
    assert [label(value) for value in (2.0, 2.5, "mp", [2, 4], ["a", "b"])] == ["2", "2.5", "mp", "2 vs 4", "a vs b"]


def test_no_cell_is_minus_zero_nan_or_scientific(all_tables):
    seen = {"p": 0, "-": 0}
    for study, kind, table in all_tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
        for i, heading in enumerate(table.columns):
            is_p = re.fullmatch(r"p|p corr(ected|\.)|p without", heading)
            for row in table.rows:
                where = (study, kind, table.title, row)
                assert not re.search(r"-0\.0+(?![0-9])|\bnan\b|None|\binf\b|[0-9]e[-+][0-9]", row[i]), where
                assert not is_p or re.fullmatch(rf"<0\.001|[01]\.\d\d\d|{NONE}", row[i]), where
                seen["p"] += bool(is_p)
                seen["-"] += row[i].startswith("-0.0")
    assert min(seen.values()) > 10


def test_cells_show_the_records(usual, every):
    (table,) = tables("slopes", usual)
    for row, record in zip(table.rows, every["usual"]["slopes"], strict=True):
        assert row[:2] == (record["method"], f"{record['ratio']:g}")
        shown = dict(zip(table.columns, row, strict=True))
        assert shown["slope"] == f"{record['mean']:.3f}"
        assert shown["interval"] == f"{record['lower']:.3f} to {record['upper']:.3f}"
        assert shown["vs 1"] == record["verdict"]
        assert shown["expected"] == f"{record['expected']:.3f}"
    (table,) = tables("control", usual)
    for row, record in zip(table.rows, every["usual"]["control"], strict=True):
        shown = dict(zip(table.columns, row, strict=True))
        assert shown["claim"] == record["claim"]
        assert shown["delta"] == f"{record['mean']:.3f}"
        assert shown["corrected"] == f"{record['corrected']:.3f}"


def test_marks_of_the_corrected_difference(usual, every):
    from rdstats.tables.slopes import control_tables

    (table,) = control_tables(usual)
    names = [(r["method"], r["ratio"]) for r in every["usual"]["control"]]
    at, here = names.index(("up", 4)), {"method": "up", "ratio": 4.0}
    column = table.columns.index("corrected")
    for variable, value, text in (
        ("support", "not supported", f"{every['usual']['control'][at]['corrected']:.3f}*"),
        ("corrected_reason", "not_estimable", "?"),
        ("corrected_reason", "missing", NONE),
    ):
        control = usual.control.copy(deep=True)
        control[variable].loc[here] = value
        if variable != "support":
            control["corrected"].loc[here] = float("nan")
        changed = rdstats.Analysis(**{**vars(usual), "control": control})
        (shown,) = control_tables(changed)
        assert shown.rows[at][column] == text
        rest = [row for i, row in enumerate(shown.rows) if i != at]
        assert rest == [row for i, row in enumerate(table.rows) if i != at]


def test_long_claims_are_shortened(usual):
    control = usual.control.copy(deep=True)
    control["claim"][:] = "changed relative to the control, spread undecided"
    (table,) = tables("control", rdstats.Analysis(**{**vars(usual), "control": control}))
    assert {row[table.columns.index("claim")] for row in table.rows} == {"changed, spread undecided"}


def test_bounds_stand_in_place_of_estimates(make_study):
    cube = make_study({"sham": 1.0, "mp": 1.2}, keep="matrices", images=120)
    (table,) = tables("sampling", analyze(cube, sampling=True))
    assert "possible" in table.columns
    assert "corrected" not in table.columns
    assert all(re.fullmatch(r"-?\d\.\d{3} to -?\d\.\d{3}", row[table.columns.index("possible")]) for row in table.rows)
    assert "not an interval of confidence" in table.caption
    assert tables("sampling", analyze(cube)) == []


# --- build ---


def rows_of(*labels, **more):
    dims = ("dataset", "arch", "method", "ratio")
    return [dict(zip(dims, own, strict=True)) | {"x": i, "reason": "", **more} for i, own in enumerate(labels)]


def test_datasets_and_archs_get_a_table_each():
    records = rows_of(("d1", "a", "mp", 2), ("d1", "b", "mp", 2), ("d2", "a", "mp", 4), ("d1", "a", "up", 2))
    found = build("T", records, ["dataset", "arch", "method", "ratio"], [num("x", "x", 0)], "said once")
    assert [table.title for table in found] == ["T: d1 a", "T: d1 b", "T: d2 a"]
    assert [(table.captioned, table.caption) for table in found] == [(i == 2, "said once") for i in range(3)]
    assert found[0].columns == ("method", "ratio", "x")
    assert found[0].rows == (("mp", "2", "0"), ("up", "2", "3"))
    assert found[0].keys == 2


def test_dimensions_that_do_not_vary_are_not_shown():
    records = rows_of(("d", "a", "mp", 2), ("d", "a", "mp", 4))
    (table,) = build("T", records, ["dataset", "arch", "method", "ratio"], [num("x", "x", 0)], "c")
    assert (table.title, table.columns, table.keys) == ("T", ("ratio", "x"), 1)
    assert fixed_text(records, ["dataset", "arch", "method", "ratio"]) == " (dataset d, arch a, method mp)"
    assert fixed_text([], ["dataset"]) == ""
    assert fixed_text(records, ["ratio"]) == ""


def test_one_varying_dimension_stays_a_column():
    """Archs alone would give tables of one row."""
    records = rows_of(("d", "a", "mp", 2), ("d", "b", "mp", 2))
    (table,) = build("T", records, ["dataset", "arch", "method", "ratio"], [num("x", "x", 0)], "c")
    assert table.columns == ("arch", "x")
    assert table.rows == (("a", "0"), ("b", "1"))


def test_reasons_stand_beside_rows():
    records = rows_of(("d", "a", "mp", 2), ("d", "a", "mp", 4), reason="missing") + rows_of(("d", "a", "mp", 8))
    (table,) = build("T", records, ["ratio"], [Column("x", lambda r: NONE)], "c")
    assert table.reasons == ("missing", "missing", "")


def test_nothing_to_show_is_one_empty_table():
    (table,) = build("T", [], ["dataset"], [num("x", "x")], "c")
    assert (table.title, table.rows, table.caption) == ("T", (), "c")


@pytest.mark.parametrize(
    ("ns", "text"),
    [([6], "n = 6 networks"), ([8, 10, 8], "n = 8 to 10 networks"), ([1], "n = 1 network"), ([0], "no network"),
     ([], "no network"), ([None, 3], "n = 3 networks")],
)  # fmt: skip
def test_numbers_of_networks(ns, text):
    assert n_text([{"n": n} for n in ns]) == text


def test_tables_of_several_places(family_of):
    found = tables("slopes", family_of("ratio"))
    titles = ["mnist lenet", "cifar10 resnet20", "cifar10 resnet56", "cifar10 resnet110"]
    assert [t.title for t in found] == [f"Slopes: {title}" for title in titles]
    assert all(t.columns[:2] == ("method", "ratio") and len(t.rows) == 5 for t in found)
