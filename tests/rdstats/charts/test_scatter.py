"""Scatter matrix: dots equal the balances, lines the pooled line, panels stand where they belong."""

import math

import numpy as np
import pytest

import rdstats
from rdstats.charts import figure_panels, marks, scatter_chart, scatter_panels
from rdstats.errors import InputError
from rdstats.figures import scatter, scatter_figure


def layers(panel, kind):
    return [layer for layer in panel.chart.to_dict()["layer"] if layer["mark"]["type"] == kind]


def rows(panel, layer):
    return panel.chart.to_dict()["datasets"][layer["data"]["name"]]


def dots(panel):
    return [row for layer in layers(panel, "point") for row in rows(panel, layer)]


def title(panel):
    return panel.chart.to_dict()["title"]


def by_label(panels):
    return {panel.label: panel for panel in panels}


@pytest.fixture(scope="module")
def panels(usual):
    return by_label(scatter_panels(scatter_figure(usual)))


def test_dots_are_the_balances_of_every_class_and_network(panels, usual):
    balances = rdstats.measures.balance(usual.counts).sel({"dataset": "digits", "arch": "lenet"})
    before = balances["normalized_balance_dense"].transpose("seed", "class").values.ravel()
    for method, ratio in (("mp", 2), ("up", 4)):
        after = balances["normalized_balance"].sel({"method": method, "ratio": ratio})
        drawn = dots(panels[f"{method}, ratio {ratio}"])
        assert len(drawn) == before.size == 30
        np.testing.assert_allclose(sorted(row["before"] for row in drawn), sorted(before), rtol=1e-12)
        pairs = {(row["before"], row["after"]) for row in drawn}
        values = after.transpose("seed", "class").values.ravel()
        assert pairs == set(zip(before.tolist(), values.tolist(), strict=True))
        assert {row["class"] for row in drawn} == {"0", "1", "2", "3", "4"}
        assert {row["seed"] for row in drawn} == {"0", "1", "2", "3", "4", "5"}


def test_lines_are_the_identity_and_the_pooled_line(panels, usual):
    line = rdstats.pooled(usual.counts).sel({"dataset": "digits", "arch": "lenet", "method": "mp", "ratio": 4})
    panel = panels["mp, ratio 4"]
    identity, pooled = layers(panel, "line")
    assert identity["mark"]["strokeDash"]
    assert "strokeDash" not in pooled["mark"]
    assert all(row["y"] == row["x"] for row in rows(panel, identity))
    for row in rows(panel, pooled):
        assert math.isclose(row["y"] / row["x"], line["slope"].item(), rel_tol=1e-12)
    lines = title(panel)["subtitle"]
    assert lines[0] == f"pooled slope {line['slope'].item():.3f}, r² {line['r_squared'].item():.3f}"
    mean = usual.summary["accuracy"].sel({"dataset": "digits", "arch": "lenet", "method": "mp", "ratio": 4}).item()
    assert lines[1] == f"accuracy {mean:.3f}, 6 networks"
    assert f"{line['slope'].item():.3f}" in panel.rows[0]["text"]


def test_axes_of_a_block_are_square_and_common(panels):
    domains = set()
    for panel in panels.values():
        for layer in panel.chart.to_dict()["layer"]:
            for axis in "xy":
                domains.add(tuple(layer["encoding"][axis]["scale"]["domain"]))
        assert all(abs(row[axis]) <= max(domains)[1] for row in dots(panel) for axis in "xy")
    ((low, high),) = domains
    assert low == -high


def test_places_in_the_matrix(panels):
    assert [panel.place for panel in panels.values()] == [
        (", control", "mp"),
        (", ratio 2", "mp"),
        (", ratio 2", "up"),
        (", ratio 4", "mp"),
        (", ratio 4", "up"),
    ]
    assert "sham (control)" in panels


def test_other_columns_than_methods(make_study):
    places = (("a", "x"), ("a", "y"), ("b", "y"))
    analysis = rdstats.analyze(make_study({"sham": 1.0, "mp": (1.3, 1.4)}, seeds=3, images=30, places=places))
    panels = figure_panels(analysis, "scatter", by="arch")
    assert panels[0].label == "a / sham (control) / x"
    found = [(panel.label, panel.place) for panel in panels if "mp" in panel.label]
    # the one network of dataset b stands in the first column
    assert found == [
        ("a / mp / x, ratio 2", ("a / mp, ratio 2", "x")),
        ("a / mp / y, ratio 2", ("a / mp, ratio 2", "y")),
        ("a / mp / x, ratio 4", ("a / mp, ratio 4", "x")),
        ("a / mp / y, ratio 4", ("a / mp, ratio 4", "y")),
        ("b / mp / y, ratio 2", ("b / mp, ratio 2", "x")),
        ("b / mp / y, ratio 4", ("b / mp, ratio 4", "x")),
    ]
    with pytest.raises(InputError, match="by 'ratio'"):
        figure_panels(analysis, "scatter", by="ratio")


