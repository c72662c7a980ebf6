"""Accuracy beside slope: both axes aligned at "no change", achieved ratios, what is drawn equals the records."""

import pytest

import rdstats
from rdstats.charts import describe, level_chart, level_panels, theme, tradeoff_panels
from rdstats.charts.tradeoff import ACCURACY, CONTROL, SLOPE
from rdstats.errors import UnanswerableError
from rdstats.figures import level_figure, tradeoff_figure
from rdstats.records import accuracy_records, slope_records, tradeoff_records


def axes(chart):
    """Return the domains of the left and the right axis."""
    left, right = chart.to_dict(validate=False)["layer"]
    return [part["layer"][0]["encoding"]["y"]["scale"]["domain"] for part in (left, right)]


@pytest.fixture(scope="module")
def panels(study):
    return tradeoff_panels(tradeoff_figure(study))


@pytest.fixture(scope="module")
def many_panels(many):
    return tradeoff_panels(tradeoff_figure(many))


@pytest.fixture(scope="module")
def many_levels(many):
    (panel,) = level_panels(level_figure(many))
    return panel


def test_points_are_the_records(study, panels):
    panels = {panel.label: panel.rows for panel in panels}
    assert list(panels) == ["mp", "up", "rp"]
    for record in tradeoff_records(study):
        if record["method"] == "sham":
            continue
        rows = {row["series"]: row for row in panels[record["method"]] if row["ratio"] == record["ratio"]}
        for series, name, n in ((ACCURACY, "accuracy", "n"), (SLOPE, "slope", "n_slope")):
            row = rows[series]
            got = (row["value"], row["se"], row["n"])
            assert got == pytest.approx((record[name], record[name + "_se"], record[n]), rel=1e-12)


def test_both_axes_say_no_change_at_the_same_height(study, many, panels, many_panels):
    for analysis, drawn in ((study, panels), (many, many_panels)):
        dense = {r["method"]: r["accuracy_dense"] for r in accuracy_records(analysis)}
        for panel in drawn:
            left, right = axes(panel.chart)
            assert sum(left) / 2 == pytest.approx(dense[panel.label], rel=1e-12)
            assert sum(right) / 2 == pytest.approx(1, rel=1e-12)


def test_the_line_between_is_dashed_and_named(panels, layers):
    chart = panels[0].chart
    line = [(layer, rows) for layer, rows in layers(chart, "rule") if "strokeDash" in layer["mark"]]
    assert [row["text"] for _, rows in line for row in rows] == ["no change"]
    assert line[0][1][0]["y"] == pytest.approx(1, rel=1e-12)
    assert chart.to_dict()["resolve"] == {"scale": {"y": "independent"}}


def control_lines(panel, layers):
    found = [(la["mark"], rows) for la, rows in layers(panel.chart) if rows and rows[0].get("text") == CONTROL]
    return {mark["type"]: (mark, rows) for mark, rows in found}


def test_the_control_is_a_grey_line_with_its_name(many, many_panels, layers):
    means = {r["method"]: r["mean"] for r in slope_records(many) if r["method"].startswith("sham")}
    for panel in many_panels:
        own = {"lth": "sham-lth", "chip": "sham-chip"}.get(panel.label, "sham")
        lines = control_lines(panel, layers)
        assert lines["rule"][0]["color"] == theme.CONTROL_COLOUR
        for _, (row,) in lines.values():
            assert row["y"] == pytest.approx(means[own], rel=1e-12)
        # the name of the line that lies higher stands above it, the other one below
        assert lines["text"][0]["baseline"] == ("bottom" if means[own] > 1 else "top")
        low, high = axes(panel.chart)[1]
        assert low < means[own] < high
        assert f"slope of the control {own}: {means[own]:.3f}" in describe(panel, "")


def test_without_a_control_there_is_no_such_line(make_study, layers):
    analysis = rdstats.analyze(make_study({"mp": (1.3, 1.4)}, seeds=3), folds=0)
    (panel,) = tradeoff_panels(tradeoff_figure(analysis))
    assert control_lines(panel, layers).get("text", ({}, []))[1] == []
    assert "control" not in describe(panel, "")


def test_a_collapsed_control_is_only_told(make_study, layers):
    cube = make_study({"sham": 1.0, "mp": 1.3}, seeds=4, collapse={(seed, "sham", 1.0) for seed in range(4)})
    (panel,) = tradeoff_panels(tradeoff_figure(rdstats.analyze(cube, folds=0)))
    assert control_lines(panel, layers).get("text", ({}, []))[1] == []
    told = describe(panel, "")
    assert "control" not in told or "collapsed" in told


def test_lines_start_before_compression(study, panels):
    panel = panels[0]
    first = [row for row in panel.rows if row["ratio"] == 1]
    dense = accuracy_records(study)[0]
    assert [(row["series"], row["value"]) for row in first] == [
        (ACCURACY, pytest.approx(dense["accuracy_dense"], rel=1e-12)),
        (SLOPE, 1.0),
    ]
    assert panel.chart.to_dict()["layer"][0]["layer"][0]["encoding"]["x"]["axis"]["values"] == [1, 2, 4, 10]


