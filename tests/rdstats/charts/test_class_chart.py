"""Slope graph of classes: who loses and wins, who is named, names that do not overlap."""

import math
from itertools import pairwise

import numpy as np
import pytest

import rdstats
from rdstats.charts import class_panels, describe, theme
from rdstats.charts.captions import class_caption
from rdstats.figures import class_figure, classes


def layers(panel):
    spec = panel.chart.to_dict()
    return [(layer, spec["datasets"][layer["data"]["name"]]) for layer in spec["layer"]]


def lines(panel):
    """Return the lines of classes."""
    return [(la, row) for la, rows in layers(panel) if la["mark"]["type"] == "rule" for row in rows if "from" in row]


def labels(panel):
    (found,) = [rows for la, rows in layers(panel) if la["mark"]["type"] == "text"]
    return found


def by_label(data, **options):
    return {panel.label: panel for panel in class_panels(data, **options)}


@pytest.fixture(scope="module")
def data(usual):
    return class_figure(usual)


def test_lines_are_the_scores_of_the_classes(data, usual):
    expected = rdstats.per_class(usual.counts).sel({"dataset": "digits", "arch": "lenet", "method": "mp", "ratio": 2})
    drawn = {row["class_name"]: row for _, row in lines(by_label(data)["mp, ratio 2"])}
    assert sorted(drawn) == ["0", "1", "2", "3", "4"]
    for name, row in drawn.items():
        one = expected.sel({"class": int(name)})
        for key in ("score_dense", "score", "change"):
            assert math.isclose(row[key], one[key].item(), rel_tol=1e-12)
        low, high = one["interval"].values.tolist()
        assert math.isclose(row["lower"], low, rel_tol=1e-12)
        assert math.isclose(row["upper"], high, rel_tol=1e-12)
        assert row["direction"] == ("loses" if high < 0 else "wins" if low > 0 else "undecided")


def test_directions_differ_by_colour_dash_and_sign(data):
    every = [pair for panel in by_label(data).values() for pair in lines(panel)]
    style = {row["direction"]: (la["mark"]["color"], tuple(la["mark"]["strokeDash"])) for la, row in every}
    assert style["loses"] == (theme.LOSS, (1, 0))
    assert style["wins"] == (theme.GAIN, (7, 2))
    assert style["undecided"] == (theme.CONTROL_COLOUR, (2, 2))
    panel = by_label(data)["mp, ratio 4"]
    signs = {row["label"].split()[1].rstrip(":"): row["label"][0] for row in labels(panel)}
    sign = {"loses": "\u25bc", "wins": "\u25b2", "undecided": "?"}
    assert signs == {row["class_name"]: sign[row["direction"]] for _, row in lines(panel)}


def test_the_panel_says_how_many(data):
    for panel in by_label(data).values():
        counted = [row["direction"] for _, row in lines(panel)]
        lose, win = counted.count("loses"), counted.count("wins")
        head = panel.chart.to_dict()["title"]["subtitle"][0]
        assert head == f"\u25bc {lose} lose, \u25b2 {win} win beyond their interval, of 5 classes"
        assert head in describe(panel, "Classes")


def test_names_do_not_overlap(usual, data):
    for panel in class_panels(data):
        layer = next(la for la, _ in layers(panel) if la["mark"]["type"] == "text")
        low, high = layer["encoding"]["y"]["scale"]["domain"]
        pixels = sorted((high - row["level"]) / (high - low) * 200 for row in labels(panel))
        assert all(b - a >= 11 for a, b in pairwise(pixels))
        assert 0 <= pixels[0] <= pixels[-1] <= 200


def test_panels_of_a_row_have_a_common_axis(data):
    def frame(panel):
        return lines(panel)[0][0]["encoding"]["y"]["scale"]["domain"]

    panels = by_label(data)
    assert frame(panels["mp, ratio 2"]) == frame(panels["up, ratio 2"])
    assert panels["sham (control)"].place == (", control", "mp")


@pytest.fixture(scope="module")
def many(make_study):
    arms = {"mp": (1.6, 0.4)}
    return rdstats.analyze(make_study(arms, seeds=4, images=40, classes=40, keep="matrices"))


def test_of_many_classes_the_largest_are_named(many):
    panel = by_label(class_figure(many))["mp, ratio 2"]
    rows = [row for _, row in lines(panel)]
    assert len(rows) == 40
    changes = sorted(row["change"] for row in rows)
    decided = {row["change"] for row in rows if row["direction"] != "undecided"}
    assert decided
    named = [row for row in rows if row["named"]]
    assert len(named) == 10
    for sign in (-1, 1):
        # decided ones first, then the largest
        side = sorted((c for c in changes if sign * c > 0), key=lambda c: (c not in decided, -sign * c))
        assert sorted(row["change"] for row in named if sign * row["change"] > 0) == sorted(side[:5])
    grey = {la["mark"]["color"] for la, row in lines(panel) if not row["named"]}
    assert grey == {theme.CONTROL_COLOUR}
    assert len(labels(panel)) == 10
    assert "the 10 largest" in panel.chart.to_dict()["title"]["subtitle"][1]