def test_collapsed_networks_do_not_set_the_range(make_study):
    arms = {"mp": (1.3, 1.4), "up": (0.7, 0.6)}
    sound = scatter_figure(rdstats.analyze(make_study(arms, keep="matrices")))
    gone = {(seed, "mp", 4.0) for seed in range(6)}
    data = scatter_figure(rdstats.analyze(make_study(arms, keep="matrices", collapse=gone)))
    limit = data["limit"].max().item()
    assert limit <= sound["limit"].max().item() * (1 + 1e-12)
    panel = by_label(scatter_panels(data))["mp, ratio 4"]
    assert title(panel)["subtitle"][-1] == "collapsed"
    beyond = [row for row in dots(panel) if row["edge"]]
    cell = {"method": "mp", "ratio": 4}
    assert len(beyond) == data["beyond"].sel(cell).item() > 0
    assert all(max(abs(row["x"]), abs(row["y"])) == limit for row in beyond)
    shapes = {layer["mark"].get("shape") for layer in layers(panel, "point")}
    assert {"triangle-up", "triangle-down"} <= shapes


def test_too_many_dots_are_counted_in_squares(usual, monkeypatch):
    points = scatter_figure(usual)
    monkeypatch.setattr(scatter, "MAX_MARKS", 80)
    data = scatter_figure(usual)
    assert "before" not in data
    assert "150 dots" in data.attrs["summary"]
    assert data.sizes["bin_after"] < 32
    assert int((data["count"] > 0).sum()) <= 80
    number = points["after"].notnull().sum(["seed", "class"]).transpose(*data["slope"].dims)
    assert data["count"].sum(["bin_after", "bin_before"]).equals(number)
    cell = {"dataset": "digits", "arch": "lenet", "method": "mp", "ratio": 2}
    one, limit, n_bins = points.sel(cell), data["limit"].sel(cell).item(), data.sizes["bin_after"]
    edges = np.linspace(-limit, limit, n_bins + 1)
    inside = [np.clip(one[name].values.ravel(), -limit, limit) for name in ("after", "before")]
    expected, _, _ = np.histogram2d(*inside, bins=[edges, edges])
    np.testing.assert_array_equal(data["count"].sel(cell).values, expected)
    panel = by_label(scatter_panels(data))["mp, ratio 2"]
    (squares,) = layers(panel, "rect")
    drawn = rows(panel, squares)
    assert sum(row["n"] for row in drawn) == 30
    assert {"n", "left", "right", "low", "high"} == {tip["field"] for tip in squares["encoding"]["tooltip"]}
    np.testing.assert_allclose([row["right"] - row["left"] for row in drawn], 2 * limit / n_bins, rtol=1e-9)
    np.testing.assert_allclose([row["high"] - row["low"] for row in drawn], 2 * limit / n_bins, rtol=1e-9)
    assert "squares" in " ".join(title(panel)["subtitle"])


def test_excluded_networks_are_not_drawn(make_study):
    cube = make_study({"mp": (1.3, 1.4)}, keep="matrices", collapse={(0, "mp", 4.0)})
    all_of_them, sound = (
        by_label(scatter_panels(scatter_figure(rdstats.analyze(cube, exclude_degenerate=out)))) for out in (False, True)
    )
    all_of_them, sound = all_of_them["mp, ratio 4"], sound["mp, ratio 4"]
    assert len(dots(all_of_them)) == 30
    assert len(dots(sound)) == 25
    assert "5 networks" in title(sound)["subtitle"][1]


def test_missing_cells_say_so(make_study):
    gone = {(seed, "mp", 4.0) for seed in range(3)}
    panels = by_label(scatter_panels(scatter_figure(rdstats.analyze(
        make_study({"mp": (1.3, 1.4)}, seeds=3, images=30, keep="matrices", missing=gone)
    ))))  # fmt: skip
    assert panels["mp, ratio 4"].rows == ()
    assert "not computed" in str(panels["mp, ratio 4"].chart.to_dict())
    assert len(dots(panels["mp, ratio 2"])) == 15


@pytest.mark.parametrize("seeds", [None, 1])
def test_bare_pair(seeds):
    pair = [[90, 10], [30, 70]], [[80, 20], [50, 50]]
    dims = () if seeds is None else ("seed",)
    pair = pair if seeds is None else tuple([matrix] for matrix in pair)
    evil = "<script>alert(1)</script>"
    analysis = rdstats.analyze(rdstats.build(*pair, dims=dims, class_names=["cat", evil]))
    (panel,) = scatter_panels(scatter_figure(analysis))
    assert panel.label == ""
    assert [row["class"] for row in dots(panel)] == ["cat", evil]
    assert title(panel)["text"] == ["pooled slope 1.846, r² 1.000", "accuracy 0.650, 1 network"]
    assert isinstance(scatter_chart(scatter_figure(analysis)), marks.alt.LayerChart)


def test_methods_have_their_colours(panels):
    colours = {name.split(",")[0]: layers(panel, "point")[0]["mark"]["color"] for name, panel in panels.items()}
    assert colours == {"sham (control)": "#808080", "mp": "#0072B2", "up": "#009E73"}
