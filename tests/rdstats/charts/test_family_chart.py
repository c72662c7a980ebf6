"""Families as intervals: every test of every family, what is tested, what is significant, what is missing."""

import dataclasses
import math

import numpy as np
import pytest

import rdstats
from rdstats.analysis import FamilyResult
from rdstats.charts import describe, family_chart, family_panels
from rdstats.errors import InputError, UnanswerableError
from rdstats.figures import family_figure
from rdstats.records import test_records as records_of_tests


@pytest.fixture(scope="module")
def families(make_study):
    places = [("digits", "lenet"), ("digits", "resnet20")]
    arms = {"sham": 1.0, "mp": (1.0, 1.6), "up": (1.0, 0.5)}
    missing = {(seed, "up", 4.0) for seed in range(6)}
    cube = make_study(arms, places=places, missing=missing, images=100, keep="matrices")
    return rdstats.analyze(cube, family="all")


@pytest.fixture(scope="module")
def panels(families):
    return family_panels(family_figure(families))


def test_every_test_of_every_family_is_drawn(families, panels):
    records = records_of_tests(families)
    rows = [row for panel in panels for row in panel.rows]
    assert len(rows) == len(records) > 8
    for name in ("estimate", "lower", "upper", "p", "p_corrected", "m"):
        for row, record in zip(rows, records, strict=True):
            assert row[name] == record[name] or math.isclose(row[name], record[name], rel_tol=1e-12)


def test_a_panel_a_column_named_after_family_and_column(families, panels):
    labels = [panel.label for panel in panels]
    wanted = [
        f"family {one.family.name}: {column}" for one in families.families for column in one.family.columns()
    ]  # fmt: skip
    assert labels == wanted
    assert len({label.split(":")[0] for label in labels}) == len(families.families) > 2


def test_one_family_by_name(families):
    name = families.families[-1].family.name
    labels = [panel.label for panel in family_panels(family_figure(families, name))]
    assert labels
    assert all(label.startswith(f"family {name}:") for label in labels)
    with pytest.raises(InputError, match=r"family 'rato'.*ratio"):
        family_figure(families, "rato")


def test_a_family_without_a_test_is_refused(make_study):
    analysis = rdstats.analyze(make_study({"sham": 1.0, "mp": 1.2}, seeds=3, ratios=(2,)), family="ratio", folds=0)
    assert not analysis.families[0].tests.sizes["test"]
    with pytest.raises(UnanswerableError, match=r"^figure family needs a family with a test: .* none of ratio$"):
        family_figure(analysis)


def test_pairs_in_words(families, panels):
    pairs = {}
    for panel in panels:
        pairs.setdefault(panel.label.split(":")[0], set()).update(row["pair"] for row in panel.rows)
    assert pairs["family ratio"] == {"2 vs 4"}
    assert pairs["family arch"] == {"lenet vs resnet20"}
    assert pairs["family method"] == {"mp vs up"}
    assert pairs["family method-by-arch"] >= {"mp vs up, lenet, ratio 2", "mp vs up, resnet20, ratio 2"}


def test_which_side_is_tested(families, panels):
    sides = {}
    for panel in panels:
        sides[panel.label.split(":")[0]] = panel.chart.to_dict()["title"]["subtitle"]
    assert sides["family ratio"][0] == "tested: first below second (one-sided)"
    assert sides["family arch"][0] == "tested: first above second (one-sided)"
    assert sides["family method"][0] == "tested: first and second differ (two-sided)"
    assert "m = 1" in sides["family ratio"][1]
    assert "paired t-test" in sides["family ratio"][1]
    assert "independent t-test (Welch)" in sides["family arch"][1]
    assert sides["family ratio"][2] == "filled diamond: corrected p at most 0.05"


def test_significant_tests_are_filled(families, panels, layers):
    panels = panels
    for row, record in zip([r for p in panels for r in p.rows], records_of_tests(families), strict=True):
        p = record["p_corrected"]
        assert row["significant"] == (p is not None and p <= 0.05)
    assert {row["significant"] for panel in panels for row in panel.rows} == {True, False}
    filters = {
        (layer["mark"]["filled"], layer["mark"]["shape"]): layer["transform"][0]["filter"]
        for layer, _ in layers(panels[0].chart, "point") if "triangle" not in layer["mark"]["shape"]
    }  # fmt: skip
    assert filters == {
        (True, "diamond"): "isValid(datum.x) && datum.significant",
        (False, "circle"): "isValid(datum.x) && !datum.significant",
    }


def test_it_is_the_corrected_p_that_counts(families):
    first = families.families[0]
    size = first.tests.sizes["test"]
    level = 1 - first.family.level
    tests = first.tests.assign(
        p=("test", np.full(size, 0.01)), p_corrected=("test", np.resize([0.06, level, np.nan], size))
    )
    changed = dataclasses.replace(families, families=(FamilyResult(first.family, tests),))
    assert family_figure(changed)["significant"].values.tolist() == np.resize([False, True, False], size).tolist()


def test_missing_tests_say_why(families, panels):
    rows = [row for panel in panels for row in panel.rows if row["p"] is None]
    assert rows
    assert {row["note"] for row in rows} == {"missing"}
    assert {row["x"] for row in rows} == {None}
    panel = next(p for p in panels if p.rows[0]["p"] is None)
    assert "2 vs 4: no result, missing" in describe(panel, "Tests")


def test_corrected_p_beside_the_interval(families, panels, layers):
    panel = panels[0]
    (text,) = [(la, rows) for la, rows in layers(panel.chart, "text")]
    assert text[0]["encoding"]["text"]["field"] == "note"
    p = panel.rows[0]["p_corrected"]
    assert text[1][0]["note"] == ("p < 0.001" if p < 0.001 else f"p {p:.3f}")


def test_zero_line_is_in_the_frame(families, panels, layers):
    for panel in panels:
        (zero,) = [layer for layer, rows in layers(panel.chart, "rule") if rows == [{"x": 0.0}]]
        low, high = zero["encoding"]["x"]["scale"]["domain"]
        assert low < 0 < high
        for row in panel.rows:
            assert all(row[n] is None or low <= row[n] <= high for n in ("x", "x_lower", "x_upper"))


def test_independent_samples_have_two_sizes(families, panels, layers):
    panel = next(p for p in panels if p.label.startswith("family arch"))
    record = next(r for r in records_of_tests(families) if r["family"] == "arch")
    assert panel.rows[0]["n"] in (record["n"], f"{record['n_first']} and {record['n_second']}")


def test_no_family_and_no_by(families, pair_of_models):
    with pytest.raises(UnanswerableError, match="figure family needs a family of tests"):
        family_figure(pair_of_models)
    with pytest.raises(InputError, match="by 'arch'"):
        family_chart(family_figure(families), by="arch")
