"""Box plots: every network drawn, the quartiles of the analysis, verdicts, one control a panel."""

import numpy as np
import pytest

import rdstats
from rdstats.charts import box_chart, box_panels, theme
from rdstats.figures import box_figure, common
from rdstats.records import slope_records


@pytest.fixture(scope="module")
def panels(study):
    return box_panels(box_figure(study))


def test_quartiles_and_whiskers_are_those_of_the_networks(study):
    data = box_figure(study)
    values = study.slopes["slope"].transpose(*data["median"].dims, "seed").values
    for index in np.argwhere(data["planned"].values):
        own = values[tuple(index)]
        wanted = np.quantile(own, [0.25, 0.5, 0.75])
        names = ("quartile_first", "median", "quartile_third")
        np.testing.assert_allclose([data[name].values[tuple(index)] for name in names], wanted, rtol=1e-12)
        low, high = wanted[[0, 2]] + 1.5 * (wanted[2] - wanted[0]) * np.array([-1, 1])
        inside = own[(own >= low) & (own <= high)]
        assert data["whisker_low"].values[tuple(index)] == inside.min()
        assert data["whisker_high"].values[tuple(index)] == inside.max()
    assert data["n"].values[data["planned"].values].tolist() == [8] * 10


def test_a_panel_a_method_without_the_control(study, panels):
    assert [panel.label for panel in panels] == ["mp", "up", "rp"]
    assert [panel.place for panel in panels] == [None] * 3
    means = {(r["method"], r["ratio"]): r["mean"] for r in slope_records(study)}
    drawn = {(row["series"], row["ratio"]): row["value"] for panel in panels for row in panel.rows}
    assert drawn == {place: pytest.approx(means[place], rel=1e-12) for place in means if place[0] != "sham"}


def test_every_network_is_a_dot_in_its_box(study, panels, layers):
    panel = panels[0]
    rows = [rows for la, rows in layers(panel.chart, "point") if la.get("transform") == [{"filter": "!datum.off"}]]
    wanted = study.slopes["slope"].sel({"method": "mp", "ratio": [2, 4, 10]}).values.ravel()
    assert sorted(row["value"] for row in rows[0]) == pytest.approx(sorted(wanted), rel=1e-12)
    assert {row["series"] for row in rows[0]} == {"network"}
    assert all(abs(np.log(row["x"] / row["ratio"])) < 0.5 * np.log(2) for row in rows[0])
    again = box_panels(box_figure(study))[0]
    assert again.chart.to_dict() == panel.chart.to_dict()


def test_box_on_the_drawn_axis(study, panels, layers):
    data, chart = box_figure(study), panels[0].chart
    (box, rows) = next(pair for pair in layers(chart, "rect") if pair[0]["encoding"].get("x2"))
    assert (box["encoding"]["y"]["field"], box["encoding"]["y2"]["field"]) == ("y_quartile_first", "y_quartile_third")
    own = data.sel({"method": "mp"}).isel(dataset=0, arch=0)
    for row in rows:
        cell = own.sel(ratio=row["ratio"])
        assert row["left"] < row["ratio"] < row["right"]
        assert row["y_median"] == pytest.approx(cell["median"].item(), rel=1e-12)
    assert [row["ratio"] for row in rows] == [2, 4, 10]


def test_verdict_below_each_ratio(study, panels, layers):
    verdicts = {(r["method"], r["ratio"]): r["verdict"] for r in slope_records(study)}
    for panel in panels:
        (rows,) = [rows for layer, rows in layers(panel.chart, "text") if layer["encoding"]["text"]["field"] == "sign"]
        for row in rows:
            verdict = verdicts[panel.label, row["ratio"]]
            assert row["sign"] == ("×" if verdict.startswith("collapsed") else verdict)
    assert verdicts["rp", 10].startswith("collapsed")


def test_collapsed_cells_have_no_box_and_no_expected_slope(panels, layers):
    chart = panels[2].chart
    box = next(rows for layer, rows in layers(chart, "rect") if layer["encoding"].get("x2"))
    assert [row["ratio"] for row in box] == [2, 4]
    expected = [rows for layer, rows in layers(chart) if rows and rows[0].get("series") == theme.EXPECTED]
    assert [row["ratio"] for row in expected[0]] == [2, 4]
    dots = next(r for la, r in layers(chart, "point") if la.get("transform") == [{"filter": "!datum.off"}])
    assert {row["series"] for row in dots if row["ratio"] == 10} == {"degenerate network"}