def test_lines_differ_by_more_than_colour(panels, layers):
    chart = panels[0].chart
    encodings = [layer["encoding"] for layer, _ in layers(chart)]
    for channel in ("color", "shape"):
        scale = next(encoding[channel]["scale"] for encoding in encodings if channel in encoding)
        assert scale["domain"] == [ACCURACY, SLOPE]
        assert scale["range"][0] != scale["range"][1]
    dashes = [layer["mark"].get("strokeDash") for layer, _ in layers(chart, "line")]
    assert len(dashes) == 2
    assert dashes[0] != dashes[1]
    titles = {e["y"]["axis"]["title"] for e in encodings if "axis" in e.get("y", {})}
    assert titles == {"mean accuracy (solid line; share of test images)", "mean slope alpha (dashed line)"}


def test_collapsed_cells_do_not_stretch_the_axes(panels):
    panel = next(p for p in panels if p.label == "rp")
    left, _ = axes(panel.chart)
    (gone,) = [row for row in panel.rows if row["ratio"] == 10 and row["series"] == ACCURACY]
    assert gone["collapsed"]
    assert gone["off"]
    assert gone["value"] < left[0]
    assert gone["y"] == left[0]


def test_achieved_ratio_in_the_tooltip(many_panels, layers):
    panel = next(p for p in many_panels if p.label == "up")
    layer, rows = layers(panel.chart, "point")[0]
    assert {"field": "achieved", "type": "quantitative", "title": "achieved ratio", "format": ".6~g"} in (
        layer["encoding"]["tooltip"]
    )
    assert [row["achieved"] / row["ratio"] for row in rows[1:]] == pytest.approx([0.7] * 11, rel=1e-12)


def test_levels_stand_at_their_achieved_ratios(many_levels):
    panel = many_levels
    for series, factor in (("up", 0.7), ("chip", 1.04), ("mp", 1.0)):
        rows = [row for row in panel.rows if row["series"] == series]
        assert [row["x"] / row["ratio"] for row in rows] == pytest.approx([factor] * 22, rel=1e-12)
    assert not [row for row in panel.rows if row["series"] == "gp" and row["ratio"] == 2.44]
    assert {row["series"] for row in panel.rows} == {"mp", "gp", "up", "rp", "lth", "chip"}


def test_levels_without_achieved_ratios_stand_at_the_nominal_ones(study):
    (panel,) = level_panels(level_figure(study))
    assert all(row["x"] == row["ratio"] for row in panel.rows)
    above, below = panel.chart.to_dict()["vconcat"]
    titles = [part["layer"][-1]["encoding"]["x"].get("title") for part in (above, below)]
    assert titles == [None, "pruning ratio (all parameters over those kept)"]
    domains = [part["layer"][-1]["encoding"]["x"]["scale"]["domain"] for part in (above, below)]
    assert domains[0] == domains[1]


def test_levels_with_controls_and_expected_slopes(many, many_levels, layers):
    panel = many_levels
    means = {r["method"]: r for r in slope_records(many) if r["method"].startswith("sham")}
    lines = [rows for layer, rows in layers(panel.chart, "rule") if rows and "of" in rows[0]]
    for rows, name in zip(lines, ("accuracy", "mean"), strict=True):
        wanted = {f"{method} (control)": pytest.approx(r[name], rel=1e-12) for method, r in means.items()}
        assert {row["series"]: row["value"] for row in rows} == wanted
    records = [r for r in slope_records(many) if not r["method"].startswith("sham") and r["mean"] is not None]
    sound = [r for r in records if not r["verdict"].startswith("collapsed")]
    dashes = next(rows for la, rows in layers(panel.chart, "point") if la["mark"].get("shape") == theme.DASH)
    drawn = {(row["series"], row["ratio"]): row["expected"] for row in dashes}
    assert drawn == {(r["method"], r["ratio"]): pytest.approx(r["expected"], rel=1e-12) for r in sound}


def test_accuracies_before_compression_may_differ(study, layers):
    data = level_figure(study)

    def before():
        found = [(la, rows) for la, rows in layers(level_chart(data)) if rows and "before" in str(rows[0])]
        return {layer["mark"]["type"]: rows for layer, rows in found}

    dense = accuracy_records(study)[1]["accuracy_dense"]
    assert before()["text"] == [{"y": pytest.approx(dense, rel=1e-12), "text": "before"}]
    data["accuracy_dense"] = data["accuracy_dense"].copy()
    data["accuracy_dense"].loc[{"method": "up"}] = 0.5
    assert {row["name"]: row["y"] for row in before()["rule"]} == {
        "before mp": pytest.approx(dense, rel=1e-12), "before up": 0.5, "before rp": pytest.approx(dense, rel=1e-12)
    }  # fmt: skip
    colours = dict(zip(("before mp", "before up", "before rp"), theme.colours(["mp", "up", "rp"]), strict=True))
    assert {row["name"]: row["paint"] for row in before()["rule"]} == colours


def test_one_seed_has_no_errors(pair_of_models):
    (panel,) = tradeoff_panels(tradeoff_figure(pair_of_models))
    rows = [row for row in panel.rows if row["series"] != CONTROL]
    assert [row["y_lower"] for row in rows] == [None] * 6


@pytest.mark.parametrize("figure", [tradeoff_figure, level_figure])
def test_a_cube_without_ratios(figure, sim):
    cube = sim.simulate({"mp": sim.CONTROL}).isel(ratio=0, drop=True)
    with pytest.raises(UnanswerableError, match="needs a dimension ratio"):
        figure(rdstats.analyze(cube))