def test_above_the_limit_the_others_are_a_band(many, monkeypatch):
    one_by_one = class_figure(many)
    monkeypatch.setattr(classes, "MAX_MARKS", 60)
    data = class_figure(many)
    assert "band" in data.attrs["summary"]
    panel = by_label(data)["mp, ratio 2"]
    assert len(lines(panel)) == 10
    (band,) = [rows for la, rows in layers(panel) if la["mark"]["type"] == "area"]
    cell = {"dataset": "digits", "arch": "lenet", "method": "mp", "ratio": 2}
    others = one_by_one.sel(cell)
    for stage, name in enumerate(("score_dense", "score")):
        values = others[name].values[~others["named"].values]
        whole = next(row for row in band if row["x"] == stage and row["part"] == "all")
        half = next(row for row in band if row["x"] == stage and row["part"] == "middle half")
        np.testing.assert_allclose([whole["low"], whole["high"]], [values.min(), values.max()], rtol=1e-12)
        np.testing.assert_allclose([half["low"], half["high"]], np.quantile(values, [0.25, 0.75]), rtol=1e-12)


def test_one_pair_of_models_is_told_by_mcnemar(pair_of_models):
    data = class_figure(pair_of_models)
    p = pair_of_models.changes["p_corrected"].isel({"seed": 0}, drop=True)
    decided = (data["direction"] != "undecided") & (data["direction"] != "")
    assert decided.equals((p < 0.05).transpose(*decided.dims))
    assert bool(decided.any())
    loses = data["direction"] == "loses"
    assert bool((data["change"].where(loses) < 0).sum() == loses.sum())
    panel = by_label(data)["mp, ratio 4"]
    assert "McNemar" in panel.chart.to_dict()["title"]["subtitle"][0]
    assert "<b>&_x" in {row["class_name"] for _, row in lines(panel)}


def test_a_bare_pair_decides_by_its_covering_interval():
    """Two matrices allow that the 20 points of b are beyond chance, and not that the 10 of a are."""
    analysis = rdstats.analyze(rdstats.build([[90, 10], [30, 70]], [[80, 20], [50, 50]], class_names=["a", "b" * 40]))
    (panel,) = class_panels(class_figure(analysis))
    assert {row["class_name"]: row["direction"] for _, row in lines(panel)} == {"a": "undecided", "b" * 40: "loses"}
    title = panel.chart.to_dict()["title"]["text"][0]
    assert title == "\u25bc 1 lose, \u25b2 0 win beyond their interval, of 2 classes"
    names = [row["label"] for row in labels(panel)]
    assert names == ["\u25bc " + "b" * 16 + "\u2026: \u221220.0", "? a: \u221210.0"]
    assert "over test images, whatever images both models get right" in class_caption(class_figure(analysis))[1]


def test_one_network_decides_nothing_about_another_measure():
    analysis = rdstats.analyze(rdstats.build([[90, 10], [30, 70]], [[80, 20], [50, 50]]), measure="f1")
    (panel,) = class_panels(class_figure(analysis))
    assert {row["direction"] for _, row in lines(panel)} == {"undecided"}
    assert panel.chart.to_dict()["title"]["text"][0] == "none of 2 classes decided: too few networks"


def test_collapsed_cells_have_their_own_axis(make_study):
    gone = {(seed, "mp", 4.0) for seed in range(4)}
    cube = make_study({"mp": (1.3, 1.4), "up": (0.7, 0.6)}, seeds=4, keep="matrices", collapse=gone)
    panels = by_label(class_figure(rdstats.analyze(cube)))
    frames = {name: lines(panel)[0][0]["encoding"]["y"]["scale"]["domain"] for name, panel in panels.items()}
    assert frames["mp, ratio 4"][0] < 0.01 < frames["up, ratio 4"][0]
    assert "collapsed" in panels["mp, ratio 4"].rows[0]["text"]


def test_missing_cells_say_so(make_study):
    gone = {(seed, "mp", 4.0) for seed in range(3)}
    cube = make_study({"mp": (1.3, 1.4)}, seeds=3, images=30, keep="matrices", missing=gone)
    panels = by_label(class_figure(rdstats.analyze(cube)))
    assert panels["mp, ratio 4"].rows == ()
    assert len(lines(panels["mp, ratio 2"])) == 5


def test_mcnemar_tells_nothing_of_other_measures(make_study):
    cube = make_study({"mp": (1.3, 1.4)}, seeds=1, images=150)
    data = class_figure(rdstats.analyze(cube, measure="f1"))
    assert set(data["direction"].values.ravel().tolist()) == {"undecided"}
    assert "p_corrected" not in data
    panel = by_label(data)["mp, ratio 2"]
    assert lines(panel)[0][0]["encoding"]["y"]["title"] == "f1"
