"""Spread against cosine: networks, means, curves of equal slope, the control; and labels that stay apart."""

import math

import numpy as np
import pytest

import rdstats
from rdstats.charts import describe, spread_panels, theme
from rdstats.charts.labels import apart, beside
from rdstats.figures import spread, spread_figure


def layers(panel):
    """Return (layer, rows) of a panel."""
    spec = panel.chart.to_dict()
    return [(layer, spec["datasets"][layer["data"]["name"]]) for layer in spec["layer"]]


def points(panel, size):
    return next(rows for la, rows in layers(panel) if la["mark"]["type"] == "point" and la["mark"]["size"] == size)


@pytest.fixture(scope="module")
def panel(study):
    (only,) = spread_panels(spread_figure(study))
    return only


def test_dots_are_the_networks(panel, study):
    networks = study.slopes.sel({"dataset": "digits", "arch": "lenet"})
    drawn = points(panel, 12)
    assert len(drawn) == int(networks["slope"].notnull().sum()) == 80
    for row in drawn[:5] + drawn[-5:]:
        method, ratio = ("sham", 1) if "control" in row["series"] else (row["series"], row["ratio"])
        one = networks.sel({"method": method, "ratio": ratio, "seed": int(row["seed"])})
        found = {"cosine": row["cosine"], "spread_ratio": row["spread"], "slope": row["slope"]}
        assert all(math.isclose(one[name].item(), value, rel_tol=1e-12) for name, value in found.items())


def test_marks_are_the_means(panel, study):
    drawn = points(panel, 75)
    summary = study.summary.sel({"dataset": "digits", "arch": "lenet"})
    assert (drawn[0]["series"], drawn[0]["ratio"]) == ("sham (control)", 1)
    for row in drawn:
        method = row["series"].removesuffix(" (control)")
        one = summary.sel({"method": method, "ratio": row["ratio"]})
        found = {"cosine": row["cosine"], "spread": row["spread"], "mean": row["slope"]}
        assert all(math.isclose(one[name].item(), value, rel_tol=1e-12) for name, value in found.items())
        assert row["collapsed"] == str(one["verdict"].item()).startswith("collapsed")
    assert sum(row["collapsed"] for row in drawn) == 1


def test_control_is_grey_and_ratios_stand_beside_the_others(panel):
    colours = next(la["encoding"]["color"]["scale"] for la, _ in layers(panel) if "shape" in la["encoding"])
    paint = dict(zip(colours["domain"], colours["range"], strict=True))
    assert paint["sham (control)"] == theme.CONTROL_COLOUR
    assert paint["mp"] == theme.colours(["mp"])[0]
    written = [row for la, rows in layers(panel) if la["mark"]["type"] == "text" for row in rows if "beside" in row]
    assert {(row["series"], row["beside"]) for row in written} <= {
        (name, ratio) for name in ("mp", "up", "rp") for ratio in ("2", "4", "10")
    }
    assert len(written) >= 6


def test_curves_have_equal_slopes(panel):
    curves = next(rows for la, rows in layers(panel) if la["mark"]["type"] == "line" and "detail" in la["encoding"])
    assert {row["name"] for row in curves} <= {"slope 0.5", "slope 1", "slope 2"}
    assert "slope 1" in {row["name"] for row in curves}
    for row in curves:
        assert math.isclose(row["x"] * row["y"], float(row["name"].removeprefix("slope ")), rel_tol=1e-12)


def test_everything_lies_in_the_frame(panel):
    for layer, rows in layers(panel):
        for axis in "xy":
            low, high = layer["encoding"][axis]["scale"]["domain"]
            assert all(low <= row[axis] <= high for row in rows)


def test_above_the_limit_only_means(study, monkeypatch):
    monkeypatch.setattr(spread, "MAX_MARKS", 50)
    data = spread_figure(study)
    assert "network_spread" not in data
    (panel,) = spread_panels(data)
    assert not points(panel, 12)
    assert len(points(panel, 75)) == 10
    assert "80 networks" in str(panel.chart.to_dict()["title"])


def test_other_series_than_methods(make_study):
    places = (("a", "x"), ("a", "y"))
    analysis = rdstats.analyze(make_study({"sham": 1.0, "mp": (1.3, 1.4)}, seeds=3, images=30, places=places))
    (panel,) = spread_panels(spread_figure(analysis), by="arch")
    assert [row["series"] for row in panel.rows] == ["x", "x", "y", "y", "sham (control) x", "sham (control) y"]


@pytest.mark.parametrize("seeds", [None, 1])
def test_bare_pair(seeds):
    pair = [[90, 10], [30, 70]], [[80, 20], [50, 50]]
    pair = pair if seeds is None else tuple([matrix] for matrix in pair)
    analysis = rdstats.analyze(rdstats.build(*pair, dims=() if seeds is None else ("seed",)))
    (panel,) = spread_panels(spread_figure(analysis))
    assert len(points(panel, 12)) == len(points(panel, 75)) == 1
    assert "spread ratio 1.846" in describe(panel, "Spread")


def test_excluded_networks_are_not_drawn(make_study):
    cube = make_study({"mp": (1.3, 1.4)}, keep="matrices", collapse={(0, "mp", 4.0)})
    numbers = [
        len(points(spread_panels(spread_figure(rdstats.analyze(cube, exclude_degenerate=out)))[0], 12))
        for out in (False, True)
    ]
    assert numbers == [12, 11]


def test_classes_that_are_all_right_in_the_end_have_no_cosine():
    """Their slope is 0, whatever they were before; the cell has no mark."""
    before = np.array([np.diag([90.0, 80, 70]) + np.roll(np.diag([10.0, 20, 30]), 1, axis=1)] * 3)
    after = np.array([np.diag([100.0] * 3)] * 3)
    analysis = rdstats.analyze(rdstats.build(before, after, dims=("seed",)))
    assert analysis.summary["mean"].item() == 0
    (panel,) = spread_panels(spread_figure(analysis))
    assert panel.rows == ()


def test_labels_in_a_column_are_apart_and_near():
    assert apart([10, 50], 11, 0, 100) == [10, 50]
    assert apart([50, 50], 10, 0, 100) == [45, 55]
    assert apart([50, 49], 10, 0, 100) == [54.5, 44.5]
    assert apart([99, 100, 100], 10, 0, 100) == [80, 90, 100]
    assert apart([0, 0, 1], 10, 0, 100) == [0, 10, 20]
    assert apart([], 10, 0, 100) == []
    rng = np.random.default_rng(1)
    for n in (1, 5, 12, 30):
        wanted = rng.uniform(0, 200, n)
        found = np.array(apart(wanted.tolist(), 11, 2, 198))
        order = np.argsort(wanted, kind="stable")
        gap = min(11, 196 / max(n - 1, 1))
        assert (np.diff(found[order]) >= gap - 1e-9).all()
        assert found.min() >= 2 - 1e-9
        assert found.max() <= 198 + 1e-9


def test_texts_beside_marks_cover_nothing():
    marks = [(0.0, 0.0), (11.0, 0.0), (100.0, 0.0)]
    assert beside(marks, ["2", "4", "10"], marks) == [("right", -8, 0), ("left", 8, 0), ("left", 8, 0)]
    crowd = [(float(x), float(y)) for x in range(-30, 31, 6) for y in range(-30, 31, 6)]
    assert beside([(0.0, 0.0)], ["4"], crowd) == [None]
