"""Heatmap of the confusion difference: squares equal the difference, many classes, names, colours with signs."""

import numpy as np
import pytest

import rdstats
from rdstats.charts import confusion_panels, describe, theme
from rdstats.errors import UnanswerableError
from rdstats.figures import confusion, confusion_figure

CELL = {"dataset": "digits", "arch": "lenet"}


def layer(panel, kind):
    spec = panel.chart.to_dict()
    (found,) = [la for la in spec["layer"] if la["mark"]["type"] == kind]
    return found, spec["datasets"][found.get("data", spec.get("data"))["name"]]


def by_label(data, **options):
    return {panel.label: panel for panel in confusion_panels(data, **options)}


@pytest.fixture(scope="module")
def panels(usual):
    return by_label(confusion_figure(usual))


def test_squares_are_the_difference_in_points(panels, usual, usual_cube):
    expected = rdstats.confusion_difference(usual_cube).sel({**CELL, "method": "mp", "ratio": 4})
    _, rows = layer(panels["mp, ratio 4"], "rect")
    assert len(rows) == 25
    for row in rows:
        one = expected.isel({"true_class": int(row["true"]), "predicted_class": int(row["predicted"])})
        for name in ("share_dense", "share", "difference"):
            assert row[name] == pytest.approx(100 * one[name].item(), rel=1e-12, abs=1e-12)
    head = panels["mp, ratio 4"].chart.to_dict()["title"]["subtitle"]
    assert head == ["mean of 6 networks"]


def test_numbers_and_signs_stand_in_the_squares(panels):
    _, rows = layer(panels["mp, ratio 4"], "text")
    for row in rows:
        value = row["difference"]
        if abs(value) < 0.05:
            assert row["label"] == "0"
        else:
            assert row["label"][0] == ("+" if value > 0 else "\u2212")
            assert float(row["label"].replace("\u2212", "-")) == pytest.approx(value, abs=0.5)


def test_colours_diverge_around_zero(panels):
    for panel in panels.values():
        found, rows = layer(panel, "rect")
        scale = found["encoding"]["color"]["scale"]
        low, middle, high = scale["domain"]
        assert (low, middle) == (-high, 0)
        assert high >= max(abs(row["difference"]) for row in rows)
        assert tuple(scale["range"]) == theme.DIVERGING


def test_the_description_tells_the_largest_moves(panels):
    panel = panels["up, ratio 2"]
    _, rows = layer(panel, "rect")
    largest = max(rows, key=lambda row: abs(row["difference"]))
    text = describe(panel, "Confusion")
    assert f"{largest['difference']:+.1f} points" in text
    assert panel.rows[1]["difference"] == largest["difference"]


@pytest.fixture(scope="module")
def many(make_study):
    names = [f"c{i}" for i in range(34)]
    cube = make_study({"mp": 1.5}, ratios=(2,), seeds=3, images=30, classes=34, keep="matrices", class_names=names)
    return cube, rdstats.analyze(cube)


def test_of_many_classes_those_that_lose_most(many):
    cube, analysis = many
    data = confusion_figure(analysis)
    expected = rdstats.confusion_difference(cube).isel(dict.fromkeys(("dataset", "arch", "method", "ratio"), 0))
    change = np.diagonal(expected["difference"].values)
    chosen = np.argsort(change, kind="stable")[:30]
    (panel,) = confusion_panels(data)
    found, rows = layer(panel, "rect")
    down, across = (found["encoding"][axis]["scale"]["domain"] for axis in "yx")
    assert down == [f"c{i}" for i in chosen]
    assert across == [*down, "other classes"]
    others = sorted(set(range(34)) - set(chosen.tolist()))
    rest = 100 * expected["difference"].values[np.ix_(chosen, others)].sum(-1)
    drawn = [row["difference"] for row in rows if row["predicted"] == "other classes"]
    np.testing.assert_allclose(drawn, rest, rtol=1e-9, atol=1e-12)
    assert "the 30 of 34 classes that lose most recall" in panel.chart.to_dict()["title"]["subtitle"]
    # no number fits in a square: the larger ones have a sign
    _, texts = layer(panel, "text")
    assert {row["label"] for row in texts} == {"", "+", "\u2212"}
    assert all(row["difference"] < 0 for row in texts if row["label"] == "\u2212")
    assert all(row["difference"] > 0 for row in texts if row["label"] == "+")


def test_rows_add_up_to_nothing(many, panels):
    data = confusion_figure(many[1])
    np.testing.assert_allclose(data["difference"].sum("column").values, 0, atol=1e-9)


def test_fewer_classes_where_panels_are_many(many, monkeypatch):
    monkeypatch.setattr(confusion, "MAX_MARKS", 100)
    data = confusion_figure(many[1])
    assert data.sizes["row"] == 9  # 9 x 10 squares
    (panel,) = confusion_panels(data)
    head = " ".join(panel.chart.to_dict()["title"]["subtitle"])
    assert "the 9 of 34 classes" in head
    assert "more than 100 squares" in head


def test_classes_of_one_name_stay_apart():
    evil = "<script>alert(1)</script>"
    analysis = rdstats.analyze(rdstats.build([[90, 10], [30, 70]], [[80, 20], [50, 50]], class_names=[evil, evil]))
    (panel,) = confusion_panels(confusion_figure(analysis))
    found, rows = layer(panel, "rect")
    assert len(set(found["encoding"]["y"]["scale"]["domain"])) == 2
    assert {row["true"] for row in rows} == {evil}
    assert [row["difference"] for row in rows] == pytest.approx([-10, 10, 20, -20])
    assert panel.label == ""


def test_classes_of_every_dataset():
    before = np.array([np.diag([8.0, 7, 6]) + 2, np.diag([8.0, 7, 6]) + 2])
    before[1, 2], before[1, :, 2] = np.nan, np.nan  # the second has two classes
    after = np.where(np.isnan(before), np.nan, before + np.array([[-1, 1, 0], [1, -1, 0], [0, 0, 0]]))
    analysis = rdstats.analyze(rdstats.build(before, after, dims=("dataset",), coords={"dataset": ["a", "b"]}))
    panels = by_label(confusion_figure(analysis))
    assert {label: len(layer(panel, "rect")[1]) for label, panel in panels.items()} == {"a": 9, "b": 4}
    _, rows = layer(panels["b"], "rect")
    share = 100 / 12, 100 / 11
    expected = [-share[0], share[0], share[1], -share[1]]
    assert [row["difference"] for row in rows] == pytest.approx(expected, rel=1e-12)


def test_excluded_and_missing_networks(make_study):
    gone = {(seed, "mp", 4.0) for seed in range(3)}
    cube = make_study({"mp": (1.3, 1.4)}, seeds=3, keep="matrices", collapse={(0, "mp", 2.0)}, missing=gone)
    panels = by_label(confusion_figure(rdstats.analyze(cube, exclude_degenerate=True)))
    assert panels["mp, ratio 4"].rows == ()
    assert panels["mp, ratio 2"].chart.to_dict()["title"]["subtitle"][0].startswith("mean of 2 networks")
    kept = cube.isel({"seed": [1, 2]})
    expected = rdstats.confusion_difference(kept)["difference"].sel({**CELL, "method": "mp", "ratio": 2}).values
    _, rows = layer(panels["mp, ratio 2"], "rect")
    np.testing.assert_allclose([row["difference"] for row in rows], 100 * expected.ravel(), rtol=1e-9, atol=1e-12)


def test_needs_matrices(usual_cube):
    with pytest.raises(UnanswerableError, match="matrices"):
        confusion_figure(rdstats.analyze(rdstats.class_counts(usual_cube)))