def test_a_method_stands_beside_its_own_control(many, layers):
    wanted = {"lth": "sham-lth", "chip": "sham-chip"}
    means = {r["method"]: r["mean"] for r in slope_records(many) if r["method"].startswith("sham")}
    for panel in box_panels(box_figure(many)):
        control = wanted.get(panel.label, "sham")
        bands = [rows for layer, rows in layers(panel.chart, "rule") if rows and "of" in rows[0]]
        assert [(row["series"], row["value"]) for row in bands[0]] == [
            (f"{control} (control)", pytest.approx(means[control], rel=1e-12))
        ]


def test_columns_by_arch_and_rows_by_the_rest(make_study, layers):
    places = [("digits", "lenet"), ("digits", "resnet20"), ("mnist", "lenet")]
    analysis = rdstats.analyze(make_study({"sham": 1.0, "mp": 1.2, "up": 0.8}, places=places, images=30), folds=0)
    panels = box_panels(box_figure(analysis), by="arch")
    assert [panel.place for panel in panels] == [
        ("digits / mp", "lenet"), ("digits / mp", "resnet20"), ("digits / up", "lenet"), ("digits / up", "resnet20"),
        ("mnist / mp", "lenet"), ("mnist / up", "lenet"),
    ]  # fmt: skip
    assert panels[0].label == "digits / mp / lenet"
    frames = {}
    for panel in panels:
        domain = layers(panel.chart, "point")[0][0]["encoding"]["y"]["scale"]["domain"]
        frames.setdefault(panel.place[0], []).append(domain)
    assert all(domains == domains[:1] * len(domains) for domains in frames.values())
    matrix = box_chart(box_figure(analysis), by="arch").to_dict()
    assert matrix["columns"] == 2
    assert len(matrix["concat"]) == 8


def test_one_seed_is_dots_only(pair_of_models, layers):
    panel = box_panels(box_figure(pair_of_models))[0]
    assert all(row["median"] is None for row in panel.rows)
    assert not [rows for layer, rows in layers(panel.chart, "rect") if rows and layer["encoding"].get("x2")]
    dots = next(r for la, r in layers(panel.chart, "point") if la.get("transform") == [{"filter": "!datum.off"}])
    assert len(dots) == 2


def test_too_many_networks_are_summarised(study, layers, monkeypatch):
    from rdstats.figures import boxes as figures

    monkeypatch.setattr(figures, "MAX_MARKS", 79)  # the study has 80 networks
    data = box_figure(study)
    assert "slope" not in data
    assert data.attrs["summary"] == "boxes only: 80 networks are too many to show one by one"
    chart = box_panels(data)[0].chart
    assert chart.to_dict()["title"]["subtitle"] == data.attrs["summary"]
    assert not [r for la, r in layers(chart, "point") if r and la.get("transform") == [{"filter": "!datum.off"}]]
    assert common.MAX_MARKS == 20_000


def test_dots_beyond_the_frame_stand_at_its_edge(study, layers):
    data = box_figure(study)
    data["slope"] = data["slope"].copy()
    data["slope"].loc[{"method": "mp", "ratio": 4.0, "seed": 0}] = 50.0
    chart = box_panels(data)[0].chart
    up = next(pair for pair in layers(chart, "point") if pair[0]["mark"].get("shape") == "triangle-up")
    high = up[0]["encoding"]["y"]["scale"]["domain"][1]
    assert up[0]["transform"] == [{"filter": f"datum.value > {high}"}]
    (row,) = [row for row in up[1] if row["value"] > high]
    assert (row["value"], row["y"]) == (50.0, high)
    assert high < 10


def test_excluded_networks_are_no_dots(crumbling):
    without = crumbling.without
    data = box_figure(without)
    assert data["n"].sel({"method": "mp", "ratio": 4.0}).item() == 4
    assert data["slope"].notnull().sum("seed").sel({"method": "mp", "ratio": 4.0}).item() == 4
    assert box_figure(crumbling)["n"].sel({"method": "mp", "ratio": 4.0}).item() == 6
